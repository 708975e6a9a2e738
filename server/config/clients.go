package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// clientDirectives are about what clients are told unasked, and what they may cost.
func clientDirectives() []directive {
	return []directive{
		notifyDirective(),
		integer("tracking-table-max-keys", "", func(c *Config) *int64 { return &c.TrackingTableMaxKeys }, 0, math.MaxInt64, 0),
		maxClientsMemoryDirective(),
	}
}

// eventLetters are the classes of notify-keyspace-events in the order in which the
// directive's value is shown. A stands for those in allEvents.
const (
	allEvents    = "g$lshzxetd"
	eventLetters = allEvents + "nKEm"
)

func notifyDirective() directive {
	return directive{name: "notify-keyspace-events",
		get: func(c *Config) string {
			if letters, all := strings.CutPrefix(c.NotifyKeyspaceEvents, allEvents); all {
				return "A" + letters
			}
			return c.NotifyKeyspaceEvents
		},
		set: func(c *Config, words []string) error {
			given := strings.ReplaceAll(strings.Join(words, ""), "A", allEvents)
			if strings.Trim(given, eventLetters) != "" {
				return errors.New("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.") //nolint:staticcheck // Redis' text
			}
			ordered := ""
			for _, letter := range eventLetters {
				if strings.ContainsRune(given, letter) {
					ordered += string(letter)
				}
			}
			c.NotifyKeyspaceEvents = ordered
			return nil
		}}
}

// maxClientsMemoryDirective is a size, or a share of maxmemory in percent.
func maxClientsMemoryDirective() directive {
	return directive{name: "maxmemory-clients",
		get: func(c *Config) string {
			if c.MaxmemoryClients < 0 {
				return strconv.FormatInt(-c.MaxmemoryClients, 10) + "%"
			}
			return strconv.FormatInt(c.MaxmemoryClients, 10)
		},
		set: func(c *Config, words []string) error {
			w, err := one(words)
			if err != nil {
				return err
			}
			if digits, percent := strings.CutSuffix(w, "%"); percent {
				v, err := strconv.ParseInt(digits, 10, 64)
				if err != nil || v < 0 {
					return errNotMemoryOrPercent
				}
				if v > 100 {
					return fmt.Errorf("percentage argument must be less or equal to %d", 100)
				}
				c.MaxmemoryClients = -v
				return nil
			}
			v, err := ParseMemory(w)
			if err != nil {
				return errNotMemoryOrPercent
			}
			c.MaxmemoryClients = v
			return nil
		}}
}

var errNotMemoryOrPercent = errors.New("argument must be a memory or percent value")

// ClientMemoryLimit is how many bytes all clients together may occupy; 0 is no
// limit.
func (c *Config) ClientMemoryLimit() int64 {
	if c.MaxmemoryClients < 0 {
		return int64(float64(c.Maxmemory) * float64(-c.MaxmemoryClients) / 100)
	}
	return c.MaxmemoryClients
}

package command

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// exchange restores every value that each server has dumped on the other one, and
// compares the copies with what they were made of.
func (c *comparison) exchange() {
	c.t.Helper()
	for db := range 4 {
		c.both("SELECT " + strconv.Itoa(db))
		keys, _ := c.both("KEYS *")
		for _, key := range sortedTexts(c.t, keys) {
			if want := c.ours.digest(key); want != missing {
				c.carry(key, want, "ours on redis", c.ours, c.redis)
				c.carry(key, want, "redis' here", c.redis, c.ours)
			}
		}
	}
	c.both("SELECT " + strconv.Itoa(c.db))
	c.forget()
}

// missing is the digest of a key that does not exist.
const missing = "0000000000000000000000000000000000000000"

// carry restores the dump of a key of one server on the other.
func (c *comparison) carry(key, want, name string, from, to side) {
	c.t.Helper()
	const at = "carried over"
	reply, _, err := parseReply(from.do([]byte("DUMP"), []byte(key)))
	if err != nil {
		c.t.Fatal(err)
	}
	if reply.null { // its time was over, and it still counted as a key
		return
	}
	expires, _, err := parseReply(from.do([]byte("PEXPIRETIME"), []byte(key)))
	if err != nil {
		c.t.Fatal(err)
	}
	when := strings.Replace(expires.text, "-1", "0", 1) // a digest tells whether there is a time
	answer := bytes.Clone(to.do([]byte("RESTORE"), []byte(at), []byte(when), []byte(reply.text), []byte("REPLACE"), []byte("ABSTTL")))
	if string(answer) != "+OK\r\n" {
		c.fail(fmt.Sprintf("RESTORE of %s (%s)", key, name), fmt.Sprintf("%q", reply.text), string(answer))
	} else if got := to.digest(at); got != want {
		c.fail(fmt.Sprintf("value of %s when restored (%s)", key, name), want, got)
	}
	to.do([]byte("DEL"), []byte(at))
}

package command

import (
	"fmt"
	"strconv"

	"github.com/lockstep-db/lockstep/server/store"
)

var zaddCommand = []byte("zadd")

func errGeoPosition(p geoPoint) ReplyError {
	return ReplyError("ERR invalid longitude,latitude pair " + cFloat(p.lon) + "," + cFloat(p.lat))
}

// cFloat spells a number as printf's %f does.
func cFloat(v float64) string {
	switch text := fmt.Sprintf("%f", v); text {
	case "+Inf":
		return "inf"
	case "-Inf":
		return "-inf"
	default:
		return text
	}
}

// pointArg reads a longitude and a latitude, or answers with an error.
func (c *Call) pointArg(i int) (p geoPoint, ok bool) {
	if p.lon, ok = c.doubleArg(c.Args[i], ErrNotFloat); !ok {
		return p, false
	}
	if p.lat, ok = c.doubleArg(c.Args[i+1], ErrNotFloat); !ok {
		return p, false
	}
	if !p.valid() {
		c.Fail(errGeoPosition(p))
		return p, false
	}
	return p, true
}

// unitArg reads a unit of length, or answers with an error.
func (c *Call) unitArg(i int) (meters float64, ok bool) {
	switch arg := c.Args[i]; {
	case equalFold(arg, "m"):
		return 1, true
	case equalFold(arg, "km"):
		return 1000, true
	case equalFold(arg, "ft"):
		return 0.3048, true
	case equalFold(arg, "mi"):
		return 1609.34, true
	}
	c.Fail(errGeoUnit)
	return 0, false
}

// runGeoAdd is a ZADD whose scores are positions, and has one as its effect.
func runGeoAdd(c *Call) {
	i := 2
	nx, xx := false, false
options:
	for ; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case equalFold(arg, "NX"):
			nx = true
		case equalFold(arg, "XX"):
			xx = true
		case equalFold(arg, "CH"):
		default:
			break options
		}
	}
	if (len(c.Args)-i)%3 != 0 || nx && xx {
		c.Fail(ErrSyntax)
		return
	}
	args := append(make([][]byte, 0, len(c.Args)), zaddCommand)
	args = append(args, c.Args[1:i]...)
	for ; i < len(c.Args); i += 3 {
		p, ok := c.pointArg(i)
		if !ok {
			return
		}
		args = append(args, strconv.AppendInt(nil, geoScore(p), 10), c.Args[i+2])
	}
	zadd(c, args, 0)
	c.Rewrite(args...)
}

func runGeoPos(c *Call) {
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if p, ok := positionOf(s, found, m); ok {
			c.replyPoint(p)
		} else {
			c.Out.NullArray()
		}
	}
}

func positionOf(s store.SortedSetView, found bool, member []byte) (p geoPoint, ok bool) {
	if !found {
		return p, false
	}
	score, ok := s.Score(member)
	return pointOf(score), ok
}

func (c *Call) replyPoint(p geoPoint) {
	c.Out.Array(2)
	c.Out.HumanDouble(p.lon)
	c.Out.HumanDouble(p.lat)
}

// replyDistance replies with a distance in a unit, a string in either version of the
// protocol.
func (c *Call) replyDistance(meters, unit float64) {
	c.Out.Bulk(strconv.AppendFloat(c.digits(), meters/unit, 'f', 4, 64))
}

func runGeoDist(c *Call) {
	unit := 1.0
	switch {
	case len(c.Args) > 5:
		c.Fail(ErrSyntax)
		return
	case len(c.Args) == 5:
		var ok bool
		if unit, ok = c.unitArg(4); !ok {
			return
		}
	}
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	a, okA := positionOf(s, found, c.Args[2])
	b, okB := positionOf(s, found, c.Args[3])
	if !okA || !okB {
		c.Out.Null()
		return
	}
	c.replyDistance(distance(a, b), unit)
}

func runGeoHash(c *Call) {
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if p, ok := positionOf(s, found, m); ok {
			c.Out.Bulk(appendGeohash(c.digits(), p))
		} else {
			c.Out.Null()
		}
	}
}

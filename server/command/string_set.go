package command

import (
	"bytes"

	"github.com/lockstep-db/lockstep/server/store"
)

const typeString = store.TypeString

func runSet(c *Call) {
	if len(c.Args) == 3 {
		setPlain(c, c.Args[1], c.Args[2])
		c.Out.OK()
		return
	}
	opts, ok := parseExpiry(c, 3, forSet)
	if !ok {
		return
	}
	set(c, opts, c.Args[2], setReplies{done: (*Call).replyOK, refused: (*Call).replyNull})
}

// setPlain is SET without options, and the hottest path of all: the key is
// looked up once, by the store. A key whose time is over is overwritten without
// a DEL of its own, unless somebody listens who shall hear that it has expired: a
// replica that gets the SET ends up the same.
func setPlain(c *Call, key, value []byte) {
	setAs(c, "set", key, value)
}

func setAs(c *Call, event string, key, value []byte) {
	c.announceExpired(key)
	c.access(c.DB.SetString(key, value, 0))
	c.modified(EventString, event, key)
}

type setReplies struct{ done, refused func(*Call) }

func (c *Call) replyOK()   { c.Out.OK() }
func (c *Call) replyNull() { c.Out.Null() }
func (c *Call) replyOne()  { c.Out.Int(1) }
func (c *Call) replyZero() { c.Out.Int(0) }

func set(c *Call, o setOptions, value []byte, reply setReplies) {
	key := c.Args[1]
	at, ok := o.expireAt(c)
	if !ok {
		return
	}
	if o.get {
		e, found, failed := c.FindString(key)
		if failed {
			return
		}
		c.replyValue(e, found)
		reply = setReplies{done: func(*Call) {}, refused: func(*Call) {}}
	}
	e, found := c.FindWrite(key)
	if o.ifEqual && found && c.isNot(store.TypeString, e) {
		return
	}
	if !o.allow(c, e, found) {
		reply.refused(c)
		return
	}
	if o.keepTTL {
		c.access(c.DB.SetStringKeepTTL(key, value))
	} else {
		c.access(c.DB.SetString(key, value, at))
	}
	c.modified(EventString, "set", key)
	switch {
	case o.unit != noExpiry:
		c.Rewrite(setCommand, key, value, pxatOption, c.spell(at))
	case o.ifEqual && o.keepTTL:
		c.Rewrite(setCommand, key, value, keepTTLOption)
	case o.ifEqual: // which not every replica understands
		c.Rewrite(setCommand, key, value)
	case o.get:
		c.Rewrite(withoutGet(c.Args)...)
	}
	if o.unit != noExpiry {
		c.notify(EventGeneric, "expire", key)
	}
	reply.done(c)
}

// allow says whether what is there permits that it is overwritten.
func (o *setOptions) allow(c *Call, e store.Entry, found bool) bool {
	switch {
	case o.nx:
		return !found
	case o.ifEqual:
		return found && bytes.Equal(c.value(e), o.expected)
	}
	return found || !o.xx
}

// withoutGet takes the GET options out: a replica has nobody to give the old
// value to.
func withoutGet(args [][]byte) [][]byte {
	kept := append([][]byte(nil), args[:3]...)
	for _, a := range args[3:] {
		if !equalFold(a, "GET") {
			kept = append(kept, a)
		}
	}
	return kept
}

// setKeys says what SET does with its key, which depends on the options.
func setKeys(args [][]byte) []KeyRef {
	flags := KeyOW | KeyUpdate
	for _, a := range args[min(3, len(args)):] {
		if equalFold(a, "GET") || equalFold(a, "IFEQ") {
			flags = KeyRW | KeyAccess | KeyUpdate
		}
	}
	return []KeyRef{{1, flags}}
}

func runSetNX(c *Call) {
	set(c, setOptions{nx: true}, c.Args[2], setReplies{done: (*Call).replyOne, refused: (*Call).replyZero})
}

func runSetEX(c *Call)  { setWithTTL(c, inSeconds) }
func runPSetEX(c *Call) { setWithTTL(c, inMillis) }

func setWithTTL(c *Call, unit expiryUnit) {
	set(c, setOptions{unit: unit, when: c.Args[2]}, c.Args[3],
		setReplies{done: (*Call).replyOK, refused: (*Call).replyNull})
}

func runMSet(c *Call) {
	if len(c.Args)%2 == 0 {
		c.Fail(errArity(c.Spec.FullName()))
		return
	}
	for i := 1; i < len(c.Args); i += 2 {
		c.prefetch(i, 2)
		setPlain(c, c.Args[i], c.Args[i+1])
	}
	c.Out.OK()
}

func runMSetNX(c *Call) {
	if len(c.Args)%2 == 0 {
		c.Fail(errArity(c.Spec.FullName()))
		return
	}
	for i := 1; i < len(c.Args); i += 2 {
		if _, found := c.FindWrite(c.Args[i]); found {
			c.Out.Int(0)
			return
		}
	}
	for i := 1; i < len(c.Args); i += 2 {
		setPlain(c, c.Args[i], c.Args[i+1])
	}
	c.Out.Int(1)
}

func runGetSet(c *Call) {
	key, value := c.Args[1], c.Args[2]
	e, found, failed := c.FindString(key)
	if failed {
		return
	}
	c.replyValue(e, found)
	setPlain(c, key, value)
	c.Rewrite(setCommand, key, value)
}

package command

import (
	"bytes"
	"errors"

	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/rdb"
)

func dumpSpec() *Spec {
	return &Spec{Name: "dump", Arity: 2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runDump, Doc: Doc{
		Since: "2.6.0", Complexity: "O(N) for N bytes",
		Summary: "Returns the value at a key in a form that RESTORE takes",
		Tips:    unstable, Args: []Arg{Key()},
	}}
}

func restoreSpec() *Spec {
	return &Spec{Name: "restore", Arity: -4, Flags: Write | DenyOOM, Categories: CatDangerous, Run: runRestore,
		KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyOW|KeyUpdate)}, Doc: Doc{
			Since: "2.6.0", Complexity: "O(N) for N bytes",
			Summary: "Creates a key from what DUMP returned",
			History: []Change{
				{"3.0.0", "Option `REPLACE`."},
				{"5.0.0", "Option `ABSTTL`."},
				{"5.0.0", "Options `IDLETIME` and `FREQ`."},
			},
			Args: []Arg{
				Key(), NewArg("ttl", ArgInteger), NewArg("serialized-value", ArgString),
				Token("REPLACE").From("3.0.0").Opt(), Token("ABSTTL").From("5.0.0").Opt(),
				NewArg("seconds", ArgInteger).After("IDLETIME").From("5.0.0").Opt(),
				NewArg("frequency", ArgInteger).After("FREQ").From("5.0.0").Opt(),
			},
		}}
}

// restoreAskingSpec is RESTORE as a server of a cluster sends it to another one.
func restoreAskingSpec() *Spec {
	s := restoreSpec()
	s.Name = "restore-asking"
	s.Flags |= Asking
	s.Group, s.Since, s.SysCmd = "server", "3.0.0", true
	s.Summary = "Is RESTORE between servers of a cluster"
	return s
}

func runDump(c *Call) {
	e, ok := c.FindRead(c.Args[1])
	if !ok {
		c.Out.Null()
		return
	}
	c.Out.Bulk(dataset.Dump(&c.Dumps, e))
}

type restoreOptions struct {
	replace, absolute bool
	idle, freq        int64 // -1: not given
}

func parseRestore(c *Call) (o restoreOptions, ok bool) {
	o.idle, o.freq = -1, -1
	for i := 4; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch arg := c.Args[i]; {
		case equalFold(arg, "REPLACE"):
			o.replace = true
		case equalFold(arg, "ABSTTL"):
			o.absolute = true
		case equalFold(arg, "IDLETIME") && more && o.freq == -1:
			i++
			if o.idle, ok = c.intArg(i); !ok {
				return o, false
			}
			if o.idle < 0 {
				c.Fail(errBadIdle)
				return o, false
			}
		case equalFold(arg, "FREQ") && more && o.idle == -1:
			i++
			if o.freq, ok = c.intArg(i); !ok {
				return o, false
			}
			if o.freq < 0 || o.freq > 255 {
				c.Fail(errBadFreq)
				return o, false
			}
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func runRestore(c *Call) {
	opts, ok := parseRestore(c)
	if !ok {
		return
	}
	key, payload := c.Args[1], c.Args[3]
	if !opts.replace {
		if _, taken := c.FindWrite(key); taken {
			c.Fail(errBusyKey)
			return
		}
	}
	at, ok := restoreExpiry(c, opts)
	if !ok {
		return
	}
	value, ok := parsePayload(c, payload)
	if !ok {
		return
	}
	existed := false
	if opts.replace {
		_, existed = c.DB.Find(key)
	}
	if at != 0 && c.past(at) {
		// Born dead. What it would have replaced is gone all the same.
		c.Out.OK()
		if existed {
			c.DB.Delete(key)
			c.Rewrite(RemovalWord(c.LazyServerDel), key)
			c.modified(EventGeneric, "del", key)
		}
		return
	}
	if !c.restore(key, &value, at, existed) {
		c.Fail(errBadFormat)
		return
	}
	if e, ok := c.DB.Find(key); ok {
		e.SetAccess(c.LoadedAccess(opts.idle, int(opts.freq), c.Now))
	}
	c.Out.OK()
	if at != 0 && !opts.absolute {
		args := append([][]byte(nil), c.Args...)
		args[2] = c.spell(at)
		c.Rewrite(append(args, absTTLOption)...)
	}
	c.ready(key)
	c.modified(EventGeneric, "restore", key)
}

// restore gives a key a value, and leaves what was there if that can not be loaded.
func (c *Call) restore(key []byte, value *rdb.Value, at int64, existed bool) bool {
	if !existed {
		return dataset.Load(c.DB, key, value, at) == nil
	}
	aside := append(bytes.Clone(key), 0)
	for _, taken := c.DB.Find(aside); taken; _, taken = c.DB.Find(aside) {
		aside = append(aside, 0)
	}
	unmute := c.muteAdded()
	err := dataset.Load(c.DB, aside, value, at)
	unmute()
	return err == nil && c.DB.Rename(aside, key)
}

// RemoveMoved removes a key that is now on another server (MIGRATE), and tells whether
// it was here.
func (c *Call) RemoveMoved(key []byte) bool {
	if !c.DB.Delete(key) {
		return false
	}
	c.modified(EventGeneric, "del", key)
	return true
}

// restoreExpiry is the expiry time in Unix milliseconds, 0 for none.
func restoreExpiry(c *Call, o restoreOptions) (at int64, ok bool) {
	if at, ok = c.intArg(2); !ok {
		return 0, false
	}
	if at < 0 {
		c.Fail(errBadTTL)
		return 0, false
	}
	if at != 0 && !o.absolute {
		at += c.Now
	}
	return at, true
}

// parsePayload reads what DUMP wrote, here or on another server, or answers with
// an error.
func parsePayload(c *Call, payload []byte) (value rdb.Value, ok bool) {
	v, err := rdb.ParseDump(payload)
	var unsupported *rdb.UnsupportedTypeError
	switch {
	case err == nil:
		return v, true
	case errors.Is(err, rdb.ErrPayload):
		c.Fail(errBadPayload)
	case errors.As(err, &unsupported):
		c.Fail(errUnsupportedValue(unsupported.What))
	default:
		c.Fail(errBadFormat)
	}
	return v, false
}

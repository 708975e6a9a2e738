package command

import (
	"bytes"

	"github.com/lockstep-db/lockstep/server/store"
)

// runDel is DEL and UNLINK: the store frees memory in small steps anyway.
func runDel(c *Call) {
	n := 0
	for _, key := range c.Args[1:] {
		// A key whose time is over does not count as removed by this command.
		if _, ok := c.find(c.DB, key, c.Expiry); ok {
			c.DB.Delete(key)
			c.modified(EventGeneric, "del", key)
			n++
		}
	}
	c.Out.Int(int64(n))
}

func runExists(c *Call) { countKeys(c, (*Call).Peek) }
func runTouch(c *Call)  { countKeys(c, (*Call).touchAccess) }

// touchAccess is FindRead of TOUCH: who asks for it by name gets it, also with
// CLIENT NO-TOUCH.
func (c *Call) touchAccess(key []byte) (store.Entry, bool) {
	e, ok := c.Peek(key)
	if ok {
		c.access(e)
	}
	return e, ok
}

func countKeys(c *Call, find func(*Call, []byte) (store.Entry, bool)) {
	n := 0
	for _, key := range c.Args[1:] {
		if _, ok := find(c, key); ok {
			n++
		}
	}
	c.Out.Int(int64(n))
}

func runType(c *Call) {
	if e, ok := c.Peek(c.Args[1]); ok {
		c.Out.Simple(e.Type().String())
		return
	}
	c.Out.Simple("none")
}

func runRename(c *Call) {
	if rename(c, false) {
		c.Out.OK()
	}
}

func runRenameNX(c *Call) {
	if rename(c, true) {
		c.Out.Int(1)
	}
}

// rename replies itself unless it has renamed, or had nothing to do for RENAME.
func rename(c *Call, unlessExists bool) bool {
	from, to := c.Args[1], c.Args[2]
	if _, ok := c.FindWrite(from); !ok {
		c.Fail(ErrNoSuchKey)
		return false
	}
	if bytes.Equal(from, to) {
		if unlessExists {
			c.Out.Int(0)
		}
		return !unlessExists
	}
	if _, taken := c.FindWrite(to); taken && unlessExists {
		c.Out.Int(0)
		return false
	}
	c.DB.Rename(from, to)
	c.modified(EventGeneric, "rename_from", from)
	c.Touch(to)
	c.ready(to)
	c.notify(EventGeneric, "rename_to", to)
	return true
}

func runMove(c *Call) {
	key := c.Args[1]
	dst, ok := c.DBArg(2)
	if !ok {
		return
	}
	if dst == c.DB {
		c.Fail(ErrSameObject)
		return
	}
	if _, found := c.FindWrite(key); !found {
		c.Out.Int(0)
		return
	}
	if _, taken := c.findWriteIn(dst, key); taken {
		c.Out.Int(0)
		return
	}
	c.DB.Move(key, dst, key)
	c.modified(EventGeneric, "move_from", key)
	c.touchIn(dst.Index(), key)
	c.readyIn(dst.Index(), key)
	c.notifyIn(dst.Index(), EventGeneric, "move_to", key)
	c.Out.Int(1)
}

type copyOptions struct {
	dst     *store.DB
	replace bool
}

func parseCopy(c *Call) (o copyOptions, ok bool) {
	o.dst = c.DB
	for i := 3; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case equalFold(arg, "REPLACE"):
			o.replace = true
		case equalFold(arg, "DB") && i+1 < len(c.Args):
			i++
			if o.dst, ok = c.DBArg(i); !ok {
				return o, false
			}
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func runCopy(c *Call) {
	opts, ok := parseCopy(c)
	if !ok {
		return
	}
	from, to := c.Args[1], c.Args[2]
	if opts.dst == c.DB && bytes.Equal(from, to) {
		c.Fail(ErrSameObject)
		return
	}
	if _, found := c.FindRead(from); !found {
		c.Out.Int(0)
		return
	}
	if _, taken := c.findWriteIn(opts.dst, to); taken && !opts.replace {
		c.Out.Int(0)
		return
	}
	c.DB.Copy(from, opts.dst, to)
	if e, ok := opts.dst.Find(to); ok {
		e.SetAccess(c.LoadedAccess(-1, -1, c.Now)) // nobody has used the copy yet
	}
	c.Changed(1)
	c.touchIn(opts.dst.Index(), to)
	c.readyIn(opts.dst.Index(), to)
	c.notifyIn(opts.dst.Index(), EventGeneric, "copy_to", to)
	c.Out.Int(1)
}

// DBArg reads the number of a database, or answers with an error.
func (c *Call) DBArg(i int) (*store.DB, bool) {
	n, ok := c.int32Arg(i)
	if !ok {
		return nil, false
	}
	if n < 0 || n >= int64(c.Keyspace.Databases()) {
		c.Fail(ErrDBOutOfRange)
		return nil, false
	}
	return c.Keyspace.DB(int(n)), true
}

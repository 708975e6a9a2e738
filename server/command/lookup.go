package command

import "github.com/lockstep-db/lockstep/server/store"

var (
	delCommand    = []byte("DEL")
	unlinkCommand = []byte("UNLINK")
)

// RemovalWord is the command that has a replica remove a key: UNLINK if it may take
// its time to give the memory back.
func RemovalWord(lazy bool) []byte {
	if lazy {
		return unlinkCommand
	}
	return delCommand
}

// FindRead looks a key up for a command that reads its value: it counts as a
// hit or miss and as an access.
func (c *Call) FindRead(key []byte) (store.Entry, bool) {
	e, ok := c.Peek(key)
	if ok && !c.NoTouch {
		c.access(e)
	}
	return e, ok
}

// Peek is FindRead for a command that asks about a key: its access time stays.
func (c *Call) Peek(key []byte) (store.Entry, bool) {
	e, ok := c.inspect(key)
	if !ok {
		c.notify(EventMiss, "keymiss", key)
	}
	return e, ok
}

// inspect is Peek for people who look at the server itself: nobody is told that
// they missed.
func (c *Call) inspect(key []byte) (store.Entry, bool) {
	e, ok := c.find(c.DB, key, c.Expiry)
	if ok {
		c.Stats.Hits++
	} else {
		c.Stats.Misses++
	}
	return e, ok
}

// FindWrite looks a key up for a command that is going to modify it.
func (c *Call) FindWrite(key []byte) (store.Entry, bool) {
	return c.findWriteIn(c.DB, key)
}

func (c *Call) findWriteIn(db *store.DB, key []byte) (store.Entry, bool) {
	mode := c.Expiry
	if mode == ExpireHide {
		// A write on a writable replica must not build upon a value whose time
		// is over. Nobody else is told: the primary will send a DEL. While data is
		// imported this is the primary itself.
		if e, ok := db.Find(key); ok && c.over(e) {
			if c.Importing {
				c.expire(db, key)
				return store.Entry{}, false
			}
			db.Delete(key)
			c.touchIn(db.Index(), key)
			return store.Entry{}, false
		}
	}
	e, ok := c.find(db, key, mode)
	if ok && !c.NoTouch {
		c.access(e)
	}
	return e, ok
}

func (c *Call) find(db *store.DB, key []byte, mode ExpiryMode) (store.Entry, bool) {
	e, ok := db.Find(key)
	if !ok || mode == ExpireIgnore || !c.over(e) {
		return e, ok
	}
	if mode == ExpireDelete {
		c.expire(db, key)
	}
	return store.Entry{}, false
}

// over says whether the time of an entry has passed. At its very millisecond
// the key still lives: EXPIREAT 1000 is gone at 1001.
func (c *Call) over(e store.Entry) bool {
	at, ok := e.ExpireAt()
	return ok && c.Now > at
}

// expire removes a key whose time is over and says so to replicas and watchers.
func (c *Call) expire(db *store.DB, key []byte) {
	db.Delete(key)
	c.Stats.Expired++
	c.notifyIn(db.Index(), EventExpired, "expired", key)
	c.touchIn(db.Index(), key)
	c.alsoIn(db.Index(), RemovalWord(c.LazyExpire), key)
}

// announceExpired looks a key up that is going to be overwritten, only for those
// who want to hear that its time was over.
func (c *Call) announceExpired(key []byte) {
	if c.Notify != nil {
		c.find(c.DB, key, c.Expiry)
	}
}

// FindString is FindRead for a command on strings. When the key holds something
// else it answers with an error, and failed is true.
func (c *Call) FindString(key []byte) (e store.Entry, found, failed bool) {
	return c.findAs(store.TypeString, key)
}

func (c *Call) findStringToWrite(key []byte) (e store.Entry, found, failed bool) {
	return c.findToWriteAs(store.TypeString, key)
}

// findAs is FindRead for a command on one type of value. When the key holds
// something else it answers with an error, and failed is true.
func (c *Call) findAs(t store.Type, key []byte) (e store.Entry, found, failed bool) {
	e, found = c.FindRead(key)
	return e, found, found && c.isNot(t, e)
}

// findToWriteAs is findAs for a command that is going to modify the value.
func (c *Call) findToWriteAs(t store.Type, key []byte) (e store.Entry, found, failed bool) {
	e, found = c.FindWrite(key)
	return e, found, found && c.isNot(t, e)
}

// isNot answers with an error when an entry is not of the type.
func (c *Call) isNot(t store.Type, e store.Entry) bool {
	if e.Type() == t {
		return false
	}
	c.Fail(ErrWrongType)
	return true
}

// value returns a string's bytes, valid until the next mutation.
func (c *Call) value(e store.Entry) []byte {
	return e.StringBytes(c.digits())
}

// digits is room for a number that is spelled out before the next one is.
func (c *Call) digits() []byte {
	if c.scratch == nil {
		c.scratch = make([]byte, 0, 32)
	}
	return c.scratch[:0]
}

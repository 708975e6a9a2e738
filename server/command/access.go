package command

import "github.com/lockstep-db/lockstep/server/store"

// The 24 access bits of an entry hold seconds, modulo 2^24 (194 days), or, when
// an LFU policy is selected, 16 bits of minutes above an 8-bit logarithmic
// counter of accesses.

const (
	accessMask  = 1<<24 - 1
	minutesMask = 1<<16 - 1
	lfuInitial  = 5 // so that a new key is not the first to be evicted
)

// access notes that an entry is being used, or was just made.
func (c *Call) access(e store.Entry) {
	var bits uint32
	if c.LFU {
		bits = c.lfuTouch(e.Access())
	} else {
		bits = uint32(c.Now/1000) & accessMask
	}
	if e.Access() != bits {
		e.SetAccess(bits)
	}
}

// created is access for a key that was just made.
func (c *Call) created(key []byte) {
	if e, ok := c.DB.Find(key); ok {
		c.access(e)
	}
}

func (c *Call) minutes() uint32 { return uint32(c.Now/60000) & minutesMask }

// idleSeconds is how long ago an entry was accessed.
func (c *Call) idleSeconds(e store.Entry) int64 { return IdleSeconds(e, c.Now) }

// IdleSeconds is how long ago an entry was accessed, when no LFU policy is
// selected. now is in Unix milliseconds.
func IdleSeconds(e store.Entry, now int64) int64 {
	return int64((uint32(now/1000) - e.Access()) & accessMask)
}

func (c *Call) lfuCounter(bits uint32) uint32 { return c.Frequency(bits, c.Now) }

// Frequency is the counter (0 to 255) in an entry's access bits, less one for
// every LFUDecay minutes without an access, when an LFU policy is selected. now
// is in Unix milliseconds.
func (env *Env) Frequency(bits uint32, now int64) uint32 {
	if env.LFUDecay == 0 {
		return bits & 0xff
	}
	idle := (uint32(now/60000) - bits>>8) & minutesMask / uint32(env.LFUDecay)
	return max(bits&0xff, idle) - idle
}

// LoadedAccess is the access bits of a key that was just loaded, with the idle time
// in seconds (0 to 194 days) and the frequency (0 to 255) that came with it, -1 for
// none. now is in Unix milliseconds.
func (env *Env) LoadedAccess(idle int64, frequency int, now int64) uint32 {
	switch {
	case env.LFU && frequency >= 0:
		return uint32(now/60000)&minutesMask<<8 | uint32(frequency)
	case env.LFU:
		return uint32(now/60000)&minutesMask<<8 | lfuInitial
	}
	return uint32(now/1000-max(idle, 0)) & accessMask
}

// lfuTouch counts an access with a probability that falls with the counter, so
// that 255 stands for about a million accesses.
func (c *Call) lfuTouch(bits uint32) uint32 {
	if bits == 0 { // just made
		return c.minutes()<<8 | lfuInitial
	}
	n := c.lfuCounter(bits)
	if n < 255 {
		base := uint64(0)
		if n > lfuInitial {
			base = uint64(n - lfuInitial)
		}
		if c.Rand()%(base*uint64(c.LFULogFactor)+1) == 0 {
			n++
		}
	}
	return c.minutes()<<8 | n
}

package server

import "time"

// clock is the reactor's idea of now. It is read once per turn of the loop, so
// that everything in one batch happens at one time and reading it costs nothing;
// and once more after a command that took long (clockStep), since for what comes
// behind it time has gone on.
type clock struct {
	base time.Time // when the server started; carries the monotonic reading

	mono   time.Duration // since base, on the monotonic clock
	unixMs int64         // wall clock
	unix   int64         // wall clock, seconds
}

// clockStep is how far the clock may be behind when a command begins.
const clockStep = time.Millisecond

func newClock() clock {
	c := clock{base: time.Now()}
	c.update()
	return c
}

func (c *clock) update() {
	now := time.Now()
	c.mono = now.Sub(c.base)
	c.unixMs = now.UnixMilli()
	c.unix = c.unixMs / 1000
}

// elapsed reads the monotonic clock itself, for measuring within a turn.
func (c *clock) elapsed() time.Duration { return time.Since(c.base) }

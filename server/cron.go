package server

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// Work that can wait gets this much at a time, so that no client notices:
	// units of the store's Step are about 100 ns.
	storeStepUnits = 10000
	// Memory that has become free is given back with a half-life of about fifteen
	// seconds: one part in so many, each giveBackInterval.
	giveBackPart     = 200
	giveBackInterval = 100 * time.Millisecond
	// statsInterval is the spacing of the samples behind instantaneous rates.
	statsInterval = 100 * time.Millisecond
)

// startCron begins the periodic work.
func (s *Server) startCron() {
	s.applyCommandLogs()
	var tick func()
	tick = func() {
		s.cron()
		s.after(time.Second/time.Duration(max(1, s.config.Hz)), tick)
	}
	s.after(time.Millisecond, tick)
}

func (s *Server) cron() {
	if s.cronPaused {
		return
	}
	begun := s.clock.elapsed()
	defer func() { s.stats.cronTime += s.clock.elapsed() - begun }()
	if !s.loading {
		s.expiring.slow(s)
		s.expireOwn()
		s.saving.check(s)
	}
	s.giveBack()
	s.storeWork()
	s.sweep()
	s.clientsCron()
	s.boundTracking()
	s.sampleRates()
	s.memory.sample(s)
	s.shutdownCron()
}

// sweepAbove is how much memory of large requests and replies may lie about. The
// collector alone would keep it for minutes.
const sweepAbove = 64 << 20

// sweep gives the memory of large buffers back, beside the reactor.
func (s *Server) sweep() {
	if s.dropped < sweepAbove || s.embedded {
		return
	}
	s.dropped = 0
	s.background.Go(debug.FreeOSMemory)
}

// giveBack has the store give a part of its free memory back.
func (s *Server) giveBack() {
	if now := s.clock.elapsed(); now-s.gaveBack >= giveBackInterval*9/10 {
		s.gaveBack = now
		s.keyspace.GiveBack(giveBackPart)
	}
}

// storeWork gives the keyspace time for what it has put off; while something is
// left it takes about every other millisecond.
func (s *Server) storeWork() {
	if s.storeTimer != nil {
		return // goes on by itself
	}
	if s.keyspace.Step(storeStepUnits) {
		s.storeTimer = s.after(time.Millisecond, func() {
			s.storeTimer = nil
			s.storeWork()
		})
	}
}

func (s *Server) sampleRates() {
	now := s.clock.elapsed()
	if now-s.stats.rates[0].at < statsInterval*9/10 {
		return // hz is high
	}
	s.stats.rates[0].sample(s.stats.commands, now)
	s.stats.rates[1].sample(s.stats.netInput, now)
	s.stats.rates[2].sample(s.stats.netOutput, now)
	s.stats.rates[3].sample(s.repl.stats.input, now)
	s.stats.rates[4].sample(s.repl.stats.output, now)
	s.stats.rates[5].sample(s.stats.turns, now)
	s.stats.rates[6].sample(int64(s.stats.turnTime/time.Microsecond), now)
}

// clientsCron looks at a part of the connections, so that all of them are
// looked at about once a second.
func (s *Server) clientsCron() {
	if len(s.cronQueue) == 0 {
		for _, c := range s.conns {
			s.cronQueue = append(s.cronQueue, c)
		}
	}
	n := min(len(s.cronQueue), max(5, len(s.conns)/max(1, s.config.Hz)))
	part := s.cronQueue[len(s.cronQueue)-n:]
	for i, c := range part {
		part[i] = nil
		if !c.has(flagClosed) {
			s.clientCron(c)
		}
	}
	s.cronQueue = s.cronQueue[:len(s.cronQueue)-n]
}

func (s *Server) clientCron(c *conn) {
	idle := s.clock.unixMs - c.lastUsed
	if t := int64(s.config.Timeout); t > 0 && idle > t*1000 && c.blocked == nil && !c.listens() &&
		c.flags&(flagPrimary|flagReplica|flagMonitor|flagPaused) == 0 {
		s.log.Verbosef("Closing idle client %s", c.peer)
		s.closeConn(c)
		return
	}
	s.checkOutputLimit(c)
	s.weigh(c)
	if idle > 2000 && len(c.out.Buf) == 0 && len(c.in) == 0 {
		c.out.Buf, c.in = nil, nil // an idle client costs no buffers
	}
}

// checkOutputLimit disconnects a client that does not read what it asked for.
func (s *Server) checkOutputLimit(c *conn) {
	waiting := int64(c.waitingMore())
	if c == s.current {
		waiting += int64(len(s.held.messages))
	}
	if waiting == 0 || c.has(flagReplica|flagPrimary|flagClosed) {
		return // what waits for a replica is the log's business
	}
	limit := s.config.OutputLimits[outputClass(c)]
	over := limit.Hard > 0 && waiting >= limit.Hard
	if limit.Soft > 0 && waiting >= limit.Soft {
		if c.softSince == 0 {
			c.softSince = s.clock.unixMs
		}
		over = over || s.clock.unixMs-c.softSince > limit.SoftSeconds*1000
	} else {
		c.softSince = 0
	}
	if !over || c.has(flagCloseNow) {
		return
	}
	s.log.Warningf("Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", s.clientLine(c))
	s.stats.outputLimits++
	c.flags |= flagCloseNow
	c.out.Buf, c.sent = nil, 0
	if c == s.current {
		s.held = heldPushes{}
	}
	s.wantWrite(c)
}

// savePoint knows when the last snapshot was taken and whether it is time for
// the next one.
type savePoint struct {
	lastSave   int64 // unix seconds of the last good snapshot
	lastTry    int64 // unix seconds
	lastMillis int64 // how long the last one took; -1: there was none
	failed     bool  // the last one failed
	running    bool  // in background
	scheduled  bool  // BGSAVE SCHEDULE and FLUSHALL: when the running one has ended
	begun      time.Duration
	dirtyAt    int64 // changes when the running one began
	saves      int64
}

// retryDelay is how long to wait after a failed snapshot, in seconds.
const retryDelay = 5

func (p *savePoint) reset(s *Server) {
	p.lastSave = s.clock.unix
	p.lastMillis = -1
}

// check starts a snapshot when a save rule asks for it.
func (p *savePoint) check(s *Server) {
	if p.running || s.snapshotRunning() {
		return
	}
	if p.scheduled {
		p.scheduled = false
		p.start(s)
		return
	}
	for _, rule := range s.config.Save {
		if s.env.Stats.Dirty >= rule.Changes && s.clock.unix-p.lastSave > rule.Seconds &&
			(!p.failed || s.clock.unix-p.lastTry > retryDelay) {
			s.log.Noticef("%d changes in %d seconds. Saving...", rule.Changes, rule.Seconds)
			p.start(s)
			return
		}
	}
}

// start begins a snapshot in the background.
func (p *savePoint) start(s *Server) error {
	p.running, p.begun, p.lastTry = true, s.clock.elapsed(), s.clock.unix
	p.dirtyAt = s.env.Stats.Dirty
	err := s.saveInBackground(func(err error) { p.ended(s, err) })
	if err != nil {
		p.ended(s, err)
	} else {
		s.log.Noticef("Background saving started")
	}
	return err
}

func (p *savePoint) ended(s *Server, err error) {
	p.running = false
	p.lastMillis = (s.clock.elapsed() - p.begun).Milliseconds()
	if errors.Is(err, errSaveCancelled) {
		return // says nothing about the disk, so it must not stop writes
	}
	p.failed = err != nil
	if err != nil {
		return // whoever wrote it has said why
	}
	p.lastSave = s.clock.unix
	p.saves++
	s.env.Stats.Dirty -= p.dirtyAt
	s.log.Noticef("Background saving terminated with success")
}

// foreground takes a snapshot while everybody waits.
func (p *savePoint) foreground(s *Server) error {
	begun := s.clock.elapsed()
	p.lastTry = s.clock.unix
	err := s.saveNow()
	p.lastMillis = (s.clock.elapsed() - begun).Milliseconds()
	p.failed = err != nil
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	p.lastSave = s.clock.unix
	p.saves++
	s.env.Stats.Dirty = 0
	return nil
}

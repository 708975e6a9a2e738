package server

import (
	"fmt"

	"github.com/lockstep-db/lockstep/server/command"
)

// serverSpecs are the commands about the process.
func (s *Server) serverSpecs() []*command.Spec {
	open := command.Loading | command.Stale
	s.debugCommand = s.debugSpec()
	return []*command.Spec{
		{Name: "time", Arity: 1, Flags: open | command.Fast, Run: s.cmdTime},
		{Name: "info", Arity: -1, Flags: open, Categories: command.CatDangerous, Run: s.cmdInfo},
		{Name: "lolwut", Arity: -1, Flags: command.ReadOnly | command.Fast, Run: s.cmdLolwut},
		{Name: "monitor", Arity: 1, Flags: command.Admin | command.NoScript | open, Run: s.cmdMonitor},
		{Name: "shutdown", Arity: -1, Flags: command.Admin | command.NoScript | open | command.NoMulti | command.AllowBusy, Run: s.cmdShutdown},
		{Name: "save", Arity: 1, Flags: command.Admin | command.NoScript | command.NoAsyncLoading | command.NoMulti, Run: s.cmdSave},
		{Name: "bgsave", Arity: -1, Flags: command.Admin | command.NoScript | command.NoAsyncLoading, Run: s.cmdBgsave},
		{Name: "lastsave", Arity: 1, Flags: open | command.Fast, Categories: command.CatAdmin | command.CatDangerous,
			Run: func(c *command.Call) { c.Out.Int(s.saving.lastSave) }},
		s.aclSpec(),
		s.migrateSpec(),
		s.configSpec(),
		s.debugCommand,
		s.memorySpec(),
		s.slowlogSpec(),
		s.commandlogSpec(),
		s.latencySpec(),
	}
}

// cmdTime tells the time; all of a script or transaction happens at one time.
func (s *Server) cmdTime(call *command.Call) {
	at := s.clock.elapsed()
	switch {
	case s.scripts.run != nil:
		at = s.scripts.run.started
	case call == &s.callTx:
		at = s.execStarted
	}
	us := s.clock.base.Add(at).UnixMicro()
	call.Out.Array(2)
	call.Out.BulkInt(us / 1e6)
	call.Out.BulkInt(us % 1e6)
}

const errSaveBusy command.ReplyError = "ERR Background save already in progress"

func (s *Server) cmdSave(call *command.Call) {
	if s.saving.running || s.snapshotRunning() {
		call.Fail(errSaveBusy)
		return
	}
	if err := s.saving.foreground(s); err != nil {
		s.log.Warningf("SAVE failed: %v", err)
		call.Fail(command.ReplyError("ERR " + err.Error()))
		return
	}
	call.Out.OK()
}

func (s *Server) cmdBgsave(call *command.Call) {
	schedule := false
	switch {
	case len(call.Args) == 1:
	case len(call.Args) == 2 && foldIs(call.Args[1], "schedule"):
		schedule = true
	case len(call.Args) == 2 && foldIs(call.Args[1], "cancel"):
		s.cancelSave(call)
		return
	default:
		call.Fail(errSyntax)
		return
	}
	switch {
	case s.saving.running:
		call.Fail(errSaveBusy)
	case s.snapshotRunning() || session(call).has(flagMulti):
		// A snapshot for a replica is under way, or more commands of the
		// transaction follow: afterwards, then.
		if !schedule && !session(call).has(flagMulti) {
			call.Fail("ERR Another child process is active (RDB child): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.")
			return
		}
		s.saving.scheduled = true
		call.Out.Simple("Background saving scheduled")
	default:
		if err := s.saving.start(s); err != nil {
			call.Fail(command.ReplyError("ERR " + err.Error()))
			return
		}
		call.Out.Simple("Background saving started")
	}
}

// cancelSave gives up the snapshot under way, a replica's too: it asks anew.
func (s *Server) cancelSave(call *command.Call) {
	switch {
	case s.snapshotRunning():
		s.log.Noticef("Background saving will be aborted due to user request")
		s.abortSnapshot()
		call.Out.Simple("Background saving cancelled")
	case s.saving.scheduled:
		s.log.Noticef("Scheduled background saving will be cancelled due to user request")
		s.saving.scheduled = false
		call.Out.Simple("Scheduled background saving cancelled")
	default:
		call.Fail("ERR Background saving is currently not in progress or scheduled")
	}
}

// cmdLolwut draws one picture whatever the version, in the size that is asked for.
func (s *Server) cmdLolwut(call *command.Call) {
	args := call.Args[1:]
	size := [2]int64{24, 8} // steps across, rows
	if len(args) > 1 && foldIs(args[0], "version") {
		if _, ok := parseInt(args[1]); !ok {
			call.Fail(errNotInteger)
			return
		}
		args = args[2:]
	}
	for i, arg := range args[:min(len(args), len(size))] {
		n, ok := parseInt(arg)
		if !ok {
			call.Fail(errNotInteger)
			return
		}
		size[i] = max(1, min(n, 100))
	}
	call.Out.Verbatim("txt", fmt.Sprintf("%s\nLockstep ver. %s (Redis %s)\n", s.drawSteps(int(size[0]), int(size[1])), Version(), compatVersion))
}

// drawSteps draws a flight of stairs with walkers that keep step, each on a
// stair of its own, by the luck of the draw.
func (s *Server) drawSteps(width, height int) string {
	canvas := make([][]rune, height)
	for y := range canvas {
		canvas[y] = []rune(fmt.Sprintf("%*s", width*2, ""))
	}
	stride := max(1, width/height)
	for x := range width {
		y := height - 1 - min(height-1, x/stride)
		for below := y; below < height; below++ {
			canvas[below][x*2], canvas[below][x*2+1] = '▒', '▒'
		}
		canvas[y][x*2], canvas[y][x*2+1] = '▀', '▀'
		if y > 0 && x%stride == stride/2 && s.env.Rand()%3 > 0 {
			canvas[y-1][x*2] = []rune("♟♙●○")[s.env.Rand()%4]
		}
	}
	text := ""
	for _, row := range canvas {
		text += string(row) + "\n"
	}
	return text
}

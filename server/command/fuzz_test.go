package command

import (
	"bytes"
	"testing"
)

// Whatever a client sends, every command ends with exactly one reply, which is
// an error if and only if the call says so, and an error changes nothing.
func FuzzCommands(f *testing.F) {
	for _, group := range commandGroups {
		for _, line := range group.templates {
			f.Add([]byte("SET key0 1\nRPUSH ~l 1 b\n" + line))
		}
	}
	f.Add([]byte("SET a 123 EX 5\nLCS a a IDX\nBITFIELD a SET i64 0 -1 OVERFLOW SAT INCRBY u5 #3 40\nSCAN 0 MATCH [a*"))
	f.Add([]byte("COMMAND GETKEYS COMMAND GETKEYS GET a\nCOMMAND DOCS\nCOMMAND"))
	f.Add([]byte("XGROUP CREATE s g 0 MKSTREAM\nXADD s MAXLEN ~ 5 1-1 a b\nXADD s 2-* a b c d\nXREADGROUP GROUP g c COUNT 1 STREAMS s >\n" +
		"XCLAIM s g d 0 1-1 2-0 FORCE LASTID 3-3\nXAUTOCLAIM s g c 0 (0-0 COUNT 3\nXPENDING s g IDLE 1 - + 5\nXDEL s 1-1\nXTRIM s MINID = 2"))
	f.Add([]byte("XADD s 0-1 a b\nXREAD COUNT 1 STREAMS s s 0 $\nXRANGE s (0-0 + COUNT 1\nXSETID s 5 ENTRIESADDED 3 MAXDELETEDID 4\nXINFO STREAM s FULL COUNT 0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newSubject(t)
		s.env.MaxBulk = 1 << 16 // so that one command can not take all memory
		s.now = func() int64 { return scriptTime }
		for _, line := range bytes.Split(data, []byte("\n")) {
			args := bytes.Split(line, []byte(" "))
			s.call.Failed = false
			reply := s.do(args...)
			if _, rest, err := parseReply(reply); err != nil || len(rest) > 0 {
				t.Fatalf("%s: reply %.200q: %v", spellArgs(args), reply, err)
			}
			failed := reply[0] == '-'
			if _, err := s.table.Lookup(args); err == nil && s.call.Failed != failed {
				t.Fatalf("%s: reply %.200q, but failed is %v", spellArgs(args), reply, s.call.Failed)
			}
			for _, effect := range s.takeEffects() {
				if failed && !bytes.Contains([]byte(effect), []byte(": DEL ")) {
					t.Fatalf("%s: replied with an error, but propagated %s", spellArgs(args), effect)
				}
			}
		}
	})
}

package command

import (
	"bytes"
	"testing"
)

var hyperLogLogScripts = []script{
	{"a value that is no HyperLogLog", []string{"SET k text = OK", "PFADD k a = WRONGTYPE Key is not a valid HyperLogLog string value.",
		"PFCOUNT k = WRONGTYPE Key is not a valid HyperLogLog string value.", "PFMERGE d k = WRONGTYPE Key is not a valid HyperLogLog string value."}, nil, ""},
	{"registers that end too early", []string{`SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f" = OK`,
		"PFCOUNT k = INVALIDOBJ Corrupted HLL object detected", "PFMERGE d k = INVALIDOBJ Corrupted HLL object detected"}, nil, ""},
	{"too few registers", []string{`SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x40\x01" = OK`,
		"PFADD k a = INVALIDOBJ Corrupted HLL object detected", "PFCOUNT k = INVALIDOBJ Corrupted HLL object detected",
		"PFCOUNT k other = INVALIDOBJ Corrupted HLL object detected", "PFDEBUG TODENSE k = INVALIDOBJ Corrupted HLL object detected"}, nil, ""},
	{"dense registers of the wrong length", []string{`SET k "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x40\x01" = OK`,
		"PFCOUNT k = WRONGTYPE Key is not a valid HyperLogLog string value."}, nil, ""},
	{"an estimate is noted and sent on once", []string{"PFADD k a b c = 1", "PFCOUNT k = 3"}, []string{"0: PFCOUNT k"}, ""},
	{"an estimate that is known sends nothing", []string{"PFADD k a b c = 1", "PFCOUNT k = 3", "PFCOUNT k = 3"}, nil, ""},
	{"PFADD of what was counted sends nothing", []string{"PFADD k a = 1", "PFADD k a = 0"}, nil, ""},
	{"PFADD without elements makes an empty one", []string{"PFADD k = 1", "PFADD k = 0", "PFCOUNT k = 0", "STRLEN k = 18", "PFDEBUG DECODE k = \"Z:16384\""}, nil, ""},
	{"PFMERGE keeps the time to live", []string{"PFADD k a = 1", "PFADD l b = 1", "PEXPIREAT k 20000000000000 = 1", "PFMERGE k l = OK",
		"PFCOUNT k = 2", "PEXPIRETIME k = 20000000000000"}, []string{}, ""},
	{"the self-test passes", []string{"PFSELFTEST = OK"}, nil, "it takes seconds there"},
}

func TestDamagedHyperLogLogIsLeftAsItWas(t *testing.T) {
	s := newSubject(t)
	// Its first run is there, so that some elements could be counted before the
	// damage is met.
	value := append(append(hyperLogLog(nil), emptyHyperLogLog[:hllHeader]...), 0x5f, 0xff)
	s.do([]byte("SET"), []byte("k"), value)
	args := [][]byte{[]byte("PFADD"), []byte("k")}
	for b := range byte(64) {
		args = append(args, []byte{b})
	}
	reply := bytes.Clone(s.do(args...))
	if !bytes.HasPrefix(reply, []byte("-INVALIDOBJ")) {
		t.Fatalf("reply %q", reply)
	}
	if e, _ := s.env.Keyspace.DB(0).Find([]byte("k")); !bytes.Equal(e.StringBytes(nil), value) {
		t.Errorf("the value is now %q", e.StringBytes(nil))
	}
}

// FuzzHyperLogLog: whatever the bytes of a value, counting with it neither panics
// nor gives something that is none.
func FuzzHyperLogLog(f *testing.F) {
	f.Add([]byte(emptyHyperLogLog), []byte("element"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x40\x01\x84\x7f"), []byte("x"))
	f.Add(make([]byte, hllDense), []byte("x"))
	f.Fuzz(func(t *testing.T, value, element []byte) {
		h := append(hyperLogLog(nil), value...)
		if !h.plausible() {
			return
		}
		if !h.dense() {
			_ = h.spell()
			_, _ = h.toDense()
		}
		var r hllRegisters
		merged := h.mergeInto(&r)
		n, whole := h.compute()
		if merged != whole || whole && n != r.estimate() {
			t.Fatalf("merged %v, computed %v: %d, and %d", merged, whole, n, r.estimate())
		}
		for range 3 {
			var ok bool
			if h, _, ok = h.count(element, 3000); !ok {
				return
			}
			element = append(element, 'x')
		}
		if !h.plausible() {
			t.Fatalf("%q became %q", value, h)
		}
	})
}

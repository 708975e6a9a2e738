package command

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// The binary form: a header of 16 bytes and the registers. The header is "HYLL", the
// encoding, three zero bytes, and the estimate in 8 bytes, little endian, whose
// highest bit says that it is out of date.
//
// Dense registers are 6 bits each, the lowest bits first. Sparse ones are runs:
//
//	00nnnnnn          n+1 registers that are 0
//	01nnnnnn nnnnnnnn n+1 registers that are 0
//	1vvvvvnn          n+1 registers that are v+1
const (
	hllBits   = 14 // of a hash choose the register
	hllCount  = 1 << hllBits
	hllRest   = 64 - hllBits // bits of a hash that are left
	hllHeader = 16
	hllWidth  = 6 // bits of a dense register
	hllDense  = hllHeader + hllCount*hllWidth/8

	atHLLEncoding = 4
	atHLLEstimate = 8
	hllOutOfDate  = 0x80 // in the last byte of the estimate

	hllMaxZero = 64 // registers in a short run of zeroes
	hllMaxRun  = 4  // registers in a run of others
	hllMaxRunV = 32 // highest value in a run
)

type hyperLogLog []byte

var emptyHyperLogLog = hyperLogLog("HYLL\x01\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x7f\xff")

// plausible tells whether the header and the length are those of a HyperLogLog.
func (h hyperLogLog) plausible() bool {
	return len(h) >= hllHeader && string(h[:4]) == "HYLL" && h[atHLLEncoding] <= 1 &&
		(!h.dense() || len(h) == hllDense)
}

func (h hyperLogLog) dense() bool { return h[atHLLEncoding] == 0 }

func (h hyperLogLog) forgetEstimate() { h[hllHeader-1] |= hllOutOfDate }

func (h hyperLogLog) estimate() (n uint64, known bool) {
	return binary.LittleEndian.Uint64(h[atHLLEstimate:]), h[hllHeader-1]&hllOutOfDate == 0
}

func (h hyperLogLog) noteEstimate(n uint64) { binary.LittleEndian.PutUint64(h[atHLLEstimate:], n) }

// count adds an element. limit is how long a sparse form may become, in bytes. ok is
// false if the registers are damaged; h is then of no use.
func (h hyperLogLog) count(element []byte, limit int) (_ hyperLogLog, changed, ok bool) {
	i, value := hllPlace(element)
	return h.set(i, value, limit)
}

// hllPlace is which register counts an element, and the value that it gets at least.
func hllPlace(element []byte) (i int, value byte) {
	hash := murmur64(element, 0xadc83b19)
	// One more bit ends the count of zeroes where a hash has nothing but.
	zeros := bits.TrailingZeros64(hash>>hllBits | 1<<hllRest)
	return int(hash & (hllCount - 1)), byte(zeros + 1)
}

// set raises a register to a value.
func (h hyperLogLog) set(i int, value byte, limit int) (_ hyperLogLog, changed, ok bool) {
	if !h.dense() {
		return h.setSparse(i, value, limit)
	}
	if h.register(i) >= value {
		return h, false, true
	}
	h.setRegister(i, value)
	return h, true, true
}

// register is the value of a dense register. One that begins at bit 4 or 6 of its
// byte goes on in the next; the last register does not.
func (h hyperLogLog) register(i int) byte {
	at, shift := hllHeader+i*hllWidth/8, uint(i*hllWidth%8)
	v := uint16(h[at])
	if shift > 8-hllWidth {
		v |= uint16(h[at+1]) << 8
	}
	return byte(v>>shift) & (1<<hllWidth - 1)
}

func (h hyperLogLog) setRegister(i int, value byte) {
	at, shift := hllHeader+i*hllWidth/8, uint(i*hllWidth%8)
	const mask = 1<<hllWidth - 1
	h[at] = h[at]&^byte(mask<<shift) | value<<shift
	if shift > 8-hllWidth {
		h[at+1] = h[at+1]&^byte(mask>>(8-shift)) | value>>(8-shift)
	}
}

// hllRun is a run of equal registers in the sparse form.
type hllRun struct {
	n     int  // registers
	value byte // 0 or more
	size  int  // bytes
}

// run reads the run at a place. A long run whose second byte is missing has none.
func (h hyperLogLog) run(at int) hllRun {
	switch b := h[at]; {
	case b&0x80 != 0:
		return hllRun{int(b&3) + 1, b>>2&31 + 1, 1}
	case b&0x40 == 0:
		return hllRun{int(b) + 1, 0, 1}
	case at+1 < len(h):
		return hllRun{int(b&63)<<8 | int(h[at+1]) + 1, 0, 2}
	}
	return hllRun{size: 1}
}

// append spells a run.
func (r hllRun) append(dst []byte) []byte {
	switch {
	case r.n == 0:
		return dst
	case r.value > 0:
		return append(dst, 0x80|(r.value-1)<<2|byte(r.n-1))
	case r.n > hllMaxZero:
		return append(dst, 0x40|byte((r.n-1)>>8), byte(r.n-1))
	}
	return append(dst, byte(r.n-1))
}

// setSparse raises a register in the sparse form, or makes it dense if it would get
// too long, or the value too high for it.
func (h hyperLogLog) setSparse(i int, value byte, limit int) (_ hyperLogLog, changed, ok bool) {
	if value > hllMaxRunV {
		return h.promote(i, value)
	}
	at, before, first := hllHeader, hllHeader, 0
	var r hllRun
	for ; ; at += r.size {
		if at >= len(h) {
			return h, false, false
		}
		if r = h.run(at); r.n == 0 {
			return h, false, false
		}
		if i < first+r.n {
			break
		}
		before = at
		first += r.n
	}
	if r.value >= value {
		return h, false, true
	}
	// The run becomes up to three: what is before, the register, what is behind.
	var room [5]byte
	runs := hllRun{n: i - first, value: r.value}.append(room[:0])
	runs = hllRun{n: 1, value: value}.append(runs)
	runs = hllRun{n: first + r.n - 1 - i, value: r.value}.append(runs)
	if more := len(runs) - r.size; more > 0 {
		if len(h)+more > limit {
			return h.promote(i, value)
		}
		h = append(h, room[:more]...)
		copy(h[at+len(runs):], h[at+r.size:len(h)-more])
	} else if more < 0 {
		h = append(h[:at+len(runs)], h[at+r.size:]...)
	}
	copy(h[at:], runs)
	return h.joinRuns(before), true, true
}

// joinRuns puts runs of the same value together, among the five from a place on: that
// is as far as a change reaches.
func (h hyperLogLog) joinRuns(at int) hyperLogLog {
	for scan := 5; scan > 0 && at < len(h); scan-- {
		r := h.run(at)
		if r.value > 0 && at+1 < len(h) && h[at+1]&0x80 != 0 {
			if next := h.run(at + 1); next.value == r.value && next.n+r.n <= hllMaxRun {
				next.n += r.n
				next.append(h[:at+1])
				h = append(h[:at], h[at+1:]...)
				continue
			}
		}
		at += r.size
	}
	return h
}

// promote makes the form dense and raises a register.
func (h hyperLogLog) promote(i int, value byte) (_ hyperLogLog, changed, ok bool) {
	dense, ok := h.toDense()
	if !ok {
		return h, false, false
	}
	dense.setRegister(i, max(value, dense.register(i)))
	return dense, true, true
}

// toDense is a dense copy of a sparse form. ok is false if it is damaged.
func (h hyperLogLog) toDense() (dense hyperLogLog, ok bool) {
	dense = make(hyperLogLog, hllDense)
	copy(dense, h[:hllHeader])
	dense[atHLLEncoding] = 0
	ok = h.eachRun(func(first int, r hllRun) {
		for i := first; r.value > 0 && i < first+r.n; i++ {
			dense.setRegister(i, r.value)
		}
	})
	return dense, ok
}

// eachRun visits the runs of a sparse form, and tells whether they are as many
// registers as there have to be.
func (h hyperLogLog) eachRun(visit func(first int, r hllRun)) bool {
	first := 0
	for at := hllHeader; at < len(h); {
		r := h.run(at)
		if r.n == 0 || first+r.n > hllCount {
			return false
		}
		visit(first, r)
		first += r.n
		at += r.size
	}
	return first == hllCount
}

// spell writes the runs down for people: z and Z for zeroes, v for others with value
// and number.
func (h hyperLogLog) spell() []byte {
	var b []byte
	for at := hllHeader; at < len(h); {
		r := h.run(at)
		if len(b) > 0 {
			b = append(b, ' ')
		}
		switch {
		case r.value > 0:
			b = append(b, "v:"...)
			b = strconv.AppendInt(b, int64(r.value), 10)
			b = append(b, ',')
		case r.size == 1:
			b = append(b, "z:"...)
		default:
			b = append(b, "Z:"...)
		}
		b = strconv.AppendInt(b, int64(r.n), 10)
		at += r.size
	}
	return b
}

// murmur64 is MurmurHash64A, which decides what HyperLogLogs of other servers mean.
func murmur64(p []byte, seed uint64) uint64 {
	const m, r = 0xc6a4a7935bd1e995, 47
	h := seed ^ uint64(len(p))*m
	for ; len(p) >= 8; p = p[8:] {
		k := binary.LittleEndian.Uint64(p) * m
		k ^= k >> r
		h ^= k * m
		h *= m
	}
	if len(p) > 0 {
		var tail [8]byte
		copy(tail[:], p)
		h ^= binary.LittleEndian.Uint64(tail[:])
		h *= m
	}
	h ^= h >> r
	h *= m
	return h ^ h>>r
}

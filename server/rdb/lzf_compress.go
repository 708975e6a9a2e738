package rdb

// compressor packs strings in the format that appendLZF takes apart. The zero value
// is ready to use.
type compressor struct {
	// last is where three bytes were seen last, by their hash. Places count from
	// base, which grows with every string: what others have left behind is below it.
	last [1 << lzfHashBits]uint32
	base uint32
}

const (
	lzfHashBits    = 13 // 32 KiB: fits the first-level cache beside the data
	lzfMaxDistance = 1 << 13
	lzfMaxCopy     = 264
	lzfMaxLiterals = 32
	lzfMinCopy     = 3
)

// append compresses src behind dst into less than limit bytes, or reports that it
// can not.
func (c *compressor) append(dst, src []byte, limit int) ([]byte, bool) {
	if uint64(c.base)+uint64(len(src))+1 > 1<<32-1 {
		clear(c.last[:])
		c.base = 0
	}
	base := c.base + 1
	c.base += uint32(len(src)) + 1
	begin, literal := len(dst), 0 // src[literal:i] has yet to be written
	i := 0
	for i+lzfMinCopy <= len(src) {
		slot := &c.last[lzfHash(src[i:])]
		from := int(*slot) - int(base)
		*slot = base + uint32(i)
		if from < 0 || i-from > lzfMaxDistance || string(src[from:from+lzfMinCopy]) != string(src[i:i+lzfMinCopy]) {
			i++
			continue
		}
		n := lzfMinCopy
		for longest := min(lzfMaxCopy, len(src)-i); n < longest && src[from+n] == src[i+n]; {
			n++
		}
		dst = appendLiterals(dst, src[literal:i])
		dst = appendCopy(dst, i-from, n)
		if len(dst)-begin >= limit {
			return dst, false
		}
		// The place of the copy's end is remembered, the ones within are not: they
		// would cost more than they bring.
		i += n
		literal = i
		if i+lzfMinCopy <= len(src) {
			c.last[lzfHash(src[i-1:])] = base + uint32(i-1)
		}
	}
	dst = appendLiterals(dst, src[literal:])
	return dst, len(dst)-begin < limit
}

// lzfHash is a multiplicative hash of three bytes.
func lzfHash(p []byte) uint32 {
	v := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
	return v * 2654435761 >> (32 - lzfHashBits)
}

func appendLiterals(dst, p []byte) []byte {
	for len(p) > 0 {
		n := min(len(p), lzfMaxLiterals)
		dst = append(append(dst, byte(n-1)), p[:n]...)
		p = p[n:]
	}
	return dst
}

func appendCopy(dst []byte, distance, n int) []byte {
	distance--
	n -= 2
	if n < 7 {
		return append(dst, byte(n<<5|distance>>8), byte(distance))
	}
	return append(dst, byte(7<<5|distance>>8), byte(n-7), byte(distance))
}

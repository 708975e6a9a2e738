package rdb

// lzfMaxRatio: three bytes of compressed data stand for at most 264 bytes.
const lzfMaxRatio = 264 / 3

// appendLZF appends to dst the n bytes that src stands for. It reports false
// when src does not stand for exactly n bytes; dst is then of no use.
//
// The format is a sequence of two things. A control byte below 32 is followed by
// one more literal byte than it says. Any other control byte is a copy of
// earlier output: its three top bits are the length less two (7: one more byte
// adds to the length), its five low bits and the byte that follows are the
// distance less one.
func appendLZF(dst, src []byte, n int) ([]byte, bool) {
	begin := len(dst)
	for len(src) > 0 {
		control := int(src[0])
		src = src[1:]
		if control < 32 {
			length := control + 1
			if length > len(src) || len(dst)-begin+length > n {
				return dst, false
			}
			dst = append(dst, src[:length]...)
			src = src[length:]
			continue
		}
		length := control >> 5
		if length == 7 {
			if len(src) == 0 {
				return dst, false
			}
			length += int(src[0])
			src = src[1:]
		}
		length += 2
		if len(src) == 0 {
			return dst, false
		}
		from := len(dst) - (control&31)<<8 - int(src[0]) - 1
		src = src[1:]
		if from < begin || len(dst)-begin+length > n {
			return dst, false
		}
		// Byte by byte: the copy may overlap what it produces, that is how runs
		// are written.
		for range length {
			dst = append(dst, dst[from])
			from++
		}
	}
	return dst, len(dst)-begin == n
}

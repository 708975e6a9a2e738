package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// The packed forms of servers before Redis 7.0, which become listpacks here.

var errEnds = errors.New("it ends too early")

// appendZiplist makes a listpack in dst, which is empty, with the elements of a ziplist: a header of three
// numbers (bytes, place of the last element, elements), the elements, and a 255.
// An element is the length of the one before it, its own kind, and its bytes.
func appendZiplist(dst, zl []byte) ([]byte, error) {
	const header = 10
	if len(zl) < header+1 {
		return dst, errEnds
	}
	if size := binary.LittleEndian.Uint32(zl); int64(size) != int64(len(zl)) {
		return dst, fmt.Errorf("it says that it has %d bytes and has %d", size, len(zl))
	}
	if zl[len(zl)-1] != 255 {
		return dst, errors.New("it does not end with its end mark")
	}
	tail := int(binary.LittleEndian.Uint32(zl[4:]))
	lp := listpack.AppendEmpty(dst)
	at, last, before, n := header, header, 0, 0
	for at < len(zl)-1 {
		was, size, err := ziplistPrevious(zl[at : len(zl)-1])
		if err != nil {
			return dst, err
		}
		if was != before {
			return dst, fmt.Errorf("the element at %d says that %d bytes are before it, where %d are", at, was, before)
		}
		e, err := ziplistElement(zl[at+size : len(zl)-1])
		if err != nil {
			return dst, fmt.Errorf("the element at %d: %w", at, err)
		}
		if e.text != nil {
			lp = listpack.Append(lp, e.text)
		} else {
			lp = listpack.AppendInt(lp, e.number)
		}
		last, before = at, size+e.size
		at += before
		n++
	}
	if said := int(binary.LittleEndian.Uint16(zl[8:])); said != n && said != 65535 {
		return dst, fmt.Errorf("it says that it has %d elements and has %d", said, n)
	}
	if tail != last {
		return dst, fmt.Errorf("its last element is at %d and not at %d", last, tail)
	}
	return lp, nil
}

// ziplistPrevious reads how long the element before is, and how long that number.
func ziplistPrevious(p []byte) (was, size int, err error) {
	switch {
	case p[0] < 254:
		return int(p[0]), 1, nil
	case p[0] == 254 && len(p) >= 5:
		return int(binary.LittleEndian.Uint32(p[1:])), 5, nil
	case p[0] == 254:
		return 0, 0, errEnds
	}
	return 0, 0, errors.New("it has an end mark in its midst")
}

type ziplistItem struct {
	text   []byte // nil: a number
	number int64
	size   int // with the kind
}

func ziplistElement(p []byte) (e ziplistItem, err error) {
	if len(p) == 0 {
		return e, errEnds
	}
	switch kind := p[0]; {
	case kind>>6 == 0:
		return ziplistText(p, 1, int(kind&63))
	case kind>>6 == 1:
		if len(p) < 2 {
			return e, errEnds
		}
		return ziplistText(p, 2, int(kind&63)<<8|int(p[1]))
	case kind == 0x80:
		if len(p) < 5 {
			return e, errEnds
		}
		return ziplistText(p, 5, int(binary.BigEndian.Uint32(p[1:])))
	case kind > 0xF0 && kind <= 0xFD: // the number is in the kind
		return ziplistItem{number: int64(kind&15) - 1, size: 1}, nil
	}
	width := map[byte]int{0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}[p[0]]
	switch {
	case width == 0:
		return e, fmt.Errorf("%#02x is not the kind of any", p[0])
	case len(p) < 1+width:
		return e, errEnds
	}
	var n uint64
	for i, b := range p[1 : 1+width] {
		n |= uint64(b) << (8 * i)
	}
	spare := 64 - 8*width
	return ziplistItem{number: int64(n<<spare) >> spare, size: 1 + width}, nil
}

func ziplistText(p []byte, head, n int) (ziplistItem, error) {
	if n > len(p)-head {
		return ziplistItem{}, errEnds
	}
	return ziplistItem{text: p[head : head+n : head+n], size: head + n}, nil
}

// appendZipmap makes a listpack in dst, which is empty, with the fields and values of a zipmap: the number
// of fields (254 or more: not known), then for each its length and bytes, the
// length of the value, a number of unused bytes, the value and the unused bytes, and
// a 255 in the end.
func appendZipmap(dst, zm []byte) ([]byte, error) {
	if len(zm) < 2 {
		return dst, errEnds
	}
	if zm[len(zm)-1] != 255 {
		return dst, errors.New("it does not end with its end mark")
	}
	lp := listpack.AppendEmpty(dst)
	n := 0
	for rest := zm[1 : len(zm)-1]; len(rest) > 0; n++ {
		field, next, err := zipmapString(rest, 0)
		if err != nil {
			return dst, err
		}
		value, next, err := zipmapString(next, 1)
		if err != nil {
			return dst, err
		}
		lp = listpack.Append(listpack.Append(lp, field), value)
		rest = next
	}
	if said := int(zm[0]); said < 254 && said != n {
		return dst, fmt.Errorf("it says that it has %d fields and has %d", said, n)
	}
	return lp, nil
}

// zipmapString cuts a string off; with extra 1, the length is followed by the number
// of unused bytes behind the string.
func zipmapString(p []byte, extra int) (s, rest []byte, err error) {
	if len(p) == 0 {
		return nil, nil, errEnds
	}
	n, head := int(p[0]), 1
	switch {
	case p[0] == 255:
		return nil, nil, errors.New("it has an end mark in its midst")
	case p[0] == 254:
		if len(p) < 5 {
			return nil, nil, errEnds
		}
		n, head = int(binary.LittleEndian.Uint32(p[1:])), 5
	}
	unused := 0
	if extra > 0 {
		if len(p) < head+1 {
			return nil, nil, errEnds
		}
		unused = int(p[head])
		head++
	}
	if n+unused > len(p)-head {
		return nil, nil, errEnds
	}
	return p[head : head+n], p[head+n+unused:], nil
}

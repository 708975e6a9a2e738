package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// footerSize: two bytes of version and eight of checksum end a payload.
const footerSize = 2 + 8

// ParseDump takes a payload apart that DUMP made, here or on another server. The
// value is complete (More is never set).
//
// Errors are ErrPayload when the version is newer than MaxVersion or the checksum
// is wrong, *UnsupportedTypeError, and *FormatError when the bytes make no sense
// although the checksum is right, or when they are a collection without elements.
func ParseDump(payload []byte) (Value, error) {
	if len(payload) < 1+footerSize {
		return Value{}, ErrPayload
	}
	body := payload[:len(payload)-footerSize]
	footer := payload[len(body):]
	if binary.LittleEndian.Uint16(footer) > MaxVersion {
		return Value{}, ErrPayload
	}
	// Unlike in a file, a sum of 0 does not say that there is none.
	if binary.LittleEndian.Uint64(footer[2:]) != Checksum(0, payload[:len(payload)-8]) {
		return Value{}, ErrPayload
	}
	if !knownWireType(body[0]) {
		return Value{}, errNoType(body[0], 0)
	}
	r := newReader(bytes.NewReader(body[1:]), min(len(body)+16, bufferSize))
	r.partBytes = math.MaxInt
	value, err := r.body(body[0], nil, 0)
	if err != nil {
		return Value{}, err
	}
	if left := int64(len(body)-1) - r.Consumed(); left != 0 {
		return Value{}, &FormatError{Pos: 1 + r.Consumed(), What: fmt.Sprintf("%d bytes are left over", left)}
	}
	if value.Empty() {
		return Value{}, &FormatError{What: "a " + wireTypes[body[0]].name + " without elements"}
	}
	return value, nil
}

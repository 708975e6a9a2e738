package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// footerSize: two bytes of version and eight of checksum end a payload.
const footerSize = 2 + 8

// AppendDumpString appends the payload that DUMP answers for a string.
func AppendDumpString(dst, value []byte) []byte {
	begin := len(dst)
	dst = append(dst, wireString)
	dst = appendString(dst, value)
	dst = binary.LittleEndian.AppendUint16(dst, WriteVersion)
	return binary.LittleEndian.AppendUint64(dst, Checksum(0, dst[begin:]))
}

// ParseDump takes a payload apart that DUMP made, here or on another server.
// Errors are ErrPayload when the version is newer than MaxVersion or the checksum
// is wrong, *UnsupportedTypeError, and *FormatError when the bytes make no sense
// although the checksum is right.
func ParseDump(payload []byte) (Value, error) {
	if len(payload) < 1+footerSize {
		return Value{}, ErrPayload
	}
	body := payload[:len(payload)-footerSize]
	footer := payload[len(body):]
	if binary.LittleEndian.Uint16(footer) > MaxVersion {
		return Value{}, ErrPayload
	}
	// As in a file, a sum of 0 says that there is none.
	want := binary.LittleEndian.Uint64(footer[2:])
	if want != 0 && want != Checksum(0, payload[:len(payload)-8]) {
		return Value{}, ErrPayload
	}
	wireType := body[0]
	if int(wireType) >= len(wireTypeNames) || wireTypeNames[wireType] == "" {
		return Value{}, &FormatError{What: fmt.Sprintf("%d is not the type of any value", wireType)}
	}
	r := newReader(bytes.NewReader(body[1:]), min(len(body)+16, bufferSize))
	value, err := r.body(wireType, nil, 0)
	if err != nil {
		return Value{}, err
	}
	if left := int64(len(body)-1) - r.Consumed(); left != 0 {
		return Value{}, &FormatError{Pos: 1 + r.Consumed(), What: fmt.Sprintf("%d bytes are left over", left)}
	}
	return value, nil
}

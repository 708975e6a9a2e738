package rdb

import (
	"errors"
	"fmt"
)

var (
	// ErrChecksum says that the bytes are not those that were once written.
	ErrChecksum = errors.New("checksum does not match: the data was damaged on its way or on its disk")
	// ErrPayload says that a DUMP payload is of a version that is not known, or
	// damaged.
	ErrPayload = errors.New("payload version or checksum are wrong")
)

// FormatError says what is wrong with the bytes, and where.
type FormatError struct {
	Pos  int64 // number of bytes before the one that was not understood
	What string
	Err  error // io.ErrUnexpectedEOF when the data ends too early, or nil
}

func (e *FormatError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("rdb: byte %d: %s: %v", e.Pos, e.What, e.Err)
	}
	return fmt.Sprintf("rdb: byte %d: %s", e.Pos, e.What)
}

func (e *FormatError) Unwrap() error { return e.Err }

// VersionError says that the file was made by a newer or by another server.
type VersionError struct {
	Magic   string // the first five bytes or so, as found
	Version int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("rdb: the data has format %s version %d, and this server reads REDIS versions 1 to %d: it was made by a newer server",
		e.Magic, e.Version, MaxVersion)
}

// UnsupportedTypeError says that the data holds something that this server can
// not hold. Nothing of it can be skipped safely: the data set would silently be
// another one.
type UnsupportedTypeError struct {
	Key  []byte // nil when it belongs to no key
	What string // in words, e.g. "a value of module type ReJSON-RL"
	Pos  int64  // byte position of the type, from 0
}

func (e *UnsupportedTypeError) Error() string {
	if e.Key == nil {
		return fmt.Sprintf("rdb: byte %d: %s is not supported by this server", e.Pos, e.What)
	}
	return fmt.Sprintf("rdb: byte %d: key %.100q holds %s, which is not supported by this server", e.Pos, e.Key, e.What)
}

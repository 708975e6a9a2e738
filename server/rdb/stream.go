package rdb

import "bytes"

// stream reads a stream, or the first part of it.
func (r *Reader) stream(_ byte, at int64) (Value, error) {
	return Value{}, &UnsupportedTypeError{Key: bytes.Clone(r.key), What: "a stream", Pos: at}
}

package dataset

import (
	"fmt"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// Encode spells an entry of a snapshot.
func Encode(enc *rdb.Encoder, e store.Entry, used rdb.Access) {
	at, _ := e.ExpireAt()
	enc.Entry(shapeOf(e), e.Key(), at, used)
	encodeValue(enc, e)
}

// Dump spells what DUMP answers for an entry. It is valid until enc is used again.
func Dump(enc *rdb.Encoder, e store.Entry) []byte {
	if cap(enc.Buf) > 1<<20 {
		enc.Buf = nil // one huge value shall not be paid for for ever
	}
	enc.Buf = enc.Buf[:0]
	enc.Type(shapeOf(e))
	encodeValue(enc, e)
	enc.Buf = rdb.AppendFooter(enc.Buf, 0)
	return enc.Buf
}

func shapeOf(e store.Entry) rdb.Shape {
	switch e.Type() {
	case store.TypeString:
		return rdb.ShapeString
	}
	panic(errNoSpelling(e))
}

func encodeValue(enc *rdb.Encoder, e store.Entry) {
	switch e.Type() {
	case store.TypeString:
		encodeString(enc, e)
	}
}

// errNoSpelling is a mistake in this package: a type was forgotten.
func errNoSpelling(e store.Entry) error {
	return fmt.Errorf("dataset: a %v held as %v has no spelling", e.Type(), e.Encoding())
}

func encodeString(enc *rdb.Encoder, e store.Entry) {
	if n, ok := e.Int(); ok {
		enc.Int(n)
		return
	}
	enc.String(e.StringBytes(nil))
}

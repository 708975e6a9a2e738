package rdb

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// AppendHeader appends the beginning of a file.
func AppendHeader(dst []byte) []byte {
	return fmt.Appendf(dst, "REDIS%04d", WriteVersion)
}

// AppendAux appends a note about the file, such as "repl-id" or "redis-ver".
func AppendAux(dst []byte, key, value string) []byte {
	dst = append(dst, opAux)
	dst = appendString(dst, []byte(key))
	return appendString(dst, []byte(value))
}

// AppendFunction appends a function library. Libraries come before the databases.
func AppendFunction(dst, source []byte) []byte {
	return appendString(append(dst, opFunction2), source)
}

// AppendSelectDB appends the beginning of the entries of one database. keys and
// volatile (those that expire) let the reader size its tables; they may be
// estimates.
func AppendSelectDB(dst []byte, db, keys, volatile int) []byte {
	dst = append(dst, opSelectDB)
	dst = appendLength(dst, uint64(db))
	dst = append(dst, opResizeDB)
	dst = appendLength(dst, uint64(keys))
	return appendLength(dst, uint64(volatile))
}

// AppendEOF appends the end of a file. sum is the Checksum over everything
// before it.
func AppendEOF(dst []byte, sum uint64) []byte {
	dst = append(dst, opEOF)
	return binary.LittleEndian.AppendUint64(dst, Checksum(sum, []byte{opEOF}))
}

func appendLength(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, len14|byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, len32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, len64), n)
}

// appendString appends a string, as a number when it is one that fits in 32 bits
// and is spelled the only way.
func appendString(dst, s []byte) []byte {
	if v, ok := smallInt(s); ok {
		return appendSmallInt(dst, v)
	}
	dst = appendLength(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendSmallInt appends a string that spells a number of 32 bits.
func appendSmallInt(dst []byte, v int64) []byte {
	switch {
	case v == int64(int8(v)):
		return append(dst, lenSpec|specInt8, byte(v))
	case v == int64(int16(v)):
		return binary.LittleEndian.AppendUint16(append(dst, lenSpec|specInt16), uint16(v))
	}
	return binary.LittleEndian.AppendUint32(append(dst, lenSpec|specInt32), uint32(v))
}

// appendLongInt appends a string that spells a number of more than 32 bits.
func appendLongInt(dst []byte, v int64) []byte {
	var spelled [maxIntLen]byte
	s := strconv.AppendInt(spelled[:0], v, 10)
	return append(appendLength(dst, uint64(len(s))), s...)
}

// smallInt reports whether s is the canonical spelling of a 32 bit number.
func smallInt(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > len("-2147483648") || s[0] > '9' {
		return 0, false
	}
	v, err := strconv.ParseInt(string(s), 10, 32)
	if err != nil {
		return 0, false
	}
	var spelled [len("-2147483648")]byte
	return v, string(strconv.AppendInt(spelled[:0], v, 10)) == string(s)
}

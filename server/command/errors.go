package command

import (
	"bytes"
	"fmt"
)

// ReplyError is an error as a client reads it, beginning with its code. The
// texts are part of the protocol: clients and libraries match them.
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// Errors that more than one command, or package server, answers with.
const (
	ErrSyntax       ReplyError = "ERR syntax error"
	ErrWrongType    ReplyError = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrNotInteger   ReplyError = "ERR value is not an integer or out of range"
	ErrNotFloat     ReplyError = "ERR value is not a valid float"
	ErrNoSuchKey    ReplyError = "ERR no such key"
	ErrSameObject   ReplyError = "ERR source and destination objects are the same"
	ErrDBOutOfRange ReplyError = "ERR DB index is out of range"
	ErrReadOnly     ReplyError = "READONLY You can't write against a read only replica."
	ErrOutOfMemory  ReplyError = "OOM command not allowed when used memory > 'maxmemory'."
	ErrNoAuth       ReplyError = "NOAUTH Authentication required."
)

// Errors of one command or a few of this package.
const (
	errOverflow          ReplyError = "ERR increment or decrement would overflow"
	errDecrOverflow      ReplyError = "ERR decrement would overflow"
	errNaNOrInfinity     ReplyError = "ERR increment would produce NaN or Infinity"
	errStringTooLong     ReplyError = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errOffsetRange       ReplyError = "ERR offset is out of range"
	errLCSLenAndIdx      ReplyError = "ERR If you want both the length and indexes, please just use IDX."
	errLCSNotStrings     ReplyError = "ERR The specified keys must contain string values"
	errLCSTooLong        ReplyError = "ERR String too long for LCS"
	errLCSMemory         ReplyError = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
	errExpireNXOnly      ReplyError = "ERR NX and XX, GT or LT options at the same time are not compatible"
	errExpireGTLT        ReplyError = "ERR GT and LT options at the same time are not compatible"
	errInvalidCursor     ReplyError = "ERR invalid cursor"
	errNoValuesElsewhere ReplyError = "ERR NOVALUES option can only be used in HSCAN"
	errNoScoresElsewhere ReplyError = "ERR NOSCORES option can only be used in ZSCAN"
	errNoFreq            ReplyError = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	errNoIdle            ReplyError = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
	errBusyKey           ReplyError = "BUSYKEY Target key name already exists."
	errBadPayload        ReplyError = "ERR DUMP payload version or checksum are wrong"
	errBadFormat         ReplyError = "ERR Bad data format"
	errBadTTL            ReplyError = "ERR Invalid TTL value, must be >= 0"
	errBadIdle           ReplyError = "ERR Invalid IDLETIME value, must be >= 0"
	errBadFreq           ReplyError = "ERR Invalid FREQ value, must be >= 0 and <= 255"
	errSwapFirst         ReplyError = "ERR invalid first DB index"
	errSwapSecond        ReplyError = "ERR invalid second DB index"
	errBitOffset         ReplyError = "ERR bit offset is not an integer or out of range"
	errBitValue          ReplyError = "ERR bit is not an integer or out of range"
	errBitArgument       ReplyError = "ERR The bit argument must be 1 or 0."
	errBitopNot          ReplyError = "ERR BITOP NOT must be called with a single source key."
	errBitfieldType      ReplyError = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
	errBitfieldFlow      ReplyError = "ERR Invalid OVERFLOW type specified"
	errBitfieldRO        ReplyError = "ERR BITFIELD_RO only supports the GET subcommand"
	errInt32Range        ReplyError = "ERR value is out of range, value must between -2147483648 and 2147483647"
	errNoHyperLogLog     ReplyError = "WRONGTYPE Key is not a valid HyperLogLog string value."
	errCountRange        ReplyError = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
	errOutOfRange        ReplyError = "ERR value is out of range"
	errReplyTooLong      ReplyError = "ERR value is out of range, the reply would exceed 512 MiB"
	errNotPositive       ReplyError = "ERR value is out of range, must be positive"
	errHashNotInteger    ReplyError = "ERR hash value is not an integer"
	errHashNotFloat      ReplyError = "ERR hash value is not a float"
	errIncrNaN           ReplyError = "ERR value is NaN or Infinity"
	errNumKeys           ReplyError = "ERR numkeys should be greater than 0"
	errPopCount          ReplyError = "ERR count should be greater than 0"
	errManyKeys          ReplyError = "ERR Number of keys can't be greater than number of args"
	errCardLimit         ReplyError = "ERR LIMIT can't be negative"
	errNoKeyArguments    ReplyError = "ERR The command has no key arguments"
	errInvalidCommand    ReplyError = "ERR Invalid command specified"
	errInvalidArgCount   ReplyError = "ERR Invalid number of arguments specified for command"
	errInvalidArgs       ReplyError = "ERR Invalid arguments specified for command"
)

// Errors of SORT.
const (
	errSortWeights   ReplyError = "ERR One or more scores can't be converted into double"
	errSortByDenied  ReplyError = "ERR BY option of SORT denied due to insufficient ACL permissions."
	errSortGetDenied ReplyError = "ERR GET option of SORT denied due to insufficient ACL permissions."
)

// Errors of HyperLogLogs.
const (
	errDamagedHyperLogLog ReplyError = "INVALIDOBJ Corrupted HLL object detected"
	errNoHyperLogLogKey   ReplyError = "ERR The specified key does not exist"
	errHyperLogLogDense   ReplyError = "ERR HLL encoding is not sparse"
)

func errUnknownPFDebug(sub []byte) ReplyError {
	return ReplyError(fmt.Sprintf("ERR Unknown PFDEBUG subcommand '%s'", quoted(sub, len(sub))))
}

func errHyperLogLogTest(elements int, sparse, dense uint64) ReplyError {
	return ReplyError(fmt.Sprintf("ERR TESTFAILED %d elements were estimated as %d (sparse) and %d (dense)", elements, sparse, dense))
}

func errArity(name string) ReplyError {
	return ReplyError("ERR wrong number of arguments for '" + name + "' command")
}

func errExpireTime(name string) ReplyError {
	return ReplyError("ERR invalid expire time in '" + name + "' command")
}

// maxQuoted is how much of a request an error repeats. A client that sends
// garbage gets it back in part, not in whole.
const maxQuoted = 128

// quoted is what an error repeats of an argument: up to a limit, and up to a
// zero byte, where Redis stops as well.
func quoted(b []byte, limit int) []byte {
	b = b[:min(len(b), limit)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}

func errUnknownCommand(args [][]byte) ReplyError {
	var rest []byte
	for _, a := range args[1:] {
		if len(rest) >= maxQuoted {
			break
		}
		rest = append(rest, '\'')
		rest = append(rest, quoted(a, maxQuoted-len(rest)+1)...)
		rest = append(rest, '\'', ' ')
	}
	return ReplyError(fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", quoted(args[0], maxQuoted), rest))
}

func errUnknownSubcommand(parent string, sub []byte) ReplyError {
	return ReplyError(fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", quoted(sub, maxQuoted), upper(parent)))
}

func errUnsupportedOption(option []byte) ReplyError {
	return ReplyError(fmt.Sprintf("ERR Unsupported option %s", quoted(option, len(option))))
}

// errUnsupportedValue is for values that a Redis with the right module could restore.
func errUnsupportedValue(what string) ReplyError {
	return ReplyError("ERR " + what + " can not be restored: this server has no modules")
}

package command

import "github.com/lockstep-db/lockstep/server/store"

const (
	errTrimTwice       ReplyError = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
	errTrimMissing     ReplyError = "ERR syntax error, XTRIM must be called with a trimming strategy"
	errMaxLenNegative  ReplyError = "ERR The MAXLEN argument must be >= 0."
	errLimitNegative   ReplyError = "ERR The LIMIT argument must be >= 0."
	errLimitNoStrategy ReplyError = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
	errLimitExact      ReplyError = "ERR syntax error, LIMIT cannot be used without the special ~ option"
	errAddZero         ReplyError = "ERR The ID specified in XADD must be greater than 0-0"
	errAddSmaller      ReplyError = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
	errAddExhausted    ReplyError = "ERR The stream has exhausted the last possible ID, unable to add more items"
	errAddTooLarge     ReplyError = "ERR Elements are too large to be stored"
	errSetIDAdded      ReplyError = "ERR entries_added must be positive"
	errSetIDDeleted    ReplyError = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
	errSetIDOldDeleted ReplyError = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
	errSetIDTop        ReplyError = "ERR The ID specified in XSETID is smaller than the target stream top item"
	errSetIDLength     ReplyError = "ERR The entries_added specified in XSETID is smaller than the target stream length"
)

var equalsOption = []byte("=")

// addOptions are the options of XADD and XTRIM.
type addOptions struct {
	trims       bool // MAXLEN or MINID was given
	trim        store.StreamTrim
	thresholdAt int // where the number or ID of it is

	noMkStream bool
	idAt       int // where the ID of the new entry is
	id         store.StreamID
	auto       bool // the ID is *
	autoSeq    bool // it is <ms>-*
}

func parseAdd(c *Call, adding bool) (o addOptions, ok bool) {
	limited := false
	i := 2
options:
	for ; i < len(c.Args); i++ {
		arg, more := c.Args[i], i+1 < len(c.Args)
		switch {
		case adding && len(arg) == 1 && arg[0] == '*':
			o.auto = true
			break options
		case more && (equalFold(arg, "MAXLEN") || equalFold(arg, "MINID")):
			if i, ok = o.parseThreshold(c, i); !ok {
				return o, false
			}
		case more && equalFold(arg, "LIMIT"):
			i++
			if o.trim.Limit, ok = c.intArg(i); !ok {
				return o, false
			}
			if o.trim.Limit < 0 {
				c.Fail(errLimitNegative)
				return o, false
			}
			limited = true
		case adding && equalFold(arg, "NOMKSTREAM"):
			o.noMkStream = true
		case adding:
			if o.id, o.autoSeq, ok = parseNewStreamID(arg); !ok {
				c.Fail(errStreamID)
				return o, false
			}
			break options
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	o.idAt = i
	ok = o.checkLimit(c, adding, limited)
	return o, ok
}

// parseThreshold reads MAXLEN or MINID, which is at i, with what follows. It
// returns where that ends.
func (o *addOptions) parseThreshold(c *Call, i int) (end int, ok bool) {
	if o.trims {
		c.Fail(errTrimTwice)
		return i, false
	}
	byID := equalFold(c.Args[i], "MINID")
	i++
	if op := c.Args[i]; i+1 < len(c.Args) && len(op) == 1 && (op[0] == '~' || op[0] == '=') {
		o.trim.WholeNodes = op[0] == '~'
		i++
	}
	if byID {
		o.trim.MaxLength = -1
		if o.trim.MinID, ok = c.idArg(i); !ok {
			return i, false
		}
	} else {
		if o.trim.MaxLength, ok = c.intArg(i); !ok {
			return i, false
		}
		if o.trim.MaxLength < 0 {
			c.Fail(errMaxLenNegative)
			return i, false
		}
	}
	o.trims, o.thresholdAt = true, i
	return i, true
}

// checkLimit bounds the work of approximate trimming. What comes from a primary
// was bounded there.
func (o *addOptions) checkLimit(c *Call, adding, limited bool) bool {
	switch {
	case o.trim.Limit != 0 && !o.trims:
		c.Fail(errLimitNoStrategy)
		return false
	case !adding && !o.trims:
		c.Fail(errTrimMissing)
		return false
	case c.FromPrimary:
		o.trim.Limit = 0
	case limited && !o.trim.WholeNodes:
		c.Fail(errLimitExact)
		return false
	case !limited && o.trim.WholeNodes:
		const nodes = 100
		o.trim.Limit = nodes * int64(c.Keyspace.Limits.StreamNodeEntries)
		if o.trim.Limit <= 0 {
			o.trim.Limit = 10000
		}
		o.trim.Limit = min(o.trim.Limit, 1000000)
	}
	return true
}

// rewriteTrim makes an effect of the command in which approximate trimming is
// exact, with the threshold that has come out.
func (o *addOptions) rewriteTrim(c *Call, s *store.Stream) {
	if !o.trim.WholeNodes {
		return
	}
	c.left.rewrite[o.thresholdAt-1] = equalsOption
	if o.trim.MaxLength >= 0 {
		c.left.rewrite[o.thresholdAt] = c.spell(s.Length)
	} else {
		c.left.rewrite[o.thresholdAt] = c.spellID(s.FloorID())
	}
}

func runXAdd(c *Call) {
	opts, ok := parseAdd(c, true)
	if !ok {
		return
	}
	var pairs [][]byte
	if opts.idAt < len(c.Args) {
		pairs = c.Args[opts.idAt+1:]
	}
	if len(pairs) < 2 || len(pairs)%2 != 0 {
		c.Fail(errArity(c.Spec.FullName()))
		return
	}
	if !opts.auto && !opts.autoSeq && opts.id.IsZero() {
		c.Fail(errAddZero)
		return
	}
	key := c.Args[1]
	s, ok := c.findStreamToWrite(key)
	if !ok {
		return
	}
	if s == nil && opts.noMkStream {
		c.Out.Null()
		return
	}
	id, ok := opts.newID(c, s)
	if !ok || !entryFits(c, pairs) {
		return
	}
	if s == nil {
		s = c.DB.CreateStream(key, 0)
		c.created(key)
	}
	s.Append(id, pairs)
	text := c.spellID(id)
	c.Out.Bulk(text)
	c.modified(EventStream, "xadd", key)
	if opts.auto || opts.autoSeq || opts.trim.WholeNodes {
		c.Rewrite(c.Args...)
	}
	if opts.auto || opts.autoSeq {
		c.left.rewrite[opts.idAt] = text
	}
	if opts.trims {
		if s.Trim(opts.trim) > 0 {
			c.notify(EventStream, "xtrim", key)
		}
		opts.rewriteTrim(c, s)
	}
	c.ready(key)
}

// newID is the ID for the new entry of a stream, which is nil if it has yet to
// be created.
func (o *addOptions) newID(c *Call, s *store.Stream) (id store.StreamID, ok bool) {
	var last store.StreamID
	if s != nil {
		last = s.LastID
	}
	if last == store.MaxStreamID {
		c.Fail(errAddExhausted)
		return id, false
	}
	id = o.id
	switch {
	case o.auto && uint64(c.Now) > last.Ms:
		return store.StreamID{Ms: uint64(c.Now)}, true
	case o.auto:
		return last.Next() // time has not gone on, or has gone back
	case o.autoSeq && id.Ms == last.Ms:
		id.Seq = last.Seq + 1 // 0 if there is no further one, which is smaller
	}
	if !last.Less(id) {
		c.Fail(errAddSmaller)
		return id, false
	}
	return id, true
}

func entryFits(c *Call, pairs [][]byte) bool {
	size := 0
	for _, p := range pairs {
		size += len(p)
	}
	if size > store.MaxStreamEntry {
		c.Fail(errAddTooLarge)
	}
	return size <= store.MaxStreamEntry
}

func runXTrim(c *Call) {
	opts, ok := parseAdd(c, false)
	if !ok {
		return
	}
	key := c.Args[1]
	s, ok := c.findStreamToWrite(key)
	if !ok {
		return
	}
	removed := int64(0)
	if s != nil {
		removed = s.Trim(opts.trim)
	}
	if removed > 0 {
		c.notify(EventStream, "xtrim", key)
		c.Rewrite(c.Args...)
		opts.rewriteTrim(c, s)
		c.Touch(key)
		c.Changed(int(removed))
	}
	c.Out.Int(removed)
}

func runXDel(c *Call) {
	key := c.Args[1]
	s, ok := c.findStreamToWrite(key)
	if !ok {
		return
	}
	if s == nil {
		c.Out.Int(0)
		return
	}
	var few [8]store.StreamID
	ids, ok := c.manyIDArgs(2, few[:0])
	if !ok {
		return
	}
	removed := 0
	for _, id := range ids {
		if s.Delete(id) {
			removed++
		}
	}
	if removed > 0 {
		c.Touch(key)
		c.notify(EventStream, "xdel", key)
		c.Changed(removed)
	}
	c.Out.Int(int64(removed))
}

type setIDOptions struct {
	id, maxDeleted store.StreamID
	added          int64 // -1: not given
}

func parseSetID(c *Call) (o setIDOptions, ok bool) {
	o.added = -1
	if o.id, ok = c.idArg(2); !ok {
		return o, false
	}
	for i := 3; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch arg := c.Args[i]; {
		case more && equalFold(arg, "ENTRIESADDED"):
			i++
			if o.added, ok = c.intArg(i); !ok {
				return o, false
			}
			if o.added < 0 {
				c.Fail(errSetIDAdded)
				return o, false
			}
		case more && equalFold(arg, "MAXDELETEDID"):
			i++
			if o.maxDeleted, ok = c.idArg(i); !ok {
				return o, false
			}
			if o.id.Less(o.maxDeleted) {
				c.Fail(errSetIDDeleted)
				return o, false
			}
		default:
			c.Fail(ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func runXSetID(c *Call) {
	opts, ok := parseSetID(c)
	if !ok {
		return
	}
	key := c.Args[1]
	s, ok := c.findStreamToWrite(key)
	switch {
	case !ok:
		return
	case s == nil:
		c.Fail(ErrNoSuchKey)
		return
	case opts.id.Less(s.MaxDeletedID):
		c.Fail(errSetIDOldDeleted)
		return
	case s.Length > 0 && opts.id.Less(s.TopID()):
		c.Fail(errSetIDTop)
		return
	case s.Length > 0 && opts.added != -1 && s.Length > opts.added:
		c.Fail(errSetIDLength)
		return
	}
	s.LastID = opts.id
	if opts.added != -1 {
		s.Added = opts.added
	}
	if !opts.maxDeleted.IsZero() {
		s.MaxDeletedID = opts.maxDeleted
	}
	c.Out.OK()
	c.groupChanged("xsetid", key)
}

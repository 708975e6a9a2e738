package command

func runAppend(c *Call) {
	key, suffix := c.Args[1], c.Args[2]
	e, found, failed := c.findStringToWrite(key)
	if failed {
		return
	}
	if !found {
		setAs(c, "append", key, suffix)
		c.Out.Int(int64(len(suffix)))
		return
	}
	if !c.fits(int64(e.StringLen()), len(suffix)) {
		return
	}
	n, err := c.DB.Append(key, suffix)
	if err != nil {
		c.Fail(errStringTooLong)
		return
	}
	c.modified(EventString, "append", key)
	c.Out.Int(int64(n))
}

func runSetRange(c *Call) {
	key, value := c.Args[1], c.Args[3]
	offset, ok := c.intArg(2)
	if !ok {
		return
	}
	if offset < 0 {
		c.Fail(errOffsetRange)
		return
	}
	e, found, failed := c.findStringToWrite(key)
	if failed {
		return
	}
	if len(value) == 0 {
		// Nothing is written, so nothing is created or filled up either.
		n := 0
		if found {
			n = e.StringLen()
		}
		c.Out.Int(int64(n))
		return
	}
	if !c.fits(offset, len(value)) {
		return
	}
	n, err := c.DB.SetRange(key, int(offset), value)
	if err != nil {
		c.Fail(errStringTooLong)
		return
	}
	if !found {
		c.created(key)
	}
	c.modified(EventString, "setrange", key)
	c.Out.Int(int64(n))
}

func runGetRange(c *Call) {
	start, ok := c.intArg(2)
	if !ok {
		return
	}
	end, ok := c.intArg(3)
	if !ok {
		return
	}
	e, found, failed := c.FindString(c.Args[1])
	if failed {
		return
	}
	if !found {
		c.Out.BulkString("")
		return
	}
	value := c.value(e)
	from, to := sliceBounds(start, end, len(value))
	c.Out.Bulk(value[from:to])
}

// sliceBounds turns an inclusive range, in which negative numbers count from
// the end, into bounds of a slice of n bytes. In 5 bytes, 1..-2 is [1:4], and
// 3..2, like 7..9, is nothing.
func sliceBounds(start, end int64, n int) (from, to int) {
	// Clamping would make one byte of a range that lies before the string.
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	first, behind := clampRange(start, end, int64(n))
	return int(first), int(behind)
}

// clampRange turns an inclusive range, in which negative numbers count from the
// end, into a half-open one within size; an empty range is 0, 0.
func clampRange(start, end, size int64) (from, to int64) {
	if start < 0 {
		start = max(start+size, 0)
	}
	if end < 0 {
		end = max(end+size, 0)
	}
	end = min(end, size-1)
	if start > end {
		return 0, 0
	}
	return start, end + 1
}

// fits answers with an error unless a string of so many bytes at an offset is
// within the limit. What a primary accepted is not questioned.
func (c *Call) fits(offset int64, n int) bool {
	if c.FromPrimary || offset <= c.maxString()-int64(n) {
		return true
	}
	c.Fail(errStringTooLong)
	return false
}

// maxString is the largest length of a string in bytes.
func (c *Call) maxString() int64 {
	if c.MaxBulk == 0 {
		return defaultMaxBulk
	}
	return c.MaxBulk
}

const defaultMaxBulk = 512 << 20

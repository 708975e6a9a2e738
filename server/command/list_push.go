package command

func runLPush(c *Call)  { push(c, true, false) }
func runRPush(c *Call)  { push(c, false, false) }
func runLPushX(c *Call) { push(c, true, true) }
func runRPushX(c *Call) { push(c, false, true) }

func push(c *Call, left, ifExists bool) {
	key := c.Args[1]
	e, found, failed := c.findListToWrite(key)
	values, length := c.Args[2:], 0
	switch {
	case failed:
		return
	case found:
		length = c.DB.ListPushFound(e, key, left, values...)
	case ifExists:
		c.Out.Int(0)
		return
	default:
		length = c.newList(key, left, values...)
	}
	c.Out.Int(int64(length))
	c.Changed(len(values))
	c.pushed(key, left)
}

// newList makes a list of elements.
func (c *Call) newList(key []byte, left bool, values ...[]byte) (length int) {
	length = c.DB.ListPush(key, left, values...)
	c.created(key)
	c.ready(key)
	return length
}

// pushed tells listeners of new elements.
func (c *Call) pushed(key []byte, left bool) {
	c.Touch(key)
	if left {
		c.notify(EventList, "lpush", key)
	} else {
		c.notify(EventList, "rpush", key)
	}
}

package command

func runLPush(c *Call)  { push(c, true, false) }
func runRPush(c *Call)  { push(c, false, false) }
func runLPushX(c *Call) { push(c, true, true) }
func runRPushX(c *Call) { push(c, false, true) }

func push(c *Call, left, ifExists bool) {
	key := c.Args[1]
	e, found, failed := c.findListToWrite(key)
	switch {
	case failed:
		return
	case !found && ifExists:
		c.Out.Int(0)
		return
	}
	values := c.Args[2:]
	c.Out.Int(int64(c.DB.ListPushFound(key, e, found, left, values...)))
	c.Changed(len(values))
	c.tellPushed(key, left, !found)
}

// tellPushed tells listeners, and those who wait for a list, of new elements.
func (c *Call) tellPushed(key []byte, left, created bool) {
	if created {
		c.created(key)
		c.ready(key)
	}
	c.Touch(key)
	if left {
		c.notify(EventList, "lpush", key)
	} else {
		c.notify(EventList, "rpush", key)
	}
}

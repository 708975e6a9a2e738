package command

func runLPush(c *Call)  { push(c, true, false) }
func runRPush(c *Call)  { push(c, false, false) }
func runLPushX(c *Call) { push(c, true, true) }
func runRPushX(c *Call) { push(c, false, true) }

func push(c *Call, left, ifExists bool) {
	key := c.Args[1]
	_, found, failed := c.findListToWrite(key)
	switch {
	case failed:
		return
	case !found && ifExists:
		c.Out.Int(0)
		return
	}
	values := c.Args[2:]
	c.Out.Int(int64(c.pushAll(key, left, found, values...)))
	c.Changed(len(values))
}

// pushAll adds elements to a list, and tells everybody but replicas. The bytes may
// not be the keyspace's own.
func (c *Call) pushAll(key []byte, left, exists bool, values ...[]byte) (length int) {
	length = c.DB.ListPush(key, left, values...)
	if !exists {
		c.created(key)
		c.ready(key)
	}
	c.Touch(key)
	if left {
		c.notify(EventList, "lpush", key)
	} else {
		c.notify(EventList, "rpush", key)
	}
	return length
}

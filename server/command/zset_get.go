package command

// Commands that tell something of a sorted set or of single members.

func runZCard(c *Call) {
	s, found, failed := c.sortedSet(c.Args[1])
	switch {
	case failed:
	case found:
		c.Out.Int(int64(s.Len()))
	default:
		c.Out.Int(0)
	}
}

func runZScore(c *Call) {
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	if found {
		if score, ok := s.Score(c.Args[2]); ok {
			c.Out.Double(score)
			return
		}
	}
	c.Out.Null()
}

func runZMScore(c *Call) {
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if found {
			if score, ok := s.Score(m); ok {
				c.Out.Double(score)
				continue
			}
		}
		c.Out.Null()
	}
}

func runZRank(c *Call)    { zrank(c, false) }
func runZRevRank(c *Call) { zrank(c, true) }

func zrank(c *Call, reverse bool) {
	withScore := len(c.Args) > 3
	switch {
	case len(c.Args) > 4:
		c.Fail(errArity(c.Spec.FullName()))
		return
	case withScore && !equalFold(c.Args[3], "WITHSCORE"):
		c.Fail(ErrSyntax)
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	if failed {
		return
	}
	if found {
		if rank, score, ok := s.Rank(c.Args[2]); ok {
			if reverse {
				rank = s.Len() - 1 - rank
			}
			if withScore {
				c.Out.Array(2)
			}
			c.Out.Int(int64(rank))
			if withScore {
				c.Out.Double(score)
			}
			return
		}
	}
	if withScore {
		c.Out.NullArray()
	} else {
		c.Out.Null()
	}
}

func runZCount(c *Call) {
	min, max, ok := c.parseScoreRange(c.Args[2], c.Args[3])
	if !ok {
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	switch {
	case failed:
	case found:
		_, n := s.ScoreRange(min, max)
		c.Out.Int(int64(n))
	default:
		c.Out.Int(0)
	}
}

func runZLexCount(c *Call) {
	min, max, ok := c.parseLexRange(c.Args[2], c.Args[3])
	if !ok {
		return
	}
	s, found, failed := c.sortedSet(c.Args[1])
	switch {
	case failed:
	case found:
		_, n := s.LexRange(min, max, false)
		c.Out.Int(int64(n))
	default:
		c.Out.Int(0)
	}
}

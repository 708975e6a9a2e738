package store

// How many entries a group has yet to read is told from counters, without
// counting: the stream counts what was ever added (Added), the group how many of
// these are up to the last one delivered (Read). Entries that were deleted
// within the rest make the difference wrong; then it is told from the edges of
// the stream, or not at all.

// Delivered notes that a group is given an entry: ID must be one of the stream's
// and greater than LastID.
func (s *Stream) Delivered(g *StreamGroup, id StreamID) {
	if g.Read != UnknownRead && !g.LastID.Less(s.FirstID) && !s.gapFrom(g.LastID) {
		g.Read++
	} else if s.Added != 0 {
		g.Read = s.readUpTo(id)
	}
	g.LastID = id
}

// Lag is how many entries a group has yet to read; ok is false if that can not
// be told.
func (s *Stream) Lag(g *StreamGroup) (lag int64, ok bool) {
	switch {
	case s.Length == 0:
		return 0, true
	case g.LastID.Less(s.FirstID) && s.MaxDeletedID.Less(s.FirstID):
		// All that is there is still to come, without a gap.
		return s.Length, true
	case g.Read != UnknownRead && !s.gapFrom(g.LastID):
		return s.Added - g.Read, true
	}
	read := s.readUpTo(g.LastID)
	return s.Added - read, read != UnknownRead
}

// gapFrom says whether an entry with an ID of from or greater was deleted.
func (s *Stream) gapFrom(from StreamID) bool {
	return s.Length > 0 && !s.MaxDeletedID.IsZero() && !s.MaxDeletedID.Less(from)
}

// GuessRead sets what a group has read where nobody has counted, as in what Redis
// wrote before 7.0.
func (s *Stream) GuessRead(g *StreamGroup) { g.Read = s.readUpTo(g.LastID) }

// readUpTo is how many entries that were ever added have an ID up to one,
// UnknownRead if that can not be told: within the stream nobody counts.
func (s *Stream) readUpTo(id StreamID) int64 {
	switch {
	case s.Added == 0:
		return 0
	case s.Length == 0 && !s.LastID.Less(id):
		return s.Added
	case !id.IsZero() && id.Less(s.MaxDeletedID):
		return UnknownRead
	case id == s.LastID:
		return s.Added
	case s.LastID.Less(id):
		return UnknownRead
	case s.MaxDeletedID.IsZero() || s.MaxDeletedID.Less(s.FirstID):
		if id.Less(s.FirstID) {
			return s.Added - s.Length
		}
		if id == s.FirstID {
			return s.Added - s.Length + 1
		}
	}
	return UnknownRead
}

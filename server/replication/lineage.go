package replication

import (
	"strconv"
	"strings"
)

// Lineage is what a primary of the same cluster tells of its stream when a replica
// introduces itself. With it a replica that must take a full re-synchronisation
// knows which of its own bytes the primary does not have.
type Lineage struct {
	History History
	End     int64
}

// SpellLineage is the wire form, behind the OK of the introduction.
func SpellLineage(h History, end int64) string {
	return h.ID + " " + h.Second + " " + strconv.FormatInt(h.SecondNext, 10) + " " + strconv.FormatInt(end, 10)
}

func parseLineage(s string) (l Lineage, ok bool) {
	words := strings.Fields(s)
	if len(words) != 4 || !ValidID(words[0]) || len(words[1]) != len(NoHistory) {
		return l, false
	}
	next, err1 := strconv.ParseInt(words[2], 10, 64)
	end, err2 := strconv.ParseInt(words[3], 10, 64)
	if err1 != nil || err2 != nil || end < 0 {
		return l, false
	}
	return Lineage{History: History{ID: words[0], Second: words[1], SecondNext: next}, End: end}, true
}

// SharedThrough is the number of the last byte that data ending at offset under id
// has in common with this lineage. known is false when the lineage does not reach
// back to id: then nobody can say.
func (l Lineage) SharedThrough(id string, offset int64) (through int64, known bool) {
	switch {
	case strings.EqualFold(id, l.History.ID):
		return min(offset, l.End), true
	case l.History.Second != NoHistory && strings.EqualFold(id, l.History.Second):
		return min(offset, l.History.SecondNext-1), true
	}
	return 0, false
}

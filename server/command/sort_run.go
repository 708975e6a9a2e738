package command

import (
	"bytes"
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

// sorting is a SORT under way.
type sorting struct {
	sortOptions
	source store.Type
	items  []sortItem
	bytes  []byte // of the elements: lookups may remove expired keys, the source among them
}

type sortItem struct {
	element []byte
	weight  float64
	text    []byte // with BY and ALPHA; nil: there is none
}

// load copies the elements of the source, or the range of LIMIT if they stay in
// their order.
func (s *sorting) load(e store.Entry) {
	switch s.source {
	case store.TypeList:
		list := e.List()
		first, n := s.window(list.Len())
		it := list.From(first)
		if s.desc && s.asIs {
			it = list.BackFrom(list.Len() - 1 - first)
		}
		scratch := make([]byte, 0, 24)
		for ; n > 0 && it.Valid(); it.Step() {
			s.add(it.Get(scratch))
			n--
		}
	case store.TypeSet:
		e.Set().Each(func(member []byte) bool {
			s.add(member)
			return true
		})
		if s.asIs {
			s.cut()
		}
	case store.TypeSortedSet:
		set := e.SortedSet()
		first, n := s.window(set.Len())
		down := s.desc && s.asIs
		if down {
			first = set.Len() - 1 - first
		}
		set.Walk(first, n, down, func(member []byte, _ float64) bool {
			s.add(member)
			return true
		})
	}
}

func (s *sorting) add(p []byte) {
	from := len(s.bytes)
	s.bytes = append(s.bytes, p...)
	// When the buffer moves, elements stay behind in the old one.
	s.items = append(s.items, sortItem{element: s.bytes[from:len(s.bytes):len(s.bytes)]})
}

// window is which elements of n to load: all that are to be sorted.
func (s *sorting) window(n int) (first, count int) {
	if !s.asIs {
		return 0, n
	}
	return s.limited(n)
}

// limited is the range of LIMIT in n elements.
func (s *sorting) limited(n int) (first, count int) {
	first = int(min(max(s.offset, 0), int64(n)))
	count = n - first
	if s.most >= 0 {
		count = int(min(s.most, int64(count)))
	}
	return first, count
}

// cut leaves the range of LIMIT.
func (s *sorting) cut() {
	first, n := s.limited(len(s.items))
	s.items = s.items[first : first+n]
}

// sort weighs the elements and brings the ones of LIMIT into order. It reports false
// if a weight is no number.
func (s *sorting) sort(c *Call) bool {
	ok := true
	for i := range s.items {
		ok = s.weigh(c, &s.items[i]) && ok
	}
	if !ok {
		return false
	}
	slices.SortStableFunc(s.items, s.compare)
	s.cut()
	return true
}

func (s *sorting) weigh(c *Call, it *sortItem) (ok bool) {
	value := it.element
	if s.by != nil {
		var found bool
		if value, found = c.follow(s.by, it.element); !found {
			return true
		}
	}
	if !s.alpha {
		it.weight, ok = sortWeight(value)
		return ok
	}
	if s.by != nil {
		it.text = append(make([]byte, 0, len(value)), value...)
	}
	return true
}

// sortWeight reads a number as strtod does: blanks in front do not matter, nor does
// what follows a zero byte, and nothing at all is 0.
func sortWeight(p []byte) (float64, bool) {
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	if len(p) == 0 {
		return 0, true
	}
	return parseDouble(bytes.TrimLeft(p, " \t\n\v\f\r"))
}

func (s *sorting) compare(a, b sortItem) int {
	order := s.ascending(&a, &b)
	if s.desc {
		return -order
	}
	return order
}

// ascending compares two elements. Texts are compared as bytes. What has no weight
// counts as 0, or comes first.
func (s *sorting) ascending(a, b *sortItem) int {
	switch {
	case !s.alpha:
		switch {
		case a.weight > b.weight:
			return 1
		case a.weight < b.weight:
			return -1
		}
	case s.by != nil:
		order := bytes.Compare(a.text, b.text)
		if (a.text == nil) != (b.text == nil) {
			order = 1
			if a.text == nil {
				order = -1
			}
		}
		// The elements of a list have an order already. Those of others get one, or
		// else it would depend on how a machine keeps them.
		if order != 0 || s.source == store.TypeList {
			return order
		}
	}
	return bytes.Compare(a.element, b.element)
}

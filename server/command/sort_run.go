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
		s.expect(n)
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
		s.expect(e.Set().Len())
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
		s.expect(n)
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

// expect makes room for n elements, and a few bytes for each.
func (s *sorting) expect(n int) {
	s.items = make([]sortItem, 0, n)
	s.bytes = make([]byte, 0, 8*n)
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
	s.arrange()
	return true
}

// arrange leaves the range of LIMIT, in order.
func (s *sorting) arrange() {
	order := make([]*sortItem, len(s.items))
	for i := range s.items {
		order[i] = &s.items[i]
	}
	first, n := s.limited(len(order))
	if s.ties() {
		slices.SortStableFunc(order, s.compare)
	} else {
		order = s.least(order, first+n)
		slices.SortFunc(order, s.compare)
	}
	items := make([]sortItem, n)
	for i := range items {
		items[i] = *order[first+i]
	}
	s.items = items
}

// ties says whether elements that differ may compare as equal, and stay as they were.
func (s *sorting) ties() bool { return s.alpha && s.by != nil && s.source == store.TypeList }

// least returns the first k of what order would be in order, in no order. Most of
// many are thrown away with one look: LIMIT 0 10 of all there is is common.
func (s *sorting) least(order []*sortItem, k int) []*sortItem {
	if k == 0 || k > len(order)/4 {
		return order // to sort them all costs about as much
	}
	heap := order[:k] // the last of them on top
	for i := k/2 - 1; i >= 0; i-- {
		s.sink(heap, i)
	}
	for _, it := range order[k:] {
		if s.compare(it, heap[0]) < 0 {
			heap[0] = it
			s.sink(heap, 0)
		}
	}
	return heap
}

// sink moves an element of a heap below those that come after it.
func (s *sorting) sink(heap []*sortItem, i int) {
	for child := 2*i + 1; child < len(heap); child = 2*i + 1 {
		if child+1 < len(heap) && s.compare(heap[child], heap[child+1]) < 0 {
			child++
		}
		if s.compare(heap[i], heap[child]) >= 0 {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
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

func (s *sorting) compare(a, b *sortItem) int {
	order := s.ascending(a, b)
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

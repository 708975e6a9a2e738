package lua

import "strings"

func openTable(l *State) {
	l.library("table", map[string]Native{
		"concat": tableConcat, "foreach": tableForeach, "foreachi": tableForeachi, "getn": tableGetn,
		"insert": tableInsert, "maxn": tableMaxn, "remove": tableRemove, "setn": tableSetn, "sort": tableSort,
	})
}

func tableConcat(t *Thread) int {
	table, sep := t.CheckTable(1), ""
	if !t.Arg(2).IsNil() {
		sep = t.CheckString(2)
	}
	from, to := t.OptInt(3, 1), 0
	if t.Arg(4).IsNil() {
		to = table.Len()
	} else {
		to = t.CheckInt(4)
	}
	var b strings.Builder
	charged := 0
	for i := from; i <= to; i++ {
		t.Spend(1)
		v := table.GetInt(i)
		s, ok := v.Text()
		if !ok {
			t.Errorf("invalid value (%s) at index %d in table for 'concat'", v.Kind(), i)
		}
		b.WriteString(s)
		if i < to {
			b.WriteString(sep)
		}
		if b.Len() > charged {
			t.l.charge(2 * b.Len())
			charged = 2 * b.Len()
		}
	}
	t.Push(String(b.String()))
	return 1
}

func tableForeach(t *Thread) int {
	table, f := t.CheckTable(1), t.CheckFunction(2)
	for key := Nil; ; {
		k, v, ok := table.Next(key)
		if !ok {
			t.fail("invalid key to 'next'")
		}
		if k.IsNil() {
			return 0
		}
		if r := t.callValue(f, k, v); !r.IsNil() {
			t.Push(r)
			return 1
		}
		key = k
	}
}

func tableForeachi(t *Thread) int {
	table, f := t.CheckTable(1), t.CheckFunction(2)
	n := table.Len()
	for i := 1; i <= n; i++ {
		if r := t.callValue(f, Number(float64(i)), table.GetInt(i)); !r.IsNil() {
			t.Push(r)
			return 1
		}
	}
	return 0
}

func tableGetn(t *Thread) int {
	t.Push(Number(float64(t.CheckTable(1).Len())))
	return 1
}

func tableSetn(t *Thread) int {
	t.CheckTable(1)
	t.Errorf("'setn' is obsolete")
	return 0
}

func tableMaxn(t *Thread) int {
	table, most := t.CheckTable(1), 0.0
	for key := Nil; ; {
		k, _, _ := table.Next(key)
		if k.IsNil() {
			t.Push(Number(most))
			return 1
		}
		if k.IsNumber() {
			most = max(most, k.n)
		}
		key = k
	}
}

func tableInsert(t *Thread) int {
	table := t.CheckTable(1)
	at := table.Len() + 1
	var v Value
	switch t.NArgs() {
	case 2:
		v = t.Arg(2)
	case 3:
		pos := t.CheckInt(2)
		v = t.Arg(3)
		t.CheckWritable(table)
		at = max(at, pos)
		t.Spend((at - pos) / 8)
		for ; at > pos; at-- {
			table.SetInt(at, table.GetInt(at-1))
		}
	default:
		t.Errorf("wrong number of arguments to 'insert'")
	}
	t.CheckWritable(table)
	table.SetInt(at, v)
	return 0
}

func tableRemove(t *Thread) int {
	table := t.CheckTable(1)
	n := table.Len()
	pos := t.OptInt(2, n)
	if pos < 1 || pos > n {
		return 0
	}
	v := table.GetInt(pos)
	t.CheckWritable(table)
	t.Spend((n - pos) / 8)
	for ; pos < n; pos++ {
		table.SetInt(pos, table.GetInt(pos+1))
	}
	table.SetInt(n, Nil)
	t.Push(v)
	return 1
}

// sorter sorts the elements 1 to n of a table. Which elements are compared with
// which is part of what a comparison function sees, and with an inconsistent one of
// the result: the quicksort is 5.1's, with the median of three as pivot.
type sorter struct {
	t     *Thread
	table *Table
	less  Value // nil: <
}

func tableSort(t *Thread) int {
	table := t.CheckTable(1)
	s := sorter{t: t, table: table}
	if !t.Arg(2).IsNil() {
		s.less = t.CheckFunction(2)
	}
	s.sort(1, table.Len())
	return 0
}

func (s *sorter) before(a, b Value) bool {
	s.t.Spend(1)
	if s.less.IsNil() {
		return s.t.less(a, b)
	}
	return s.t.callValue(s.less, a, b).Truth()
}

func (s *sorter) swap(i, j int) {
	s.t.CheckWritable(s.table)
	a, b := s.table.GetInt(i), s.table.GetInt(j)
	s.table.SetInt(i, b)
	s.table.SetInt(j, a)
}

// order swaps two elements unless they are in order.
func (s *sorter) order(lo, hi int) bool {
	if s.before(s.table.GetInt(hi), s.table.GetInt(lo)) {
		s.swap(lo, hi)
		return true
	}
	return false
}

func (s *sorter) sort(lo, hi int) {
	for lo < hi {
		s.order(lo, hi)
		if hi-lo == 1 {
			return
		}
		mid := (lo + hi) / 2
		if !s.order(lo, mid) {
			s.order(mid, hi)
		}
		if hi-lo == 2 {
			return
		}
		pivot := s.table.GetInt(mid)
		s.swap(mid, hi-1)
		i := s.partition(lo, hi, pivot)
		// The smaller part by recursion, the larger one by going on.
		if i-lo < hi-i {
			s.sort(lo, i-1)
			lo = i + 1
		} else {
			s.sort(i+1, hi)
			hi = i - 1
		}
	}
}

// partition moves what is smaller than the pivot, which is at hi-1, to its left and
// returns where it ends up.
func (s *sorter) partition(lo, hi int, pivot Value) int {
	i, j := lo, hi-1
	for {
		for i++; s.before(s.table.GetInt(i), pivot); i++ {
			if i > hi {
				s.t.Errorf("invalid order function for sorting")
			}
		}
		for j--; s.before(pivot, s.table.GetInt(j)); j-- {
			if j < lo {
				s.t.Errorf("invalid order function for sorting")
			}
		}
		if j < i {
			s.swap(hi-1, i)
			return i
		}
		s.swap(i, j)
	}
}

package store

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// sortedModel is what a sorted set must be indistinguishable from.
type sortedModel map[string]float64

type ranked struct {
	member string
	score  float64
}

func editing(db *DB, key string) *SortedSetEdit {
	w := db.EditSortedSet([]byte(key))
	return &w
}

func (m sortedModel) list() []ranked {
	var all []ranked
	for member, score := range m {
		all = append(all, ranked{member, score})
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.member, b.member))
	})
	return all
}

// checkSortedSet compares everything that a sorted set tells with the model.
func checkSortedSet(t *testing.T, e Entry, want sortedModel, rng *rand.Rand) {
	t.Helper()
	s, list := e.SortedSet(), want.list()
	if s.Len() != len(list) {
		t.Fatalf("%d members, want %d", s.Len(), len(list))
	}
	if s.large != nil {
		checkRanking(t, &s.large.ranking)
	}
	var got []ranked
	collect := func(member []byte, score float64) bool {
		got = append(got, ranked{string(member), score})
		return true
	}
	s.Each(collect)
	if !slices.Equal(got, list) {
		t.Fatalf("members are %.500v, want %.500v", got, list)
	}
	for range 5 {
		rank := rng.IntN(len(list))
		n := 1 + rng.IntN(len(list)-rank)
		got = nil
		s.Walk(rank, n, false, collect)
		if !slices.Equal(got, list[rank:rank+n]) {
			t.Fatalf("%d members from %d on are %.500v, want %.500v", n, rank, got, list[rank:rank+n])
		}
		got = nil
		s.Walk(rank+n-1, n, true, collect)
		slices.Reverse(got)
		if !slices.Equal(got, list[rank:rank+n]) {
			t.Fatalf("%d members down to %d are %.500v, want %.500v", n, rank, got, list[rank:rank+n])
		}
		one := list[rank]
		at, score, ok := s.Rank([]byte(one.member))
		if again, found := s.Score([]byte(one.member)); !ok || !found || at != rank || score != one.score || again != score {
			t.Fatalf("%.40q has rank %d (%v) and score %v (%v), want %d and %v", one.member, at, ok, score, found, rank, one.score)
		}
		checkRanges(t, s, list, one, list[rng.IntN(len(list))], rng.IntN(2) == 0, rng.IntN(2) == 0)
	}
	if _, ok := s.Score([]byte("missing")); ok {
		t.Fatal("a member that was never added has a score")
	}
}

func checkRanges(t *testing.T, s SortedSetView, list []ranked, from, to ranked, openMin, openMax bool) {
	t.Helper()
	min, max := ScoreBound{from.score, openMin}, ScoreBound{to.score, openMax}
	first, n := 0, 0
	for _, r := range list {
		if min.above(r.score) {
			first++
		} else if !max.below(r.score) {
			n++
		}
	}
	if f, got := s.ScoreRange(min, max); n > 0 && f != first || got != n {
		t.Fatalf("from %v to %v there are %d from %d on, want %d from %d on", min, max, got, f, n, first)
	}
	if list[0].score != list[len(list)-1].score {
		return
	}
	low, high := LexBound{Member: []byte(from.member), Open: openMin}, LexBound{Member: []byte(to.member), Open: openMax}
	first, n = 0, 0
	for _, r := range list {
		switch {
		case low.above([]byte(r.member)):
			first++
		case !high.below([]byte(r.member)):
			n++
		}
	}
	for _, down := range []bool{false, true} {
		if f, got := s.LexRange(low, high, down); n > 0 && f != first || got != n {
			t.Fatalf("from %.40q to %.40q there are %d from %d on, want %d from %d on", from.member, to.member, got, f, n, first)
		}
	}
}

// checkRanking checks that branches tell the truth about their children and that
// leaves are linked in order.
func checkRanking(t *testing.T, r *ranking) {
	t.Helper()
	var leaves []handle
	var visit func(b *branch, depth int) (count int, first item)
	leafOf := func(h handle) (int, item) {
		l := r.at(h)
		if l.len() == 0 || l[atKind] != kindLeaf || objectOfMember(l) != r.object {
			t.Fatalf("leaf with %d items, kind %x, of object %d", l.len(), l[atKind], objectOfMember(l))
		}
		leaves = append(leaves, h)
		return l.len(), l.first()
	}
	visit = func(b *branch, depth int) (count int, first item) {
		if depth >= rankingDepth || b.n == 0 || b.n >= branchFan || depth == 0 && b.n < 2 {
			t.Fatalf("a branch of %d children at depth %d", b.n, depth)
		}
		for i := range b.n {
			var n int
			var it item
			if b.kids == nil {
				n, it = leafOf(b.leaves[i])
			} else {
				n, it = visit(b.kids[i], depth+1)
			}
			if n != b.counts[i] || it != (item{b.scores[i], b.firsts[i]}) {
				t.Fatalf("child %d has %d items from %v on; its branch thinks %d from %v on", i, n, it, b.counts[i],
					item{b.scores[i], b.firsts[i]})
			}
			count += n
		}
		return count, b.first()
	}
	count := 0
	switch {
	case r.root != nil:
		count, _ = visit(r.root, 0)
	case r.leaf != 0:
		count, _ = leafOf(r.leaf)
	}
	if count != r.count {
		t.Fatalf("%d items, counted %d", count, r.count)
	}
	for i, h := range leaves {
		back, next := handle(0), handle(0)
		if i > 0 {
			back = leaves[i-1]
		}
		if i+1 < len(leaves) {
			next = leaves[i+1]
		}
		if l := r.at(h); l.link(leafBack) != back || l.link(leafNext) != next {
			t.Fatalf("leaf %d of %d is linked wrongly", i, len(leaves))
		}
	}
}

// blocks lets checkAccounts know what a sorted set takes.
func (z *sortedSet) blocks() int {
	n := z.members.blocks()
	for h := z.ranking.head(); h != 0; h = z.ranking.at(h).link(leafNext) {
		n += z.ranking.arena.capacity(h)
	}
	return n
}

// sortedMachine does random operations on a few sorted sets and their models.
type sortedMachine struct {
	t     *testing.T
	k     *Keyspace
	rng   *rand.Rand
	names int
	flat  bool // all scores the same
	want  map[string]sortedModel
}

func newSortedMachine(t *testing.T, seed uint64, names int) *sortedMachine {
	m := &sortedMachine{t: t, k: New(Options{Databases: 1, Seed: 5}), rng: rand.New(rand.NewPCG(seed, 9)), names: names,
		flat: seed%4 == 3, want: map[string]sortedModel{}}
	m.k.Limits.SortedSetEntries = 20
	t.Cleanup(m.k.Close)
	return m
}

func (m *sortedMachine) member() []byte {
	n := m.rng.IntN(m.names)
	switch {
	case n%101 == 0:
		return fmt.Appendf(bytes.Repeat([]byte("long"), 70), "%d", n)
	case n%3 == 0:
		return fmt.Appendf(nil, "%d", n-40)
	}
	return fmt.Appendf(nil, "member:%d", n)
}

func (m *sortedMachine) score() float64 {
	switch n := m.rng.IntN(12); {
	case m.flat:
		return 1
	case n == 0:
		return math.Inf(1 - 2*m.rng.IntN(2))
	case n < 4:
		return float64(m.rng.IntN(7)) - 3.5
	}
	return float64(m.rng.IntN(m.names)) / 4
}

func (m *sortedMachine) step(grow bool) {
	key := fmt.Sprint("key", m.rng.IntN(3))
	db, want := m.k.DB(0), m.want[key]
	if want == nil {
		want = sortedModel{}
	}
	op := m.rng.IntN(100)
	switch {
	case op < 4 && len(want) > 0:
		other := fmt.Sprint("key", m.rng.IntN(3))
		db.Copy([]byte(key), db, []byte(other))
		m.want[other] = maps.Clone(want)
		return
	case op < 8 && len(want) > 0:
		rank := m.rng.IntN(len(want))
		n := 1 + m.rng.IntN(min(len(want)-rank, 10))
		if op == 7 && !grow {
			n = len(want) - rank
		}
		for _, r := range want.list()[rank : rank+n] {
			delete(want, r.member)
		}
		editing(db, key).RemoveRange(rank, n)
	case op < 30 || op < 70 && !grow:
		member := m.member()
		_, had := want[string(member)]
		delete(want, string(member))
		if got := editing(db, key).Remove(member); got != had {
			m.t.Fatalf("removing %.40q says %v", member, got)
		}
	default:
		m.add(key, want)
	}
	m.want[key] = want
	if _, ok := db.Find([]byte(key)); ok != (len(want) > 0) {
		m.t.Fatalf("a sorted set of %d members is there: %v", len(want), ok)
	}
}

func (m *sortedMachine) add(key string, want sortedModel) {
	member, score := m.member(), m.score()
	mode := AddMode(0)
	if m.rng.IntN(4) == 0 {
		mode = []AddMode{AddMissing, AddExisting, AddGreater, AddLess, AddIncrement, AddGreater | AddExisting}[m.rng.IntN(6)]
	}
	old, had := want[string(member)]
	now, out := editing(m.k.DB(0), key).Add(member, score, mode)
	expect := AddedNew
	switch {
	case !had && mode&AddExisting != 0, had && mode == AddMissing:
		expect = AddRefused
	case had && mode == AddIncrement && math.IsNaN(old+score):
		expect = AddNaN
	case had && (mode&AddGreater != 0 && score <= old || mode&AddLess != 0 && score >= old):
		expect = AddRefused
	case had && mode == AddIncrement:
		score += old
		fallthrough
	case had:
		if expect = AddedScore; score == old {
			expect = AddedSame
		}
	}
	if out != expect || out >= AddedSame && now != score {
		m.t.Fatalf("adding %.40q with %v to %v (%v), mode %b, gives %v, %v; want %v", member, score, old, had, mode, now, out, expect)
	}
	if out >= AddedScore {
		want[string(member)] = score
	}
}

func (m *sortedMachine) check() {
	for key, want := range m.want {
		if e, ok := m.k.DB(0).Find([]byte(key)); ok {
			checkSortedSet(m.t, e, want, m.rng)
		}
	}
	checkAccounts(m.t, m.k)
}

func TestSortedSetsBehaveLikeSortedSlicesUnderRandomOperations(t *testing.T) {
	for seed := range uint64(8) {
		names := []int{30, 400, 3000}[seed%3]
		m := newSortedMachine(t, seed, names)
		for step := range 12000 {
			m.step(step/3000%2 == 0)
			if m.rng.IntN(20) == 0 {
				m.k.Step(m.rng.IntN(300))
			}
			if step%200 == 0 {
				m.check()
			}
		}
		for key, want := range m.want {
			editing(m.k.DB(0), key).RemoveRange(0, len(want))
		}
		checkReleased(t, m.k)
	}
}

func TestACutEmitsSortedSetsAsTheyWere(t *testing.T) {
	for seed := range uint64(20) {
		m := newSortedMachine(t, seed, []int{30, 400}[seed%2])
		for range 2000 {
			m.step(true)
		}
		moment := map[string]sortedModel{}
		for key, want := range m.want {
			if len(want) > 0 {
				moment[key] = maps.Clone(want)
			}
		}
		cut, err := m.k.Cut(func(_ int, e Entry) {
			checkSortedSet(t, e, moment[string(e.Key())], m.rng)
			delete(moment, string(e.Key()))
		})
		if err != nil {
			t.Fatal(err)
		}
		for range m.rng.IntN(40) {
			m.step(false)
			m.k.Step(10)
		}
		for !cut.Step(1) {
			m.step(false)
		}
		if len(moment) > 0 {
			t.Fatalf("%d sorted sets were not emitted", len(moment))
		}
		m.check()
	}
}

func TestSortedSetsUnpackWhenRedisUnpacksThem(t *testing.T) {
	const limit = 64
	for _, test := range []struct {
		name string
		do   func(db *DB)
		want Encoding
	}{
		{"as many members as are allowed", func(db *DB) { addMembers(db, 128) }, EncodingListpack},
		{"one more", func(db *DB) { addMembers(db, 129) }, EncodingSkiplist},
		{"one more that is there already", func(db *DB) { addMembers(db, 128); addMembers(db, 128) }, EncodingListpack},
		{"a member as long as is allowed", func(db *DB) {
			editing(db, "k").Add(make([]byte, limit), 1, 0)
		}, EncodingListpack},
		{"a longer one", func(db *DB) { editing(db, "k").Add(make([]byte, limit+1), 1, 0) }, EncodingSkiplist},
		{"a longer one behind others", func(db *DB) {
			addMembers(db, 3)
			editing(db, "k").Add(make([]byte, limit+1), 1, 0)
		}, EncodingSkiplist},
		{"many announced at once", func(db *DB) {
			w := editing(db, "k")
			w.Expect(129, 1)
			w.Add([]byte("m"), 1, 0)
		}, EncodingSkiplist},
		{"many announced to one that exists", func(db *DB) {
			addMembers(db, 1)
			editing(db, "k").Expect(129, 1)
		}, EncodingSkiplist},
		{"members taken out of a large one", func(db *DB) {
			addMembers(db, 129)
			editing(db, "k").RemoveRange(0, 100)
		}, EncodingSkiplist},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := New(Options{Databases: 1})
			defer k.Close()
			test.do(k.DB(0))
			e, ok := k.DB(0).Find([]byte("k"))
			if !ok || e.Encoding() != test.want || e.Type() != TypeSortedSet {
				t.Errorf("%v, %v, want %v", e.Type(), e.Encoding(), test.want)
			}
		})
	}
}

func addMembers(db *DB, n int) {
	for i := range n {
		editing(db, "k").Add(fmt.Appendf(nil, "member:%d", i), float64(i), 0)
	}
}

func TestASortedSetKeepsItsExpiryTimeWhenItChanges(t *testing.T) {
	k := New(Options{Databases: 1})
	defer k.Close()
	db := k.DB(0)
	addMembers(db, 1)
	db.SetExpire([]byte("k"), 77)
	for _, n := range []int{2, 128, 129, 500} {
		addMembers(db, n)
		e, _ := db.Find([]byte("k"))
		if at, ok := e.ExpireAt(); !ok || at != 77 {
			t.Fatalf("with %d members it expires at %d, %v", n, at, ok)
		}
	}
}

func TestForeignListpacksAreLoadedIfTheyAreSortedSets(t *testing.T) {
	pack := func(elements ...string) []byte {
		lp := listpack.New()
		for _, e := range elements {
			lp = listpack.Append(lp, []byte(e))
		}
		return lp
	}
	many := make([]string, 0, 300)
	for i := range 150 {
		many = append(many, fmt.Sprintf("m%03d", i), fmt.Sprint(i))
	}
	for _, test := range []struct {
		name string
		lp   []byte
		enc  Encoding // 0: refused
	}{
		{"a small one", pack("b", "-inf", "a", "1.5", "7", "2", "c", "inf"), EncodingListpack},
		{"a large one", pack(many...), EncodingSkiplist},
		{"a long member, which stays as it is", pack(strings.Repeat("x", 65), "1"), EncodingListpack},
		{"nothing", pack(), 0},
		{"a member without a score", pack("a", "1", "b"), 0},
		{"a score that is no number", pack("a", "x"), 0},
		{"a score that is nan", pack("a", "nan"), 0},
		{"scores out of order", pack("a", "2", "b", "1"), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := New(Options{Databases: 1})
			defer k.Close()
			k.DB(0).SetString([]byte("k"), []byte("old"), 0)
			_, err := k.DB(0).SetSortedSetPacked([]byte("k"), test.lp, 5)
			e, _ := k.DB(0).Find([]byte("k"))
			if test.enc == 0 {
				if err == nil || e.Type() != TypeString {
					t.Fatalf("was loaded: %v, %v", err, e.Type())
				}
				return
			}
			if err != nil || e.Encoding() != test.enc || e.SortedSet().Len() != listpack.Len(test.lp)/2 {
				t.Fatalf("%v, %v, %d members", err, e.Encoding(), e.SortedSet().Len())
			}
			if at, _ := e.ExpireAt(); at != 5 {
				t.Fatalf("expires at %d", at)
			}
		})
	}
}

func TestScanMeetsEveryMemberThatStays(t *testing.T) {
	k := New(Options{Databases: 1, Seed: 2})
	defer k.Close()
	db := k.DB(0)
	addMembers(db, 3000)
	seen := map[string]bool{}
	cursor := uint64(0)
	for round := 0; ; round++ {
		e, _ := db.Find([]byte("k"))
		cursor = e.SortedSet().Scan(cursor, func(member []byte, _ float64) { seen[string(member)] = true })
		if cursor == 0 {
			break
		}
		if round < 2000 { // grows or shrinks under the iteration
			editing(db, "k").Remove(fmt.Appendf(nil, "member:%d", 2999-round))
		}
	}
	for i := range 1000 {
		if !seen[fmt.Sprint("member:", i)] {
			t.Fatalf("member %d was not met", i)
		}
	}
}

func TestBranchesSplitAndJoinAsMembersComeAndGo(t *testing.T) {
	const members = 30000
	name := func(i int) []byte { return fmt.Appendf(nil, "member:%d", i) }
	for _, test := range []struct {
		name  string
		score func(rng *rand.Rand, i int) float64
	}{
		{"in order", func(_ *rand.Rand, i int) float64 { return float64(i) }},
		{"in reverse order", func(_ *rand.Rand, i int) float64 { return float64(-i) }},
		{"in no order", func(rng *rand.Rand, _ int) float64 { return rng.NormFloat64() }},
		{"all the same", func(*rand.Rand, int) float64 { return 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			k := New(Options{Databases: 1, Seed: 2})
			defer k.Close()
			db, want := k.DB(0), sortedModel{}
			check := func() {
				t.Helper()
				e, _ := db.Find([]byte("k"))
				checkSortedSet(t, e, want, rng)
				checkAccounts(t, k)
			}
			for i := range members {
				want[string(name(i))] = test.score(rng, i)
				editing(db, "k").Add(name(i), want[string(name(i))], 0)
			}
			check()
			db.Copy([]byte("k"), db, []byte("copy"))
			for n, i := range rng.Perm(members) {
				delete(want, string(name(i)))
				editing(db, "k").Remove(name(i))
				if n%1000 == 0 {
					k.Step(20000)
				}
				if n == members-100 || n == members/2 {
					check()
				}
			}
			editing(db, "copy").RemoveRange(10, members-20)
			e, _ := db.Find([]byte("copy"))
			if checkRanking(t, &e.SortedSet().large.ranking); e.SortedSet().Len() != 20 {
				t.Fatalf("%d members left of the copy", e.SortedSet().Len())
			}
			db.Delete([]byte("copy"))
			checkReleased(t, k)
		})
	}
}

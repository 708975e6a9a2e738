package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

func spellItem(item StreamItem) string {
	id := fmt.Sprintf("%d-%d", item.ID.Ms, item.ID.Seq)
	switch item.Kind {
	case StreamNode:
		var elements []string
		eachPacked(item.Bytes, func(p []byte) bool {
			elements = append(elements, string(p))
			return true
		})
		return fmt.Sprintf("node %s %v", id, elements)
	case StreamState:
		return fmt.Sprintf("%+v", item.State)
	case StreamGroup:
		return fmt.Sprintf("group %s after %s read %d", item.Bytes, id, item.Read)
	case StreamPending:
		return fmt.Sprintf("pending %s at %d, %d times", id, item.Time, item.Deliveries)
	case StreamConsumer:
		return fmt.Sprintf("consumer %s seen %d active %d", item.Bytes, item.Time, item.Active)
	case StreamOwned:
		return "has " + id
	}
	return fmt.Sprintf("unknown item %d", item.Kind)
}

// streamNode is a node with so many entries of one field, all of them the same.
func streamNode(entries int) []byte {
	lp := listpack.New()
	for _, n := range []int64{int64(entries), 0, 1} {
		lp = listpack.AppendInt(lp, n)
	}
	lp = listpack.AppendInt(listpack.Append(lp, []byte("f")), 0)
	for i := range entries {
		for _, n := range []int64{2, 0, int64(i)} { // flags, and the ID
			lp = listpack.AppendInt(lp, n)
		}
		lp = listpack.AppendInt(listpack.Append(lp, []byte("v")), 4)
	}
	return lp
}

// appendStream spells a stream of two nodes and two groups in any of the three
// ways.
func appendStream(e *Encoder, wireType byte) {
	e.Count(2)
	e.StreamNode(StreamID{5, 1}, streamNode(1))
	e.StreamNode(StreamID{7, 0}, streamNode(2))
	state := StreamCounters{Length: 3, Last: StreamID{9, 9}, First: StreamID{5, 1}, MaxDeleted: StreamID{8, 8}, Added: 1 << 40}
	if wireType == wireStream1 {
		e.Count(uint64(state.Length))
		e.streamID(state.Last)
	} else {
		e.StreamState(state)
	}
	consumer := func(name string, seen, active int64, pending ...StreamID) {
		e.StreamConsumer([]byte(name), seen)
		if wireType == wireStream3 {
			e.Buf = binary.LittleEndian.AppendUint64(e.Buf, uint64(active))
		}
		e.Count(uint64(len(pending)))
		for _, id := range pending {
			e.StreamPendingID(id)
		}
	}
	group := func(name string, last StreamID, read int64) {
		if wireType == wireStream1 {
			e.String([]byte(name))
			e.streamID(last)
			return
		}
		e.StreamGroup([]byte(name), last, read)
	}
	e.Count(2)
	group("g", StreamID{7, 0}, 2)
	e.Count(2)
	e.StreamPending(StreamID{5, 1}, 1000, 1)
	e.StreamPending(StreamID{7, 0}, 2000, 300)
	e.Count(2)
	consumer("idle", 500, -1)
	consumer("busy", 600, 550, StreamID{5, 1}, StreamID{7, 0})
	group("12", StreamID{}, -1)
	e.Count(0)
	e.Count(0)
}

func streamFile(wireType byte) []byte {
	e := Encoder{Buf: AppendHeader(nil)}
	e.Entry(Shape(wireType), []byte("key"), 0, NoAccess)
	appendStream(&e, wireType)
	return AppendEOF(e.Buf, Checksum(0, e.Buf))
}

func TestEverySpellingOfAStreamIsRead(t *testing.T) {
	const (
		nodes   = "node 5-1 [1 0 1 f 0 2 0 0 v 4] node 7-0 [2 0 1 f 0 2 0 0 v 4 2 0 1 v 4] "
		known   = "{Length:3 Last:{Ms:9 Seq:9} Complete:true First:{Ms:5 Seq:1} MaxDeleted:{Ms:8 Seq:8} Added:1099511627776} "
		unknown = "{Length:3 Last:{Ms:9 Seq:9} Complete:false First:{Ms:0 Seq:0} MaxDeleted:{Ms:0 Seq:0} Added:0} "
		group   = "group g after 7-0 read %d pending 5-1 at 1000, 1 times pending 7-0 at 2000, 300 times " +
			"consumer idle seen 500 active %d consumer busy seen 600 active %d has 5-1 has 7-0 group 12 after 0-0 read -1"
	)
	for _, test := range []struct {
		name     string
		wireType byte
		want     string
	}{
		{"of Redis 5 to 6.2, which knows no counters", wireStream1, nodes + unknown + fmt.Sprintf(group, -1, 500, 600)},
		{"of Redis 7.0, which takes a consumer that was seen for active", wireStream2, nodes + known + fmt.Sprintf(group, 2, 500, 600)},
		{"of Redis 7.2", wireStream3, nodes + known + fmt.Sprintf(group, 2, -1, 550)},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := "0 key=stream[" + test.want + "];end"
			if got, err := describe(bytes.NewReader(streamFile(test.wireType))); err != nil || got != want {
				t.Errorf("read %s, %v\nwant %s", got, err, want)
			}
		})
	}
}

func TestALargeStreamComesInParts(t *testing.T) {
	for _, partBytes := range []int{1, 40, 90, 100000} {
		r := newReader(bytes.NewReader(streamFile(wireStream3)), 16)
		r.partBytes = partBytes
		var words []string
		parts := 0
		for {
			rec, err := r.Next()
			if err != nil || rec.Kind == KindEnd {
				break
			}
			parts++
			for item := range rec.Value.Stream() {
				words = append(words, spellItem(item))
			}
		}
		got := "0 key=stream[" + strings.Join(words, " ") + "];end"
		want, _ := describe(bytes.NewReader(streamFile(wireStream3)))
		if got != want || r.unread.left != 0 || partBytes == 1 && parts < 12 {
			t.Errorf("in %d parts: %s\nwant %s", parts, got, want)
		}
	}
}

// Wherever it ends, the reader says so, and where.
func TestAStreamThatEndsTooEarlyIsRefusedWithItsPlace(t *testing.T) {
	whole := streamFile(wireStream2)
	for n := 10; n < len(whole)-10; n++ {
		_, err := describe(bytes.NewReader(whole[:n]))
		var format *FormatError
		if !errors.As(err, &format) || format.Pos > int64(n) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestNodesThatDoNotHoldTogetherAreRefused(t *testing.T) {
	pack := func(elements ...string) []byte {
		lp := listpack.New()
		for _, p := range elements {
			lp = listpack.Append(lp, []byte(p))
		}
		return lp
	}
	for _, test := range []struct {
		name string
		node []byte
		want string
	}{
		{"nothing at all", nil, "shorter"},
		{"no master entry", pack(), "ends within an entry"},
		{"text for a number", pack("x", "0", "1", "f", "0"), "text where a number belongs"},
		{"more fields than there are", pack("0", "0", "9", "f", "0"), "ends within an entry"},
		{"a huge number of fields", pack("0", "0", "1000000", "f", "0"), "no room"},
		{"a negative number of fields", pack("0", "0", "-1", "f", "0"), "no room"},
		{"a master entry without an end", pack("0", "0", "1", "f", "1"), "no end"},
		{"a negative number of entries", pack("-1", "0", "1", "f", "0"), "negative"},
		{"fewer entries than it says", pack("1", "0", "1", "f", "0"), "ends within an entry"},
		{"more entries than it says", pack("0", "0", "1", "f", "0", "2", "0", "0", "v", "4"), "more than the entries"},
		{"an entry of another size", pack("1", "0", "1", "f", "0", "2", "0", "0", "v", "5"), "another size"},
		{"an entry with fields of its own that are missing", pack("1", "0", "1", "f", "0", "0", "0", "0", "2", "f", "v", "6"), "ends within an entry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := checkStreamNode(test.node); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
	if err := checkStreamNode(pack("1", "1", "1", "f", "0", "2", "0", "0", "v", "4", "1", "5", "-1", "2", "a", "b", "c", "d", "8")); err != nil {
		t.Errorf("a node with an entry of its own fields and a deleted one: %v", err)
	}
}

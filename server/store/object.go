package store

import (
	"encoding/binary"
	"syscall"
)

// A collection is held in one of two ways. A small one is *packed*: its bytes
// lie within the entry, as those of a string do (packed.go). A large one is an
// *Object*, a Go structure of its own, and the entry holds its number. Objects
// keep their bulk where the garbage collector need not look: in blocks of the
// arena, or in large pieces of memory without pointers.

// Object is a collection that has outgrown its entry. It belongs to the entry
// that refers to it.
type Object interface {
	// Size is the number of bytes that the object takes. It may be an estimate,
	// and takes a time that does not depend on the number of elements.
	Size() int
	// Clone returns a copy that shares nothing with the object.
	Clone() Object
	// Release gives back what the object holds, piece by piece: about budget
	// pieces (units of Keyspace.Step) a call, returning what it did and whether
	// that was all. Nothing else is called once Release has been.
	Release(budget int) (cost int, done bool)
}

// A numbered object got its number when it was made, since the blocks that
// belong to it carry the number.
type numbered interface {
	number() uint32
}

// A mover has blocks that compaction may move: they are got from arena.alloc, and
// say in their first bytes that they belong to an object, and to which one
// (objectOfBucket, objectOfMember).
type mover interface {
	// moved is told that the contents of one of the object's blocks have been
	// copied to another one, and that the old one is about to be freed.
	moved(from, to handle)
}

// objects gives objects numbers, since entries are bytes.
type objects struct {
	byNumber []Object // [0] stays nil, so that 0 is none; nil elsewhere: the number is free
	free     []uint32
	orphans  []uint32 // belong to no entry any more; Step releases them
	released int      // how many Step has released since the beginning
	outside  int      // bytes that objects hold beside the arena's, by their own account
}

const objectRefSize = 4 // bytes of an entry's value that refers to an object

func isObject(kind byte) bool { return Encoding(kind&15) >= EncodingQuicklist }

// add gives obj a number, unless it has one.
func (o *objects) add(obj Object) uint32 {
	if n, ok := obj.(numbered); ok {
		return n.number()
	}
	return o.enter(obj)
}

// enter gives obj a number.
func (o *objects) enter(obj Object) uint32 {
	if n := len(o.free); n > 0 {
		i := o.free[n-1]
		o.free = o.free[:n-1]
		o.byNumber[i] = obj
		return i
	}
	if len(o.byNumber) == 0 {
		o.byNumber = append(o.byNumber, nil)
	}
	if len(o.byNumber) == maxObjects {
		panic(&OutOfMemoryError{Bytes: objectRefSize, Cause: syscall.ENOMEM})
	}
	o.byNumber = append(o.byNumber, obj)
	return uint32(len(o.byNumber) - 1)
}

// remove has an object released that no entry refers to any more. It keeps its
// number until then, as its blocks carry it.
func (o *objects) remove(i uint32) { o.orphans = append(o.orphans, i) }

func setObject(value []byte, i uint32) { binary.LittleEndian.PutUint32(value, i) }

func objectNumber(b []byte) uint32 { return binary.LittleEndian.Uint32(valueOf(b)) }

// objectOf is the object that the entry at b refers to.
func (a *arena) objectOf(b []byte) Object { return a.objects.byNumber[objectNumber(b)] }

// orphan has the object of the entry at b released, if its value is one.
func (a *arena) orphan(b []byte) {
	if isObject(b[atKind]) {
		a.objects.remove(objectNumber(b))
	}
}

// discard frees an entry with all that belongs to it.
func (a *arena) discard(h handle) {
	a.orphan(a.block(h))
	a.free(h)
}

// releaseOrphan goes on with releasing one orphan. There must be one.
func (a *arena) releaseOrphan(budget int) (cost int) {
	o := &a.objects
	last := len(o.orphans) - 1
	i := o.orphans[last]
	cost, done := o.byNumber[i].Release(budget)
	if done {
		o.byNumber[i] = nil
		o.free = append(o.free, i)
		o.orphans = o.orphans[:last]
		o.released++
	}
	return cost + 1
}

// Object is the value of a collection that is held as one.
func (e Entry) Object() Object { return e.arena.objectOf(e.block()) }

// setObject gives key an object as its value, whatever it was before, with the
// expiry time as for write.
func (db *DB) setObject(key []byte, t Type, enc Encoding, obj Object, expireAt int64) Entry {
	n := db.ks.arena.objects.add(obj)
	h, dst := db.space.write(key, byte(t)<<4|byte(enc), objectRefSize, expireAt)
	setObject(dst, n)
	return Entry{db.ks.arena, h}
}

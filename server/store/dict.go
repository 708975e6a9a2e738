package store

// dict is a hash or a set that has outgrown its entry: the fields with their
// values, or the members with nothing.
type dict struct{ members }

// dictOverhead is about what a dict takes beyond its blocks, in bytes.
const dictOverhead = 200

func (k *Keyspace) newDict() *dict {
	d := &dict{}
	d.init(k.arena, &k.hash, d)
	return d
}

func (d *dict) Size() int { return d.size() + dictOverhead }

func (d *dict) Release(budget int) (cost int, done bool) { return d.release(budget) }

func (d *dict) Clone() Object {
	c := &dict{}
	c.init(d.table.arena, d.table.hash, c)
	d.copyTo(&c.members, nil)
	return c
}

// dictOf is the object of an entry whose encoding is EncodingHashtable.
func (a *arena) dictOf(b []byte) *dict { return a.objectOf(b).(*dict) }

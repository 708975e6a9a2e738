package command

import (
	"cmp"
	"slices"

	"github.com/lockstep-db/lockstep/server/store"
)

// geoOptions are those of GEOSEARCH and of all that is like it.
type geoOptions struct {
	shape                            geoShape
	unit                             float64 // in meters; what distances are given in
	withDist, withHash, withPosition bool
	order                            int // 1: nearest first, -1: last; 0: any
	count                            int64
	any                              bool
	store                            []byte // nil: reply
	storeDist                        bool

	fromMember, fromPoint, byRadius, byBox bool
}

func runGeoRadius(c *Call) {
	o, s, found, ok := beginGeo(c, c.Args[1])
	if !ok {
		return
	}
	if o.shape.center, ok = c.pointArg(2); !ok || !c.radiusArg(&o, 4) {
		return
	}
	if parseGeoRadius(c, &o, 6) {
		searchGeo(c, &o, s, found, "georadiusstore")
	}
}

func runGeoRadiusByMember(c *Call) {
	o, s, found, ok := beginGeo(c, c.Args[1])
	if !ok {
		return
	}
	// Without a sorted set the arguments are not looked at, but for the options,
	// which say what to reply.
	if found && (!c.centerArg(&o, s, 2) || !c.radiusArg(&o, 3)) {
		return
	}
	if parseGeoRadius(c, &o, 5) {
		searchGeo(c, &o, s, found, "georadiusstore")
	}
}

func runGeoSearch(c *Call) { geoSearch(c, 2, nil) }

func runGeoSearchStore(c *Call) { geoSearch(c, 3, c.Args[1]) }

func geoSearch(c *Call, options int, dst []byte) {
	o, s, found, ok := beginGeo(c, c.Args[options-1])
	if !ok {
		return
	}
	o.store = dst
	if parseGeoSearch(c, &o, s, found, options) {
		searchGeo(c, &o, s, found, "geosearchstore")
	}
}

// beginGeo finds the source, which comes before all errors in the arguments.
func beginGeo(c *Call, key []byte) (o geoOptions, s store.SortedSetView, found, ok bool) {
	s, found, failed := c.sortedSet(key)
	return geoOptions{unit: 1}, s, found, !failed
}

// centerArg reads a member whose position is the center, or answers with an error.
func (c *Call) centerArg(o *geoOptions, s store.SortedSetView, i int) (ok bool) {
	if o.shape.center, ok = positionOf(s, true, c.Args[i]); !ok {
		c.Fail(errGeoMember)
	}
	return ok
}

// radiusArg reads a radius and its unit, or answers with an error.
func (c *Call) radiusArg(o *geoOptions, i int) bool {
	radius, ok := c.doubleArg(c.Args[i], errGeoRadius)
	if !ok {
		return false
	}
	if radius < 0 {
		c.Fail(errGeoNoRadius)
		return false
	}
	if o.unit, ok = c.unitArg(i + 1); !ok {
		return false
	}
	o.shape.box, o.shape.radius = false, radius*o.unit
	return true
}

// boxArg reads a width, a height and their unit, or answers with an error.
func (c *Call) boxArg(o *geoOptions, i int) bool {
	width, ok := c.doubleArg(c.Args[i], errGeoWidth)
	if !ok {
		return false
	}
	height, ok := c.doubleArg(c.Args[i+1], errGeoHeight)
	if !ok {
		return false
	}
	if width < 0 || height < 0 {
		c.Fail(errGeoNoBox)
		return false
	}
	if o.unit, ok = c.unitArg(i + 2); !ok {
		return false
	}
	o.shape.box, o.shape.width, o.shape.height = true, width*o.unit, height*o.unit
	return true
}

// commonOption reads the option at an index, if it is one that all searches have,
// and returns how many arguments it takes: 0 if it is none of them, -1 after an
// error.
func (o *geoOptions) commonOption(c *Call, i int) int {
	switch arg := c.Args[i]; {
	case equalFold(arg, "WITHDIST"):
		o.withDist = true
	case equalFold(arg, "WITHHASH"):
		o.withHash = true
	case equalFold(arg, "WITHCOORD"):
		o.withPosition = true
	case equalFold(arg, "ANY"):
		o.any = true
	case equalFold(arg, "ASC"):
		o.order = 1
	case equalFold(arg, "DESC"):
		o.order = -1
	case equalFold(arg, "COUNT") && i+1 < len(c.Args):
		var ok bool
		if o.count, ok = c.intArg(i + 1); !ok {
			return -1
		}
		if o.count <= 0 {
			c.Fail(errGeoCount)
			return -1
		}
		return 2
	default:
		return 0
	}
	return 1
}

// parseGeoRadius reads the options of GEORADIUS and its variants.
func parseGeoRadius(c *Call, o *geoOptions, from int) bool {
	mayStore := c.Spec.Has(Write)
	for i := from; i < len(c.Args); {
		n := o.commonOption(c, i)
		if arg := c.Args[i]; n == 0 && mayStore && i+1 < len(c.Args) && (equalFold(arg, "STORE") || equalFold(arg, "STOREDIST")) {
			o.store, o.storeDist = c.Args[i+1], equalFold(arg, "STOREDIST")
			n = 2
		}
		switch {
		case n < 0:
			return false
		case n == 0:
			c.Fail(ErrSyntax)
			return false
		}
		i += n
	}
	return checkGeo(c, o, errGeoStore)
}

// parseGeoSearch reads the options of GEOSEARCH and GEOSEARCHSTORE.
func parseGeoSearch(c *Call, o *geoOptions, s store.SortedSetView, found bool, from int) bool {
	for i := from; i < len(c.Args); {
		n := o.commonOption(c, i)
		if n == 0 {
			n = o.shapeOption(c, s, found, i)
		}
		switch {
		case n < 0:
			return false
		case n == 0:
			c.Fail(ErrSyntax)
			return false
		}
		i += n
	}
	missing := func(what string) bool {
		c.Fail(ReplyError("ERR exactly one of " + what + " can be specified for " + string(quoted(c.Args[0], maxQuoted))))
		return false
	}
	switch {
	case o.store != nil && (o.withDist || o.withHash || o.withPosition):
	case !o.fromMember && !o.fromPoint:
		return missing("FROMMEMBER or FROMLONLAT")
	case !o.byRadius && !o.byBox:
		return missing("BYRADIUS and BYBOX")
	}
	return checkGeo(c, o, errGeoSearchStore)
}

// shapeOption is commonOption for the options that only GEOSEARCH and
// GEOSEARCHSTORE have.
func (o *geoOptions) shapeOption(c *Call, s store.SortedSetView, found bool, i int) (n int) {
	ok := true
	switch arg, more := c.Args[i], len(c.Args)-1-i; {
	case o.store != nil && equalFold(arg, "STOREDIST"):
		o.storeDist = true
		return 1
	case more >= 1 && !o.fromPoint && equalFold(arg, "FROMMEMBER"):
		o.fromMember, n = true, 2
		ok = !found || c.centerArg(o, s, i+1)
	case more >= 2 && !o.fromMember && equalFold(arg, "FROMLONLAT"):
		o.fromPoint, n = true, 3
		o.shape.center, ok = c.pointArg(i + 1)
	case more >= 2 && !o.byBox && equalFold(arg, "BYRADIUS"):
		o.byRadius, n = true, 3
		ok = c.radiusArg(o, i+1)
	case more >= 3 && !o.byRadius && equalFold(arg, "BYBOX"):
		o.byBox, n = true, 4
		ok = c.boxArg(o, i+1)
	}
	if !ok {
		return -1
	}
	return n
}

// checkGeo answers with an error if options contradict each other.
func checkGeo(c *Call, o *geoOptions, notStored ReplyError) bool {
	switch {
	case o.store != nil && (o.withDist || o.withHash || o.withPosition):
		c.Fail(notStored)
	case o.any && o.count == 0:
		c.Fail(errGeoAny)
	default:
		return true
	}
	return false
}

// A geoHit is a member within the shape.
type geoHit struct {
	member int // its number among the results
	point  geoPoint
	meters float64 // from the center
}

func searchGeo(c *Call, o *geoOptions, s store.SortedSetView, found bool, event string) {
	var hits []geoHit
	var members scored
	if found {
		hits = o.hits(s, &members)
	}
	switch {
	case o.store != nil:
		o.storeHits(c, hits, &members, event)
	default:
		o.reply(c, hits, &members)
	}
}

// hits are the members within the shape, as many and in the order as asked for.
func (o *geoOptions) hits(s store.SortedSetView, members *scored) (hits []geoHit) {
	enough := o.any && o.count > 0
	last := geoCell{}
	for i, cell := range o.shape.cells() {
		// Large cells can be each other's neighbours on both sides.
		if cell == (geoCell{}) || i > 1 && cell == last {
			continue
		}
		last = cell
		from, to := cell.scores()
		first, n := s.ScoreRange(store.ScoreBound{Score: from}, store.ScoreBound{Score: to, Open: true})
		s.Walk(first, n, false, func(member []byte, score float64) bool {
			p := pointOf(score)
			if meters, ok := o.shape.distanceTo(p); ok {
				hits = append(hits, geoHit{members.len(), p, meters})
				members.add(member, score)
			}
			return !enough || int64(len(hits)) < o.count
		})
		if enough && int64(len(hits)) >= o.count {
			break
		}
	}
	order := o.order
	if order == 0 && o.count > 0 && !o.any {
		order = 1 // the nearest ones, since some must be left out
	}
	if order != 0 {
		slices.SortStableFunc(hits, func(a, b geoHit) int { return order * cmp.Compare(a.meters, b.meters) })
	}
	if o.count > 0 && int64(len(hits)) > o.count {
		hits = hits[:o.count]
	}
	return hits
}

func (o *geoOptions) reply(c *Call, hits []geoHit, members *scored) {
	c.Out.Array(len(hits))
	fields := 1
	for _, with := range []bool{o.withDist, o.withHash, o.withPosition} {
		if with {
			fields++
		}
	}
	for _, h := range hits {
		if fields > 1 {
			c.Out.Array(fields)
		}
		c.Out.Bulk(members.member(h.member))
		if o.withDist {
			c.replyDistance(h.meters, o.unit)
		}
		if o.withHash {
			c.Out.Int(int64(members.scores[h.member]))
		}
		if o.withPosition {
			c.replyPoint(h.point)
		}
	}
}

// storeHits stores the members with their positions, or with their distances.
func (o *geoOptions) storeHits(c *Call, hits []geoHit, members *scored, event string) {
	var result scored
	for _, h := range hits {
		score := members.scores[h.member]
		if o.storeDist {
			score = h.meters / o.unit
		}
		result.add(members.member(h.member), score)
	}
	c.storeScored(o.store, &result, event, 0)
}

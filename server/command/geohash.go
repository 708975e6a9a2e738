package command

import "math"

// A position is held as the score of a member: 52 bits, 26 of the longitude and 26
// of the latitude by turns, which divide the world into cells. Cells whose scores
// begin alike lie in one larger cell, so that a range of scores is an area.
//
// All servers of a cluster have to come to the same bits and distances. Products
// are therefore converted to float64 before they are added: otherwise a
// processor that can do both at once would round only once.

// Latitudes near the poles, which a Mercator map has no room for, are not held.
const (
	geoMaxLongitude = 180
	geoMaxLatitude  = 85.05112878
	geoMaxStep      = 26 // bits of each coordinate in a score

	earthRadius      = 6372797.560856 // meters, as Redis has it
	mercatorMaximum  = 20037726.37    // meters; half the equator on the map
	geoAlphabet      = "0123456789bcdefghjkmnpqrstuvwxyz"
	geohashLength    = 11
	geohashBitsASign = 5
)

// A geoPoint is a longitude and a latitude in degrees.
type geoPoint struct{ lon, lat float64 }

func (p geoPoint) valid() bool {
	return p.lon >= -geoMaxLongitude && p.lon <= geoMaxLongitude && p.lat >= -geoMaxLatitude && p.lat <= geoMaxLatitude
}

// A geoCell is a rectangle of the world that the first bits of a score name: step
// bits of each coordinate. The zero value is no cell.
type geoCell struct {
	bits uint64
	step uint
}

// geoArea is the bounds of a cell in degrees.
type geoArea struct{ min, max geoPoint }

// cellOf is the cell of a point. maxLat is where the map ends.
func cellOf(p geoPoint, maxLat float64, step uint) geoCell {
	scale := float64(uint64(1) << step)
	lon := (p.lon + geoMaxLongitude) / (2 * geoMaxLongitude)
	lat := (p.lat + maxLat) / (2 * maxLat)
	return geoCell{bits: spread(uint32(lat*scale)) | spread(uint32(lon*scale))<<1, step: step}
}

// spread puts a zero bit before each bit.
func spread(x uint32) uint64 {
	v := uint64(x)
	v = (v | v<<16) & 0x0000FFFF0000FFFF
	v = (v | v<<8) & 0x00FF00FF00FF00FF
	v = (v | v<<4) & 0x0F0F0F0F0F0F0F0F
	v = (v | v<<2) & 0x3333333333333333
	return (v | v<<1) & 0x5555555555555555
}

// gather takes every second bit, beginning with the lowest one.
func gather(v uint64) uint32 {
	v &= 0x5555555555555555
	v = (v | v>>1) & 0x3333333333333333
	v = (v | v>>2) & 0x0F0F0F0F0F0F0F0F
	v = (v | v>>4) & 0x00FF00FF00FF00FF
	v = (v | v>>8) & 0x0000FFFF0000FFFF
	return uint32(v | v>>16)
}

func (c geoCell) area() geoArea {
	scale := float64(uint64(1) << c.step)
	lat, lon := gather(c.bits), gather(c.bits>>1)
	// 32 bits: so a score that is no position gets the same one as in Redis.
	at := func(i uint32, limit float64) float64 { return -limit + float64(float64(i)/scale*(2*limit)) }
	return geoArea{
		min: geoPoint{at(lon, geoMaxLongitude), at(lat, geoMaxLatitude)},
		max: geoPoint{at(lon+1, geoMaxLongitude), at(lat+1, geoMaxLatitude)},
	}
}

// neighbour is the cell so many cells to the east and to the north; around the
// world, if need be. A point at the very edge of the map lies in a cell beyond
// the last one, which has neighbours, too.
func (c geoCell) neighbour(east, north int) geoCell {
	lat, lon := gather(c.bits), gather(c.bits>>1)
	mask := uint32(1)<<c.step - 1
	if north != 0 {
		lat = (lat + uint32(north)) & mask
	}
	if east != 0 {
		lon = (lon + uint32(east)) & mask
	}
	return geoCell{bits: spread(lat) | spread(lon)<<1, step: c.step}
}

// scores are the bounds of the scores of all points in a cell, the upper one not
// included.
func (c geoCell) scores() (from, to float64) {
	shift := 2 * (geoMaxStep - c.step)
	return float64(c.bits << shift), float64((c.bits + 1) << shift)
}

// geoScore is the score for a point.
func geoScore(p geoPoint) int64 { return int64(cellOf(p, geoMaxLatitude, geoMaxStep).bits) }

// pointOf is the middle of the smallest cell that a score names.
func pointOf(score float64) geoPoint {
	a := geoCell{bits: uint64(int64(score)), step: geoMaxStep}.area()
	clamp := func(min, max, limit float64) float64 {
		return math.Max(-limit, math.Min(limit, (min+max)/2))
	}
	return geoPoint{clamp(a.min.lon, a.max.lon, geoMaxLongitude), clamp(a.min.lat, a.max.lat, geoMaxLatitude)}
}

// appendGeohash spells a point as everybody does, with latitudes up to the
// poles. The last of the 11 signs stands for bits that a score has not.
func appendGeohash(dst []byte, p geoPoint) []byte {
	bits := cellOf(p, 90, geoMaxStep).bits
	for i := 1; i < geohashLength; i++ {
		dst = append(dst, geoAlphabet[bits>>(2*geoMaxStep-i*geohashBitsASign)&0x1F])
	}
	return append(dst, geoAlphabet[0])
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }
func degrees(radians float64) float64 { return radians / (math.Pi / 180) }

// distance is how far two points are from each other, in meters, on a sphere
// (haversine formula).
func distance(a, b geoPoint) float64 {
	v := math.Sin((radians(b.lon) - radians(a.lon)) / 2)
	if v == 0 {
		return latDistance(a.lat, b.lat)
	}
	from, to := radians(a.lat), radians(b.lat)
	u := math.Sin((to - from) / 2)
	h := float64(u*u) + float64(math.Cos(from)*math.Cos(to)*v*v)
	return 2 * earthRadius * math.Asin(math.Sqrt(h))
}

// latDistance is how far two circles of latitude are from each other, in meters.
func latDistance(a, b float64) float64 { return earthRadius * math.Abs(radians(b)-radians(a)) }

// A geoShape is a circle or a box around a point.
type geoShape struct {
	center        geoPoint
	box           bool
	radius        float64 // } meters
	width, height float64 // }
}

// distanceTo is how far a point of the shape is from its center, in meters; ok is
// false if the point is outside.
func (s *geoShape) distanceTo(p geoPoint) (meters float64, ok bool) {
	if !s.box {
		meters = distance(s.center, p)
		return meters, meters <= s.radius
	}
	if latDistance(p.lat, s.center.lat) > s.height/2 || distance(p, geoPoint{s.center.lon, p.lat}) > s.width/2 {
		return 0, false
	}
	return distance(s.center, p), true
}

// bounds is a rectangle around the shape, which may reach beyond the map.
func (s *geoShape) bounds() geoArea {
	height, width := s.radius, s.radius
	if s.box {
		height, width = s.height/2, s.width/2
	}
	lat := degrees(height / earthRadius)
	// The same width is the more degrees the nearer it is to a pole.
	edge := s.center.lat + lat
	if s.center.lat < 0 {
		edge = s.center.lat - lat
	}
	lon := degrees(width / earthRadius / math.Cos(radians(edge)))
	return geoArea{
		min: geoPoint{s.center.lon - lon, s.center.lat - lat},
		max: geoPoint{s.center.lon + lon, s.center.lat + lat},
	}
}

// step is how fine cells may be so that nine of them, in all probability, cover
// the shape.
func (s *geoShape) step() uint {
	reach := s.radius
	if s.box {
		reach = math.Sqrt(float64(s.width/2*(s.width/2)) + float64(s.height/2*(s.height/2)))
	}
	if reach == 0 {
		return geoMaxStep
	}
	step := 1
	for ; reach < mercatorMaximum; reach *= 2 {
		step++
	}
	step -= 2
	// Cells are narrower near the poles.
	switch lat := math.Abs(s.center.lat); {
	case lat > 80:
		step -= 2
	case lat > 66:
		step--
	}
	return uint(max(1, min(step, geoMaxStep)))
}

// cells are up to nine cells that cover the shape: the one of its center, and
// those around it that are needed. The others are zero.
func (s *geoShape) cells() [9]geoCell {
	bounds, step := s.bounds(), s.step()
	middle := cellOf(s.center, geoMaxLatitude, step)
	if step > 1 && !reaches(middle, bounds) {
		step--
		middle = cellOf(s.center, geoMaxLatitude, step)
	}
	around := [9]struct{ east, north int }{{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}}
	area := middle.area()
	var cells [9]geoCell
	for i, at := range around {
		needless := at.north < 0 && area.min.lat < bounds.min.lat || at.north > 0 && area.max.lat > bounds.max.lat ||
			at.east < 0 && area.min.lon < bounds.min.lon || at.east > 0 && area.max.lon > bounds.max.lon
		// With cells that are half the world, one side's neighbour is the
		// other's, too.
		if step < 2 || !needless {
			cells[i] = middle.neighbour(at.east, at.north)
		}
	}
	return cells
}

// reaches says whether the cells around one are wide enough for the bounds.
func reaches(middle geoCell, bounds geoArea) bool {
	return middle.neighbour(0, 1).area().max.lat >= bounds.max.lat &&
		middle.neighbour(0, -1).area().min.lat <= bounds.min.lat &&
		middle.neighbour(1, 0).area().max.lon >= bounds.max.lon &&
		middle.neighbour(-1, 0).area().min.lon <= bounds.min.lon
}

package command

import (
	"fmt"
	"strconv"
)

// ~g is a key that mostly holds positions, ~p a longitude and a latitude, ~m a
// member of which there are few, ~r a radius with its unit, ~w options, ~from and
// ~by what a search is around and within.
var geoTemplates = lines(`
GEOADD ~g (~p ~m)*
GEOADD ~g (~p ~m)*
GEOADD ~g (~p ~m)* (~p ~m)* (~p ~m)*
GEOADD ~g [NX|XX|CH|ch] [|CH|NX|XX] (~p ~m)*
GEOADD ~g ~p ~m [~p|zz]
GEOADD ~g f f ~m
GEOADD ~g [181 1|-180 86|1 x|nan 1|180 85.05112878|-180 -85.05112878] ~m
GEOPOS ~g (~m)*
GEOPOS ~g
GEOHASH ~g (~m)*
GEODIST ~g ~m ~m [|m|km|FT|mi|zz|km m]
GEOSEARCH ~g ~from ~by [ASC|DESC|asc] ~w
GEOSEARCH ~g ~from ~by [ASC|DESC] ~w
GEOSEARCH ~g ~from ~by ~w
GEOSEARCH ~g ~by ~from [|COUNT s ANY|COUNT 3 ANY]
GEOSEARCH ~g ~from [~from|~by|] ~by [|ANY|COUNT 0|COUNT x|zz|STOREDIST]
GEOSEARCH ~g ~by ~w ~w
GEOSEARCHSTORE ~g ~g ~from ~by [|ASC|DESC] [|COUNT 3|COUNT 2 ANY|WITHDIST]
GEOSEARCHSTORE zset0 ~g ~from ~by
GEOSEARCHSTORE ~g k ~from ~by
GEORADIUS ~g ~p ~r [|ASC|DESC] ~w
GEORADIUS ~g ~p ~r [|ASC] [|COUNT 2] STORE ~g
GEORADIUS ~g ~p ~r STORE ~g [WITHDIST|WITHHASH|STORE ~g]
GEORADIUS_RO ~g ~p ~r [|ASC|DESC|STORE ~g] ~w
GEORADIUSBYMEMBER ~g ~m ~r [|ASC|DESC] ~w
GEORADIUSBYMEMBER ~g ~m ~r [|ASC] [|COUNT 2] STORE ~g
GEORADIUSBYMEMBER_RO ~g ~m ~r [|ASC|DESC|STOREDIST ~g] ~w
GEORADIUS k ~p ~r [|STORE ~g]
ZRANGE ~g 0 -1 WITHSCORES
ZREM ~g ~m
ZADD ~g s ~m
DEL ~g
COMMAND GETKEYSANDFLAGS [GEORADIUS a 1 1 1 m|GEORADIUS a 1 1 1 m STORE b|GEORADIUSBYMEMBER a b 1 m STOREDIST c STORE d|GEOSEARCHSTORE a b|GEOADD a 1 1 b]
`)

func geoWord(g *generator, w string) (args [][]byte, ok bool) {
	switch w {
	case "~g":
		return one(fmt.Sprintf("geo%d", g.rand.IntN(3))), true
	case "~m":
		return one(g.pick([]string{"a", "b", "c", "d", "e", "f", "g", "h", "1", "2", "", "place"})), true
	case "~p":
		// Never twice the same, so that distances differ.
		lon, lat := g.rand.Float64()*360-180, g.rand.Float64()*170-85
		if g.rand.IntN(2) == 0 {
			lon, lat = 13+g.rand.Float64()/10, 52+g.rand.Float64()/10
		}
		return [][]byte{strconv.AppendFloat(nil, lon, 'f', 15, 64), strconv.AppendFloat(nil, lat, 'f', 15, 64)}, true
	case "~r":
		return g.fill(g.pick([]string{"1000 km", "30000 km", "5 mi", "0 m", "2000 m", "10000 ft", "300 KM", "-1 m", "x m", "5 zz", "inf m"})), true
	case "~from":
		return g.fill(g.pick([]string{"FROMMEMBER ~m", "FROMLONLAT ~p", "fromlonlat ~p"})), true
	case "~by":
		return g.fill(g.pick([]string{"BYRADIUS ~r", "BYBOX 3000 2000 km", "BYBOX 8 20 mi", "bybox 40000 20000 km",
			"BYBOX [1|x|-1|0] [1|x|-2] [m|zz]"})), true
	case "~w":
		return g.fill("[|WITHDIST|withdist] [|WITHCOORD] [|WITHHASH] [|COUNT 1|COUNT 3|COUNT s|COUNT 100]"), true
	}
	return nil, false
}

// sameDistances says whether two replies are the same but for the last digit of a
// distance.
func sameDistances(_ [][]byte, o, th replyNode) bool {
	if o.kind != th.kind || o.null != th.null || len(o.elems) != len(th.elems) {
		return false
	}
	for i := range o.elems {
		if !sameDistances(nil, o.elems[i], th.elems[i]) {
			return false
		}
	}
	if o.text == th.text || len(o.elems) > 0 {
		return true
	}
	a, errA := strconv.ParseFloat(o.text, 64)
	b, errB := strconv.ParseFloat(th.text, 64)
	return errA == nil && errB == nil && a-b < 0.00011 && b-a < 0.00011
}

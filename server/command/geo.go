package command

// Positions, which are held as scores in sorted sets (geohash.go). The functions
// are in geo_get.go and geo_search.go.

// Errors of commands on positions.
const (
	errGeoUnit        ReplyError = "ERR unsupported unit provided. please use M, KM, FT, MI"
	errGeoMember      ReplyError = "ERR could not decode requested zset member"
	errGeoRadius      ReplyError = "ERR need numeric radius"
	errGeoNoRadius    ReplyError = "ERR radius cannot be negative"
	errGeoWidth       ReplyError = "ERR need numeric width"
	errGeoHeight      ReplyError = "ERR need numeric height"
	errGeoNoBox       ReplyError = "ERR height or width cannot be negative"
	errGeoCount       ReplyError = "ERR COUNT must be > 0"
	errGeoAny         ReplyError = "ERR the ANY argument requires COUNT argument"
	errGeoStore       ReplyError = "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
	errGeoSearchStore ReplyError = "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
)

func geoSpecs() []*Spec {
	specs := append(geoGetters(), geoSearches()...)
	specs = append(specs, geoOldSearches()...)
	for _, s := range specs {
		s.Group = "geo"
		s.Categories |= CatGeo
	}
	return specs
}

func geoUnit() Arg { return OneOf("unit", Token("M"), Token("KM"), Token("FT"), Token("MI")) }

func geoPlace() []Arg { return []Arg{NewArg("longitude", ArgDouble), NewArg("latitude", ArgDouble)} }

func geoGetters() []*Spec {
	return []*Spec{
		{Name: "geoadd", Arity: -5, Flags: Write | DenyOOM, FirstKey: 1, LastKey: 1, Run: runGeoAdd, Doc: Doc{
			Since: "3.2.0", Complexity: "O(log(N)) for each member, in a sorted set of N",
			Summary: "Adds members with positions, or changes their positions",
			History: []Change{{"6.2.0", "Options `CH`, `NX` and `XX`."}},
			Args: []Arg{
				Key(), OneOf("condition", Token("NX"), Token("XX")).From("6.2.0").Opt(),
				Token("CH").Named("change").From("6.2.0").Opt(),
				Block("data", append(geoPlace(), memberArg())...).Many(),
			},
		}},
		{Name: "geopos", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGeoPos, Doc: Doc{
			Since: "3.2.0", Complexity: "O(N) for N members asked for", Summary: "Returns the positions of members",
			Args: []Arg{Key(), memberArg().Many()},
		}},
		{Name: "geodist", Arity: -4, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGeoDist, Doc: Doc{
			Since: "3.2.0", Complexity: "O(1)", Summary: "Returns how far two members are from each other",
			Args: []Arg{Key(), memberArg().Named("member1"), memberArg().Named("member2"), geoUnit().Opt()},
		}},
		{Name: "geohash", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGeoHash, Doc: Doc{
			Since: "3.2.0", Complexity: "O(N) for N members asked for", Summary: "Returns the positions of members as geohashes",
			Args: []Arg{Key(), memberArg().Many()},
		}},
	}
}

const geoCost = "O(N+log(M)) for N members in a grid-aligned box around the shape, of M"

func geoOrder() Arg { return OneOf("order", Token("ASC"), Token("DESC")).Opt() }

func geoCountArg(anySince string) Arg {
	return Block("count-block", NewArg("count", ArgInteger).After("COUNT"), Token("ANY").From(anySince).Opt()).Opt()
}

func geoWith() []Arg {
	return []Arg{Token("WITHCOORD").Opt(), Token("WITHDIST").Opt(), Token("WITHHASH").Opt()}
}

func geoSearches() []*Spec {
	shape := []Arg{
		OneOf("from", memberArg().After("FROMMEMBER"), Block("fromlonlat", geoPlace()...).After("FROMLONLAT")),
		OneOf("by",
			Block("circle", NewArg("radius", ArgDouble).After("BYRADIUS"), geoUnit()),
			Block("box", NewArg("width", ArgDouble).After("BYBOX"), NewArg("height", ArgDouble), geoUnit())),
		geoOrder(), geoCountArg(""),
	}
	upper := []Change{{"7.0.0", "Units in upper case."}}
	read := append([]Arg{Key()}, shape...)
	write := append([]Arg{Key().Named("destination"), Key().Named("source").In(1)}, shape...)
	return []*Spec{
		{Name: "geosearch", Arity: -7, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGeoSearch, Doc: Doc{
			Since: "6.2.0", Complexity: geoCost, Summary: "Returns the members within a circle or a box", History: upper,
			Args: append(read, geoWith()...),
		}},
		{Name: "geosearchstore", Arity: -8, Flags: Write | DenyOOM, Run: runGeoSearchStore,
			KeySpecs: []KeySpec{KeyAt(1, 0, 1, KeyOW|KeyUpdate), KeyAt(2, 0, 1, KeyRO|KeyAccess)}, Doc: Doc{
				Since: "6.2.0", Complexity: geoCost, Summary: "Stores the members within a circle or a box at another key", History: upper,
				Args: append(write, Token("STOREDIST").Opt()),
			}},
	}
}

// geoOldSearches are what GEOSEARCH has replaced.
func geoOldSearches() []*Spec {
	radius := append([]Arg{NewArg("radius", ArgDouble), geoUnit()}, geoWith()...)
	around := append(append([]Arg{Key()}, geoPlace()...), radius...)
	around = append(around, geoCountArg("6.2.0"), geoOrder())
	nearby := append(append([]Arg{Key(), memberArg()}, radius...), geoCountArg(""), geoOrder())
	stored := func(args []Arg) []Arg {
		return append(args[:len(args):len(args)], Key().Named("storekey").In(1).After("STORE").Opt(),
			Key().Named("storedistkey").In(2).After("STOREDIST").Opt())
	}
	storing := func(from int) []KeySpec {
		at := func(word string) KeySpec {
			return KeySpec{Flags: KeyOW | KeyUpdate, Begin: KeyBegin{Keyword: word, From: from}, Find: KeyFind{Step: 1}}
		}
		return []KeySpec{KeyAt(1, 0, 1, KeyRO|KeyAccess), at("STORE"), at("STOREDIST")}
	}
	anyOption := Change{"6.2.0", "Option `ANY` for `COUNT`."}
	upper := Change{"7.0.0", "Units in upper case."}
	const (
		byPoint  = "Returns the members within a distance from a point"
		byMember = "Returns the members within a distance from a member"
		instead  = "`GEOSEARCH` with the `BYRADIUS` argument"
		member   = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"
	)
	doc := func(since, summary, instead string, args []Arg, history ...Change) Doc {
		return Doc{Since: since, Complexity: geoCost, Summary: summary, Deprecated: "6.2.0", ReplacedBy: instead, History: history, Args: args}
	}
	return []*Spec{
		{Name: "georadius", Arity: -6, Flags: Write | DenyOOM, KeySpecs: storing(6), Run: runGeoRadius,
			Doc: doc("3.2.0", byPoint+", or stores them", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
				stored(around), anyOption, upper)},
		{Name: "georadius_ro", Arity: -6, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGeoRadius,
			Doc: doc("3.2.10", byPoint, instead, around, anyOption)},
		{Name: "georadiusbymember", Arity: -5, Flags: Write | DenyOOM, KeySpecs: storing(5), Run: runGeoRadiusByMember,
			Doc: doc("3.2.0", byMember+", or stores them",
				"`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments", stored(nearby), upper)},
		{Name: "georadiusbymember_ro", Arity: -5, Flags: ReadOnly, FirstKey: 1, LastKey: 1, Run: runGeoRadiusByMember,
			Doc: doc("3.2.10", byMember, member, nearby)},
	}
}

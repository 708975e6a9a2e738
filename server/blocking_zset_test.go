package server_test

import "testing"

func TestClientsWaitForSortedSetsAsInRedis(t *testing.T) {
	for _, scene := range []struct{ name, lines string }{
		{"whoever waits gets one member, from the end it asked for", `
			alice> BZPOPMIN zset 0
			bob> ZADD zset 1 a 2 b 3 c
			alice> BZPOPMAX zset 0
			bob> ZRANGE zset 0 -1 WITHSCORES
			alice> BZPOPMIN other zset 0
			bob> EXISTS zset`},
		{"scores are numbers in RESP3", `
			alice> HELLO 3
			alice> BZPOPMIN zset 0
			bob> ZADD zset 1.5 a
			alice> BZMPOP 0 1 zset MAX COUNT 5
			bob> ZADD zset 2.5 a inf b
			alice> AWAIT BZPOPMIN zset 0.1
			alice> AWAIT BZMPOP 0.1 1 zset MIN
			alice> PING`},
		{"who came first is served first", `
			alice> BZPOPMIN zset 0
			bob> BZPOPMAX zset 0
			carol> BZMPOP 0 2 other zset MIN COUNT 2
			dave> ZADD zset 1 a 2 b 3 c 4 d 5 e
			dave> ZRANGE zset 0 -1`},
		{"a transaction is over before anybody is served", `
			alice> BZPOPMIN zset 0
			bob> MULTI
			bob> ZADD zset 2 b
			bob> ZADD zset 1 a
			bob> ZPOPMIN zset
			bob> EXEC
			bob> EXISTS zset`},
		{"a list ends no wait for a sorted set, nor the reverse", `
			alice> BZPOPMIN key 0
			bob> BLPOP key 0
			carol> RPUSH key x
			carol> ZADD key 1 a`},
		{"members come in many ways", `
			alice> BZPOPMIN zset 0
			bob> GEOADD zset 13 52 berlin
			alice> BZPOPMIN zset 0
			bob> ZINCRBY zset 5 a
			alice> BZPOPMIN zset 0
			bob> ZADD source 1 a 2 b
			bob> ZRANGESTORE zset source 0 0
			alice> BZPOPMIN zset 0
			bob> ZUNIONSTORE zset 1 source
			alice> BZPOPMIN zset 0
			bob> DEL zset
			bob> GEOSEARCHSTORE zset source FROMLONLAT 0 0 BYRADIUS 40000 km ASC
			bob> RENAME source zset
			alice> BZPOPMIN zset 0
			bob> EXISTS zset`},
		{"within a transaction nobody waits", `
			alice> MULTI
			alice> BZPOPMIN zset 0
			alice> BZMPOP 0 1 zset MIN
			alice> ZADD zset 1 a
			alice> BZPOPMAX zset 0
			alice> EXEC`},
		{"events come in the order of what happens", `
			erin> CONFIG SET notify-keyspace-events AKE
			erin> PSUBSCRIBE __keyevent*
			alice> BZPOPMIN zset 0
			dave> ZADD zset 1 a
			dave> BZMPOP 0 1 zset MIN`},
		{"bad arguments are found before anybody waits", `
			alice> BZPOPMIN zset x
			alice> BZPOPMAX zset -1
			alice> BZPOPMIN zset
			alice> BZMPOP x 1 zset MIN
			alice> BZMPOP 0 0 zset MIN
			alice> BZMPOP 0 2 zset MIN
			alice> BZMPOP 0 1 zset MIDDLE
			alice> BZMPOP 0 1 zset MIN COUNT 0
			alice> BZMPOP 0 1 zset MIN COUNT
			alice> SET text x
			alice> BZPOPMIN zset text 0
			alice> BZMPOP 0 2 zset text MAX`},
	} {
		t.Run(scene.name, func(t *testing.T) { perform(t, scene.lines) })
	}
}

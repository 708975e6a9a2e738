package command

const counts = "Valkey 8 tells replicas how many entries a group has read, 7.0 only with NOACK"

const claims = "Redis 7.2 creates the consumer also when there is nothing for it; 7.0 does not"

// streamScripts spell out what random commands can not: IDs that are made of the
// time, and where Redis 7.2 is not what 7.0 was.
var streamScripts = []script{
	{"XADD sends the ID that it has made", []string{"XADD s 5-1 a 1 = \"5-1\"", "XADD s 5-* a 1 = \"5-2\""},
		[]string{"0: XADD s 5-2 a 1"}, ""},
	{"XADD never goes back in time", []string{`XADD s 99999999999999-7 a 1 = "99999999999999-7"`, `XADD s * a 1 = "99999999999999-8"`},
		[]string{"0: XADD s 99999999999999-8 a 1"}, ""},
	{"XADD makes IDs of the time", []string{`XADD s * a 1 = "1700000000000-0"`, `XADD s NOMKSTREAM * a 1 = "1700000000000-1"`},
		[]string{"0: XADD s NOMKSTREAM 1700000000000-1 a 1"}, "its clock shows another time"},
	{"XADD after the last ID there is", []string{
		`XADD s 18446744073709551615-18446744073709551615 a 1 = "18446744073709551615-18446744073709551615"`,
		"XADD s * a 1 = ERR The stream has exhausted the last possible ID, unable to add more items",
		"XADD s 18446744073709551615-* a 1 = ERR The stream has exhausted the last possible ID, unable to add more items"}, nil, ""},
	{"XADD in a millisecond that is full", []string{
		`XADD s 5-18446744073709551615 a 1 = "5-18446744073709551615"`,
		"XADD s 5-* a 1 = ERR The ID specified in XADD is equal or smaller than the target stream top item",
		`XADD s 6-* a 1 = "6-0"`}, []string{"0: XADD s 6-0 a 1"}, "Redis 7.0 takes this for another error"},
	{"XADD trims exactly as it says", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s MAXLEN 1 2-1 a 1 = "2-1"`, "XLEN s = 1"}, nil, ""},
	{"XADD MAXLEN ~ is sent with what has come out", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s MAXLEN ~ 1 LIMIT 5 2-1 a 1 = "2-1"`},
		[]string{"0: XADD s MAXLEN = 2 LIMIT 5 2-1 a 1"}, ""},
	{"XADD MINID ~ is sent with what has come out", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s MINID ~ 2 2-1 a 1 = "2-1"`},
		[]string{"0: XADD s MINID = 1-1 2-1 a 1"}, ""},
	{"XTRIM that removes nothing sends nothing", []string{`XADD s 1-1 a 1 = "1-1"`, "XTRIM s MAXLEN ~ 0 LIMIT 0 = 1", "XTRIM s MAXLEN 5 = 0"}, nil, ""},
	{"XREADGROUP sends claims", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK", `XREADGROUP GROUP g c STREAMS s > = [["s" [["1-1" ["a" "1"]]]]]`},
		[]string{"MULTI", "0: XCLAIM s g c 0 1-1 TIME @0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1", "0: XGROUP SETID s g 1-1 ENTRIESREAD 1", "EXEC"}, counts},
	{"XREADGROUP of two entries sends them as one", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s 2-1 a 1 = "2-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c STREAMS s > = [["s" [["1-1" ["a" "1"]] ["2-1" ["a" "1"]]]]]`},
		[]string{"MULTI", "0: XCLAIM s g c 0 1-1 TIME @0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1",
			"0: XCLAIM s g c 0 2-1 TIME @0 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1", "0: XGROUP SETID s g 2-1 ENTRIESREAD 2", "EXEC"}, counts},
	{"XREADGROUP NOACK sends how far the group has come", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c NOACK STREAMS s > = [["s" [["1-1" ["a" "1"]]]]]`},
		[]string{"MULTI", "0: XGROUP CREATECONSUMER s g c", "0: XGROUP SETID s g 1-1 ENTRIESREAD 1", "EXEC"}, ""},
	{"XREADGROUP of what is pending sends nothing", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c STREAMS s > = [["s" [["1-1" ["a" "1"]]]]]`, "XDEL s 1-1 = 1",
		`XREADGROUP GROUP g c STREAMS s 0 = [["s" [["1-1" (nil)]]]]`}, nil, ""},
	{"XREADGROUP creates the consumer in vain", []string{"XGROUP CREATE s g $ MKSTREAM = OK", "XREADGROUP GROUP g c NOACK STREAMS s > = (nil)"},
		[]string{"0: XGROUP CREATECONSUMER s g c"}, claims},
	{"XCLAIM creates the consumer in vain", []string{"XGROUP CREATE s g $ MKSTREAM = OK", "XCLAIM s g c 0 1-1 = []", "XGROUP DELCONSUMER s g c = 0"},
		[]string{"0: XGROUP DELCONSUMER s g c"}, claims},
	{"XCLAIM FORCE counts a delivery", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g $ = OK", `XCLAIM s g c 0 1-1 FORCE TIME 1000 = [["1-1" ["a" "1"]]]`},
		[]string{"0: XCLAIM s g c 0 1-1 TIME 1000 RETRYCOUNT 2 FORCE JUSTID LASTID 1-1"}, ""},
	{"XCLAIM LASTID alone moves the group", []string{`XADD s 5-1 a 1 = "5-1"`, "XGROUP CREATE s g 0 = OK", "XGROUP CREATECONSUMER s g c = 1",
		"XCLAIM s g c 0 3-3 LASTID 4-4 = []"}, []string{"0: XGROUP SETID s g 4-4 ENTRIESREAD -1"}, ""},
	{"XCLAIM of what was deleted takes it off", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s 2-1 a 1 = "2-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c COUNT 1 STREAMS s > = [["s" [["1-1" ["a" "1"]]]]]`, "XDEL s 1-1 = 1", "XCLAIM s g c 0 1-1 = []", "XPENDING s g = [0 (nil) (nil) (nil)]"}, nil, ""},
	{"XAUTOCLAIM tells what was deleted", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s 2-1 a 1 = "2-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c STREAMS s > = [["s" [["1-1" ["a" "1"]] ["2-1" ["a" "1"]]]]]`, "XDEL s 1-1 = 1",
		`XAUTOCLAIM s g d 0 0 JUSTID = ["0-0" ["2-1"] ["1-1"]]`},
		[]string{"MULTI", "0: XCLAIM s g c 0 1-1 TIME @0 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
			"0: XCLAIM s g d 0 2-1 TIME @0 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1", "EXEC"}, ""},
	{"XACK sends itself if it acknowledges anything", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c STREAMS s > = [["s" [["1-1" ["a" "1"]]]]]`, "XACK s g 1-1 7-7 = 1"}, []string{"0: XACK s g 1-1 7-7"}, ""},
	{"XACK of nothing sends nothing", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK", "XACK s g 1-1 = 0", "XACK s nosuch 1-1 = 0"}, nil, ""},
	{"XGROUP CREATE of an empty stream", []string{"XGROUP CREATE s g $ MKSTREAM = OK", "XLEN s = 0", "TYPE s = stream", "XGROUP DESTROY s g = 1", "XGROUP DESTROY s g = 0"}, nil, ""},
	{"a stream outlives its last entry", []string{`XADD s 1-1 a 1 = "1-1"`, "XDEL s 1-1 = 1", "EXISTS s = 1",
		"XADD s 1-1 a 1 = ERR The ID specified in XADD is equal or smaller than the target stream top item"}, nil, ""},
	{"XSETID may not go below what was deleted", []string{`XADD s 5-1 a 1 = "5-1"`, "XDEL s 5-1 = 1",
		"XSETID s 3-1 = ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"}, nil,
		"Redis 7.0 looks at that only when there are entries"},
	{"XREAD counts keys and IDs", []string{
		"XREAD STREAMS s t 0 = ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
		"XREADGROUP GROUP g c STREAMS s t > = ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."}, nil,
		"Redis 7.0 names XREAD in either case"},
	{"XREAD + is the last entry", []string{`XADD s 1-1 a 1 = "1-1"`, `XADD s 2-0 a 2 = "2-0"`, `XADD s 2-1 a 3 = "2-1"`,
		`XREAD COUNT 5 STREAMS s nosuch + + = [["s" [["2-1" ["a" "3"]]]]]`, "XDEL s 2-1 = 1", `XREAD STREAMS s + = [["s" [["2-0" ["a" "2"]]]]]`,
		"XDEL s 1-1 2-0 = 2", "XREAD STREAMS s + = (nil)", "XGROUP CREATE s g 0 = OK",
		"XREADGROUP GROUP g c STREAMS s + = ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer " +
			"by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set."}, nil, "it came with Valkey 8"},
	{"a group has nothing to read in an empty stream", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK", "XTRIM s MAXLEN 0 = 1",
		`XINFO GROUPS s = [["name" "g" "consumers" 0 "pending" 0 "last-delivered-id" "0-0" "entries-read" (nil) "lag" 0]]`}, nil, ""},
	{"XINFO CONSUMERS knows who never got anything", []string{"XGROUP CREATE s g $ MKSTREAM = OK", "XGROUP CREATECONSUMER s g c = 1",
		`XINFO CONSUMERS s g = [["name" "c" "pending" 0 "idle" 0 "inactive" -1]]`}, nil, "Redis 7.0 does not tell"},
	{"XINFO STREAM FULL knows when a consumer was active", []string{`XADD s 1-1 a 1 = "1-1"`, "XGROUP CREATE s g 0 = OK",
		`XREADGROUP GROUP g c STREAMS s > = [["s" [["1-1" ["a" "1"]]]]]`,
		`XINFO STREAM s FULL = ["length" 1 "radix-tree-keys" 1 "radix-tree-nodes" 2 "last-generated-id" "1-1" "max-deleted-entry-id" "0-0" ` +
			`"entries-added" 1 "recorded-first-entry-id" "1-1" "entries" [["1-1" ["a" "1"]]] "groups" [["name" "g" "last-delivered-id" "1-1" ` +
			`"entries-read" 1 "lag" 0 "pel-count" 1 "pending" [["1-1" "c" 1700000000000 1]] "consumers" [["name" "c" "seen-time" 1700000000000 ` +
			`"active-time" 1700000000000 "pel-count" 1 "pending" [["1-1" 1700000000000 1]]]]]]]`}, nil, "Redis 7.0 does not tell"},
}

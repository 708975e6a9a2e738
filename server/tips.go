package server

import "github.com/lockstep-db/lockstep/server/command"

// What a proxy in front of several servers should do with a command, as COMMAND
// INFO tells it: ask one or all of them, and how to combine the answers.
const (
	tipNondeterministic = "nondeterministic_output"
	tipAllNodes         = "request_policy:all_nodes"
	tipAllShards        = "request_policy:all_shards"
	tipAllSucceeded     = "response_policy:all_succeeded"
	tipSpecial          = "response_policy:special"
	tipSum              = "response_policy:agg_sum"
)

// tips by full name, for the commands of this package.
var tips = map[string][]string{
	"client|info":         {tipNondeterministic},
	"client|list":         {tipNondeterministic},
	"config|set":          {tipAllNodes, tipAllSucceeded},
	"info":                {tipNondeterministic, tipAllShards, tipSpecial},
	"lastsave":            {tipNondeterministic},
	"latency|doctor":      {tipNondeterministic, tipAllNodes, tipSpecial},
	"latency|graph":       {tipNondeterministic, tipAllNodes, tipSpecial},
	"latency|histogram":   {tipNondeterministic, tipAllNodes, tipSpecial},
	"latency|history":     {tipNondeterministic, tipAllNodes, tipSpecial},
	"latency|latest":      {tipNondeterministic, tipAllNodes, tipSpecial},
	"latency|reset":       {tipAllNodes, tipAllSucceeded},
	"memory|doctor":       {tipNondeterministic, tipAllShards, tipSpecial},
	"memory|malloc-stats": {tipNondeterministic, tipAllShards, tipSpecial},
	"memory|purge":        {tipAllShards, tipAllSucceeded},
	"memory|stats":        {tipNondeterministic, tipAllShards, tipSpecial},
	"ping":                {tipAllShards, tipAllSucceeded},
	"slowlog|get":         {tipNondeterministic, tipAllNodes},
	"slowlog|len":         {tipNondeterministic, tipAllNodes, tipSum},
	"slowlog|reset":       {tipAllNodes, tipAllSucceeded},
	"time":                {tipNondeterministic},
}

func addTips(t *command.Table) {
	for name, list := range tips {
		if spec, ok := t.Find([]byte(name)); ok {
			spec.Tips = list
		}
	}
}

package main

import "strings"

// load is one shape of traffic: a command that redis-benchmark repeats, with
// __rand_int__ replaced by a random number of 12 digits.
type load struct {
	name string
	args []string // DATA stands for the value
	// fill is repeated before the measurement, as often as the command: what
	// the command takes away must be there.
	fill []string
}

const evalScript = "return redis.call('SET', KEYS[1], ARGV[1])"

// loads are the commands that applications live on. Collections are one large
// key each, as in redis-benchmark's own tests: that is the harder case.
var loads = []load{
	{name: "SET", args: []string{"SET", "key:__rand_int__", "DATA"}},
	{name: "GET", args: []string{"GET", "key:__rand_int__"}, fill: []string{"SET", "key:__rand_int__", "DATA"}},
	{name: "INCR", args: []string{"INCR", "counter:__rand_int__"}},
	{name: "LPUSH", args: []string{"LPUSH", "list", "DATA"}},
	{name: "RPOP", args: []string{"RPOP", "list"}, fill: []string{"LPUSH", "list", "DATA"}},
	{name: "SADD", args: []string{"SADD", "set", "member:__rand_int__:DATA"}},
	{name: "HSET", args: []string{"HSET", "hash", "field:__rand_int__", "DATA"}},
	{name: "ZADD", args: []string{"ZADD", "zset", "__rand_int__", "member:__rand_int__:DATA"}},
	{name: "MSET (10 keys)", args: append([]string{"MSET"}, strings.Fields(strings.Repeat("key:__rand_int__ DATA ", 10))...)},
	{name: "XADD", args: []string{"XADD", "stream", "*", "field", "DATA"}},
	{name: "EVAL (SET)", args: []string{"EVAL", evalScript, "1", "key:__rand_int__", "DATA"}},
}

// A shape is how a load is sent.
type shape struct {
	depth  int // of pipelining; 1: none
	value  int // bytes
	target float64
	// commands is how many of the configured number are sent: deep pipelines
	// finish sooner, large values fill the memory.
	commands float64
}

// The targets are the project's: parity without pipelining, where both servers
// mostly wait for the kernel, and a clear lead with it.
var shapes = []shape{
	{depth: 1, value: 32, target: 1.0, commands: 1},
	{depth: 16, value: 32, target: 0.8, commands: 4},
	{depth: 1, value: 1024, target: 1.0, commands: 1},
	{depth: 16, value: 1024, target: 0.8, commands: 2},
}

// manyKeys is how much more work one MSET is than the others.
const manyKeys = 10

func (l load) commands(s shape, configured int) int {
	n := int(float64(configured) * s.commands)
	if l.args[0] == "MSET" {
		n /= manyKeys
	}
	return n
}

// spell replaces DATA.
func spell(args []string, value int) []string {
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = strings.ReplaceAll(a, "DATA", strings.Repeat("x", value))
	}
	return all
}

package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// dataSet is what the memory measurement fills a server with.
type dataSet struct {
	name    string
	unit    string // what the bytes are divided by
	target  float64
	per     int // units that one request makes
	divisor int // of the configured number of keys
	request func(i int) []string
}

var dataSets = []dataSet{
	{name: "16-byte key, 32-byte value", unit: "bytes a key", target: 0.7, per: 1, divisor: 1,
		request: func(i int) []string { return []string{"SET", key(i), strings.Repeat("v", 32)} }},
	{name: "16-byte key, integer", unit: "bytes a key", target: 0.7, per: 1, divisor: 1,
		request: func(i int) []string { return []string{"SET", key(i), strconv.Itoa(i + 100000)} }},
	{name: "16-byte key, 32-byte value, TTL", unit: "bytes a key", target: 0.7, per: 1, divisor: 1,
		request: func(i int) []string { return []string{"SET", key(i), strings.Repeat("v", 32), "EX", "100000"} }},
	{name: "hash of 10 fields of 10 bytes each way", unit: "bytes a hash", target: 1.0, per: 1, divisor: 4, request: smallHash},
	{name: "one hash of 16-byte fields and values", unit: "bytes a field", target: 1.0, per: 10, divisor: 20, request: bigHash},
	{name: "sorted set of 10 members of 10 bytes", unit: "bytes a set", target: 1.0, per: 1, divisor: 4, request: smallSortedSet},
	{name: "one sorted set of 16-byte members", unit: "bytes a member", target: 1.0, per: 10, divisor: 20, request: bigSortedSet},
	{name: "one set of 16-byte members", unit: "bytes a member", per: 10, divisor: 20, request: bigSet},
	{name: "list of 10 elements of 10 bytes", unit: "bytes a list", per: 1, divisor: 4, request: smallList},
	{name: "one list of 32-byte elements", unit: "bytes an element", per: 1, divisor: 2,
		request: func(i int) []string { return []string{"RPUSH", "list", strings.Repeat("v", 32)} }},
	{name: "one stream of entries of two 10-byte fields", unit: "bytes an entry", per: 1, divisor: 2,
		request: func(i int) []string {
			return []string{"XADD", "stream", strconv.Itoa(i+1) + "-1", "field-one", ten(i), "field-two", ten(i + 1)}
		}},
}

func key(i int) string { return fmt.Sprintf("key:%012d", i) }
func ten(i int) string { return fmt.Sprintf("v%09d", i) }

func smallHash(i int) []string {
	args := []string{"HSET", key(i)}
	for f := range 10 {
		args = append(args, fmt.Sprintf("field%05d", f), ten(i+f))
	}
	return args
}

func bigHash(i int) []string {
	args := []string{"HSET", "hash"}
	for f := range 10 {
		args = append(args, key(10*i+f), fmt.Sprintf("val:%012d", f))
	}
	return args
}

func smallSortedSet(i int) []string {
	args := []string{"ZADD", key(i)}
	for m := range 10 {
		args = append(args, strconv.Itoa(i+m), fmt.Sprintf("member%04d", m))
	}
	return args
}

func bigSortedSet(i int) []string {
	args := []string{"ZADD", "zset"}
	for m := range 10 {
		n := 10*i + m
		args = append(args, strconv.Itoa(n*7919%1000003), key(n))
	}
	return args
}

func bigSet(i int) []string {
	args := []string{"SADD", "set"}
	for m := range 10 {
		args = append(args, key(10*i+m))
	}
	return args
}

func smallList(i int) []string {
	args := []string{"RPUSH", key(i)}
	for n := range 10 {
		args = append(args, ten(i+n))
	}
	return args
}

func measureMemory(cfg config, r *report) error {
	for _, d := range dataSets {
		var bytes [2]float64
		for i, path := range []string{cfg.theirs, cfg.ours} {
			var err error
			if bytes[i], err = memoryOf(path, path == cfg.ours, d, cfg.keys/d.divisor); err != nil {
				return err
			}
		}
		r.rows = append(r.rows, row{name: "memory: " + d.name, unit: d.unit, redis: bytes[0], ours: bytes[1], ratio: bytes[1] / bytes[0], target: d.target})
	}
	r.notes = append(r.notes, fmt.Sprintf("Memory is the growth of the resident set while a data set is written, divided by what it is given per: %d keys of the plain kinds, a part of that of the others.", cfg.keys))
	return nil
}

func memoryOf(path string, ours bool, d dataSet, requests int) (float64, error) {
	s, err := start(path, ours)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before, err := s.residentBytes()
	if err != nil {
		return 0, err
	}
	if err := fill(s.port, requests, d.request); err != nil {
		return 0, fmt.Errorf("fill %s with %s: %w", path, d.name, err)
	}
	after, err := s.residentBytes()
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(requests*d.per), nil
}

// fill sends requests in pipelines and waits for every reply.
func fill(port, requests int, request func(i int) []string) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const batch = 500
	w, replies := bufio.NewWriterSize(conn, 1<<17), bufio.NewReader(conn)
	for done := 0; done < requests; done += batch {
		n := min(batch, requests-done)
		for i := range n {
			writeRequest(w, request(done+i))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for range n {
			if err := skipReply(replies); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeRequest(w *bufio.Writer, args []string) {
	fmt.Fprintf(w, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(w, "$%d\r\n%s\r\n", len(a), a)
	}
}

// skipReply reads one reply that is no array; an error reply is an error.
func skipReply(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	switch {
	case err != nil:
		return err
	case line[0] == '-':
		return fmt.Errorf("the server answers %q", line)
	case line[0] == '$' && line[1] != '-':
		n, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
		if err == nil {
			_, err = r.Discard(n + 2)
		}
		return err
	}
	return nil
}

package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The benchmarks use what the project compares itself with others by: 2 million
// keys of 16 bytes with values of 32 bytes.
const benchKeys = 2_000_000

func benchKey(buf []byte, n int) []byte {
	buf = append(buf[:0], "key:"...)
	for shift := 44; shift >= 0; shift -= 4 {
		buf = append(buf, "0123456789abcdef"[n>>shift&15])
	}
	return buf
}

func fill(k *Keyspace, n int) {
	var key [16]byte
	val := []byte("0123456789abcdefghijklmnopqrstuv")
	for i := range n {
		binary.LittleEndian.PutUint64(val, uint64(i))
		k.DB(0).SetString(benchKey(key[:], i), val, 0)
	}
}

// cpuTime is what this process has used of processors: on a machine that others
// use as well it says more than the clock.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentBytes is the memory of this process that is not the file it runs.
func residentBytes(tb testing.TB) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip("no /proc here:", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				tb.Fatal(err)
			}
			return kb << 10
		}
	}
	tb.Skip("the kernel does not tell RssAnon")
	return 0
}

func BenchmarkMemoryPerKey(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000, benchKeys, 3_000_000} {
		b.Run(fmt.Sprint(n, " keys"), func(b *testing.B) {
			for range b.N {
				runtime.GC()
				debug.FreeOSMemory()
				before := residentBytes(b)
				k := New(Options{})
				fill(k, n)
				b.ReportMetric(float64(residentBytes(b)-before)/float64(n), "B/key")
				m := k.MemoryStats()
				b.ReportMetric(float64(m.Reserved)/float64(n), "reserved-B/key")
				k.Close()
			}
		})
	}
}

func BenchmarkAtTwoMillionKeys(b *testing.B) {
	k := New(Options{})
	defer k.Close()
	fill(k, benchKeys)
	db := k.DB(0)
	var key [16]byte
	val := []byte("0123456789abcdefghijklmnopqrstuv")
	rng := rand.New(rand.NewPCG(1, 2))
	run := func(name string, body func(*testing.B)) {
		b.Run(name, func(b *testing.B) {
			began := cpuTime(b)
			body(b)
			b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
	run("one random load, to compare with", func(b *testing.B) {
		mem := mapMemory(256 << 20)
		defer unmapMemory(mem)
		_ = syscall.Madvise(mem, syscall.MADV_HUGEPAGE)
		for i := 0; i < len(mem); i += pageSize {
			mem[i] = 1
		}
		began := cpuTime(b)
		x := uint64(1)
		for range b.N {
			x = x*6364136223846793005 + golden
			x += uint64(mem[x>>36])
		}
		b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(b.N), "load-cpu-ns/op")
	})
	run("Find", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, ok := db.Find(benchKey(key[:], rng.IntN(benchKeys))); !ok {
				b.Fatal("key not found")
			}
		}
	})
	run("Find in batches of 16 with Prefetch", func(b *testing.B) {
		b.ReportAllocs()
		var keys [PrefetchBatch][16]byte
		var hashes [PrefetchBatch]Hash
		for n := 0; n < b.N; n += PrefetchBatch {
			for i := range keys {
				hashes[i] = k.Hash(benchKey(keys[i][:], rng.IntN(benchKeys)))
			}
			db.Prefetch(hashes[:])
			for i := range keys {
				if _, ok := db.FindHashed(hashes[i], keys[i][:]); !ok {
					b.Fatal("key not found")
				}
			}
		}
	})
	run("Find and read", func(b *testing.B) {
		b.ReportAllocs()
		var scratch [20]byte
		sum := 0
		for range b.N {
			e, _ := db.Find(benchKey(key[:], rng.IntN(benchKeys)))
			sum += len(e.StringBytes(scratch[:]))
		}
	})
	run("Find missing", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, ok := db.Find(benchKey(key[:], benchKeys+rng.IntN(benchKeys))); ok {
				b.Fatal("key found")
			}
		}
	})
	run("SetString over the same size", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			db.SetString(benchKey(key[:], rng.IntN(benchKeys)), val, 0)
		}
	})
	run("SetString over other sizes", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			db.SetString(benchKey(key[:], rng.IntN(benchKeys)), val[:rng.IntN(32)], 0)
		}
	})
	run("Delete and SetString", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			n := rng.IntN(benchKeys)
			db.Delete(benchKey(key[:], n))
			db.SetString(benchKey(key[:], n), val, 0)
		}
	})
	run("RandomEntry", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			db.RandomEntry(rng.Uint64())
		}
	})
	run("Scan per key", func(b *testing.B) {
		b.ReportAllocs()
		cursor := uint64(0)
		for n := 0; n < b.N; {
			cursor = db.Scan(cursor, func(Entry) { n++ })
		}
	})
	run("Cut per key", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; n < b.N; {
			c, _ := k.Cut(func(int, Entry) { n++ })
			for n < b.N && !c.Step(1000) {
			}
			c.Abort()
		}
	})
	b.Run("garbage collection", func(b *testing.B) {
		for range b.N {
			runtime.GC()
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	for range b.N {
		k := New(Options{})
		began := cpuTime(b)
		fill(k, benchKeys)
		b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/benchKeys, "cpu-ns/key")
		k.Close()
	}
}

// BenchmarkWorstInsert reports the slowest single insertions while a table
// grows to 2 million keys. The same is done several times, and the fastest
// time of each insertion counts, since the others also measure who else uses
// the machine.
func BenchmarkWorstInsert(b *testing.B) {
	const runs = 6
	val := []byte("0123456789abcdefghijklmnopqrstuv")
	var key [16]byte
	for range b.N {
		took := make([]time.Duration, benchKeys)
		for run := range runs {
			k := New(Options{Seed: 1})
			for i := range took {
				benchKey(key[:], i)
				began := time.Now()
				k.DB(0).SetString(key[:], val, 0)
				if t := time.Since(began); run == 0 || t < took[i] {
					took[i] = t
				}
			}
			k.Close()
		}
		slices.Sort(took)
		for name, nth := range map[string]int{"max-µs": 1, "10th-µs": 10, "100th-µs": 100, "1000th-µs": 1000} {
			b.ReportMetric(float64(took[len(took)-nth].Nanoseconds())/1000, name)
		}
	}
}

package command

import "math"

// The estimate is Ertl's ("New cardinality estimation algorithms for HyperLogLog
// sketches", 2017), from how many registers have each value. The order of the
// floating point operations is the one that gives the numbers of Redis; products are
// converted so that no machine fuses them with a sum.

// hllRegisters are all registers, a byte each: the union of several HyperLogLogs.
type hllRegisters [hllCount]byte

// hllHistogram counts registers by value; 63 is the highest that 6 bits hold.
type hllHistogram [1 << hllWidth]int

// mergeInto raises registers to those of h, and tells whether h was whole.
func (h hyperLogLog) mergeInto(r *hllRegisters) bool {
	if h.dense() {
		for i := range r {
			r[i] = max(r[i], h.register(i))
		}
		return true
	}
	return h.eachRun(func(first int, run hllRun) {
		for i := first; i < first+run.n; i++ {
			r[i] = max(r[i], run.value)
		}
	})
}

// compute estimates how many different elements were counted. ok is false if the
// registers are damaged.
func (h hyperLogLog) compute() (n uint64, ok bool) {
	var seen hllHistogram
	if h.dense() {
		for i := range hllCount {
			seen[h.register(i)]++
		}
		return seen.estimate(), true
	}
	ok = h.eachRun(func(_ int, r hllRun) { seen[r.value] += r.n })
	return seen.estimate(), ok
}

func (r *hllRegisters) estimate() uint64 {
	var seen hllHistogram
	for _, v := range r {
		seen[v]++
	}
	return seen.estimate()
}

func (seen *hllHistogram) estimate() uint64 {
	const (
		m     = float64(hllCount)
		alpha = 0.721347520444481703680 // 1/(2 ln 2)
	)
	z := m * hllTau((m-float64(seen[hllRest+1]))/m)
	for j := hllRest; j >= 1; j-- {
		z += float64(seen[j])
		z *= 0.5
	}
	z += float64(m * hllSigma(float64(seen[0])/m))
	return uint64(math.Round(alpha * m * m / z))
}

// hllSigma corrects for registers that are still 0.
func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

// hllTau corrects for registers that can not get any higher.
func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64((1 - x) * (1 - x) * y)
		if z == before {
			return z / 3
		}
	}
}

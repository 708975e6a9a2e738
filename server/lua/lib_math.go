package lua

import (
	"math"
	"time"
)

func openMath(l *State) {
	one := func(f func(float64) float64) Native {
		return func(t *Thread) int {
			t.Push(Number(f(t.CheckNumber(1))))
			return 1
		}
	}
	two := func(f func(a, b float64) float64) Native {
		return func(t *Thread) int {
			t.Push(Number(f(t.CheckNumber(1), t.CheckNumber(2))))
			return 1
		}
	}
	m := l.library("math", map[string]Native{
		"abs": one(math.Abs), "acos": one(math.Acos), "asin": one(math.Asin), "atan": one(math.Atan), "ceil": one(math.Ceil),
		"cos": one(math.Cos), "cosh": one(math.Cosh), "exp": one(math.Exp), "floor": one(math.Floor), "log": one(math.Log),
		"log10": one(math.Log10), "sin": one(math.Sin), "sinh": one(math.Sinh), "sqrt": one(math.Sqrt), "tan": one(math.Tan),
		"tanh": one(math.Tanh), "deg": one(func(x float64) float64 { return x / (math.Pi / 180) }),
		"rad": one(func(x float64) float64 { return x * (math.Pi / 180) }), "atan2": two(math.Atan2), "fmod": two(math.Mod),
		"mod": two(math.Mod), "pow": two(math.Pow), "frexp": mathFrexp, "ldexp": mathLdexp, "modf": mathModf,
		"max": mathMax, "min": mathMin,
	})
	m.SetString("pi", Number(math.Pi))
	m.SetString("huge", Number(math.Inf(1)))
}

func mathFrexp(t *Thread) int {
	frac, exp := math.Frexp(t.CheckNumber(1))
	t.Push(Number(frac))
	t.Push(Number(float64(exp)))
	return 2
}

func mathLdexp(t *Thread) int {
	t.Push(Number(math.Ldexp(t.CheckNumber(1), t.CheckInt(2))))
	return 1
}

func mathModf(t *Thread) int {
	n := t.CheckNumber(1)
	whole, frac := math.Modf(n)
	if math.IsInf(n, 0) {
		whole, frac = n, math.Copysign(0, n)
	}
	t.Push(Number(whole))
	t.Push(Number(frac))
	return 2
}

func mathMax(t *Thread) int {
	n := t.NArgs()
	most := t.CheckNumber(1)
	for i := 2; i <= n; i++ {
		if v := t.CheckNumber(i); v > most {
			most = v
		}
	}
	t.Push(Number(most))
	return 1
}

func mathMin(t *Thread) int {
	n := t.NArgs()
	least := t.CheckNumber(1)
	for i := 2; i <= n; i++ {
		if v := t.CheckNumber(i); v < least {
			least = v
		}
	}
	t.Push(Number(least))
	return 1
}

func openOS(l *State) {
	start := time.Now()
	l.library("os", map[string]Native{
		// Processor time in C; a script only measures differences with it.
		"clock": func(t *Thread) int {
			t.Push(Number(time.Since(start).Seconds()))
			return 1
		},
	})
}

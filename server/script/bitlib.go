package script

import (
	"math"
	"math/bits"

	"github.com/lockstep-db/lockstep/server/lua"
)

// openBit makes the library bit: operations on 32-bit integers, whose results are
// signed.
func (e *Engine) openBit() {
	fold := func(f func(a, b uint32) uint32) lua.Native {
		return func(t *lua.Thread) int {
			n := t.NArgs()
			v := bitArg(t, 1)
			for i := 2; i <= n; i++ {
				v = f(v, bitArg(t, i))
			}
			return pushBits(t, v)
		}
	}
	shift := func(f func(a uint32, n int) uint32) lua.Native {
		return func(t *lua.Thread) int { return pushBits(t, f(bitArg(t, 1), int(bitArg(t, 2)&31))) }
	}
	one := func(f func(uint32) uint32) lua.Native {
		return func(t *lua.Thread) int { return pushBits(t, f(bitArg(t, 1))) }
	}
	t := e.l.NewTable(0, 12)
	e.register(t, map[string]lua.Native{
		"tobit":   one(func(a uint32) uint32 { return a }),
		"bnot":    one(func(a uint32) uint32 { return ^a }),
		"bswap":   one(bits.ReverseBytes32),
		"band":    fold(func(a, b uint32) uint32 { return a & b }),
		"bor":     fold(func(a, b uint32) uint32 { return a | b }),
		"bxor":    fold(func(a, b uint32) uint32 { return a ^ b }),
		"lshift":  shift(func(a uint32, n int) uint32 { return a << n }),
		"rshift":  shift(func(a uint32, n int) uint32 { return a >> n }),
		"arshift": shift(func(a uint32, n int) uint32 { return uint32(int32(a) >> n) }),
		"rol":     shift(func(a uint32, n int) uint32 { return bits.RotateLeft32(a, n) }),
		"ror":     shift(func(a uint32, n int) uint32 { return bits.RotateLeft32(a, -n) }),
		"tohex":   bitToHex,
	})
	e.globals.SetString("bit", t.Value())
}

// bitArg takes a number modulo 2^32, rounded to the nearest even integer: adding
// this constant leaves the integer in the low bits of the sum.
func bitArg(t *lua.Thread, i int) uint32 {
	const magic = 6755399441055744 // 2^52 + 2^51
	return uint32(math.Float64bits(t.CheckNumber(i) + magic))
}

func pushBits(t *lua.Thread, v uint32) int {
	t.Push(lua.Number(float64(int32(v))))
	return 1
}

func bitToHex(t *lua.Thread) int {
	v := bitArg(t, 1)
	n := 8
	if !t.Arg(2).IsNil() {
		n = int(int32(bitArg(t, 2)))
	}
	digits := "0123456789abcdef"
	if n < 0 {
		n, digits = -n, "0123456789ABCDEF"
	}
	if n < 0 || n > 8 {
		n = 8
	}
	text := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		text[i] = digits[v&15]
		v >>= 4
	}
	t.Push(lua.String(string(text)))
	return 1
}

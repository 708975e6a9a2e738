package lua

import (
	"fmt"
	"math"
)

// compiler makes the instructions of one function. Registers are a stack: locals
// in the order of their scopes, then temporaries.
type compiler struct {
	p     *proto
	f     *function
	l     *State
	k     map[Value]int32  // numbers and others by value
	ks    map[string]int32 // strings by text
	free  int              // the first register that is not in use
	line  int
	loops [][]int // jumps of break, by loop
	open  []*local
}

// compile turns a parsed function into code.
func compile(l *State, f *function, source string) *proto {
	c := &compiler{f: f, l: l, k: map[Value]int32{}, ks: map[string]int32{}}
	c.p = &proto{params: len(f.params), vararg: f.vararg, argTable: -1, source: source, line: f.line, end: f.end}
	c.p.ups = append(c.p.ups, f.ups...)
	c.line = f.line
	c.reserve(len(f.params))
	c.declare(0, f.params)
	if f.arg != nil {
		at := c.reserve(1)
		if !f.usesVararg {
			c.p.argTable = at
		}
		c.declare(at, []*local{f.arg})
	}
	c.statements(f.body)
	c.line = f.end
	c.emit(opReturn, 0, 1, 0)
	c.closeScope(0)
	return c.p
}

func (c *compiler) emit(op opcode, a, b int, arg int) int {
	c.p.code = append(c.p.code, instruction{op, uint8(a), uint16(b), int32(arg)})
	c.p.lines = append(c.p.lines, int32(c.line))
	return len(c.p.code) - 1
}

// reserve takes n registers and returns the first.
func (c *compiler) reserve(n int) int {
	at := c.free
	c.free += n
	if c.free > c.p.stack {
		if c.free > maxRegisters {
			panic(&SyntaxError{fmt.Sprintf("%s:%d: function or expression too complex", chunkName(c.p.source), c.line)})
		}
		c.p.stack = c.free
	}
	return at
}

// declare makes locals of registers that hold their values.
func (c *compiler) declare(reg int, vars []*local) {
	for i, v := range vars {
		v.reg = reg + i
		if v.captured {
			v.cell = c.p.cells
			c.p.cells++
			c.p.cellNames = append(c.p.cellNames, v.name)
			c.emit(opNewCell, v.reg, 0, v.cell)
		}
		c.open = append(c.open, v)
		c.p.locals = append(c.p.locals, localRange{v.name, v.reg, len(c.p.code), math.MaxInt32})
	}
}

// closeScope ends the scope of all locals but the first n.
func (c *compiler) closeScope(n int) {
	for i := len(c.p.locals) - 1; i >= 0 && len(c.open) > n; i-- {
		if c.p.locals[i].end == math.MaxInt32 {
			c.p.locals[i].end = len(c.p.code)
			c.open = c.open[:len(c.open)-1]
		}
	}
}

func (c *compiler) number(n float64) int32 {
	key := Number(n)
	if n == 0 && math.Signbit(n) || n != n {
		c.p.k = append(c.p.k, key) // no key of a map is equal to it
		return int32(len(c.p.k) - 1)
	}
	at, ok := c.k[key]
	if !ok {
		at = int32(len(c.p.k))
		c.p.k = append(c.p.k, key)
		c.k[key] = at
	}
	return at
}

func (c *compiler) str(s string) int32 {
	at, ok := c.ks[s]
	if !ok {
		at = int32(len(c.p.k))
		c.p.k = append(c.p.k, c.l.intern(s))
		c.ks[s] = at
	}
	return at
}

// jumps

func (c *compiler) jump() int { return c.emit(opJump, 0, 0, 0) }

func (c *compiler) patch(jumps []int, target int) {
	for _, at := range jumps {
		c.p.code[at].c = int32(target - at - 1)
	}
}

func (c *compiler) patchHere(jumps []int) { c.patch(jumps, len(c.p.code)) }

func (c *compiler) loopTo(target int) {
	at := c.emit(opLoop, 0, 0, 0)
	c.p.code[at].c = int32(target - at - 1)
}

// statements

func (c *compiler) statements(b *block) {
	for _, s := range b.stmts {
		c.statement(s)
	}
}

// block compiles statements with a scope of their own.
func (c *compiler) block(b *block) {
	free, open := c.free, len(c.open)
	c.statements(b)
	c.closeScope(open)
	c.free = free
}

func (c *compiler) statement(s stmt) {
	free := c.free
	switch s := s.(type) {
	case *localStmt:
		c.line = s.line
		at := c.free
		c.values(s.exprs, len(s.vars))
		c.line = s.line
		c.declare(at, s.vars)
		return // its registers stay
	case *localFuncStmt:
		at := c.reserve(1)
		if s.v.captured {
			c.emit(opLoadNil, at, at, 0)
		}
		c.declare(at, []*local{s.v})
		if s.v.captured {
			c.emit(opSetCell, 0, c.closure(s.f), s.v.cell)
			c.free = at + 1
		} else {
			c.closureInto(s.f, at)
		}
		return
	case *assignStmt:
		c.assign(s)
	case *callStmt:
		c.line = s.line
		c.call(s.call, 1)
	case *doStmt:
		c.block(s.body)
	case *whileStmt:
		c.whileLoop(s)
	case *repeatStmt:
		c.repeatLoop(s)
	case *ifStmt:
		c.ifElse(s)
	case *numForStmt:
		c.numericFor(s)
	case *genForStmt:
		c.genericFor(s)
	case *returnStmt:
		c.returns(s)
	case *breakStmt:
		c.line = s.line
		last := len(c.loops) - 1
		c.loops[last] = append(c.loops[last], c.jump())
	}
	c.free = free
}

func (c *compiler) assign(s *assignStmt) {
	if len(s.targets) == 1 && len(s.exprs) == 1 {
		c.assignOne(s)
		return
	}
	// What the targets refer to is found before anything changes.
	prepared := make([]indexRegs, len(s.targets))
	for i, t := range s.targets {
		if ix, ok := t.(*indexExpr); ok {
			c.line = ix.line
			prepared[i].of = c.exprToNext(ix.of)
			if prepared[i].key = c.constantOperand(ix.key); prepared[i].key < 0 {
				prepared[i].key = c.exprToNext(ix.key)
			}
		}
	}
	at := c.free
	c.values(s.exprs, len(s.targets))
	c.line = s.line
	for i := len(s.targets) - 1; i >= 0; i-- {
		c.store(s.targets[i], prepared[i], at+i)
	}
}

type indexRegs struct{ of, key int }

func (c *compiler) assignOne(s *assignStmt) {
	e := s.exprs[0]
	switch t := s.targets[0].(type) {
	case *localExpr:
		if !t.v.captured {
			c.assignLocal(e, t.v.reg)
			return
		}
		v := c.operand(e)
		c.line = s.line
		c.emit(opSetCell, 0, c.short(v), t.v.cell)
	case *indexExpr:
		of := c.exprToAny(t.of)
		key := c.short(c.operand(t.key))
		v := c.operand(e)
		c.line = s.line
		c.emit(opSetIndex, of, key, v)
	default:
		v := c.operand(e)
		c.line = s.line
		c.store(t, indexRegs{}, v)
	}
}

// assignLocal writes an expression into a local. Those that would overwrite it
// before they have read it take a detour.
func (c *compiler) assignLocal(e expr, reg int) {
	for {
		inner, ok := e.(*parenExpr)
		if !ok {
			break
		}
		e = inner.a
	}
	switch e := e.(type) {
	case *tableExpr:
	case *binaryExpr:
		if e.op != binAnd && e.op != binOr {
			c.exprTo(e, reg)
			return
		}
	default:
		c.exprTo(e, reg)
		return
	}
	c.emit(opMove, reg, c.exprToNext(e), 0)
}

// store assigns an operand to a target whose table and key are in registers.
func (c *compiler) store(target expr, at indexRegs, operand int) {
	switch t := target.(type) {
	case *localExpr:
		if t.v.captured {
			c.emit(opSetCell, 0, c.short(operand), t.v.cell)
		} else {
			c.emit(opMove, t.v.reg, operand, 0)
		}
	case *upExpr:
		c.emit(opSetUp, 0, c.short(operand), t.index)
	case *globalExpr:
		c.emit(opSetGlobal, 0, c.short(operand), int(c.str(t.name)))
	case *indexExpr:
		c.emit(opSetIndex, at.of, c.short(at.key), operand)
	}
}

func (c *compiler) whileLoop(s *whileStmt) {
	start := len(c.p.code)
	out := c.condition(s.cond, false)
	c.loops = append(c.loops, nil)
	c.block(s.body)
	c.line = s.body.end
	c.loopTo(start)
	c.patchHere(out)
	c.endLoop()
}

func (c *compiler) endLoop() {
	last := len(c.loops) - 1
	c.patchHere(c.loops[last])
	c.loops = c.loops[:last]
}

func (c *compiler) repeatLoop(s *repeatStmt) {
	start := len(c.p.code)
	c.loops = append(c.loops, nil)
	free, open := c.free, len(c.open)
	c.statements(s.body)
	done := c.condition(s.cond, true)
	c.closeScope(open)
	c.free = free
	c.loopTo(start)
	c.patchHere(done)
	c.endLoop()
}

func (c *compiler) ifElse(s *ifStmt) {
	var done []int
	for i, cond := range s.conds {
		next := c.condition(cond, false)
		c.block(s.bodies[i])
		if i+1 < len(s.conds) || s.orElse != nil {
			done = append(done, c.jump())
		}
		c.patchHere(next)
	}
	if s.orElse != nil {
		c.block(s.orElse)
	}
	c.patchHere(done)
}

func (c *compiler) numericFor(s *numForStmt) {
	at := c.free
	c.line = s.line
	c.exprToNext(s.from)
	c.exprToNext(s.limit)
	if s.delta != nil {
		c.exprToNext(s.delta)
	} else {
		c.exprToNext(numberExpr(1))
	}
	c.line = s.line
	prep := c.emit(opForPrep, at, 0, 0)
	start := len(c.p.code)
	c.forBody(at, s.body, s.v)
	c.patchHere([]int{prep})
	c.line = s.line
	loop := c.emit(opForLoop, at, 0, 0)
	c.patch([]int{loop}, start)
	c.endLoop()
}

// forBody compiles the body of a for loop, whose state is in three registers, and
// behind them the variables.
func (c *compiler) forBody(at int, body *block, vars ...*local) {
	c.loops = append(c.loops, nil)
	open := len(c.open)
	first := c.reserve(len(vars))
	c.declare(first, vars)
	c.block(body)
	c.closeScope(open)
	c.free = at + 3
}

func (c *compiler) genericFor(s *genForStmt) {
	at := c.free
	c.line = s.line
	c.values(s.exprs, 3)
	c.line = s.line
	enter := c.jump()
	start := len(c.p.code)
	c.reserve(max(3, len(s.vars))) // the call of the iterator needs three
	c.free = at + 3
	c.forBody(at, s.body, s.vars...)
	c.patchHere([]int{enter})
	c.line = s.line
	c.emit(opTForCall, at, 0, len(s.vars))
	loop := c.emit(opTForLoop, at, 0, 0)
	c.patch([]int{loop}, start)
	c.endLoop()
}

func (c *compiler) returns(s *returnStmt) {
	c.line = s.line
	if len(s.exprs) == 1 {
		if call, ok := s.exprs[0].(*callExpr); ok {
			at := c.call(call, 0)
			last := &c.p.code[len(c.p.code)-1]
			last.op, last.c = opTail, 0
			c.emit(opReturn, at, 0, 0)
			return
		}
		if !isMulti(s.exprs[0]) {
			at := c.exprToAny(s.exprs[0])
			c.emit(opReturn, at, 2, 0)
			return
		}
	}
	at := c.free
	n := c.list(s.exprs)
	c.emit(opReturn, at, n+1, 0)
}

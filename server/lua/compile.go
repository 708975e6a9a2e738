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
	for i := range f.ups {
		c.p.ups = append(c.p.ups, f.ups[i])
	}
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

// expressions

func isMulti(e expr) bool {
	switch e.(type) {
	case *callExpr, varargExpr:
		return true
	}
	return false
}

// values evaluates expressions into n new registers.
func (c *compiler) values(exprs []expr, n int) {
	at := c.free
	for i, e := range exprs {
		switch {
		case i == len(exprs)-1 && isMulti(e) && n > i:
			c.multi(e, n-i+1)
			c.free = at + i
			c.reserve(n - i)
		case i < n:
			c.exprToNext(e)
		default: // evaluated for what it does
			free := c.free
			c.exprToNext(e)
			c.free = free
		}
	}
	if missing := at + n - c.free; missing > 0 {
		first := c.reserve(missing)
		c.emit(opLoadNil, first, first+missing-1, 0)
	}
}

// list evaluates expressions into new registers and returns how many, or -1 when
// the last one left an open number of values.
func (c *compiler) list(exprs []expr) int {
	for i, e := range exprs {
		if i == len(exprs)-1 && isMulti(e) {
			c.multi(e, 0)
			return -1
		}
		c.exprToNext(e)
	}
	return len(exprs)
}

// multi evaluates a call or ... for want-1 values at the next register, 0: all.
func (c *compiler) multi(e expr, want int) {
	if call, ok := e.(*callExpr); ok {
		c.call(call, want)
		return
	}
	c.emit(opVararg, c.reserve(1), want, 0)
}

// call compiles a call with want-1 results, which begin at the register returned,
// the one that was free. One is reserved.
func (c *compiler) call(e *callExpr, want int) int {
	at := c.free
	if e.method != "" {
		of := c.exprToAny(e.fn)
		c.free = at
		c.reserve(2)
		key := int(c.str(e.method)) + constant
		c.line = e.line
		c.emit(opSelf, at, of, key)
	} else {
		c.exprToNext(e.fn)
	}
	n := c.list(e.args)
	if n >= 0 && e.method != "" {
		n++
	}
	c.line = e.line
	c.emit(opCall, at, n+1, want)
	c.free = at
	c.reserve(1)
	return at
}

// exprToNext evaluates into the next register and returns it.
func (c *compiler) exprToNext(e expr) int {
	at := c.free
	c.reserve(1)
	c.exprTo(e, at)
	c.free = at + 1
	return at
}

// exprToAny evaluates into some register: a local stays where it is.
func (c *compiler) exprToAny(e expr) int {
	if p, ok := e.(*parenExpr); ok {
		return c.exprToAny(p.a)
	}
	if v, ok := e.(*localExpr); ok && !v.v.captured {
		return v.v.reg
	}
	return c.exprToNext(e)
}

// operand is exprToAny that leaves constants where they are.
func (c *compiler) operand(e expr) int {
	if k := c.constantOperand(e); k >= 0 {
		return k
	}
	return c.exprToAny(e)
}

// short moves a constant whose number is too high for a short operand.
func (c *compiler) short(operand int) int {
	if operand <= maxShortK+constant {
		return operand
	}
	at := c.reserve(1)
	c.emit(opLoadK, at, 0, operand-constant)
	return at
}

func (c *compiler) constantOperand(e expr) int {
	switch e := e.(type) {
	case numberExpr:
		return int(c.number(float64(e))) + constant
	case stringExpr:
		return int(c.str(string(e))) + constant
	case boolExpr:
		return c.other(Bool(bool(e)))
	case nilExpr:
		return c.other(Nil)
	}
	return -1
}

func (c *compiler) other(v Value) int {
	at, ok := c.k[v]
	if !ok {
		at = int32(len(c.p.k))
		c.p.k = append(c.p.k, v)
		c.k[v] = at
	}
	return int(at) + constant
}

// exprTo evaluates into a register.
func (c *compiler) exprTo(e expr, to int) {
	switch e := e.(type) {
	case nilExpr:
		c.emit(opLoadNil, to, to, 0)
	case boolExpr:
		b := 0
		if e {
			b = 1
		}
		c.emit(opLoadBool, to, b, 0)
	case numberExpr:
		c.emit(opLoadK, to, 0, int(c.number(float64(e))))
	case stringExpr:
		c.emit(opLoadK, to, 0, int(c.str(string(e))))
	case varargExpr:
		c.emit(opVararg, to, 2, 0)
	case *localExpr:
		if e.v.captured {
			c.emit(opGetCell, to, 0, e.v.cell)
		} else if e.v.reg != to {
			c.emit(opMove, to, e.v.reg, 0)
		}
	case *upExpr:
		c.emit(opGetUp, to, 0, e.index)
	case *globalExpr:
		c.line = e.line
		c.emit(opGetGlobal, to, 0, int(c.str(e.name)))
	case *indexExpr:
		c.index(e, to)
	case *callExpr:
		free := c.free
		if at := c.call(e, 2); at != to {
			c.emit(opMove, to, at, 0)
		}
		c.free = free
	case *funcExpr:
		c.closureInto(e.f, to)
	case *unaryExpr:
		c.unary(e, to)
	case *binaryExpr:
		c.binary(e, to)
	case *tableExpr:
		c.table(e, to)
	case *parenExpr:
		c.exprTo(e.a, to)
	}
}

func (c *compiler) index(e *indexExpr, to int) {
	free := c.free
	of := c.exprToAny(e.of)
	if key, ok := e.key.(stringExpr); ok {
		c.line = e.line
		c.emit(opGetField, to, of, int(c.str(string(key))))
	} else {
		key := c.operand(e.key)
		c.line = e.line
		c.emit(opGetIndex, to, of, key)
	}
	c.free = free
}

func (c *compiler) unary(e *unaryExpr, to int) {
	free := c.free
	a := c.short(c.operand(e.a))
	c.line = e.line
	c.emit([...]opcode{opUnm, opNot, opLen}[e.op], to, a, 0)
	c.free = free
}

func (c *compiler) binary(e *binaryExpr, to int) {
	free := c.free
	switch {
	case e.op <= binPow:
		a := c.short(c.operand(e.a))
		b := c.operand(e.b)
		c.line = e.line
		c.emit(opAdd+opcode(e.op), to, a, b)
	case e.op == binConcat:
		first := c.free
		last := c.concatOperands(e)
		c.line = e.line
		c.emit(opConcat, to, first, last)
	case e.op == binAnd || e.op == binOr:
		c.exprTo(e.a, to)
		keep := 0
		if e.op == binOr {
			keep = 1
		}
		c.emit(opTest, keep, to, 0)
		end := c.jump()
		c.exprTo(e.b, to)
		c.patchHere([]int{end})
	default:
		yes := c.condition(e, true)
		c.emit(opLoadBool, to, 0, 0)
		end := c.jump()
		c.patchHere(yes)
		c.emit(opLoadBool, to, 1, 0)
		c.patchHere([]int{end})
	}
	c.free = free
}

// concatOperands puts all operands of a chain side by side and returns the last
// register.
func (c *compiler) concatOperands(e *binaryExpr) int {
	c.exprToNext(e.a)
	if right, ok := e.b.(*binaryExpr); ok && right.op == binConcat {
		return c.concatOperands(right)
	}
	return c.exprToNext(e.b)
}

// condition compiles a test and returns the jumps that are taken when its truth is
// when; otherwise execution goes on behind it.
func (c *compiler) condition(e expr, when bool) []int {
	if always(e, when) {
		return []int{c.jump()}
	}
	if always(e, !when) {
		return nil
	}
	switch e := e.(type) {
	case *unaryExpr:
		if e.op == unNot {
			return c.condition(e.a, !when)
		}
	case *parenExpr:
		return c.condition(e.a, when)
	case *binaryExpr:
		switch e.op {
		case binAnd, binOr:
			return c.junction(e, when)
		case binEq, binNe, binLt, binLe, binGt, binGe:
			return c.comparison(e, when)
		}
	}
	free := c.free
	at := c.exprToAny(e)
	c.free = free
	c.emit(opTest, flag(when), at, 0)
	return []int{c.jump()}
}

func (c *compiler) junction(e *binaryExpr, when bool) []int {
	if (e.op == binAnd) != when {
		// and when false, or when true: either operand decides alone.
		first := c.condition(e.a, when)
		return append(first, c.condition(e.b, when)...)
	}
	skip := c.condition(e.a, !when)
	jumps := c.condition(e.b, when)
	c.patchHere(skip)
	return jumps
}

func (c *compiler) comparison(e *binaryExpr, when bool) []int {
	free := c.free
	a := c.short(c.operand(e.a))
	b := c.short(c.operand(e.b))
	op := opEq
	switch e.op {
	case binNe:
		when = !when
	case binLt:
		op = opLt
	case binLe:
		op = opLe
	case binGt:
		op, a, b = opLt, b, a
	case binGe:
		op, a, b = opLe, b, a
	}
	c.free = free
	c.line = e.line
	c.emit(op, flag(when), a, b)
	return []int{c.jump()}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// flushEvery is how many elements of a table constructor are set at a time.
const flushEvery = 50

func (c *compiler) table(e *tableExpr, to int) {
	free := c.free
	if to != free-1 {
		to2 := c.reserve(1)
		c.tableInto(e, to2)
		c.emit(opMove, to, to2, 0)
	} else {
		c.tableInto(e, to)
	}
	c.free = free
}

func (c *compiler) tableInto(e *tableExpr, to int) {
	c.line = e.line
	made := c.emit(opNewTable, to, 0, 0)
	pending, done, keys := 0, 0, 0
	for i, item := range e.items {
		if item.key != nil {
			free := c.free
			key := c.short(c.operand(item.key))
			v := c.operand(item.val)
			c.line = item.line
			c.emit(opSetIndex, to, key, v)
			c.free = free
			keys++
			continue
		}
		if i == len(e.items)-1 && isMulti(item.val) {
			c.multi(item.val, 0)
			c.emit(opSetList, to, 0, done)
			pending = 0
			break
		}
		c.exprToNext(item.val)
		if pending++; pending == flushEvery {
			c.emit(opSetList, to, pending, done)
			done += pending
			pending, c.free = 0, to+1
		}
	}
	if pending > 0 {
		c.emit(opSetList, to, pending, done)
		done += pending
	}
	ins := &c.p.code[made]
	ins.b, ins.c = uint16(min(roundSize(done), math.MaxUint16)), int32(roundSize(keys))
}

// roundSize rounds a table's size the way 5.1 stores it in an instruction: three
// significant bits.
func roundSize(n int) int {
	shift := 0
	for n >= 16 {
		n = (n + 1) >> 1
		shift++
	}
	return n << shift
}

// closure compiles a function into the next register and returns it.
func (c *compiler) closure(f *function) int {
	at := c.reserve(1)
	c.closureInto(f, at)
	return at
}

func (c *compiler) closureInto(f *function, to int) {
	sub := compile(c.l, f, c.p.source)
	c.p.protos = append(c.p.protos, sub)
	c.line = f.end
	c.emit(opClosure, to, 0, len(c.p.protos)-1)
}

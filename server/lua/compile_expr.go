package lua

import "math"

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

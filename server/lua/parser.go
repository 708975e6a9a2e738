package lua

import (
	"fmt"
	"math"
)

// Limits of the language, from 5.1.
const (
	maxLocals   = 200
	maxUpvalues = 60
	maxNesting  = 200
	// maxChain bounds operations in a row, such as 1+1+1: each makes the tree one
	// level deeper. This one is ours.
	maxChain = 10000
)

type parser struct {
	lexer
	fn    *function
	depth int // nesting of statements and expressions
}

// parse makes a tree of a chunk, or panics with a *SyntaxError.
func parse(source, src string) *function {
	p := &parser{lexer: lexer{source: source, src: src, line: 1}}
	f := &function{vararg: true}
	p.fn = f
	p.next()
	f.body = p.block()
	if p.tok != tokEOF {
		p.expected("<eof>")
	}
	f.end = p.line
	return f
}

func (p *parser) expected(what string) { p.failHere("'" + what + "' expected") }

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail("chunk has too many syntax levels", "")
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) accept(t token) bool {
	if p.tok != t {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(t token) {
	if !p.accept(t) {
		p.expected(t.String())
	}
}

// expectClosing wants what closes something that was opened on a line.
func (p *parser) expectClosing(what, opened token, line int) {
	if p.accept(what) {
		return
	}
	if line == p.line {
		p.expected(what.String())
	}
	p.failHere(fmt.Sprintf("'%s' expected (to close '%s' at line %d)", what, opened, line))
}

func (p *parser) name() string {
	if p.tok != tokName {
		p.expected("<name>")
	}
	name := p.text
	p.next()
	return name
}

// declare makes a local that is not in scope yet.
func (p *parser) declare(name string) *local { return &local{name: name} }

func (p *parser) activate(vars ...*local) {
	p.fn.active = append(p.fn.active, vars...)
	if len(p.fn.active) > maxLocals {
		p.tooMany(maxLocals, "local variables")
	}
}

func (p *parser) tooMany(limit int, what string) {
	if p.fn.line == 0 {
		p.failHere(fmt.Sprintf("main function has more than %d %s", limit, what))
	}
	p.failHere(fmt.Sprintf("function at line %d has more than %d %s", p.fn.line, limit, what))
}

// resolve finds out what a name means.
func (p *parser) resolve(name string) expr {
	if v := p.fn.lookup(name); v != nil {
		return &localExpr{v}
	}
	if i := p.upvalue(p.fn, name); i >= 0 {
		return &upExpr{i}
	}
	return &globalExpr{name, p.prev}
}

func (f *function) lookup(name string) *local {
	for i := len(f.active) - 1; i >= 0; i-- {
		if f.active[i].name == name {
			return f.active[i]
		}
	}
	return nil
}

func (p *parser) upvalue(f *function, name string) int {
	if f.parent == nil {
		return -1
	}
	for i := range f.ups {
		if f.ups[i].name == name {
			return i
		}
	}
	u := upvalue{name: name}
	if v := f.parent.lookup(name); v != nil {
		v.captured = true
		u.local = v
	} else if u.index = p.upvalue(f.parent, name); u.index < 0 {
		return -1
	}
	f.ups = append(f.ups, u)
	if len(f.ups) > maxUpvalues {
		p.tooMany(maxUpvalues, "upvalues")
	}
	return len(f.ups) - 1
}

func (p *parser) blockEnds() bool {
	switch p.tok {
	case tokEOF, tokEnd, tokElse, tokElseif, tokUntil:
		return true
	}
	return false
}

// block parses statements; its locals go out of scope.
func (p *parser) block() *block {
	scope := len(p.fn.active)
	b := p.openBlock()
	p.fn.active = p.fn.active[:scope]
	return b
}

// openBlock is block with the locals still in scope.
func (p *parser) openBlock() *block {
	p.enter()
	defer p.leave()
	b := &block{}
	for last := false; !last && !p.blockEnds(); {
		var s stmt
		s, last = p.statement()
		b.stmts = append(b.stmts, s)
		p.accept(';')
	}
	b.end = p.line
	return b
}

// loopBody parses the block of a loop, in which break is possible.
func (p *parser) loopBody() *block {
	p.fn.loops++
	defer func() { p.fn.loops-- }()
	return p.block()
}

func (p *parser) statement() (s stmt, last bool) {
	line := p.line
	switch p.tok {
	case tokIf:
		return p.ifStatement(line), false
	case tokWhile:
		p.next()
		cond := p.expression()
		p.expect(tokDo)
		body := p.loopBody()
		p.expectClosing(tokEnd, tokWhile, line)
		return &whileStmt{cond, body, line}, false
	case tokDo:
		p.next()
		body := p.block()
		p.expectClosing(tokEnd, tokDo, line)
		return &doStmt{body}, false
	case tokFor:
		return p.forStatement(line), false
	case tokRepeat:
		return p.repeatStatement(line), false
	case tokFunction:
		return p.functionStatement(line), false
	case tokLocal:
		p.next()
		if p.accept(tokFunction) {
			v := p.declare(p.name())
			p.activate(v)
			return &localFuncStmt{v, p.functionBody(false, p.line)}, false
		}
		return p.localStatement(line), false
	case tokReturn:
		p.next()
		r := &returnStmt{line: line}
		if !p.blockEnds() && p.tok != ';' {
			r.exprs = p.expressions()
		}
		return r, true
	case tokBreak:
		p.next()
		if p.fn.loops == 0 {
			p.failHere("no loop to break")
		}
		return &breakStmt{line}, true
	}
	return p.expressionStatement(line), false
}

func (p *parser) ifStatement(line int) stmt {
	s := &ifStmt{line: line}
	for first := true; first || p.tok == tokElseif; first = false {
		p.next()
		s.conds = append(s.conds, p.expression())
		p.expect(tokThen)
		s.bodies = append(s.bodies, p.block())
	}
	if p.accept(tokElse) {
		s.orElse = p.block()
	}
	p.expectClosing(tokEnd, tokIf, line)
	return s
}

func (p *parser) repeatStatement(line int) stmt {
	p.next()
	scope := len(p.fn.active)
	p.fn.loops++
	body := p.openBlock()
	p.fn.loops--
	p.expectClosing(tokUntil, tokRepeat, line)
	cond := p.expression()
	p.fn.active = p.fn.active[:scope]
	return &repeatStmt{body, cond, line}
}

func (p *parser) forStatement(line int) stmt {
	p.next()
	first := p.name()
	switch p.tok {
	case '=':
		return p.numericFor(first, line)
	case ',', tokIn:
		return p.genericFor(first, line)
	}
	p.failHere("'=' or 'in' expected")
	return nil
}

func (p *parser) numericFor(name string, line int) stmt {
	p.next()
	s := &numForStmt{v: p.declare(name), line: line}
	s.from = p.expression()
	p.expect(',')
	s.limit = p.expression()
	if p.accept(',') {
		s.delta = p.expression()
	}
	s.body = p.forBody(line, s.v)
	return s
}

func (p *parser) genericFor(name string, line int) stmt {
	s := &genForStmt{vars: []*local{p.declare(name)}, line: line}
	for p.accept(',') {
		s.vars = append(s.vars, p.declare(p.name()))
	}
	p.expect(tokIn)
	s.line = p.line
	s.exprs = p.expressions()
	s.body = p.forBody(line, s.vars...)
	return s
}

func (p *parser) forBody(line int, vars ...*local) *block {
	p.expect(tokDo)
	scope := len(p.fn.active)
	// The loop's own state counts as three locals.
	p.activate(&local{name: "(for state)"}, &local{name: "(for state)"}, &local{name: "(for state)"})
	p.activate(vars...)
	body := p.loopBody()
	p.fn.active = p.fn.active[:scope]
	p.expectClosing(tokEnd, tokFor, line)
	return body
}

func (p *parser) functionStatement(line int) stmt {
	p.next()
	target := p.resolve(p.name())
	method := false
	for p.tok == '.' || p.tok == ':' {
		method = p.tok == ':'
		p.next()
		at := p.line
		target = &indexExpr{target, stringExpr(p.name()), at}
		if method {
			break
		}
	}
	f := p.functionBody(method, line)
	return &assignStmt{[]expr{target}, []expr{&funcExpr{f}}, line}
}

func (p *parser) localStatement(line int) stmt {
	s := &localStmt{line: line}
	for first := true; first || p.accept(','); first = false {
		s.vars = append(s.vars, p.declare(p.name()))
	}
	if p.accept('=') {
		s.exprs = p.expressions()
	}
	s.line = p.prev
	p.activate(s.vars...)
	return s
}

func (p *parser) expressionStatement(line int) stmt {
	e := p.suffixed()
	if call, ok := e.(*callExpr); ok && p.tok != '=' && p.tok != ',' {
		return &callStmt{call, line}
	}
	targets := []expr{e}
	for p.accept(',') {
		targets = append(targets, p.suffixed())
		if len(targets) > maxNesting {
			p.failHere(fmt.Sprintf("function at line %d has more than %d variables in assignment", p.fn.line, maxNesting))
		}
	}
	for _, t := range targets {
		switch t.(type) {
		case *localExpr, *upExpr, *globalExpr, *indexExpr:
		default:
			p.failHere("syntax error")
		}
	}
	p.expect('=')
	s := &assignStmt{targets: targets, line: line}
	s.exprs = p.expressions()
	s.line = p.prev
	return s
}

func (p *parser) expressions() []expr {
	list := []expr{p.expression()}
	for p.accept(',') {
		list = append(list, p.expression())
	}
	return list
}

// functionBody parses parameters and body; the keyword and the name are behind us.
func (p *parser) functionBody(method bool, line int) *function {
	f := &function{parent: p.fn, line: line}
	p.fn = f
	p.expect('(')
	if method {
		f.params = append(f.params, p.declare("self"))
	}
	if p.tok != ')' {
		p.parameters(f)
	}
	p.activate(f.params...)
	p.expect(')')
	if f.vararg {
		// Code from before 5.1 finds the further arguments in a table.
		f.arg = p.declare("arg")
		p.activate(f.arg)
	}
	f.body = p.block()
	f.end = p.line
	p.expectClosing(tokEnd, tokFunction, line)
	p.fn = f.parent
	return f
}

func (p *parser) parameters(f *function) {
	for first := true; first || p.accept(','); first = false {
		switch p.tok {
		case tokName:
			f.params = append(f.params, p.declare(p.name()))
		case tokDots:
			p.next()
			f.vararg = true
			return
		default:
			p.failHere("<name> or '...' expected")
		}
	}
}

// binaryOps gives each operator how tightly it binds to the left and to the right.
var binaryOps = map[token]struct {
	op          binaryOp
	left, right int
}{
	'+': {binAdd, 6, 6}, '-': {binSub, 6, 6}, '*': {binMul, 7, 7}, '/': {binDiv, 7, 7}, '%': {binMod, 7, 7},
	'^': {binPow, 10, 9}, tokConcat: {binConcat, 5, 4},
	tokNe: {binNe, 3, 3}, tokEq: {binEq, 3, 3}, '<': {binLt, 3, 3}, tokLe: {binLe, 3, 3}, '>': {binGt, 3, 3}, tokGe: {binGe, 3, 3},
	tokAnd: {binAnd, 2, 2}, tokOr: {binOr, 1, 1},
}

const unaryPriority = 8

func (p *parser) expression() expr { return p.subexpression(0) }

// subexpression parses as long as operators bind more tightly than limit.
func (p *parser) subexpression(limit int) expr {
	p.enter()
	defer p.leave()
	var e expr
	switch p.tok {
	case tokNot:
		e = p.unary(unNot)
	case '-':
		e = p.unary(unMinus)
	case '#':
		e = p.unary(unLen)
	default:
		e = p.simple()
	}
	for chain := 0; ; {
		op, ok := binaryOps[p.tok]
		if !ok || op.left <= limit {
			return e
		}
		p.next()
		right := p.subexpression(op.right)
		e = fold(&binaryExpr{op.op, e, right, p.prev})
		if chain++; chain > maxChain {
			p.fail("chunk has too many syntax levels", "")
		}
	}
}

// fold computes an operation whose operands are known already. Results that are no
// ordinary numbers are left to the machine.
func fold(e *binaryExpr) expr {
	if e.op == binAnd && always(e.a, true) || e.op == binOr && always(e.a, false) {
		if isMulti(e.b) {
			return &parenExpr{e.b}
		}
		return e.b
	}
	a, ok1 := e.a.(numberExpr)
	b, ok2 := e.b.(numberExpr)
	if !ok1 || !ok2 || e.op > binPow || (e.op == binDiv || e.op == binMod) && b == 0 {
		return e
	}
	if n := arithmetic(opAdd+opcode(e.op), float64(a), float64(b)); !math.IsNaN(n) {
		return numberExpr(n)
	}
	return e
}

// always says whether the truth of an expression is known and this.
func always(e expr, truth bool) bool {
	switch e := e.(type) {
	case nilExpr:
		return !truth
	case boolExpr:
		return bool(e) == truth
	case numberExpr, stringExpr:
		return truth
	}
	return false
}

func (p *parser) unary(op unaryOp) expr {
	p.next()
	operand := p.subexpression(unaryPriority)
	if n, ok := operand.(numberExpr); ok && op == unMinus {
		return -n
	}
	return &unaryExpr{op, operand, p.prev}
}

func (p *parser) simple() expr {
	var e expr
	switch p.tok {
	case tokNumber:
		e = numberExpr(p.num)
	case tokString:
		e = stringExpr(p.text)
	case tokNil:
		e = nilExpr{}
	case tokTrue:
		e = boolExpr(true)
	case tokFalse:
		e = boolExpr(false)
	case tokDots:
		if !p.fn.vararg {
			p.failHere("cannot use '...' outside a vararg function")
		}
		p.fn.usesVararg = true
		e = varargExpr{}
	case '{':
		return p.table()
	case tokFunction:
		line := p.line
		p.next()
		return &funcExpr{p.functionBody(false, line)}
	default:
		return p.suffixed()
	}
	p.next()
	return e
}

func (p *parser) primary() expr {
	switch p.tok {
	case '(':
		line := p.line
		p.next()
		e := p.expression()
		p.expectClosing(')', '(', line)
		switch e.(type) {
		case numberExpr, stringExpr, boolExpr, nilExpr:
			return e
		}
		return &parenExpr{e}
	case tokName:
		return p.resolve(p.name())
	}
	p.failHere("unexpected symbol")
	return nil
}

func (p *parser) suffixed() expr {
	e := p.primary()
	for chain := 0; ; chain++ {
		if chain > maxChain {
			p.fail("chunk has too many syntax levels", "")
		}
		line := p.line
		switch p.tok {
		case '.':
			p.next()
			e = &indexExpr{e, stringExpr(p.name()), line}
		case '[':
			p.next()
			key := p.expression()
			p.expect(']')
			e = &indexExpr{e, key, line}
		case ':':
			p.next()
			name := p.name()
			line = p.line
			e = &callExpr{e, name, p.arguments(line), line}
		case '(', tokString, '{':
			e = &callExpr{e, "", p.arguments(line), line}
		default:
			return e
		}
	}
}

func (p *parser) arguments(line int) []expr {
	switch p.tok {
	case '(':
		if p.line != p.prev {
			p.failHere("ambiguous syntax (function call x new statement)")
		}
		opened := p.line
		p.next()
		if p.accept(')') {
			return nil
		}
		args := p.expressions()
		p.expectClosing(')', '(', opened)
		return args
	case '{':
		return []expr{p.table()}
	case tokString:
		e := stringExpr(p.text)
		p.next()
		return []expr{e}
	}
	p.failHere("function arguments expected")
	return nil
}

func (p *parser) table() expr {
	line := p.line
	t := &tableExpr{line: line}
	p.expect('{')
	for p.tok != '}' {
		t.items = append(t.items, p.tableItem())
		if !p.accept(',') && !p.accept(';') {
			break
		}
	}
	p.expectClosing('}', '{', line)
	return t
}

func (p *parser) tableItem() tableItem {
	line := p.line
	switch {
	case p.tok == tokName && p.peek() == '=':
		key := stringExpr(p.name())
		p.next()
		return tableItem{key, p.expression(), line}
	case p.tok == '[':
		p.next()
		key := p.expression()
		p.expect(']')
		p.expect('=')
		return tableItem{key, p.expression(), line}
	}
	return tableItem{nil, p.expression(), line}
}

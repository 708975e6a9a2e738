package lua

// Expressions. Names are resolved: a local, a variable of an enclosing function, or
// a global.
type (
	expr interface{}

	nilExpr    struct{}
	boolExpr   bool
	numberExpr float64
	stringExpr string
	varargExpr struct{}
	localExpr  struct{ v *local }
	upExpr     struct{ index int }
	globalExpr struct {
		name string
		line int
	}

	indexExpr struct {
		of, key expr
		line    int
	}
	callExpr struct {
		fn     expr
		method string // of obj:method(...): fn is obj
		args   []expr
		line   int
	}
	funcExpr   struct{ f *function }
	binaryExpr struct {
		op   binaryOp
		a, b expr
		line int
	}
	unaryExpr struct {
		op   unaryOp
		a    expr
		line int
	}
	tableExpr struct {
		items []tableItem
		line  int
	}
	parenExpr struct{ a expr }
)

type tableItem struct {
	key  expr // nil: the next number
	val  expr
	line int
}

type binaryOp uint8

const (
	binAdd binaryOp = iota
	binSub
	binMul
	binDiv
	binMod
	binPow
	binConcat
	binEq
	binNe
	binLt
	binLe
	binGt
	binGe
	binAnd
	binOr
)

type unaryOp uint8

const (
	unMinus unaryOp = iota
	unNot
	unLen
)

// Statements.
type (
	stmt interface{}

	localStmt struct {
		vars  []*local
		exprs []expr
		line  int
	}
	localFuncStmt struct {
		v *local
		f *function
	}
	assignStmt struct {
		targets []expr
		exprs   []expr
		line    int
	}
	callStmt struct {
		call *callExpr
		line int
	}
	doStmt    struct{ body *block }
	whileStmt struct {
		cond expr
		body *block
		line int
	}
	repeatStmt struct {
		body *block // the condition sees its locals
		cond expr
		line int
	}
	ifStmt struct {
		conds  []expr
		bodies []*block
		orElse *block
		line   int
	}
	numForStmt struct {
		v                  *local
		from, limit, delta expr // delta may be nil
		body               *block
		line               int
	}
	genForStmt struct {
		vars  []*local
		exprs []expr
		body  *block
		line  int
	}
	returnStmt struct {
		exprs []expr
		line  int
	}
	breakStmt struct{ line int }
)

type block struct {
	stmts []stmt
	end   int // line of what closes it
}

// local is a local variable.
type local struct {
	name     string
	captured bool // a closure refers to it: it lives in a cell
	reg      int  // set by the compiler
	cell     int  // likewise, when captured
}

// function is a function while it is parsed.
type function struct {
	parent     *function
	line, end  int
	params     []*local
	vararg     bool
	usesVararg bool // has ... in its body
	arg        *local
	ups        []upvalue
	body       *block

	active []*local // in scope, innermost last
	loops  int
}

// upvalue says where a closure finds a variable of an enclosing function.
type upvalue struct {
	name  string
	local *local // of the enclosing function; nil: its upvalue index
	index int
}

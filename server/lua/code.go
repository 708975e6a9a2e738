package lua

// opcode is an operation of the machine. R is a register of the function, K a
// constant, RK either (see instruction), up a variable of an enclosing function,
// cell a local variable that closures refer to.
type opcode uint8

const (
	opMove      opcode = iota // R[a] = R[b]
	opLoadK                   // R[a] = K[c]
	opLoadNil                 // R[a..b] = nil
	opLoadBool                // R[a] = (b != 0)
	opNewCell                 // cell[c] = new cell with R[a]
	opGetCell                 // R[a] = cell[c]
	opSetCell                 // cell[c] = RK[b]
	opGetUp                   // R[a] = up[c]
	opSetUp                   // up[c] = RK[b]
	opGetGlobal               // R[a] = env[K[c]]
	opSetGlobal               // env[K[c]] = RK[b]
	opGetField                // R[a] = R[b][K[c]], K a string
	opGetIndex                // R[a] = R[b][RK[c]]
	opSetIndex                // R[a][RK[b]] = RK[c]
	opNewTable                // R[a] = {} with room for b elements and c keys
	opSelf                    // R[a+1] = R[b]; R[a] = R[b][RK[c]]
	opAdd                     // R[a] = RK[b] + RK[c], and so on
	opSub
	opMul
	opDiv
	opMod
	opPow
	opUnm     // R[a] = -RK[b]
	opNot     // R[a] = not RK[b]
	opLen     // R[a] = #RK[b]
	opConcat  // R[a] = R[b] .. ... .. R[c]
	opJump    // pc += c
	opLoop    // pc += c, backwards
	opEq      // if (RK[b] == RK[c]) == (a != 0) then the jump that follows, else skip it
	opLt      // likewise <
	opLe      // likewise <=
	opTest    // if truth(R[b]) == (a != 0) then the jump that follows, else skip it
	opCall    // R[a..] = R[a](R[a+1..a+b-1]), c-1 results; b 0: up to the top, c 0: all
	opTail    // return R[a](R[a+1..a+b-1])
	opReturn  // return R[a..a+b-2]; b 0: up to the top
	opForPrep // the numeric loop with its state at R[a..a+2]: check it, pc += c
	opForLoop // next step: R[a+3] = index, pc += c; or go on behind
	opTForCall
	opTForLoop // if R[a+3] is not nil, it is the new control variable and pc += c
	opSetList  // R[a][c+i] = R[a+i] for i from 1 to b; b 0: up to the top
	opClosure  // R[a] = closure of proto[c]
	opVararg   // R[a..a+b-2] = ...; b 0: all
)

// instruction is an operation with operands. Where an operand may be a register or
// a constant, constants begin at constant.
type instruction struct {
	op opcode
	a  uint8
	b  uint16
	c  int32
}

const (
	constant     = 256
	maxRegisters = 250
	maxShortK    = 1<<16 - 1 - constant // constants that fit into b
)

// proto is a compiled function.
type proto struct {
	code   []instruction
	lines  []int32 // of each instruction
	k      []Value
	protos []*proto
	ups    []upvalue

	params   int
	vararg   bool
	argTable int // register of the table of further arguments; -1: none
	stack    int // registers
	cells    int

	source    string
	line, end int
	locals    []localRange // for messages
	cellNames []string
}

// localRange says when a register is a local variable.
type localRange struct {
	name       string
	reg        int
	start, end int // instructions
}

// bytes is about what the function and those in it occupy.
func (p *proto) bytes() int {
	n := 200 + len(p.code)*12 + len(p.k)*valueBytes + len(p.locals)*48 + len(p.ups)*40
	for _, k := range p.k {
		if k.IsString() {
			n += stringBytes + len(k.o.s)
		}
	}
	for _, sub := range p.protos {
		n += sub.bytes()
	}
	return n
}

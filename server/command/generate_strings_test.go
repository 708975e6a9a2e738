package command

// templates are commands with placeholders: k a key, v a value, n an integer,
// s a small integer, t a time to live in seconds, m in milliseconds, S and M
// points in time, f a float, g a pattern, d a database, o a bit offset, w a
// field's type, r a payload, c a cursor. "[a|b]" takes one of the alternatives,
// an empty one included; "(x)*" repeats.
var templates = lines(`
GET k
GET k
SET k v
SET k v
SET k v [|NX|XX] [|GET] [|EX t|PX m|EXAT S|PXAT M|KEEPTTL] [||nx|get|PXAT 1|XX|EX n]
SET k v PXAT 1
SETNX k v
SETEX k [t|t|n] v
PSETEX k [m|m|n] v
GETSET k v
GETDEL k
GETEX k [|EX t|PX m|EXAT S|PXAT M|PERSIST|EXAT 1|PXAT 5|EX n] [|||PERSIST|XX]
MGET (k)*
MSET (k v)* [|||v]
MSETNX (k v)* [|||v]
APPEND k v
STRLEN k
SETRANGE k [s|s|s|n] v
GETRANGE k [s|s|n] [s|s|n]
SUBSTR k s s
INCR k
DECR k
INCRBY k [n|s]
DECRBY k [n|s]
INCRBYFLOAT k [f|f|n|v]
LCS k k [|LEN|IDX] [|WITHMATCHLEN] [|MINMATCHLEN s] [||||IDX]
DEL (k)*
UNLINK (k)*
EXISTS (k)*
TOUCH (k)*
TYPE k
RENAME k k
RENAMENX k k
COPY k k [|REPLACE] [|DB d]
MOVE k d
EXPIRE k [t|t|n] [|NX|XX|GT|LT] [|||NX|GT|XX|zz]
PEXPIRE k [m|m|n] [|NX|XX|GT|LT]
EXPIREAT k [S|S|n|5] [|NX|XX|GT|LT]
PEXPIREAT k [M|M|n|5] [|NX|XX|GT|LT]
TTL k
PTTL k
EXPIRETIME k
PEXPIRETIME k
PERSIST k
KEYS g
SCAN c COUNT 1000 [|MATCH g] [|COUNT s|COUNT 0|COUNT x] COUNT 1000 [|TYPE string|TYPE hash] [||||zz]
OBJECT ENCODING k
OBJECT REFCOUNT k
OBJECT IDLETIME k
OBJECT FREQ k
OBJECT zz k
DUMP k
RESTORE k [0|0|m|n] r [|REPLACE] [|IDLETIME s|FREQ s|FREQ n]
RESTORE k [M|5|n] r ABSTTL [|REPLACE]
SORT k [|ASC|ALPHA|LIMIT 0 5|STORE k|BY v|zz]
DBSIZE
SELECT d
SWAPDB d d
SWAPDB [n|d] [v|d]
FLUSHDB [|ASYNC|SYNC|zz]
SETBIT k o [0|1|1|s]
GETBIT k o
BITCOUNT k [|s s|s s BIT|s s BYTE|s|s s zz|n n]
BITPOS k [0|1|s] [|s|s s|s s BIT|s s BYTE|s s zz]
BITOP [AND|OR|XOR|NOT|zz] k (k)*
BITFIELD k (b)*
BITFIELD k (b)*
BITFIELD k OVERFLOW [WRAP|SAT|FAIL] (b)*
BITFIELD_RO k [|GET w o|GET w o GET w o|SET w o s]
COMMAND COUNT n
COMMAND GETKEYS SET k v
COMMAND GETKEYS MSET (k v)*
COMMAND GETKEYSANDFLAGS [SET k v|SET k v GET|COPY k k|GETEX k|BITFIELD k|SORT k STORE k]
COMMAND LIST zz
nosuch k v
`)

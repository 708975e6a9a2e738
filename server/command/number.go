package command

import (
	"strconv"

	"github.com/lockstep-db/lockstep/server/resp"
)

func parseInt(b []byte) (int64, bool) { return resp.ParseInt(b) }

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

package server_test

import (
	"testing"

	"github.com/lockstep-db/lockstep/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

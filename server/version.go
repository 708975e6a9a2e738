package server

import "github.com/lockstep-db/lockstep/api/instance"

// compatVersion is the version of Redis whose behaviour this server has. Clients
// read it from INFO and HELLO to decide what they may use.
const compatVersion = "7.2.4"

// Version is the version of Lockstep, stamped by the build.
func Version() string { return instance.Version }

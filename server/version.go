package server

import "runtime/debug"

// compatVersion is the version of Redis whose behaviour this server has. Clients
// read it from INFO and HELLO to decide what they may use.
const compatVersion = "7.0.15"

// release is the version of Lockstep; a release build sets it with -ldflags -X.
var release = ""

// Version is the version of Lockstep.
func Version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}

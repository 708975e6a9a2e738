// Package script runs scripts and function libraries in the sandbox that clients
// know: the redis and server tables, cjson, cmsgpack, bit and struct beside Lua's
// own library, globals that can not be changed, and errors and replies converted as
// they expect.
//
// The server is behind the interface Host: the package knows no connections and no
// data, and does not know whether a command may run. An Engine belongs to one
// goroutine, that of its host.
//
//	engine.go     the sandbox, and running a script in it
//	api.go        the functions of the redis table
//	convert.go    replies from commands to Lua, and from Lua to clients
//	libraries.go  function libraries: loading and calling
//	cjson*.go, cmsgpack.go, structlib.go, bitlib.go   the libraries
package script

package server

import (
	"errors"
	"slices"
)

// functions are the libraries that FUNCTION LOAD has brought in.
type functions struct {
	libraries map[string]*library // by name
}

// library is one of them.
type library struct {
	name   string
	source []byte // as it was loaded, the shebang line included
}

// errNoFunctions is what loading a library answers until functions can run.
var errNoFunctions = errors.New("functions are not supported yet")

// sources returns the libraries as they travel in a snapshot, by name. The bytes
// are not to be modified.
func (f *functions) sources() [][]byte {
	names := make([]string, 0, len(f.libraries))
	for name := range f.libraries {
		names = append(names, name)
	}
	slices.Sort(names)
	all := make([][]byte, len(names))
	for i, name := range names {
		all[i] = f.libraries[name].source
	}
	return all
}

// load compiles a library and makes its functions callable. With replace it takes
// the place of one of the same name; without, that is an error.
func (f *functions) load(code []byte, replace bool) error { return errNoFunctions }

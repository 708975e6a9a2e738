package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/server/script"
)

// functions are the libraries that FUNCTION LOAD has brought in. The zero value,
// with its server, has none.
type functions struct {
	server    *Server
	engine    *script.Engine              // nil until the first library is loaded
	libraries map[string]*script.Library  // by name
	byName    map[string]*script.Function // by name in lower case: FCALL does not care
}

// find returns the function of a name, in whichever case it is spelled; nil: there is
// none.
func (f *functions) find(name []byte) *script.Function {
	if fn := f.byName[string(name)]; fn != nil {
		return fn
	}
	return f.byName[strings.ToLower(string(name))]
}

// count is the number of functions in all libraries.
func (f *functions) count() int {
	n := 0
	for _, lib := range f.libraries {
		n += len(lib.Functions)
	}
	return n
}

// sources returns the libraries as they travel in a snapshot, by name. The bytes
// are not to be modified.
func (f *functions) sources() [][]byte {
	all := make([][]byte, 0, len(f.libraries))
	for _, name := range slices.Sorted(maps.Keys(f.libraries)) {
		all = append(all, []byte(f.libraries[name].Source))
	}
	return all
}

// load compiles a library and makes its functions callable. With replace it takes
// the place of one of the same name; without, that is an error.
func (f *functions) load(code []byte, replace bool) error {
	lib, err := f.compile(string(code))
	if err != nil {
		return err
	}
	return f.admit([]*script.Library{lib}, replace)
}

// Errors about libraries have Redis' texts, for clients get them as they are.
var (
	errNoMetadata      = errors.New("Missing library metadata")                                       //nolint:staticcheck // see above
	errInvalidMetadata = errors.New("Invalid library metadata")                                       //nolint:staticcheck // see above
	errNamedTwice      = errors.New("Invalid metadata value, name argument was given multiple times") //nolint:staticcheck // see above
	errNoLibraryName   = errors.New("Library name was not given")                                     //nolint:staticcheck // see above
	errLibraryName     = errors.New(script.ErrName)
)

// libraryName reads the first line of a library: #!lua name=NAME.
func libraryName(code string) (name string, err error) {
	if !strings.HasPrefix(code, "#!") {
		return "", errNoMetadata
	}
	words, _, ok := shebangWords(code)
	if !ok {
		return "", errInvalidMetadata
	}
	const key = "name="
	named := false
	for _, word := range words[1:] {
		switch {
		case len(word) < len(key) || !strings.EqualFold(word[:len(key)], key):
			return "", fmt.Errorf("Invalid metadata value given: %s", word) //nolint:staticcheck // Redis' text
		case named:
			return "", errNamedTwice
		}
		name, named = word[len(key):], true
	}
	switch {
	case !named:
		return "", errNoLibraryName
	case !script.ValidName(name):
		return "", errLibraryName
	case !strings.EqualFold(words[0], "#!lua"):
		return "", fmt.Errorf("Engine '%s' not found", words[0][len("#!"):]) //nolint:staticcheck // Redis' text
	}
	return name, nil
}

// compile makes a library that is not callable yet.
func (f *functions) compile(code string) (*script.Library, error) {
	name, err := libraryName(code)
	if err != nil {
		return nil, err
	}
	if f.engine == nil {
		f.engine = script.NewLibraries(&f.server.scripts, scriptVersions())
	}
	f.server.scripts.loadingSince = f.server.clock.elapsed()
	return f.engine.LoadLibrary(name, code)
}

// prepare is compile for a library that FUNCTION LOAD brings: that its name is taken
// is said before what is wrong with its code.
func (f *functions) prepare(code string, replace bool) (*script.Library, error) {
	name, err := libraryName(code)
	if err != nil {
		return nil, err
	}
	if f.libraries[name] != nil && !replace {
		return nil, fmt.Errorf("Library '%s' already exists", name) //nolint:staticcheck // Redis' text
	}
	return f.compile(code)
}

// replaceAll puts libraries in the place of all there are; after an error those stay.
func (f *functions) replaceAll(libs []*script.Library) error {
	before := *f
	f.libraries, f.byName = nil, nil
	if err := f.admit(libs, false); err != nil {
		*f = before
		return err
	}
	for _, old := range before.libraries {
		f.engine.Adopt(old, false)
	}
	return nil
}

// admit makes the functions of libraries callable: all of them, or none.
func (f *functions) admit(libs []*script.Library, replace bool) error {
	libraries := maps.Clone(f.libraries)
	byName := maps.Clone(f.byName)
	if libraries == nil {
		libraries, byName = map[string]*script.Library{}, map[string]*script.Function{}
	}
	for _, lib := range libs {
		old := libraries[lib.Name]
		if old != nil && !replace {
			return fmt.Errorf("Library %s already exists", lib.Name) //nolint:staticcheck // Redis' text
		}
		if old != nil {
			for name := range old.Functions {
				delete(byName, strings.ToLower(name))
			}
		}
		libraries[lib.Name] = lib
	}
	for _, lib := range libs {
		for _, name := range slices.Sorted(maps.Keys(lib.Functions)) {
			fold := strings.ToLower(name)
			switch other := byName[fold]; {
			case other == nil:
				byName[fold] = lib.Functions[name]
			case other.Library != lib: // within a library, names may differ in case alone
				return fmt.Errorf("Function %s already exists", name) //nolint:staticcheck // Redis' text
			}
		}
	}
	for name, lib := range libraries {
		if old := f.libraries[name]; old != lib {
			f.engine.Adopt(lib, true)
			if old != nil {
				f.engine.Adopt(old, false)
			}
		}
	}
	f.libraries, f.byName = libraries, byName
	return nil
}

// remove forgets a library; false: there is none of that name.
func (f *functions) remove(name string) bool {
	lib := f.libraries[name]
	if lib == nil {
		return false
	}
	for fn := range lib.Functions {
		delete(f.byName, strings.ToLower(fn))
	}
	delete(f.libraries, name)
	f.engine.Adopt(lib, false)
	return true
}

// flush forgets all libraries, and the machine with all that they kept in it.
func (f *functions) flush() { f.engine, f.libraries, f.byName = nil, nil, nil }

// memory is about what libraries occupy, in bytes: the machine, and their code.
func (f *functions) memory() (machine, code int64) {
	if f.engine == nil {
		return 0, 0
	}
	for _, lib := range f.libraries {
		code += int64(lib.Bytes())
	}
	return int64(f.engine.MemoryBytes()), code
}

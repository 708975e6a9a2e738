package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/server/resp"
)

var (
	errUnknown    = errors.New("Bad directive or wrong number of arguments") //nolint:staticcheck // Redis' text
	errUnbalanced = errors.New("Unbalanced quotes in configuration line")    //nolint:staticcheck // Redis' text
	errNesting    = errors.New("include files are nested too deeply; does a file include itself?")
)

// maxNesting bounds include; a file that includes itself would never end.
const maxNesting = 16

// LineError says which line of which file could not be used.
type LineError struct {
	File string // "the command line" or "standard input" for these
	Line int    // from 1
	Text string
	Err  error
}

// Error is the report that stops the start. Its first lines are laid out as
// Redis does it, because people know where to look.
func (e *LineError) Error() string {
	return fmt.Sprintf("Reading the configuration %s, at line %d\n>>> '%s'\n%v%s", e.File, e.Line, e.Text, e.Err, e.hint())
}

func (e *LineError) Unwrap() error { return e.Err }

// hint says what to do.
func (e *LineError) hint() string {
	if !errors.Is(e.Err, errUnknown) {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimSpace(e.Text), " ")
	if near := nearest(word); near != "" {
		return fmt.Sprintf(" (%q is not a directive; did you mean %q?)", word, near)
	}
	return fmt.Sprintf(" (%q is not a directive of this server; remove the line or correct the name)", word)
}

// Default returns the configuration of a server that was given none.
func Default() *Config {
	return &Config{
		Bind: []string{"*", "-::*"}, Port: 6379, ProtectedMode: true, TCPBacklog: 511, TCPKeepalive: 300, MaxClients: 10000,
		ProtoMaxBulkLen: 512 << 20, ClientQueryBuffer: 1 << 30,
		OutputLimits: [classes]OutputLimit{
			ClassReplica: {Hard: 256 << 20, Soft: 64 << 20, SoftSeconds: 60},
			ClassPubSub:  {Hard: 32 << 20, Soft: 8 << 20, SoftSeconds: 60},
		},
		ACLPubSubDefault: "resetchannels", ACLLogMaxLen: 128, TLSAuthClients: "yes", TLSSessionCaching: true,
		EnableDebugCommand: "no", EnableModuleCommand: "no", EnableProtectedConfs: "no",
		Supervised: "no", Hz: 10, DynamicHz: true, Databases: 16, LogLevel: "notice", LogFormat: "text",
		HideUserData: true, CrashLogEnabled: true, CrashMemcheckEnabled: true, ShutdownTimeout: 10,
		ShutdownOnSigterm: []string{"default"}, ShutdownOnSigint: []string{"default"},
		BusyReplyThreshold: 5000, SlowlogLogSlowerThan: 10000, SlowlogMaxLen: 128,
		CommandlogRequestLargerThan: 1 << 20, CommandlogLargeRequestMaxLen: 128, CommandlogReplyLargerThan: 1 << 20, CommandlogLargeReplyMaxLen: 128,
		LatencyTracking: true, LatencyPercentiles: []float64{50, 99, 99.9},
		HashMaxListpackEntries: 512, HashMaxListpackValue: 64, ListMaxListpackSize: -2,
		SetMaxIntsetEntries: 512, SetMaxListpackEntries: 128, SetMaxListpackValue: 64,
		ZSetMaxListpackEntries: 128, ZSetMaxListpackValue: 64,
		StreamNodeMaxBytes: 4096, StreamNodeMaxEntries: 100, HLLSparseMaxBytes: 3000,
		MaxmemoryPolicy: "noeviction", MaxmemorySamples: 5, MaxmemoryTenacity: 10, LFULogFactor: 10, LFUDecayTime: 1,
		TrackingTableMaxKeys: 1000000,
		ActiveExpireEffort:   1, ActiveRehashing: true,
		Dir: workingDir(), DBFilename: "dump.rdb", Save: []SaveRule{{3600, 1}, {300, 100}, {60, 10000}},
		RDBCompression: true, RDBChecksum: true, RDBSaveIncrementalFsync: true, StopWritesOnBgsaveError: true,
		LoadingProcessEvents:  2 << 20,
		ReplicaServeStaleData: true, ReplicaReadOnly: true, ReplicaIgnoreMaxmemory: true, ReplicaPriority: 100, ReplicaAnnounced: true,
		ReplDisklessSync: true, ReplDisklessSyncDelay: 5, ReplDisklessLoad: "disabled", ReplPingReplicaPeriod: 10, ReplTimeout: 60,
		ReplBacklogSize: 1 << 20, ReplBacklogTTL: 3600, MinReplicasMaxLag: 10,
		APIPort: 7379, HTTPPort: httpPortDefault,
	}
}

func workingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	return dir
}

// loader reads one configuration from all of its sources.
type loader struct {
	config *Config
	stdin  io.Reader
	seen   map[string]bool // repeated directives that a source has given already
}

// Load makes a configuration from the arguments of the program: a file's path
// (or "-" for standard input) first, if any, then "--directive value ..." which
// come after the file. "-" may also stand at the end. The error is a *LineError when a
// line is at fault.
func Load(args []string, stdin io.Reader) (*Config, error) {
	l := &loader{config: Default(), stdin: stdin, seen: map[string]bool{}}
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		if err := l.source(args[0]); err != nil {
			return nil, notAnOption(args[0], err)
		}
		args = args[1:]
	}
	if n := len(args); n > 0 && args[n-1] == "-" {
		if err := l.source("-"); err != nil {
			return nil, err
		}
		args = args[:n-1]
	}
	for i, line := range argumentLines(args) {
		if err := l.line([]byte(line), 0); err != nil {
			return nil, located(err, "of the command line", i+1, line)
		}
		l.config.placed("of the command line", i+1)
	}
	return l.config, l.config.check()
}

// check finds values that contradict each other.
func (c *Config) check() error {
	if !c.Managed {
		return nil
	}
	for _, need := range []struct{ name, value string }{
		{"lockstep-cluster", c.Cluster}, {"lockstep-instance-name", c.InstanceName},
		{"lockstep-api-cert-file", c.APICertFile}, {"lockstep-api-key-file", c.APIKeyFile}, {"lockstep-api-ca-file", c.APICAFile},
	} {
		if need.value == "" {
			return fmt.Errorf("lockstep-managed yes needs %s to be set as well", need.name)
		}
	}
	if c.ReplicaOf != nil {
		return errors.New("replicaof can not be used with lockstep-managed yes: the operator decides whom to follow; remove the line")
	}
	return nil
}

// notAnOption explains why a file that was named first can not be opened, if it looks
// like an option that is spelled as other programs do, and there is no such file.
func notAnOption(word string, err error) error {
	name, dashed := strings.CutPrefix(word, "-")
	var inside *LineError // the file is there, and one that it includes is not
	if !dashed || name == "" || !errors.Is(err, os.ErrNotExist) || errors.As(err, &inside) {
		return err
	}
	meant := nearest(name)
	switch {
	case name == "p": // as for redis-cli
		meant = "port"
	case len(name) == 1 || meant == "":
		return fmt.Errorf("%q is neither an option nor a file that is there: directives are given as --name value, for example --port 6379", word)
	}
	return fmt.Errorf("%q is neither an option nor a file that is there: did you mean --%s?", word, meant)
}

// argumentLines makes lines of a file from arguments, as Redis does: "--name value
// value", where the first value may begin with dashes, or all of it in one argument.
// A bare --save is an empty one. Words before any name are a line as well.
func argumentLines(args []string) []string {
	var lines []string
	wantsValue := false
	for i, arg := range args {
		name, isName := strings.CutPrefix(arg, "--")
		if isName && !wantsValue {
			lines = append(lines, name)
			words, err := resp.SplitArgs([]byte(name))
			wantsValue = err == nil && len(words) == 1
			last := i == len(args)-1
			if wantsValue && strings.EqualFold(name, "save") && (last || strings.HasPrefix(args[i+1], "--")) {
				lines[len(lines)-1] += ` ""`
				wantsValue = false
			}
			continue
		}
		wantsValue = false
		if len(lines) == 0 {
			lines = append(lines, arg)
			continue
		}
		lines[len(lines)-1] += " " + quoteArgument(arg)
	}
	return lines
}

// quoteArgument spells an argument as a word of a line, always in quotes.
func quoteArgument(arg string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, ch := range []byte(arg) {
		switch {
		case ch == '"' || ch == '\\':
			b.Write([]byte{'\\', ch})
		case ch < ' ' || ch >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (l *loader) source(path string) error {
	if path == "-" {
		return l.read(l.stdin, "read from standard input", 0)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find config file %s: %w", path, err)
	}
	l.config.file = abs
	return l.file(abs, 0)
}

func (l *loader) file(path string, depth int) error {
	if depth > maxNesting {
		return errNesting
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("can't open config file '%s': %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	return l.read(f, "file "+path, depth)
}

// maxLine bounds one line of a file, in bytes.
const maxLine = 1 << 20

func (l *loader) read(r io.Reader, name string, depth int) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := l.line(line, depth); err != nil {
			return located(err, name, n, string(line))
		}
		l.config.placed(name, n)
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read configuration %s: %w", name, err)
	}
	return nil
}

// located adds where an error happened, unless an included file has done so.
func located(err error, file string, line int, text string) error {
	var le *LineError
	if errors.As(err, &le) {
		return err
	}
	word, _, _ := strings.Cut(text, " ")
	if d := byName[strings.ToLower(word)]; d != nil && d.has(secret) {
		text = word + " (hidden)"
	}
	return &LineError{File: file, Line: line, Text: text, Err: err}
}

func (l *loader) line(line []byte, depth int) error {
	split, err := resp.SplitArgs(line)
	if err != nil {
		return errUnbalanced
	}
	w := make([]string, len(split))
	for i, arg := range split {
		w[i] = string(arg)
	}
	if len(w) == 0 {
		return nil
	}
	return l.words(w, depth)
}

func (l *loader) words(w []string, depth int) error {
	name := strings.ToLower(w[0])
	if name == "include" {
		return l.include(w[1:], depth)
	}
	d := byName[name]
	if d == nil {
		return errUnknown
	}
	if d.has(repeated) && d.name == "save" {
		return l.save(d, w[1:])
	}
	if len(w) == 1 && !d.has(list) {
		return errArgs
	}
	return d.set(l.config, w[1:])
}

// save adds a rule to those of earlier lines; the first line replaces the
// defaults, and an empty one all of them.
func (l *loader) save(d *directive, words []string) error {
	words = splitWords(words)
	if len(words) == 0 {
		l.seen["save"] = true
		l.config.Save = nil
		return nil
	}
	var earlier []SaveRule
	if l.seen["save"] {
		earlier = l.config.Save
	}
	if err := d.set(l.config, words); err != nil {
		return err
	}
	l.seen["save"] = true
	l.config.Save = append(earlier[:len(earlier):len(earlier)], l.config.Save...)
	return nil
}

func (l *loader) include(patterns []string, depth int) error {
	if len(patterns) != 1 {
		return errArgs
	}
	paths := []string{patterns[0]}
	if strings.ContainsAny(patterns[0], "*?[") {
		matches, err := filepath.Glob(patterns[0])
		if err != nil {
			return fmt.Errorf("include %s: %w", patterns[0], err)
		}
		slices.Sort(matches)
		paths = matches
	}
	for _, p := range paths {
		if err := l.file(p, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// nearest finds the directive that somebody may have meant; "" when none is
// close.
func nearest(word string) string {
	best, closest := "", 3
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if d := distance(strings.ToLower(word), name, closest); d < closest {
			best, closest = name, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace, up to limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], limit)
}

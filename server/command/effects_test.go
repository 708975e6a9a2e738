package command

import (
	"slices"
	"testing"
)

func TestEffectsOfACall(t *testing.T) {
	word := func(s string) []byte { return []byte(s) }
	for _, test := range []struct {
		name string
		run  func(*Call)
		want []string
	}{
		{"a command that changes nothing has none", func(*Call) {}, nil},
		{"a change is propagated as it was sent", func(c *Call) { c.Changed(1) }, []string{"0: TEST a"}},
		{"a rewrite takes the command's place", func(c *Call) { c.Changed(1); c.Rewrite(word("OTHER")) }, []string{"0: OTHER"}},
		{"a rewrite alone is no change", func(c *Call) { c.Rewrite(word("OTHER")) }, nil},
		{"further effects come first, and all belong together", func(c *Call) { c.Changed(1); c.Also(word("FIRST")) },
			[]string{"MULTI", "0: FIRST", "0: TEST a", "EXEC"}},
		{"a suppressed command leaves further effects", func(c *Call) { c.Changed(1); c.Also(word("FIRST")); c.Suppress() },
			[]string{"0: FIRST"}},
		{"an effect can be forced", func(c *Call) { c.ForceEffect() }, []string{"0: TEST a"}},
		{"numbers spelled out stay as they are", func(c *Call) { c.Changed(1); c.Rewrite(c.spell(12), c.spell(-345)) }, []string{"0: 12 -345"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSubject(t)
			s.table.Add(&Spec{Name: "test", Arity: 2, Flags: Write, Run: test.run})
			s.do(words(t, "SET k v")...) // leaves nothing behind for the next call
			s.takeEffects()
			s.do(words(t, "TEST a")...)
			if got := s.takeEffects(); !slices.Equal(got, test.want) {
				t.Errorf("effects %q; want %q", got, test.want)
			}
		})
	}
}

package lua

import ("testing";"fmt";"os")

func TestSmoke(t *testing.T) {
	l := NewState(); OpenLibraries(l)
	b, err := os.ReadFile("/tmp/smoke.lua")
	if err != nil { t.Skip() }
	l.Globals.SetString("print", l.NewNative("print", func(t *Thread) int { for i := 1; i <= t.NArgs(); i++ { v := t.Arg(i); s := t.ToString(v); fmt.Print(s.Str(), "\t") }; fmt.Println(); return 0 }).Value())
	f, err := l.Load("@user_script", string(b))
	if err != nil { t.Fatal(err) }
	_, e := l.Call(f, nil)
	if e != nil { t.Fatal(e) }
}

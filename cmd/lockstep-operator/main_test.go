package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	env := map[string]string{}
	for _, tt := range []struct {
		name string
		args string
		env  map[string]string
		err  string
		want func(flags) bool
	}{
		{"the image of the instances is needed", "", env, "no image for the instances", nil},
		{"it comes from the environment", "", map[string]string{"LOCKSTEP_IMAGE": "a:1"}, "", func(f flags) bool { return f.instanceImage == "a:1" }},
		{"the flag comes first", "--instance-image=b:2", map[string]string{"LOCKSTEP_IMAGE": "a:1"}, "", func(f flags) bool { return f.instanceImage == "b:2" }},
		{"a lock needs a namespace", "--instance-image=a --leader-elect", env, "no namespace for the leader's lock", nil},
		{"which is that of the pod", "--instance-image=a --leader-elect", map[string]string{"POD_NAMESPACE": "x"}, "", func(f flags) bool { return f.lockNamespace == "x" }},
		{"namespaces are separated by commas", "--instance-image=a --namespaces=x,,y", env, "", func(f flags) bool { return slices.Equal(f.namespaces, []string{"x", "y"}) }},
		{"a log format must be known", "--instance-image=a --log-format=xml", env, `--log-format "xml"`, nil},
		{"somebody must work", "--instance-image=a --workers=0", env, "--workers 0", nil},
		{"what is no flag is refused", "--instance-image=a now", env, `argument "now"`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parseFlags(strings.Fields(tt.args), func(name string) string { return tt.env[name] }, io.Discard)
			switch {
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %q", err, tt.err)
			case tt.err == "" && (err != nil || !tt.want(f)):
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
}

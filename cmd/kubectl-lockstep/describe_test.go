package main

import (
	"flag"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

func TestWhatIsNotKnownIsNotPrintedAsZero(t *testing.T) {
	c := &v1alpha1.LockstepCluster{}
	c.Namespace, c.Name, c.Spec.Instances = "default", "demo", 3
	epoch := int64(4)
	c.Status.Members = []v1alpha1.Member{{Name: "demo-1", Role: v1alpha1.MemberUnknown, State: v1alpha1.MemberUnreachable, Epoch: &epoch, Message: "its node w1 is not ready"}}
	c.Status.LastFailover = &v1alpha1.FailoverReport{From: "demo-1", To: "demo-2", Reason: v1alpha1.FailoverNodeLost, BytesLostExplanation: "it was not heard"}
	var out strings.Builder
	if err := describe(&out, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"default/demo", "0 of 3 ready", "demo-1", "not known, it was not heard", "its node w1 is not ready"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if strings.HasPrefix(line, "demo-1 ") {
			if fields := strings.Fields(line); fields[4] != "4" || fields[5] != "-" || fields[6] != "-" {
				t.Errorf("the line of demo-1 is %q", line)
			}
		}
	}
}

func TestALongWindowIsRounded(t *testing.T) {
	for given, want := range map[string]string{
		"1598h21m5s": ">30d",
		"720h0m0s":   "30d",
		"71h59m59s":  "2d",
		"47h59m59s":  "47h59m",
		"1h0m0s":     "1h0m",
		"59m59s":     "59m59s",
		"0s":         "0s",
		"unlimited":  "unlimited",
		"":           "",
	} {
		if got := windowInWords(given); got != want {
			t.Errorf("%q is printed as %q, want %q", given, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		name, args, want, err string
	}{
		{"a name alone", "demo", "demo ", ""},
		{"flags before the name", "-n prod demo", "demo prod", ""},
		{"flags after the name", "demo -n prod", "demo prod", ""},
		{"no name", "-n prod", "", "which cluster?"},
		{"two names", "demo other", "", `"other" is not understood`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := flag.NewFlagSet("status", flag.ContinueOnError)
			namespace := set.String("n", "", "")
			name, err := parse(set, strings.Fields(tt.args))
			switch {
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %q", err, tt.err)
			case tt.err == "" && (err != nil || name+" "+*namespace != tt.want):
				t.Errorf("got %q %q %v, want %q", name, *namespace, err, tt.want)
			}
		})
	}
}

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// describe prints a cluster's status for people.
func describe(out io.Writer, c *v1alpha1.LockstepCluster) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	st := c.Status
	fmt.Fprintf(w, "Cluster:\t%s/%s\n", c.Namespace, c.Name)
	fmt.Fprintf(w, "Status:\t%s\n", orDash(string(st.Phase)))
	fmt.Fprintf(w, "Primary:\t%s\n", orDash(st.Primary))
	fmt.Fprintf(w, "Epoch:\t%d\n", st.Epoch)
	fmt.Fprintf(w, "Instances:\t%d of %d ready\n", st.ReadyInstances, c.Spec.Instances)
	fmt.Fprintf(w, "Window:\t%s\n", orDash(windowInWords(st.Window)))
	fmt.Fprintf(w, "Version:\t%s\n", orDash(st.Version))
	if f := st.LastFailover; f != nil && f.From != "" {
		fmt.Fprintf(w, "Last change:\t%s to %s at %s (%s), %v; lost: %s\n", f.From, f.To, f.CompletedAt.Format(time.RFC3339),
			f.Reason, f.CompletedAt.Sub(f.StartedAt.Time).Round(time.Millisecond), lost(f))
	}
	fmt.Fprintln(w, "\nINSTANCE\tROLE\tSTATE\tNODE\tEPOCH\tOFFSET\tLAG\tMESSAGE")
	for _, m := range st.Members {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Role, m.State, orDash(m.Node), number(m.Epoch), number(m.Offset), number(m.LagBytes), m.Message)
	}
	fmt.Fprintln(w, "\nCONDITION\tSTATUS\tREASON\tMESSAGE")
	for _, condition := range st.Conditions {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", condition.Type, condition.Status, condition.Reason, strings.ReplaceAll(condition.Message, "\n", " "))
	}
	return w.Flush()
}

func lost(f *v1alpha1.FailoverReport) string {
	if f.BytesLost == nil {
		return "not known, " + f.BytesLostExplanation
	}
	return fmt.Sprintf("at most %d bytes", *f.BytesLost)
}

// windowInWords rounds a long window: it is an estimate from the present write rate, and
// on a cluster that is hardly written to it comes out as months.
func windowInWords(window string) string {
	const day = 24 * time.Hour
	length, err := time.ParseDuration(window)
	switch {
	case err != nil:
		return window // a word, such as "unlimited"
	case length > 30*day:
		return ">30d"
	case length >= 2*day:
		return fmt.Sprintf("%dd", length/day)
	case length >= time.Hour:
		return strings.TrimSuffix(length.Truncate(time.Minute).String(), "0s")
	}
	return window
}

// number prints what is not known as such.
func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

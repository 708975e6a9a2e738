package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/test/chaos"
)

// enough writes on both sides of a fault to speak of a steady state.
const steady = 200

// fault is one thing that goes wrong with a primary. strike returns when it
// happened and how to undo it; undo may be nil.
type fault struct {
	name   string
	target time.Duration // for the median write gap; 0: reported only
	strike func(c *cluster, primary *corev1.Pod) (at time.Time, undo func())
}

var primaryFaults = []fault{
	{
		name:   "process killed (SIGKILL)",
		target: time.Second,
		strike: func(c *cluster, primary *corev1.Pod) (time.Time, func()) {
			pid := processOf(c.t, primary, serverProgram)
			at := time.Now()
			signal(c.t, pid, syscall.SIGKILL)
			return at, nil
		},
	},
	{
		name: "pod deleted",
		strike: func(c *cluster, primary *corev1.Pod) (time.Time, func()) {
			at := time.Now()
			if err := kube.Delete(context.Background(), primary); err != nil {
				c.t.Fatalf("delete pod %s: %v", primary.Name, err)
			}
			return at, nil
		},
	},
	{
		name:   "process frozen (SIGSTOP)",
		target: 5 * time.Second,
		strike: func(c *cluster, primary *corev1.Pod) (time.Time, func()) {
			pid := processOf(c.t, primary, serverProgram)
			at := time.Now()
			signal(c.t, pid, syscall.SIGSTOP)
			return at, func() { signal(c.t, pid, syscall.SIGCONT) }
		},
	},
	{
		name:   "node cut off",
		target: 5 * time.Second,
		strike: func(c *cluster, primary *corev1.Pod) (time.Time, func()) {
			node := primary.Spec.NodeName
			at := time.Now()
			tool(c.t, "node", "stop", node)
			return at, func() { tool(c.t, "node", "start", node) }
		},
	},
}

// TestPrimaryLost: a primary is lost in four ways, again and again, under a
// client that never stops writing. Each time another instance takes over, no
// two take writes at once, what was lost is within what the operator reports,
// and the old primary comes back as a replica without anybody's help.
func TestPrimaryLost(t *testing.T) {
	c := newCluster(t, "faults", nil)
	for _, f := range primaryFaults {
		t.Run(f.name, func(t *testing.T) {
			c := &cluster{t: t, name: c.name, namespace: c.namespace}
			var gaps chaos.Distribution
			for run := range runs(t) {
				gap := c.loseAndRecover(f, run)
				t.Logf("run %d: write gap %s", run+1, gap.Round(time.Millisecond))
				gaps = append(gaps, gap)
			}
			t.Logf("%s: %s", f.name, gaps)
			if f.target > 0 && gaps.Median() >= f.target {
				t.Errorf("median write gap %s, want under %s", gaps.Median(), f.target)
			}
		})
	}
}

func (c *cluster) loseAndRecover(f fault, run int) time.Duration {
	t := c.t
	t.Helper()
	before := c.waitReady()
	old := c.pod(before.Status.Primary)

	prefix := fmt.Sprintf("%s:%d", strings.ReplaceAll(f.name, " ", "-"), run)
	writer := chaos.Start(t.Context(), c.service("rw"), chaos.Options{Prefix: prefix})
	// A client that holds a connection to the old primary itself, as one does
	// that does not go through the service: it must not get a write through
	// once another primary has taken over.
	direct := chaos.Start(t.Context(), c.address(old.Name), chaos.Options{Prefix: "direct:" + prefix, Pace: 10 * time.Millisecond})
	stopped := false
	defer func() {
		if !stopped {
			t.Logf("the client saw: %s", writer.Stop().ErrorSummary())
			direct.Stop()
		}
	}()
	c.waitWrites(writer, steady)
	c.waitWrites(direct, steady/10)

	struck, undo := f.strike(c, old)
	undone := undo == nil
	defer func() {
		if !undone {
			undo()
		}
	}()

	eventually(t, settle, "the status to report the failover", func() (bool, string) {
		s := c.get().Status
		done := s.LastFailover != nil && s.LastFailover.Epoch > before.Status.Epoch && s.Primary != "" && s.Failover == nil
		return done, fmt.Sprintf("epoch %d, primary %q, failover %+v", s.Epoch, s.Primary, s.Failover)
	})
	c.waitWrites(writer, writer.Acknowledged()+steady)
	if undo != nil {
		undo()
		undone = true
	}
	after := c.waitReady()
	c.waitWrites(writer, writer.Acknowledged()+steady)

	history, directHistory := writer.Stop(), direct.Stop()
	stopped = true
	c.waitSameData()
	c.checkOnePrimary(history, directHistory, old, after)
	lost := c.checkLoss(history, after)
	gap := history.GapAfter(struck)
	record(f.name, gap.Length(), len(history.Acked), lost)
	t.Logf("%s -> %s in epoch %d (%s), steps %s, %s; the client saw %s", old.Name, after.Status.Primary, after.Status.Epoch,
		after.Status.LastFailover.Reason, stepsText(after.Status.LastFailover.Steps), boundText(after.Status.LastFailover), history.ErrorSummary())
	return gap.Length()
}

func (c *cluster) waitWrites(w *chaos.Writer, n int) {
	c.t.Helper()
	eventually(c.t, settle, fmt.Sprintf("%d acknowledged writes", n), func() (bool, string) {
		got := w.Acknowledged()
		return got >= n, fmt.Sprintf("%d acknowledged", got)
	})
}

// checkOnePrimary: no write was acknowledged by a process that another had
// already taken over from, neither through the service nor directly.
func (c *cluster) checkOnePrimary(history, direct chaos.History, old *corev1.Pod, after *v1alpha1.LockstepCluster) {
	c.t.Helper()
	for _, overlap := range history.Overlaps() {
		c.t.Errorf("two primaries: %s", overlap)
	}
	if after.Status.Primary == old.Name {
		return // the address that was spoken to directly may rightly take writes again
	}
	first := history.Acked[0].By
	var takenOver time.Time
	for _, w := range history.Acked {
		if w.By != first {
			takenOver = w.Acked
			break
		}
	}
	for _, w := range direct.Acked {
		if !takenOver.IsZero() && w.Sent.After(takenOver) {
			c.t.Errorf("two primaries: %s acknowledged a write on a direct connection that was sent %s after the new primary's first", old.Name, w.Sent.Sub(takenOver))
			return
		}
	}
}

// checkLoss: what is gone is gone on every instance alike, and within the bound
// that the operator reports.
func (c *cluster) checkLoss(history chaos.History, lc *v1alpha1.LockstepCluster) int {
	c.t.Helper()
	lost := map[string][]chaos.Write{}
	for _, m := range lc.Status.Members {
		ws, err := history.Lost(c.t.Context(), c.address(m.Name))
		if err != nil {
			c.t.Fatalf("check %s: %v", m.Name, err)
		}
		lost[m.Name] = ws
	}
	ofPrimary := lost[lc.Status.Primary]
	for name, ws := range lost {
		if len(ws) != len(ofPrimary) {
			c.t.Errorf("%s misses %d acknowledged writes, the primary %s misses %d", name, len(ws), lc.Status.Primary, len(ofPrimary))
		}
	}
	bytes := int64(0)
	for _, w := range ofPrimary {
		bytes += streamBytes(history.Prefix, w.Seq)
	}
	bound := lc.Status.LastFailover.BytesLost
	switch {
	case bytes == 0:
	case bound == nil:
		c.t.Logf("%d acknowledged writes (%d bytes) lost, no bound reported: %s", len(ofPrimary), bytes, lc.Status.LastFailover.BytesLostExplanation)
		if lc.Status.LastFailover.BytesLostExplanation == "" {
			c.t.Errorf("%d bytes were lost, and the report has neither a bound nor an explanation", bytes)
		}
	case bytes > *bound:
		c.t.Errorf("%d acknowledged writes (%d bytes) lost, but the report says at most %d bytes (%s)", len(ofPrimary), bytes, *bound, lc.Status.LastFailover.BytesLostExplanation)
	}
	return len(ofPrimary)
}

// streamBytes is what one write of the chaos client takes in the replication
// stream: *3 $3 SET $len key $len value.
func streamBytes(prefix string, seq int64) int64 {
	key, value := fmt.Sprintf("%s:%d", prefix, seq), fmt.Sprint(seq)
	return int64(len(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(value), value)))
}

func stepsText(s v1alpha1.FailoverSteps) string {
	var parts []string
	for _, step := range []struct {
		name string
		ms   *int64
	}{{"confirmed", s.ConfirmedMillis}, {"elected", s.ElectedMillis}, {"fenced", s.FencedMillis}, {"lease ended", s.LeaseEndedMillis},
		{"committed", s.CommittedMillis}, {"promoted", s.PromotedMillis}, {"routed", s.RoutedMillis}} {
		if step.ms != nil {
			parts = append(parts, fmt.Sprintf("%s +%d ms", step.name, *step.ms))
		}
	}
	return strings.Join(parts, ", ")
}

func boundText(r *v1alpha1.FailoverReport) string {
	if r.BytesLost == nil {
		return "no bound of the loss: " + r.BytesLostExplanation
	}
	return fmt.Sprintf("at most %d bytes lost", *r.BytesLost)
}

// TestOperatorKilledDuringFailover: the leading operator is killed while it
// waits for a frozen primary's lease to end. The other one, or its next life,
// finishes the same failover: one epoch, one primary.
func TestOperatorKilledDuringFailover(t *testing.T) {
	c := newCluster(t, "reentry", nil)
	before := c.get()
	old := c.pod(before.Status.Primary)
	writer := chaos.Start(t.Context(), c.service("rw"), chaos.Options{Prefix: "reentry"})
	c.waitWrites(writer, steady)

	leader := operatorLeader(t)
	operatorPID := processOf(t, leader, operatorProgram)
	pid := processOf(t, old, serverProgram)
	struck := time.Now()
	signal(t, pid, syscall.SIGSTOP)
	defer func() { signal(t, pid, syscall.SIGCONT) }()
	eventually(t, settle, "a failover under way", func() (bool, string) {
		f := c.get().Status.Failover
		return f != nil, fmt.Sprintf("failover %+v", f)
	})
	signal(t, operatorPID, syscall.SIGKILL)

	eventually(t, settle, "the failover to be completed", func() (bool, string) {
		s := c.get().Status
		return s.LastFailover != nil && s.LastFailover.Epoch > before.Status.Epoch && s.Failover == nil, fmt.Sprintf("failover %+v", s.Failover)
	})
	c.waitWrites(writer, writer.Acknowledged()+steady)
	signal(t, pid, syscall.SIGCONT)
	after := c.waitReady()
	history := writer.Stop()
	for _, overlap := range history.Overlaps() {
		t.Errorf("two primaries: %s", overlap)
	}
	c.waitSameData()
	lost := c.checkLoss(history, after)
	gap := history.GapAfter(struck)
	record("frozen, operator killed meanwhile", gap.Length(), len(history.Acked), lost)
	t.Logf("write gap %s; epoch %d -> %d; %s", gap, before.Status.Epoch, after.Status.Epoch, stepsText(after.Status.LastFailover.Steps))
}

// operatorLeader returns the pod that holds the leader election lease.
func operatorLeader(t *testing.T) *corev1.Pod {
	t.Helper()
	leases := &coordinationv1.LeaseList{}
	if err := kube.List(t.Context(), leases, client.InNamespace(operatorNamespace)); err != nil {
		t.Fatalf("list leases: %v", err)
	}
	for _, lease := range leases.Items {
		if lease.Spec.HolderIdentity == nil {
			continue
		}
		name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
		pod := &corev1.Pod{}
		if err := kube.Get(t.Context(), types.NamespacedName{Namespace: operatorNamespace, Name: name}, pod); err == nil {
			return pod
		}
	}
	t.Fatalf("no lease in %s is held by an operator pod", operatorNamespace)
	return nil
}

// TestReplicaOutsideWindow: a replica's node is cut off while more is written
// than the backlog holds. When it comes back it can not continue; it takes a
// full re-synchronisation by itself, the operator says so, and the primary's
// clients notice nothing.
func TestReplicaOutsideWindow(t *testing.T) {
	c := newCluster(t, "window", func(lc *v1alpha1.LockstepCluster) {
		lc.Spec.Config = map[string]v1alpha1.DirectiveValue{
			// Without these the primary would keep what the silent replica still
			// needs, up to 256 MB and for a minute.
			"client-output-buffer-limit": "replica 1mb 1mb 1",
			"repl-timeout":               "5",
		}
	})
	before := c.get()
	lost := c.pod(c.replicas(before)[0])
	primary := c.address(before.Status.Primary)
	writer := chaos.Start(t.Context(), c.service("rw"), chaos.Options{Prefix: "window"})
	c.waitWrites(writer, steady)

	cut := time.Now()
	tool(t, "node", "stop", lost.Spec.NodeName)
	back := false
	defer func() {
		if !back {
			tool(t, "node", "start", lost.Spec.NodeName)
		}
	}()
	window := overrunBacklog(t, primary)
	tool(t, "node", "start", lost.Spec.NodeName)
	back = true
	t.Logf("wrote past a backlog of %d bytes while %s was away for %s", window, lost.Name, time.Since(cut).Round(time.Second))

	c.waitReady()
	c.waitWrites(writer, writer.Acknowledged()+steady)
	history := writer.Stop()
	c.waitSameData()
	if after := c.get(); after.Status.Epoch != before.Status.Epoch {
		t.Errorf("the epoch went from %d to %d: losing a replica must not move the primary", before.Status.Epoch, after.Status.Epoch)
	}
	if missing, err := history.Lost(t.Context(), c.address(lost.Name)); err != nil || len(missing) > 0 {
		t.Errorf("%s misses %d of %d acknowledged writes after its re-synchronisation (error %v)", lost.Name, len(missing), len(history.Acked), err)
	}
	if gap := history.GapAfter(cut); gap.Length() > 2*time.Second {
		t.Errorf("the primary's clients had to wait %s; losing a replica is no reason to", gap)
	}
	eventually(t, settle, "an event that tells of the re-synchronisation", func() (bool, string) {
		for _, e := range c.events("FullResync") {
			if strings.Contains(e, lost.Name) && strings.Contains(e, "window") {
				return true, e
			}
		}
		return false, strings.Join(c.events(""), "\n")
	})
}

// TestScale: down to two and up to three again, with the primary as the one
// that has to go. It hands over first; nothing acknowledged is lost.
func TestScale(t *testing.T) {
	c := newCluster(t, "scale", nil)
	lc := c.get()
	last := fmt.Sprintf("%s-%d", c.name, 3)
	if lc.Status.Primary != last {
		c.switchover(last)
	}
	before := c.waitReady()
	writer := chaos.Start(t.Context(), c.service("rw"), chaos.Options{Prefix: "scale"})
	c.waitWrites(writer, steady)

	start := time.Now()
	c.scale(2)
	down := c.waitReady()
	if down.Status.Primary == last || down.Status.Epoch == before.Status.Epoch {
		t.Errorf("after scaling down the primary is %s in epoch %d; want another one than %s, in a newer epoch", down.Status.Primary, down.Status.Epoch, last)
	}
	c.waitWrites(writer, writer.Acknowledged()+steady)
	c.scale(3)
	up := c.waitReady()
	c.waitWrites(writer, writer.Acknowledged()+steady)
	history := writer.Stop()
	c.waitSameData()
	for _, overlap := range history.Overlaps() {
		t.Errorf("two primaries: %s", overlap)
	}
	if lost := c.checkLoss(history, up); lost > 0 {
		t.Errorf("%d acknowledged writes lost; a planned move loses nothing", lost)
	}
	record("scaled down with a handover", history.GapAfter(start).Length(), len(history.Acked), 0)
}

func (c *cluster) scale(n int32) {
	c.t.Helper()
	c.update(func(lc *v1alpha1.LockstepCluster) { lc.Spec.Instances = n })
}

// switchover asks for a planned move and waits for it.
func (c *cluster) switchover(to string) {
	c.t.Helper()
	c.update(func(lc *v1alpha1.LockstepCluster) {
		if lc.Annotations == nil {
			lc.Annotations = map[string]string{}
		}
		lc.Annotations[v1alpha1.AnnotationSwitchover] = to
	})
	eventually(c.t, settle, "the primary to be "+to, func() (bool, string) {
		s := c.get().Status
		return s.Primary == to && s.Failover == nil, fmt.Sprintf("primary %q, epoch %d", s.Primary, s.Epoch)
	})
}

func (c *cluster) update(change func(*v1alpha1.LockstepCluster)) {
	c.t.Helper()
	lc := c.get()
	patch := client.MergeFrom(lc.DeepCopy())
	change(lc)
	if err := kube.Patch(context.Background(), lc, patch); err != nil {
		c.t.Fatalf("change LockstepCluster %s: %v", c.name, err)
	}
}

// TestRollingUpdate: a changed directive replaces all pods, replicas first and
// the primary last, by a handover that loses nothing.
func TestRollingUpdate(t *testing.T) {
	c := newCluster(t, "rollout", nil)
	before := c.waitReady()
	writer := chaos.Start(t.Context(), c.service("rw"), chaos.Options{Prefix: "rollout"})
	c.waitWrites(writer, steady)
	uids := map[string]types.UID{}
	for _, m := range before.Status.Members {
		uids[m.Name] = c.pod(m.Name).UID
	}

	start := time.Now()
	c.update(func(lc *v1alpha1.LockstepCluster) {
		lc.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: *quantity("40Mi")}
	})
	eventually(t, 2*settle, "all pods to be replaced", func() (bool, string) {
		old := 0
		for name, uid := range uids {
			pod := &corev1.Pod{}
			err := kube.Get(context.Background(), types.NamespacedName{Namespace: c.namespace, Name: name}, pod)
			if err != nil || pod.UID == uid {
				old++
			}
		}
		return old == 0, fmt.Sprintf("%d pods are old or missing", old)
	})
	after := c.waitReady()
	c.waitWrites(writer, writer.Acknowledged()+steady)
	history := writer.Stop()
	c.waitSameData()
	if lost := c.checkLoss(history, after); lost > 0 {
		t.Errorf("%d acknowledged writes lost; a rolling update loses nothing", lost)
	}
	if len(history.Overlaps()) > 0 {
		t.Errorf("two primaries: %s", history.Overlaps()[0])
	}
	record("rolling update, longest gap", history.GapAfter(start).Length(), len(history.Acked), 0)
}

// inFlight is more than the kernel takes of a stream that nobody receives.
const inFlight = 16 << 20

// overrunBacklog writes until the stream has moved past everything that the
// backlog held at the beginning, and returns the backlog's size. It goes on by as
// much as may lie in a socket: only when what a silent replica has not been sent is
// larger than the backlog does the primary drop it, and forget.
func overrunBacklog(t *testing.T, addr string) int64 {
	t.Helper()
	start, size := replicationNumber(t, addr, "master_repl_offset"), replicationNumber(t, addr, "repl_backlog_size")
	fillUntil(t, addr, func() bool {
		return replicationNumber(t, addr, "repl_backlog_first_byte_offset") > start+inFlight
	}, 4*size+(64<<20))
	return size
}

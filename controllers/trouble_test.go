package controllers

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// badConfiguration is what a server writes before it ends because of a directive.
const badConfiguration = `
*** FATAL CONFIG FILE ERROR (Lockstep 1.0.0) ***
Reading the configuration file /etc/lockstep/lockstep.conf, at line 2
>>> 'maxclient 1'
Bad directive or wrong number of arguments ("maxclient" is not a directive; did you mean "maxclients"?)
`

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

// after is an end after a run of the given length.
func after(run time.Duration, end corev1.ContainerState) corev1.ContainerState {
	end.Terminated.StartedAt, end.Terminated.FinishedAt = metav1.NewTime(ago(run)), metav1.NewTime(testNow)
	return end
}

func TestWhyAContainerDoesNotStart(t *testing.T) {
	const backOff = "back-off 20s restarting failed container=server pod=demo-2_default(7b7a)"
	for _, tt := range []struct {
		name   string
		status corev1.ContainerStatus
		want   string
	}{
		{"a container that is being made is in no trouble", corev1.ContainerStatus{State: waiting("ContainerCreating", "")}, ""},
		{"an image that is not there is told in the kubelet's words",
			corev1.ContainerStatus{State: waiting("ImagePullBackOff", "Back-off pulling image")}, "ImagePullBackOff: Back-off pulling image"},
		{"a crash loop is told in the server's own words, with the line that it did not like",
			corev1.ContainerStatus{State: waiting(crashLoop, backOff), LastTerminationState: ended(1, "Error", badConfiguration)},
			`CrashLoopBackOff: the server ended with code 1: 'maxclient 1': Bad directive or wrong number of arguments ("maxclient" is not a directive; did you mean "maxclients"?)`},
		{"a server that said nothing has ended all the same",
			corev1.ContainerStatus{State: waiting(crashLoop, backOff), LastTerminationState: ended(137, "OOMKilled", "")},
			"CrashLoopBackOff: the server ended with code 137 (OOMKilled)"},
		{"a crash loop whose last end is not known is told in the kubelet's words",
			corev1.ContainerStatus{State: waiting(crashLoop, backOff)}, "CrashLoopBackOff: " + backOff},
		{"a container that runs for a moment between two crashes is in the same trouble",
			corev1.ContainerStatus{State: running(), RestartCount: 2, LastTerminationState: ended(1, "Error", "no")},
			"CrashLoopBackOff: the server ended with code 1: no"},
		{"so is one that has just crashed again",
			corev1.ContainerStatus{State: ended(1, "Error", "no"), RestartCount: 2, LastTerminationState: ended(2, "Error", "before")},
			"CrashLoopBackOff: the server ended with code 1: no"},
		{"a single restart is no loop",
			corev1.ContainerStatus{State: running(), RestartCount: 1, LastTerminationState: ended(137, "Error", "")}, ""},
		{"a container that is ready has come through",
			corev1.ContainerStatus{State: running(), RestartCount: 7, Ready: true, LastTerminationState: ended(137, "Error", "")}, ""},
		{"a server that was told to stop has not crashed",
			corev1.ContainerStatus{State: running(), RestartCount: 7, LastTerminationState: ended(0, "Completed", "")}, ""},
		{"restarts from before a long run are forgotten",
			corev1.ContainerStatus{State: running(), RestartCount: 7, LastTerminationState: after(time.Hour, ended(137, "Error", ""))}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := trouble(tt.status); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestTheLastWordOfAServerIsTheReason(t *testing.T) {
	for _, tt := range []struct{ name, output, want string }{
		{"nothing", "\n \n", ""},
		{"a line of the log without its time, which would differ each time",
			"7:M 23 Nov 2026 00:08:30.177 * Server initialized\n7:M 23 Nov 2026 00:08:30.178 # Fatal error loading the DB\n", "Fatal error loading the DB"},
		{"a panic without its stack", "panic: no such thing\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:4 +0x1d\nexit status 2\n", "panic: no such thing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lastWord(tt.output); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	got := lastWord(strings.Repeat("é", 2000))
	if len(got) > longestWord+len(" ...") || !utf8.ValidString(got) {
		t.Errorf("a long line became %d bytes, valid text: %v", len(got), utf8.ValidString(got))
	}
}

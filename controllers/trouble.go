package controllers

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
)

// crashLoop is the kubelet's word for a container that ends again and again.
const crashLoop = "CrashLoopBackOff"

// A container is in a crash loop from its second restart on, unless its last run was
// longer than what makes the kubelet forget the earlier ones.
const (
	loopRestarts = 2
	forgottenRun = 10 * time.Minute
)

// trouble is why a container does not start or does not stay; empty when nothing is
// known to be wrong. "ContainerCreating" is no trouble.
func trouble(s corev1.ContainerStatus) string {
	w := s.State.Waiting
	switch {
	case w == nil && crashLoops(s):
		return crashLoop + ": " + endInWords(lastEnd(s))
	case w == nil || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing":
		return ""
	case w.Reason == crashLoop && s.LastTerminationState.Terminated != nil:
		return crashLoop + ": " + endInWords(s.LastTerminationState.Terminated)
	case w.Message == "":
		return w.Reason
	}
	return w.Reason + ": " + w.Message
}

// crashLoops reports whether a container that runs, or has just ended, will most
// likely end again: the kubelet speaks of a crash loop only between two attempts.
func crashLoops(s corev1.ContainerStatus) bool {
	end := lastEnd(s)
	return !s.Ready && s.RestartCount >= loopRestarts && end != nil && end.ExitCode != 0 &&
		end.FinishedAt.Sub(end.StartedAt.Time) < forgottenRun
}

// lastEnd is how the container ended last; nil when it never has.
func lastEnd(s corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if s.State.Terminated != nil {
		return s.State.Terminated
	}
	return s.LastTerminationState.Terminated
}

// endInWords says how a container ended: what the kubelet knows, and what the server
// said last. The kubelet's own message on a crash loop has neither.
func endInWords(t *corev1.ContainerStateTerminated) string {
	how := fmt.Sprintf("the server ended with code %d", t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" && t.Reason != "Completed" {
		how += " (" + t.Reason + ")" // such as OOMKilled
	}
	if word := lastWord(t.Message); word != "" {
		how += ": " + word
	}
	return how
}

// longestWord is how much of a server's last line a condition shows, in bytes: a few
// lines of a terminal.
const longestWord = 300

// logPrefix is what a line of the log begins with: process, role, time and level.
// The time differs each time, and would make a new message of the same reason.
var logPrefix = regexp.MustCompile(`^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ [-.*#] `)

// lastWord finds the reason in the end of what a server has written: the last line,
// with the line of the configuration that it is about, or the beginning of a panic.
func lastWord(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		line = logPrefix.ReplaceAllString(strings.TrimSpace(line), "")
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return shortened(line) // what follows is the stack
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	word := lines[len(lines)-1]
	if len(lines) > 1 {
		if quoted, ok := strings.CutPrefix(lines[len(lines)-2], ">>> "); ok {
			word = quoted + ": " + word
		}
	}
	return shortened(word)
}

func shortened(line string) string {
	if len(line) <= longestWord {
		return line
	}
	end := longestWord
	for !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + " ..."
}

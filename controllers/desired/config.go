package desired

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// Where the server finds things in its container.
const (
	dataDirectory   = "/data"
	configDirectory = "/etc/lockstep"
	// Not below configDirectory: a mount inside a read-only volume needs its
	// mount point to be there already.
	certsDirectory = "/etc/lockstep-tls"
	configFile     = "lockstep.conf"
)

// memoryOverhead is what a server needs beside its data and its backlog: the
// program, connections' buffers, the garbage collector's slack on those.
const memoryOverhead = 32 << 20

// ConfigMap holds the configuration file. Its name contains the hash of the
// content and it is immutable: a pod that restarts reads what it was started
// with, so a mistake in the configuration stops the one instance that is
// updated first, and never those that still run.
func ConfigMap(c *v1alpha1.LockstepCluster) *corev1.ConfigMap {
	immutable := true
	text := Config(c)
	return &corev1.ConfigMap{
		ObjectMeta: object(c, configMapName(c, text), ComponentConfiguration),
		Immutable:  &immutable,
		Data:       map[string]string{configFile: text},
	}
}

func configMapName(c *v1alpha1.LockstepCluster, text string) string {
	return HeadlessName(c.Name) + "-" + hash(text)
}

// Config is the configuration file that the spec asks for: first what the
// operator decides, then the user's directives in the order of their names.
func Config(c *v1alpha1.LockstepCluster) string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%s %v\n", name, value) }

	b.WriteString("# Written by the Lockstep operator from the LockstepCluster's spec.\n")
	line("port", ClientPort)
	line("protected-mode", "no")
	line("dir", dataDirectory)
	line("repl-backlog-size", c.Spec.Replication.Backlog.Memory.Value())
	// By default a full re-synchronisation waits 5 s for other replicas to share
	// the snapshot. The operator lets them come one after the other, and a
	// snapshot costs no fork, so waiting only leaves the cluster thinner for longer.
	line("repl-diskless-sync-delay", 0)
	line("lockstep-managed", "yes")
	line("lockstep-cluster", c.Namespace+"/"+c.Name)
	line("lockstep-api-port", InstancePort)
	line("lockstep-api-cert-file", certsDirectory+"/"+corev1.TLSCertKey)
	line("lockstep-api-key-file", certsDirectory+"/"+corev1.TLSPrivateKeyKey)
	line("lockstep-api-ca-file", certsDirectory+"/ca.crt")
	line("lockstep-http-port", HTTPPort)
	if _, own := c.Spec.Config["maxmemory"]; !own {
		if limit := maxmemory(c); limit > 0 {
			line("maxmemory", limit)
		}
	}
	if limit := clientOutputLimit(c); limit > 0 {
		line("client-output-buffer-limit", fmt.Sprintf("normal %d 0 0", limit))
	}
	if len(c.Spec.Config) > 0 {
		b.WriteString("# From spec.config.\n")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Spec.Config)) {
		value := string(c.Spec.Config[name])
		if strings.TrimSpace(value) == "" {
			value = `""`
		}
		line(name, value)
	}
	return b.String()
}

// maxmemory is how many bytes of data a server may hold under the pod's memory
// limit; 0, which means no limit, when the pod has none. It is three quarters of
// what the backlog and the overhead leave; a quarter stays for snapshots in
// progress, replicas that lag behind, and fragmentation.
//
// With a limit of 1Gi and a backlog of 64Mi: (1024 - 64 - 32) * 3/4 = 696Mi.
func maxmemory(c *v1alpha1.LockstepCluster) int64 {
	limit, ok := c.Spec.Resources.Limits[corev1.ResourceMemory]
	if !ok || limit.Value() <= 0 {
		return 0
	}
	rest := limit.Value() - c.Spec.Replication.Backlog.Memory.Value() - memoryOverhead
	// A limit that the backlog alone fills is a mistake, but one that must not
	// turn into "no limit".
	return max(rest*3/4, limit.Value()/8)
}

// clientOutputLimit is how many bytes of replies may wait for one client that does
// not read them; 0, which means no limit, when the pod's memory has none.
//
// By default nothing bounds them, as in Redis, and one client that asks for large
// values and does not read would end the instance with its container's memory. An
// eighth of the limit is far above what a client that reads ever has waiting. A
// limit for the same class in spec.config comes later in the file and wins.
func clientOutputLimit(c *v1alpha1.LockstepCluster) int64 {
	limit := c.Spec.Resources.Limits[corev1.ResourceMemory]
	return max(limit.Value()/8, 0)
}

package test

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
	"github.com/lockstep-db/lockstep/server/config"
)

// The operator writes the configuration file and the server reads it; neither
// package may know the other, so it is here that they meet.
func TestTheServerTakesWhatTheOperatorWrites(t *testing.T) {
	samples, err := filepath.Glob("../config/samples/lockstep_*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("find the samples: %v, %d files", err, len(samples))
	}
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) {
			cluster := readSample(t, sample)
			read := startedWith(t, cluster, cluster.Name+"-2")
			if !read.Managed || read.Cluster != "default/"+cluster.Name || read.InstanceName != cluster.Name+"-2" {
				t.Errorf("the server takes itself for %q of %q, managed: %v", read.InstanceName, read.Cluster, read.Managed)
			}
			if read.Port != desired.ClientPort || read.APIPort != desired.InstancePort || read.EffectiveHTTPPort() != desired.HTTPPort {
				t.Errorf("the server listens on %d, %d and %d; services lead to %d, %d and %d", read.Port, read.APIPort, read.EffectiveHTTPPort(),
					desired.ClientPort, desired.InstancePort, desired.HTTPPort)
			}
			if want := cluster.Spec.Replication.Backlog.Memory.Value(); read.ReplBacklogSize != want {
				t.Errorf("the backlog is %d bytes, want %d", read.ReplBacklogSize, want)
			}
			if read.ProtectedMode {
				t.Error("the server would refuse clients from other pods")
			}
		})
	}
}

func readSample(t *testing.T, file string) *v1alpha1.LockstepCluster {
	t.Helper()
	manifest, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cluster := &v1alpha1.LockstepCluster{}
	if err := yaml.UnmarshalStrict(manifest, cluster); err != nil {
		t.Fatalf("parse %s: %v", file, err)
	}
	cluster.Namespace = "default"
	v1alpha1.SetDefaults(cluster)
	return cluster
}

// startedWith is the configuration of a server that is started by the pod's
// command, with the file where the pod has it.
func startedWith(t *testing.T, cluster *v1alpha1.LockstepCluster, instance string) *config.Config {
	t.Helper()
	arguments := desired.Pod(cluster, instance, desired.PodInputs{DefaultImage: "lockstep"}).Spec.Containers[0].Args
	file := filepath.Join(t.TempDir(), filepath.Base(arguments[0]))
	if err := os.WriteFile(file, []byte(desired.Config(cluster)), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := config.Load(append([]string{file}, arguments[1:]...), nil)
	if err != nil {
		t.Fatalf("the server would not start: %v", err)
	}
	return read
}

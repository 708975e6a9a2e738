package desired

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the files in testdata from what the builders give")

var inputs = PodInputs{DefaultImage: "registry.example/lockstep:1.2.3"}

// sample reads a manifest from config/samples as the API server would hand it
// to the operator.
func sample(t *testing.T, file string) *v1alpha1.LockstepCluster {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join("../../config/samples", file))
	if err != nil {
		t.Fatal(err)
	}
	cluster := &v1alpha1.LockstepCluster{}
	if err := yaml.UnmarshalStrict(manifest, cluster); err != nil {
		t.Fatalf("parse %s: %v", file, err)
	}
	cluster.Namespace = "default"
	cluster.UID = "5f0c5a2e-0000-4000-8000-000000000001"
	v1alpha1.SetDefaults(cluster)
	return cluster
}

// everything that the builders make for the first instance of a cluster.
func everything(c *v1alpha1.LockstepCluster) []runtime.Object {
	instance := InstanceName(c.Name, 1)
	objects := []runtime.Object{Pod(c, instance, inputs)}
	if claim := Claim(c, instance); claim != nil {
		objects = append(objects, claim)
	}
	objects = append(objects, ConfigMap(c))
	for _, service := range Services(c) {
		objects = append(objects, service)
	}
	primary := []Backend{{Instance: instance, PodUID: "7b7a", Node: "w1", Address: netip.MustParseAddr("10.244.1.5"), Primary: true}}
	for _, slice := range EndpointSlices(c, ReadWriteName(c.Name), nil, primary) {
		objects = append(objects, slice)
	}
	return append(objects, ServiceAccount(c), DisruptionBudget(c))
}

func TestTheObjectsOfTheSamplesAreThoseInTestdata(t *testing.T) {
	for _, file := range []string{
		"lockstep_v1alpha1_lockstepcluster.yaml",
		"lockstep_v1alpha1_ephemeral.yaml",
		"lockstep_v1alpha1_production.yaml",
	} {
		t.Run(file, func(t *testing.T) {
			got := encode(t, everything(sample(t, file)))
			golden := filepath.Join("testdata", strings.TrimPrefix(file, "lockstep_v1alpha1_"))
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the builders give any more, first at:\n%s\nLook at the difference; when it is meant, run: go test ./controllers/desired -update",
					golden, firstDifference(string(want), string(got)))
			}
		})
	}
}

func firstDifference(want, got string) string {
	wanted, present := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(wanted), len(present)) {
		if wanted[i] != present[i] {
			return "file:     " + wanted[i] + "\nbuilders: " + present[i]
		}
	}
	return "the end of the shorter one"
}

func encode(t *testing.T, objects []runtime.Object) []byte {
	t.Helper()
	var text bytes.Buffer
	for _, object := range objects {
		kind, err := apiutil.GVKForObject(object, clientgoscheme.Scheme)
		if err != nil {
			t.Fatalf("name %T: %v", object, err)
		}
		object.GetObjectKind().SetGroupVersionKind(kind)
		one, err := yaml.Marshal(object)
		if err != nil {
			t.Fatalf("encode %T: %v", object, err)
		}
		text.WriteString("---\n")
		text.Write(one)
	}
	return text.Bytes()
}

func TestTheSameSpecGivesTheSameObjects(t *testing.T) {
	const file = "lockstep_v1alpha1_production.yaml"
	first := encode(t, everything(sample(t, file)))
	// Maps are walked in another order each time.
	for range 20 {
		if again := encode(t, everything(sample(t, file))); !bytes.Equal(first, again) {
			t.Fatalf("the second time the objects differ:\n%s", firstDifference(string(first), string(again)))
		}
	}
}

func TestBuildingDoesNotChangeTheCluster(t *testing.T) {
	cluster := sample(t, "lockstep_v1alpha1_production.yaml")
	before := cluster.DeepCopy()
	objects := everything(cluster)
	pod := objects[0].(*corev1.Pod)
	pod.Labels["x"], pod.Annotations["y"] = "1", "2"
	if !equalYAML(t, before, cluster) {
		t.Error("the cluster was changed")
	}
}

func equalYAML(t *testing.T, a, b any) bool {
	t.Helper()
	one, err := yaml.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	other, err := yaml.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(one, other)
}

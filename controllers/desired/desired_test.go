package desired

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

func TestPodsSatisfyTheRestrictedPodSecurityStandard(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for _, file := range []string{"lockstep_v1alpha1_lockstepcluster.yaml", "lockstep_v1alpha1_ephemeral.yaml"} {
		pod := Pod(sample(t, file), "demo-1", inputs)
		for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
			if !result.Allowed {
				t.Errorf("%s: %s: %s", file, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	}
}

func TestPodsHaveNoAccessToTheKubernetesAPI(t *testing.T) {
	pod := Pod(sample(t, "lockstep_v1alpha1_lockstepcluster.yaml"), "demo-1", inputs)
	if mount := pod.Spec.AutomountServiceAccountToken; mount == nil || *mount {
		t.Error("the token of the service account would be mounted")
	}
}

func TestThePodMountsNoKeyButItsOwn(t *testing.T) {
	pod := Pod(sample(t, "lockstep_v1alpha1_lockstepcluster.yaml"), "demo-1", inputs)
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret != nil && volume.Secret.SecretName != ServerSecretName("demo") {
			t.Errorf("the pod mounts the secret %s", volume.Secret.SecretName)
		}
	}
}

func TestWhichChangesNeedANewPod(t *testing.T) {
	tests := []struct {
		name   string
		change func(*v1alpha1.LockstepCluster, *PodInputs)
		want   bool
	}{
		{"no change does not", func(*v1alpha1.LockstepCluster, *PodInputs) {}, false},
		{"another number of instances does not", func(c *v1alpha1.LockstepCluster, _ *PodInputs) { c.Spec.Instances = 5 }, false},
		{"other times for the failover do not", func(c *v1alpha1.LockstepCluster, _ *PodInputs) { c.Spec.Failover.LeaseDuration.Duration *= 2 }, false},
		{"a larger volume does not", func(c *v1alpha1.LockstepCluster, _ *PodInputs) { c.Spec.Storage.Size = resource.MustParse("5Gi") }, false},
		{"annotations of a service do not", func(c *v1alpha1.LockstepCluster, _ *PodInputs) {
			c.Spec.Services.ReadWrite.Annotations = map[string]string{"a": "b"}
		}, false},
		{"another status does not", func(c *v1alpha1.LockstepCluster, _ *PodInputs) { c.Status.Epoch = 7 }, false},
		{"an image does", func(c *v1alpha1.LockstepCluster, _ *PodInputs) { c.Spec.Image = "other:2" }, true},
		{"a newer operator's own image does", func(_ *v1alpha1.LockstepCluster, in *PodInputs) { in.DefaultImage = "lockstep:2" }, true},
		{"a directive does", func(c *v1alpha1.LockstepCluster, _ *PodInputs) {
			c.Spec.Config = map[string]v1alpha1.DirectiveValue{"timeout": "5"}
		}, true},
		{"a larger backlog does", func(c *v1alpha1.LockstepCluster, _ *PodInputs) {
			c.Spec.Replication.Backlog.Memory = resource.MustParse("128Mi")
		}, true},
		{"a memory limit does", func(c *v1alpha1.LockstepCluster, _ *PodInputs) {
			c.Spec.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
		}, true},
		{"a toleration does", func(c *v1alpha1.LockstepCluster, _ *PodInputs) {
			c.Spec.Scheduling.Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}}
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cluster, in := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml"), inputs
			running := Pod(cluster, "demo-1", in)
			// What happens to a pod after it was created.
			running.Labels[v1alpha1.LabelRole] = v1alpha1.RoleLabelPrimary
			running.Annotations["mesh.example/injected"] = "yes"
			running.Spec.NodeName = "w1"
			running.Spec.Tolerations = append(running.Spec.Tolerations, corev1.Toleration{Key: "node.kubernetes.io/not-ready"})
			test.change(cluster, &in)
			if got := Outdated(running, Pod(cluster, "demo-1", in)); got != test.want {
				t.Errorf("outdated is %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheConfigurationFile(t *testing.T) {
	tests := []struct {
		name   string
		change func(*v1alpha1.LockstepClusterSpec)
		want   []string // lines that are there
		not    []string // beginnings of lines that are not
	}{
		{
			name:   "says where the server is and that it is managed",
			change: func(*v1alpha1.LockstepClusterSpec) {},
			want:   []string{"port 6379", "dir /data", "lockstep-managed yes", "lockstep-cluster default/demo", "repl-backlog-size 67108864"},
			not:    []string{"maxmemory", "requirepass", "replicaof", "client-output-buffer-limit"},
		},
		{
			name:   "limits what waits for a client that does not read when the pod's memory is limited",
			change: limitMemory("1Gi"),
			want:   []string{"client-output-buffer-limit normal 134217728 0 0"},
		},
		{
			name:   "limits the data when the pod's memory is limited",
			change: limitMemory("1Gi"),
			want:   []string{"maxmemory 729808896"}, // (1024 - 64 - 32) Mi * 3/4
		},
		{
			name:   "limits the data also when the backlog leaves nothing",
			change: limitMemory("64Mi"),
			want:   []string{"maxmemory 8388608"},
		},
		{
			name: "leaves the limit of the data to who has set it",
			change: func(s *v1alpha1.LockstepClusterSpec) {
				limitMemory("1Gi")(s)
				s.Config = map[string]v1alpha1.DirectiveValue{"maxmemory": "100mb"}
			},
			want: []string{"maxmemory 100mb"},
			not:  []string{"maxmemory 729808896"},
		},
		{
			name: "spells an empty value as one",
			change: func(s *v1alpha1.LockstepClusterSpec) {
				s.Config = map[string]v1alpha1.DirectiveValue{"save": ""}
			},
			want: []string{`save ""`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cluster := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml")
			test.change(&cluster.Spec)
			lines := strings.Split(Config(cluster), "\n")
			for _, want := range test.want {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %q in:\n%s", want, Config(cluster))
				}
			}
			for _, not := range test.not {
				if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, not) }) {
					t.Errorf("a line begins with %q in:\n%s", not, Config(cluster))
				}
			}
		})
	}
}

func limitMemory(quantity string) func(*v1alpha1.LockstepClusterSpec) {
	return func(s *v1alpha1.LockstepClusterSpec) {
		s.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(quantity)}
	}
}

func TestARestartedPodReadsTheConfigurationThatItWasStartedWith(t *testing.T) {
	cluster := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml")
	before := ConfigMap(cluster)
	cluster.Spec.Config = map[string]v1alpha1.DirectiveValue{"no-such-directive": "1"}
	after := ConfigMap(cluster)
	if before.Name == after.Name {
		t.Errorf("both configurations are in %s: a mistake would reach every instance that restarts", before.Name)
	}
}

func TestNamesLeadBackToTheirInstance(t *testing.T) {
	tests := []struct {
		name     string
		instance string
		ordinal  int
		ok       bool
	}{
		{"the second of demo", "demo-2", 2, true},
		{"another cluster whose name begins alike", "demo-b-2", 0, false},
		{"no number", "demo-", 0, false},
		{"ordinals begin at one", "demo-0", 0, false},
		{"a number with a zero before it is another name", "demo-02", 0, false},
		{"a service is not an instance", "demo-rw", 0, false},
		{"a sign is not part of a number", "demo-+2", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ordinal, ok := Ordinal("demo", test.instance)
			if ordinal != test.ordinal || ok != test.ok {
				t.Errorf("Ordinal(demo, %s) = %d, %v; want %d, %v", test.instance, ordinal, ok, test.ordinal, test.ok)
			}
		})
	}
}

func TestTheLongestNameFitsEverywhere(t *testing.T) {
	cluster := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml")
	cluster.Name = strings.Repeat("a", 50)
	for _, name := range []string{
		InstanceName(cluster.Name, MaxInstances), HeadlessName(cluster.Name), ServerSecretName(cluster.Name),
		OperatorSecretName(cluster.Name), ReadWriteName(cluster.Name) + "-ipv4",
	} {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	for key, value := range Pod(cluster, InstanceName(cluster.Name, MaxInstances), inputs).Labels {
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Errorf("label %s=%s: %v", key, value, problems)
		}
	}
}

func TestNoTwoClustersWantTheSameName(t *testing.T) {
	names := func(cluster string) []string {
		return []string{
			InstanceName(cluster, 1), ClaimName(InstanceName(cluster, 1)), ReadWriteName(cluster), ReadOnlyName(cluster),
			ReadName(cluster), HeadlessName(cluster), AuthoritySecretName(cluster), ServerSecretName(cluster), OperatorSecretName(cluster),
		}
	}
	for _, other := range []string{"demo-rw", "demo-r", "demo-1", "demo-instances", "demo-1-data", "demo-ca"} {
		for _, name := range names(other) {
			if slices.Contains(names("demo"), name) {
				t.Errorf("the clusters demo and %s both want %s", other, name)
			}
		}
	}
}

func TestWhereServicesLeadTo(t *testing.T) {
	primary := Backend{Instance: "demo-1", Address: netip.MustParseAddr("10.0.0.1"), Primary: true}
	second := Backend{Instance: "demo-2", Address: netip.MustParseAddr("10.0.0.2"), ReadyReplica: true}
	third := Backend{Instance: "demo-3", Address: netip.MustParseAddr("10.0.0.3"), ReadyReplica: true}
	behind := Backend{Instance: "demo-3", Address: netip.MustParseAddr("10.0.0.3")}
	tests := []struct {
		name         string
		backends     []Backend
		rw, ro, read string
	}{
		{"all is well", []Backend{third, primary, second}, "demo-1", "demo-2 demo-3", "demo-1 demo-2 demo-3"},
		{"a replica is too far behind", []Backend{primary, second, behind}, "demo-1", "demo-2", "demo-1 demo-2"},
		{"no replica is ready: the primary is read from", []Backend{primary, behind}, "demo-1", "demo-1", "demo-1"},
		{"there is no primary: nobody is written to", []Backend{second, third}, "", "demo-2 demo-3", "demo-2 demo-3"},
		{"nobody is there", nil, "", "", ""},
		{"a pod without an address gets no clients", []Backend{{Instance: "demo-1", Primary: true}, second}, "", "demo-2", "demo-2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			routes := Route(test.backends)
			for _, check := range []struct {
				service string
				got     []Backend
				want    string
			}{{"rw", routes.ReadWrite, test.rw}, {"ro", routes.ReadOnly, test.ro}, {"r", routes.Read, test.read}} {
				if got := instances(check.got); got != check.want {
					t.Errorf("-%s leads to %q, want %q", check.service, got, check.want)
				}
			}
		})
	}
}

func instances(backends []Backend) string {
	var names []string
	for _, backend := range backends {
		names = append(names, backend.Instance)
	}
	return strings.Join(names, " ")
}

func TestASliceHoldsOnlyAddressesOfItsFamily(t *testing.T) {
	cluster := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml")
	backends := []Backend{
		{Instance: "demo-1", Address: netip.MustParseAddr("fd00::1")},
		{Instance: "demo-2", Address: netip.MustParseAddr("::ffff:10.0.0.2")},
	}
	got := map[string]string{}
	for _, slice := range EndpointSlices(cluster, "demo-ro", []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}, backends) {
		for _, endpoint := range slice.Endpoints {
			got[slice.Name] += endpoint.Addresses[0]
		}
	}
	want := map[string]string{"demo-ro-ipv6": "fd00::1", "demo-ro-ipv4": "10.0.0.2"}
	if !maps.Equal(got, want) {
		t.Errorf("slices hold %v, want %v", got, want)
	}
}

func TestAServiceWithoutBackendsHasAnEmptySliceNotNone(t *testing.T) {
	slicesOf := EndpointSlices(sample(t, "lockstep_v1alpha1_lockstepcluster.yaml"), "demo-rw", nil, nil)
	if len(slicesOf) != 1 || len(slicesOf[0].Endpoints) != 0 {
		t.Errorf("got %d slices", len(slicesOf))
	}
}

func TestClaimsGrowAndNeverShrink(t *testing.T) {
	cluster := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml")
	claim := Claim(cluster, "demo-1")
	if grown := GrowTo(cluster, claim); grown != nil {
		t.Error("a claim of the right size is to be changed")
	}
	cluster.Spec.Storage.Size = resource.MustParse("3Gi")
	grown := GrowTo(cluster, claim)
	if grown == nil || grown.Spec.Resources.Requests.Storage().Cmp(resource.MustParse("3Gi")) != 0 {
		t.Fatalf("a claim of 1Gi grows to %v, want 3Gi", grown)
	}
	cluster.Spec.Storage.Size = resource.MustParse("2Gi")
	if GrowTo(cluster, grown) != nil {
		t.Error("a claim of 3Gi is to shrink to 2Gi")
	}
}

func TestADrainTakesOneInstanceAtATime(t *testing.T) {
	cluster := sample(t, "lockstep_v1alpha1_lockstepcluster.yaml")
	for size, stay := range map[int32]int{1: 0, 2: 1, 3: 2, 9: 8} {
		cluster.Spec.Instances = size
		if got := DisruptionBudget(cluster).Spec.MinAvailable.IntValue(); got != stay {
			t.Errorf("of %d instances %d have to stay, want %d", size, got, stay)
		}
	}
}

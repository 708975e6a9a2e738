package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// cluster is a manifest with the given lines below spec.
func cluster(spec string) string {
	return named("demo", spec)
}

func named(name, spec string) string {
	manifest := "apiVersion: lockstep.dev/v1alpha1\nkind: LockstepCluster\nmetadata: {name: " + name + "}\n"
	if spec == "" {
		return manifest
	}
	return manifest + "spec:\n  " + strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ") + "\n"
}

// creations are manifests, and part of what the API server answers to each of
// them. Another test asks a real one.
var creations = []struct {
	name     string
	manifest string
	want     string // empty: accepted
}{
	{"three instances and nothing else are a cluster", cluster("instances: 3"), ""},
	{"no spec at all is a cluster", cluster(""), ""},
	{"an empty spec is a cluster", cluster("{}"), ""},
	{"one instance is allowed", cluster("instances: 1"), ""},
	{"nine instances are allowed", cluster("instances: 9"), ""},
	{"no instance is too few", cluster("instances: 0"), "instances must be between 1 and 9"},
	{"ten instances are too many", cluster("instances: 10"), "run a second cluster that replicates from this one"},
	{"a negative number of instances is refused", cluster("instances: -3"), "instances must be between 1 and 9"},
	{"a number of instances in quotes is refused", cluster(`instances: "3"`), "must be of type integer"},

	{"a name that leaves no room for the pods' names is refused", named(strings.Repeat("a", 51), ""), "50 characters or fewer"},
	{"the longest name is allowed", named(strings.Repeat("a", 50), ""), ""},
	{"a name that begins with a digit makes no service", named("7up", ""), "begin with a letter"},
	{"a name with a dot makes no service", named("my.db", ""), "only lower case letters, digits and '-'"},

	{"quorum writes do not exist yet and are not silently ignored", cluster("durability: {mode: Quorum}"), "Quorum is not available in this version"},
	{"an unknown durability mode names the known one", cluster("durability: {mode: Sync}"), "durability.mode must be Async"},
	{"asynchronous writes are allowed", cluster("durability: {mode: Async}"), ""},
	{"TLS does not exist yet and is an unknown field", cluster("tls: {enabled: true}"), "unknown field spec.tls"},
	{"fsync does not exist yet and is an unknown field", cluster("durability: {fsync: always}"), "unknown field spec.durability.fsync"},
	{"a backlog on disk does not exist yet and is an unknown field", cluster("replication: {backlog: {disk: 1Gi}}"), "unknown field spec.replication.backlog.disk"},

	{"an image reference with a space is refused", cluster(`image: "lockstep:1 "`), "without spaces around it"},
	{"an unknown pull policy names the known ones", cluster("imagePullPolicy: Sometimes"), `supported values: "Always", "IfNotPresent", "Never"`},

	{"storage of a size is allowed", cluster("storage: {size: 10Gi}"), ""},
	{"storage of a whole number of bytes is allowed", cluster("storage: {size: 1073741824}"), ""},
	{"storage that can not hold a snapshot is refused", cluster("storage: {size: 1Mi}"), "storage.size must be a quantity of at least 64Mi"},
	{"storage of a size that is no quantity is refused", cluster("storage: {size: big}"), "storage.size must be a quantity of at least 64Mi, such as 10Gi"},
	{"a class for ephemeral storage has no meaning", cluster("storage: {ephemeral: true, className: fast}"), "storage.className has no meaning with storage.ephemeral"},
	{"ephemeral storage is allowed", cluster("storage: {ephemeral: true}"), ""},

	{"a backlog of 256Mi is allowed", cluster("replication: {backlog: {memory: 256Mi}}"), ""},
	{"a backlog too small for one command is refused", cluster("replication: {backlog: {memory: 16Ki}}"), "replication.backlog.memory must be a quantity between 1Mi and 64Gi"},
	{"a window without a unit is refused", cluster(`replication: {backlog: {minWindow: "60"}}`), "replication.backlog.minWindow must be a duration such as 60s"},
	{"a window in days is refused, since the operator can not read it", cluster("replication: {backlog: {minWindow: 1d}}"), "must be a duration such as 60s"},
	{"a window of an hour and a half is allowed", cluster("replication: {backlog: {minWindow: 1h30m}}"), ""},
	{"a window of a week is too long", cluster("replication: {backlog: {minWindow: 168h}}"), "must be between 1s and 24h"},
	{"no full resynchronisation at all would leave a replica behind for ever", cluster("replication: {maxConcurrentFullResyncs: 0}"), "must be between 1 and 8"},

	{"a detection faster than the heartbeat is refused", cluster("failover: {detectionTimeout: 100ms}"), "failover.detectionTimeout must be between 500ms and 5m"},
	{"a detection in half a second is allowed", cluster("failover: {detectionTimeout: 500ms}"), ""},
	{"a lease of nothing is refused", cluster("failover: {leaseDuration: 0s}"), "failover.leaseDuration must be between 500ms and 60s"},
	{"a lease that is no duration is refused", cluster("failover: {leaseDuration: short}"), "failover.leaseDuration must be a duration such as 2s"},
	{"a negative lease is refused", cluster("failover: {leaseDuration: -2s}"), "failover.leaseDuration must be a duration such as 2s"},
	{"a busy primary must not be given up before a silent one", cluster("failover: {detectionTimeout: 10s, busyTimeout: 5s}"), "failover.busyTimeout must not be shorter than failover.detectionTimeout"},
	{"a detection slower than the default busy timeout is told what to raise", cluster("failover: {detectionTimeout: 45s}"), "failover.busyTimeout must not be shorter"},

	{"a server directive is allowed", cluster("config: {maxmemory-samples: '10'}"), ""},
	{"eviction and keyspace events are the user's to choose", cluster("config: {maxmemory-policy: allkeys-lru, notify-keyspace-events: KEA}"), ""},
	{"threads do not exist and do not stop an instance at its start", cluster("config: {io-threads: '4'}"), "io-threads is not available"},
	{"several arguments stand in one value", cluster(`config: {save: "900 1 300 10", client-output-buffer-limit: "replica 256mb 64mb 60"}`), ""},
	{"an empty value is allowed", cluster(`config: {save: ""}`), ""},
	{"a number as a value must be quoted", cluster("config: {timeout: 0}"), "must be of type string"},
	{"the port is not the user's", cluster(`config: {port: "7000"}`), "clients connect to port 6379 of the services"},
	{"the directory is not the user's", cluster("config: {dir: /tmp}"), "use spec.storage"},
	{"roles are not the user's", cluster(`config: {replicaof: "10.0.0.1 6379"}`), "it assigns the roles"},
	{"the size of the backlog has its own field", cluster("config: {repl-backlog-size: 1gb}"), "set spec.replication.backlog.memory instead"},
	{"the operator's own directives are not the user's", cluster(`config: {lockstep-managed: "no"}`), "lockstep-* directives are set by the operator"},
	{"a password is not silently kept in plain sight", cluster("config: {requirepass: secret}"), "passwords and TLS for clients are not available"},
	{"another file can not be included", cluster("config: {include: /etc/passwd}"), "can not be used in a container"},
	{"a directive in capitals does not get past the rules", cluster(`config: {PORT: "7000"}`), "written in lower case letters"},
	{"a second line does not smuggle in a directive", cluster(`config: {timeout: "0\nport 7000"}`), "must be a single line"},
	{"a directive's name with a space does not smuggle in another", cluster(`config: {"timeout 0": "1"}`), "written in lower case letters"},

	{"a service of an unknown type names the known ones", cluster("services: {readWrite: {type: ExternalName}}"), `supported values: "ClusterIP", "NodePort", "LoadBalancer"`},
	{"a load balancer with annotations is allowed", cluster("services: {readWrite: {type: LoadBalancer, annotations: {a.b/c: d}}}"), ""},
	{"the operator's labels are not the user's", cluster("monitoring: {podLabels: {lockstep.dev/role: primary}}"), "the operator sets those"},
	{"a toleration is allowed", cluster("scheduling: {tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]}"), ""},
	{"an unknown field in scheduling is named", cluster("scheduling: {nodeName: a}"), "unknown field spec.scheduling.nodeName"},
}

func TestAManifestThatIsWrongIsToldWhatToChange(t *testing.T) {
	admission := newAdmission(t)
	for _, test := range creations {
		t.Run(test.name, func(t *testing.T) {
			_, answer := admission.admit(t, test.manifest, nil)
			checkAnswer(t, answer, test.want)
		})
	}
}

// changes of a spec, and part of what the API server answers to each of them.
var changes = []struct {
	name     string
	from, to string
	want     string // empty: accepted
}{
	{"storage can grow", "storage: {size: 1Gi}", "storage: {size: 2Gi}", ""},
	{"storage can be written in another unit", "storage: {size: 1Gi}", "storage: {size: 1024Mi}", ""},
	{"storage can not shrink", "storage: {size: 2Gi}", "storage: {size: 1Gi}", "storage.size can grow but not shrink"},
	{"leaving the size out means the default, which is smaller", "storage: {size: 2Gi}", "{}", "storage.size can grow but not shrink"},
	{"a growth to something unreadable is one plain message", "storage: {size: 1Gi}", "storage: {size: huge}", "must be a quantity of at least 64Mi"},
	{"the class can not change", "storage: {className: slow}", "storage: {className: fast}", "storage.className can not be changed"},
	{"the class can not be dropped", "storage: {className: slow}", "{}", "storage.className can not be changed"},
	{"the class can not be set later", "{}", "storage: {className: fast}", "storage.className can not be changed"},
	{"a volume can not become ephemeral", "{}", "storage: {ephemeral: true}", "storage.ephemeral can not be changed"},
	{"the limit of ephemeral storage can shrink", "storage: {ephemeral: true, size: 2Gi}", "storage: {ephemeral: true, size: 1Gi}", ""},
	{"instances can be added and removed", "instances: 3", "instances: 5", ""},
}

func TestAChangeThatCanNotBeMadeIsToldWhatToDoInstead(t *testing.T) {
	admission := newAdmission(t)
	for _, test := range changes {
		t.Run(test.name, func(t *testing.T) {
			old, answer := admission.admit(t, cluster(test.from), nil)
			checkAnswer(t, answer, "")
			_, answer = admission.admit(t, cluster(test.to), old)
			checkAnswer(t, answer, test.want)
		})
	}
}

func TestAnEpochNeverGoesBack(t *testing.T) {
	admission := newAdmission(t)
	old, answer := admission.admit(t, cluster("")+"status: {instances: 3, readyInstances: 3, epoch: 7}\n", nil)
	checkAnswer(t, answer, "")
	_, answer = admission.admit(t, cluster("")+"status: {instances: 3, readyInstances: 3, epoch: 6}\n", old)
	checkAnswer(t, answer, "status.epoch only grows")
	_, answer = admission.admit(t, cluster("")+"status: {instances: 3, readyInstances: 3}\n", old)
	checkAnswer(t, answer, "status.epoch only grows")
	_, answer = admission.admit(t, cluster("")+"status: {instances: 3, readyInstances: 3, epoch: 8}\n", old)
	checkAnswer(t, answer, "")
}

func checkAnswer(t *testing.T, answer, want string) {
	t.Helper()
	if want == "" && answer != "" {
		t.Errorf("the API server would refuse it:\n%s", answer)
	}
	if want != "" && !strings.Contains(answer, want) {
		t.Errorf("the API server would answer:\n%s\nwant something with: %s", answer, want)
	}
}

func TestDefaultsInGoAreThoseOfTheAPIServer(t *testing.T) {
	stored, answer := newAdmission(t).admit(t, cluster("{}"), nil)
	checkAnswer(t, answer, "")
	fromServer := &v1alpha1.LockstepCluster{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(stored, fromServer); err != nil {
		t.Fatalf("decode what the API server stores: %v", err)
	}
	fromGo := &v1alpha1.LockstepCluster{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: "demo"},
	}
	v1alpha1.SetDefaults(fromGo)
	server, own := toYAML(t, fromServer), toYAML(t, fromGo)
	if server != own {
		t.Errorf("the API server's defaults:\n%s\nSetDefaults:\n%s", server, own)
	}
}

func TestAnObjectSurvivesTheGoTypesUnchanged(t *testing.T) {
	stored, answer := newAdmission(t).admit(t, cluster(`
instances: 5
storage: {size: 10Gi, className: fast}
replication: {backlog: {minWindow: 1m30s}}
failover: {automatic: false, detectionTimeout: 750ms}
config: {timeout: '300'}
services: {readWrite: {type: NodePort}}
`), nil)
	checkAnswer(t, answer, "")
	typed := &v1alpha1.LockstepCluster{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(stored, typed); err != nil {
		t.Fatalf("decode what the API server stores: %v", err)
	}
	data, err := json.Marshal(typed)
	if err != nil {
		t.Fatal(err)
	}
	back := map[string]any{}
	if err := unmarshalJSON(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(stored["spec"], back["spec"]) {
		t.Errorf("stored:\n%s\nafter decoding and encoding:\n%s", toYAML(t, stored["spec"]), toYAML(t, back["spec"]))
	}
}

func toYAML(t *testing.T, object any) string {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(text)
}

func TestTheSamplesAreAccepted(t *testing.T) {
	admission := newAdmission(t)
	files, err := filepath.Glob("../../config/samples/lockstep_*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the samples: %v, %d files", err, len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			manifest, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, answer := admission.admit(t, string(manifest), nil)
			checkAnswer(t, answer, "")
		})
	}
}

// Package charts tests the Helm chart: what it renders, what it refuses, and
// that it installs the same as the manifests in config.
package charts

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	sigsyaml "sigs.k8s.io/yaml"
)

// render is what "helm template lockstep charts/lockstep -n lockstep-system"
// does, with the given values in YAML.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	chart, err := loader.LoadDir("lockstep")
	if err != nil {
		t.Fatalf("load the chart: %v", err)
	}
	given := map[string]any{}
	if err := sigsyaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatalf("parse the values of the test: %v", err)
	}
	release := common.ReleaseOptions{Name: "lockstep", Namespace: "lockstep-system", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, given, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(t.Context(), chart, all)
}

// objects are all Kubernetes objects that the chart renders.
func objects(t *testing.T, values string) []*unstructured.Unstructured {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatalf("render the chart with %q: %v", values, err)
	}
	var all []*unstructured.Unstructured
	for name, text := range files {
		if filepath.Ext(name) == ".yaml" {
			all = append(all, parse(t, name, text)...)
		}
	}
	return all
}

func parse(t *testing.T, name, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("parse %s: %v\n%s", name, err, text)
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

func readManifests(t *testing.T, files ...string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, file, string(text))...)
	}
	return all
}

// find returns the only object of the kind whose name has the given end.
func find[T any](t *testing.T, all []*unstructured.Unstructured, kind, nameEnd string) *T {
	t.Helper()
	typed := new(T)
	found := 0
	for _, object := range all {
		if object.GetKind() != kind || !strings.HasSuffix(object.GetName(), nameEnd) {
			continue
		}
		found++
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
			t.Fatalf("decode %s %s: %v", kind, object.GetName(), err)
		}
	}
	if found != 1 {
		t.Fatalf("%d objects %s *%s, want one", found, kind, nameEnd)
	}
	return typed
}

func TestTheChartInstallsTheGeneratedDefinitionAndKeepsIt(t *testing.T) {
	const generated = "../config/crd/bases/lockstep.dev_lockstepclusters.yaml"
	want := readManifests(t, generated)[0]
	got := find[map[string]any](t, objects(t, ""), "CustomResourceDefinition", "")
	object := &unstructured.Unstructured{Object: *got}
	annotations := object.GetAnnotations()
	if annotations["helm.sh/resource-policy"] != "keep" {
		t.Error("uninstalling the chart would delete every cluster")
	}
	delete(annotations, "helm.sh/resource-policy")
	object.SetAnnotations(annotations)
	if !reflect.DeepEqual(object.Object, want.Object) {
		t.Errorf("the chart's definition is not %s; run: make generate", generated)
	}
}

func TestTheChartGrantsWhatTheGeneratedRoleGrants(t *testing.T) {
	generated := readManifests(t, "../config/rbac/role.yaml")
	rendered := objects(t, "")
	wantCluster := find[rbacv1.ClusterRole](t, generated, "ClusterRole", "lockstep-operator")
	gotCluster := find[rbacv1.ClusterRole](t, rendered, "ClusterRole", "lockstep-operator")
	if !reflect.DeepEqual(gotCluster.Rules, wantCluster.Rules) {
		t.Error("the chart's cluster role is not config/rbac/role.yaml's; run: make generate")
	}
	wantRole := find[rbacv1.Role](t, generated, "Role", "lockstep-operator")
	gotRole := find[rbacv1.Role](t, rendered, "Role", "lockstep-operator")
	if !reflect.DeepEqual(gotRole.Rules, wantRole.Rules) || len(gotRole.Rules) == 0 {
		t.Error("the chart's role is not config/rbac/role.yaml's; run: make generate")
	}
}

func TestTheOperatorCanNotListSecretsNorDoEverything(t *testing.T) {
	for _, role := range objects(t, "") {
		if role.GetKind() != "ClusterRole" && role.GetKind() != "Role" {
			continue
		}
		typed := &rbacv1.ClusterRole{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(role.Object, typed); err != nil {
			t.Fatal(err)
		}
		for _, rule := range typed.Rules {
			if slices.Contains(rule.Verbs, "*") || slices.Contains(rule.Resources, "*") || slices.Contains(rule.APIGroups, "*") {
				t.Errorf("%s grants everything: %v", typed.Name, rule)
			}
			if slices.Contains(rule.Resources, "secrets") && (slices.Contains(rule.Verbs, "list") || slices.Contains(rule.Verbs, "watch")) {
				t.Errorf("%s lets the operator read secrets whose names it does not know", typed.Name)
			}
		}
	}
}

func TestKustomizeInstallsTheSameOperator(t *testing.T) {
	manifest := find[appsv1.Deployment](t, readManifests(t, "../config/manager/operator.yaml"), "Deployment", "lockstep-operator")
	chart := find[appsv1.Deployment](t, objects(t, ""), "Deployment", "lockstep-operator")
	// The chart's labels also name the release.
	selector := manifest.Spec.Selector
	chart.Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector = selector
	chart.Spec.Template.Labels = manifest.Spec.Template.Labels
	chart.Spec.Selector = selector
	if !reflect.DeepEqual(chart.Spec, manifest.Spec) {
		t.Errorf("config/manager/operator.yaml:\n%s\nthe chart:\n%s", encode(t, manifest.Spec), encode(t, chart.Spec))
	}
}

func encode(t *testing.T, object any) string {
	t.Helper()
	text, err := sigsyaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheOperatorsPodsSatisfyTheRestrictedStandard(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	deployment := find[appsv1.Deployment](t, objects(t, ""), "Deployment", "lockstep-operator")
	template := deployment.Spec.Template
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if *deployment.Spec.Replicas != 2 {
		t.Errorf("%d operator pods by default, want 2", *deployment.Spec.Replicas)
	}
}

func TestWhatTheImageValuesMean(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	tests := []struct {
		name, values    string
		image, instance string
	}{
		{"by default it is the chart's appVersion, for both", "", "ghcr.io/lockstep-db/lockstep:0.1.0", "ghcr.io/lockstep-db/lockstep:0.1.0"},
		{"a tag changes both", "image: {repository: localhost/lockstep, tag: dev}", "localhost/lockstep:dev", "localhost/lockstep:dev"},
		{"a digest is used instead of the tag", "image: {tag: dev, digest: " + `"` + digest + `"}`, "ghcr.io/lockstep-db/lockstep@" + digest, "ghcr.io/lockstep-db/lockstep@" + digest},
		{"instances can run another image", "instanceImage: other:1", "ghcr.io/lockstep-db/lockstep:0.1.0", "other:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			container := find[appsv1.Deployment](t, objects(t, test.values), "Deployment", "lockstep-operator").Spec.Template.Spec.Containers[0]
			if container.Image != test.image {
				t.Errorf("the operator runs %s, want %s", container.Image, test.image)
			}
			for _, variable := range container.Env {
				if variable.Name == "INSTANCE_IMAGE" && variable.Value != test.instance {
					t.Errorf("instances run %s, want %s", variable.Value, test.instance)
				}
			}
		})
	}
}

func TestWithNamespacesListedTheRightsEndThere(t *testing.T) {
	all := objects(t, "namespaces: [one, two]")
	var bound []string
	for _, object := range all {
		switch object.GetKind() {
		case "RoleBinding":
			binding := &rbacv1.RoleBinding{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, binding); err != nil {
				t.Fatal(err)
			}
			if binding.RoleRef.Kind == "ClusterRole" {
				bound = append(bound, binding.Namespace)
			}
		case "ClusterRoleBinding":
			binding := &rbacv1.ClusterRoleBinding{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, binding); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(binding.RoleRef.Name, "-nodes") {
				t.Errorf("%s is granted in every namespace", binding.RoleRef.Name)
			}
		}
	}
	slices.Sort(bound)
	if !slices.Equal(bound, []string{"one", "two"}) {
		t.Errorf("the rights are granted in %v", bound)
	}
	args := find[appsv1.Deployment](t, all, "Deployment", "lockstep-operator").Spec.Template.Spec.Containers[0].Args
	if !slices.Contains(args, "--namespaces=one,two") {
		t.Errorf("the operator is started with %v", args)
	}
}

func TestEveryValueCanBeSet(t *testing.T) {
	all := objects(t, `
replicas: 1
image: {pullSecrets: [registry]}
crds: {install: false}
serviceAccount: {create: false, name: mine}
log: {format: text, level: debug}
metrics: {service: false, scrapeAnnotations: false}
podDisruptionBudget: {create: false}
podAnnotations: {a: b}
podLabels: {c: d}
priorityClassName: high
nodeSelector: {e: f}
affinity: {nodeAffinity: {}}
tolerations: []
fullnameOverride: redis-operator
rbac: {aggregateToUserRoles: false}
`)
	deployment := find[appsv1.Deployment](t, all, "Deployment", "redis-operator")
	pod := deployment.Spec.Template
	if pod.Spec.ServiceAccountName != "mine" || pod.Spec.PriorityClassName != "high" || pod.Labels["c"] != "d" ||
		pod.Annotations["a"] != "b" || !reflect.DeepEqual(pod.Spec.ImagePullSecrets, []corev1.LocalObjectReference{{Name: "registry"}}) ||
		pod.Spec.Affinity.PodAntiAffinity != nil || len(pod.Spec.Tolerations) != 0 {
		t.Errorf("not all values arrived in:\n%s", encode(t, pod))
	}
	for _, object := range all {
		switch kind := object.GetKind(); kind {
		case "CustomResourceDefinition", "ServiceAccount", "Service", "PodDisruptionBudget":
			t.Errorf("%s %s is installed although it was switched off", kind, object.GetName())
		}
	}
}

func TestAValueThatIsWrongIsRefusedByName(t *testing.T) {
	tests := []struct {
		name, values, want string
	}{
		{"an unknown value is not ignored", "replicaCount: 3", "replicaCount"},
		{"an unknown value below another is not ignored", "image: {name: x}", "name"},
		{"no operator at all", "replicas: 0", "replicas"},
		{"a pull policy that does not exist", "image: {pullPolicy: Sometimes}", "pullPolicy"},
		{"a log level that does not exist", "log: {level: loud}", "level"},
		{"a digest without its algorithm", "image: {digest: abc}", "digest"},
		{"a namespace that can not be one", "namespaces: [My_Space]", "namespaces"},
		{"somebody else's service account without its name", "serviceAccount: {create: false}", "serviceAccount.name must name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := render(t, test.values)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the refusal does not name %q: %v", test.want, err)
			}
		})
	}
}

func TestTheNotesSayHowToGoOn(t *testing.T) {
	files, err := render(t, "namespaces: [shop]")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rollout status deployment/lockstep-operator", "kind: LockstepCluster", "--namespace shop", "demo-rw"} {
		if !strings.Contains(files["lockstep/templates/NOTES.txt"], want) {
			t.Errorf("the notes do not say %q:\n%s", want, files["lockstep/templates/NOTES.txt"])
		}
	}
}

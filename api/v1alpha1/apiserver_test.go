package v1alpha1_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// startAPIServer runs a real kube-apiserver and etcd that know the resource. The
// test is skipped where their programs are not at hand.
func startAPIServer(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver: run make test-apiserver, or set KUBEBUILDER_ASSETS to the folder that holds it")
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Dir(crdFile)},
		ErrorIfCRDPathMissing: true,
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver and etcd: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop kube-apiserver and etcd: %v", err)
		}
	})
	known := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	kube, err := client.New(config, client.Options{Scheme: known})
	if err != nil {
		t.Fatalf("connect to kube-apiserver: %v", err)
	}
	// As kubectl does: a field that does not exist is an error.
	return config, client.WithFieldValidation(kube, metav1.FieldValidationStrict)
}

func TestARealAPIServerAgrees(t *testing.T) {
	config, kube := startAPIServer(t)
	ctx := t.Context()
	t.Run("creations", func(t *testing.T) {
		for _, test := range creations {
			t.Run(test.name, func(t *testing.T) {
				checkAnswer(t, serverAnswer(kube.Create(ctx, manifestObject(t, test.manifest), client.DryRunAll)), test.want)
			})
		}
	})
	t.Run("changes", func(t *testing.T) {
		for _, test := range changes {
			t.Run(test.name, func(t *testing.T) {
				object := manifestObject(t, cluster(test.from))
				checkAnswer(t, serverAnswer(kube.Create(ctx, object)), "")
				defer func() { checkAnswer(t, serverAnswer(kube.Delete(ctx, object)), "") }()
				changed := manifestObject(t, cluster(test.to))
				changed.SetResourceVersion(object.GetResourceVersion())
				checkAnswer(t, serverAnswer(kube.Update(ctx, changed)), test.want)
			})
		}
	})
	t.Run("samples", func(t *testing.T) {
		files, err := filepath.Glob("../../config/samples/lockstep_*.yaml")
		if err != nil || len(files) == 0 {
			t.Fatalf("find the samples: %v, %d files", err, len(files))
		}
		for _, file := range files {
			manifest, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, serverAnswer(kube.Create(ctx, manifestObject(t, string(manifest)), client.DryRunAll)), "")
		}
	})
	t.Run("scale", func(t *testing.T) { scaleChangesTheNumberOfInstances(t, kube) })
	t.Run("status", func(t *testing.T) { specAndStatusAreWrittenApart(t, kube) })
	t.Run("columns", func(t *testing.T) { columnsShowWhatPeopleLookFor(t, config) })
}

// serverAnswer spells a strict decoding error as the in-process tests do.
func serverAnswer(err error) string {
	if err == nil {
		return ""
	}
	return strings.NewReplacer(`unknown field "spec.`, `unknown field spec.`).Replace(err.Error())
}

func manifestObject(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: parseManifest(t, manifest)}
	object.SetNamespace("default")
	return object
}

func newCluster(name string) *v1alpha1.LockstepCluster {
	return &v1alpha1.LockstepCluster{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
}

func scaleChangesTheNumberOfInstances(t *testing.T, kube client.Client) {
	ctx := t.Context()
	c := newCluster("scaled")
	if err := kube.Create(ctx, c); err != nil {
		t.Fatal(err)
	}
	defer remove(t, kube, c)
	c.Status.Instances, c.Status.Selector = 3, "lockstep.dev/cluster=scaled"
	if err := kube.Status().Update(ctx, c); err != nil {
		t.Fatal(err)
	}
	scale := &autoscalingv1.Scale{}
	if err := kube.SubResource("scale").Get(ctx, c, scale); err != nil {
		t.Fatalf("get the scale: %v", err)
	}
	if scale.Spec.Replicas != 3 || scale.Status.Replicas != 3 || scale.Status.Selector != c.Status.Selector {
		t.Errorf("the scale says %+v, %+v", scale.Spec, scale.Status)
	}
	scale.Spec.Replicas = 5
	if err := kube.SubResource("scale").Update(ctx, c, client.WithSubResourceBody(scale)); err != nil {
		t.Fatalf("scale to 5: %v", err)
	}
	if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
		t.Fatal(err)
	}
	if c.Spec.Instances != 5 {
		t.Errorf("spec.instances is %d after scaling to 5", c.Spec.Instances)
	}
	scale.Spec.Replicas = 12
	scale.ResourceVersion = ""
	checkAnswer(t, serverAnswer(kube.SubResource("scale").Update(ctx, c, client.WithSubResourceBody(scale))), "instances must be between 1 and 9")
}

// The status is stored by compare-and-swap: of two writers who saw the same
// version, one is refused.
func specAndStatusAreWrittenApart(t *testing.T, kube client.Client) {
	ctx := t.Context()
	c := newCluster("apart")
	if err := kube.Create(ctx, c); err != nil {
		t.Fatal(err)
	}
	defer remove(t, kube, c)
	second := c.DeepCopy()
	c.Status.Epoch, c.Spec.Instances = 1, 9
	if err := kube.Status().Update(ctx, c); err != nil {
		t.Fatal(err)
	}
	if c.Spec.Instances != 3 {
		t.Errorf("a status update changed spec.instances to %d", c.Spec.Instances)
	}
	second.Status.Epoch = 1
	if err := kube.Status().Update(ctx, second); !apierrors.IsConflict(err) {
		t.Errorf("the second writer of epoch 1 was answered %v, want a conflict", err)
	}
	c.Status.Epoch = 0 // which is left out when it is encoded
	checkAnswer(t, serverAnswer(kube.Status().Update(ctx, c)), "status.epoch only grows")
}

func columnsShowWhatPeopleLookFor(t *testing.T, config *rest.Config) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	restConfig := rest.CopyConfig(config)
	restConfig.GroupVersion = &v1alpha1.GroupVersion
	restConfig.APIPath = "/apis"
	restConfig.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	getter, err := rest.RESTClientForConfigAndClient(restConfig, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := getter.Get().Namespace("default").Resource("lockstepclusters").
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").DoRaw(context.Background())
	if err != nil {
		t.Fatalf("list clusters as a table: %v", err)
	}
	table := &metav1.Table{}
	if err := json.Unmarshal(raw, table); err != nil {
		t.Fatalf("parse the table: %v", err)
	}
	var narrow, wide []string
	for _, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			narrow = append(narrow, column.Name)
		} else {
			wide = append(wide, column.Name)
		}
	}
	if got, want := strings.Join(narrow, " "), "Name Instances Ready Primary Status Age"; got != want {
		t.Errorf("kubectl get shows %s, want %s", got, want)
	}
	if got, want := strings.Join(wide, " "), "Epoch Lag Window Version"; got != want {
		t.Errorf("kubectl get -o wide adds %s, want %s", got, want)
	}
}

func remove(t *testing.T, kube client.Client, object client.Object) {
	t.Helper()
	if err := kube.Delete(context.Background(), object); err != nil {
		t.Errorf("delete %s: %v", object.GetName(), err)
	}
}

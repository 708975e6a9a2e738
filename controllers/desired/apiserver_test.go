package desired

import (
	"context"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// A real API server takes everything that the builders make, in a namespace
// that enforces the restricted standard, and what it adds to a pod does not make
// the pod look outdated.
func TestARealAPIServerTakesTheObjects(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver: run make test-apiserver, or set KUBEBUILDER_ASSETS to the folder that holds it")
	}
	environment := &envtest.Environment{}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver and etcd: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop kube-apiserver and etcd: %v", err)
		}
	})
	kube, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		t.Fatalf("connect to kube-apiserver: %v", err)
	}
	kube = client.WithFieldValidation(kube, metav1.FieldValidationStrict)
	for _, file := range []string{
		"lockstep_v1alpha1_lockstepcluster.yaml", "lockstep_v1alpha1_ephemeral.yaml", "lockstep_v1alpha1_production.yaml",
	} {
		t.Run(file, func(t *testing.T) { takesTheObjects(t, kube, file) })
	}
}

func takesTheObjects(t *testing.T, kube client.Client, file string) {
	ctx := context.Background()
	cluster := sample(t, file)
	cluster.Namespace = "test-" + cluster.Name
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   cluster.Namespace,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := kube.Create(ctx, namespace); err != nil {
		t.Fatal(err)
	}
	for _, object := range everything(cluster) {
		if err := kube.Create(ctx, object.(client.Object)); err != nil {
			t.Errorf("create %T: %v", object, err)
		}
	}
	stored := &corev1.Pod{}
	name := InstanceName(cluster.Name, 1)
	if err := kube.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: name}, stored); err != nil {
		t.Fatal(err)
	}
	if Outdated(stored, Pod(cluster, name, inputs)) {
		t.Error("a pod that was just created looks outdated")
	}
}

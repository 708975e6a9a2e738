package charts

import (
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func TestARealAPIServerTakesTheChartAndTheManifests(t *testing.T) {
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
	for _, name := range []string{"lockstep-system", "one", "two"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := kube.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	for name, values := range map[string]string{
		"with its defaults":                    "",
		"for two namespaces":                   "namespaces: [one, two]",
		"with everything that can be left out": "{crds: {install: false}, metrics: {service: false}, podDisruptionBudget: {create: false}}",
	} {
		t.Run("the chart "+name, func(t *testing.T) {
			for _, object := range objects(t, values) {
				if err := kube.Create(t.Context(), object, client.DryRunAll); err != nil {
					t.Errorf("create %s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
		})
	}
	t.Run("the manifests of config", func(t *testing.T) {
		for _, object := range readManifests(t,
			"../config/crd/bases/lockstep.dev_lockstepclusters.yaml",
			"../config/rbac/service_account.yaml", "../config/rbac/role.yaml", "../config/rbac/role_binding.yaml",
			"../config/rbac/user_roles.yaml", "../config/manager/operator.yaml",
		) {
			if err := kube.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("create %s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	})
}

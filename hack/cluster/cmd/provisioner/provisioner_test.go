package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

// provisionerOf returns a provisioner that sees the objects.
func provisionerOf(t *testing.T, objects ...runtime.Object) *provisioner {
	t.Helper()
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	p := &provisioner{
		client:  client,
		claims:  factory.Core().V1().PersistentVolumeClaims().Lister(),
		volumes: factory.Core().V1().PersistentVolumes().Lister(),
		nodes:   t.TempDir(),
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return p
}

func pendingClaim(change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "data", UID: "1234",
			Annotations: map[string]string{annotationProvisioner: provisionerName, annotationSelectedNode: "w1"},
		},
		Spec:   corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("standard")},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
	if change != nil {
		change(claim)
	}
	return claim
}

func TestProvision(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*corev1.PersistentVolumeClaim)
		want   bool
	}{
		{"a pending claim with a node gets a volume", nil, true},
		{"a claim for another provisioner is left alone", func(c *corev1.PersistentVolumeClaim) { c.Annotations[annotationProvisioner] = "other" }, false},
		{"a claim without a node waits for the scheduler", func(c *corev1.PersistentVolumeClaim) { delete(c.Annotations, annotationSelectedNode) }, false},
		{"a bound claim has its volume already", func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimBound }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := provisionerOf(t, pendingClaim(c.change))
			if err := p.provision(t.Context(), task{Namespace: "default", Name: "data"}); err != nil {
				t.Fatal(err)
			}
			_, err := p.client.CoreV1().PersistentVolumes().Get(t.Context(), "pvc-1234", metav1.GetOptions{})
			if got := err == nil; got != c.want {
				t.Errorf("a volume exists: %v (%v), want %v", got, err, c.want)
			}
			info, err := os.Stat(filepath.Join(p.nodes, "w1", "disk", "pvc-1234"))
			if got := err == nil && info.Mode().Perm() == 0o777; got != c.want {
				t.Errorf("a folder that all may write exists: %v, want %v", got, c.want)
			}
		})
	}
}

func TestReclaim(t *testing.T) {
	for _, c := range []struct {
		name  string
		phase corev1.PersistentVolumePhase
		keep  bool
	}{
		{"a released volume goes with its folder", corev1.VolumeReleased, false},
		{"a bound volume stays", corev1.VolumeBound, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			volume := volumeFor(pendingClaim(nil), "w1")
			volume.Status.Phase = c.phase
			p := provisionerOf(t, volume)
			folder := p.folder(volume)
			if err := os.MkdirAll(folder, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := p.reclaim(t.Context(), task{Name: volume.Name}); err != nil {
				t.Fatal(err)
			}
			_, err := p.client.CoreV1().PersistentVolumes().Get(context.Background(), volume.Name, metav1.GetOptions{})
			if got := !apierrors.IsNotFound(err); got != c.keep {
				t.Errorf("the volume is kept: %v, want %v", got, c.keep)
			}
			if _, err := os.Stat(folder); (err == nil) != c.keep {
				t.Errorf("the folder is kept: %v, want %v", err == nil, c.keep)
			}
		})
	}
}

package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
)

const (
	// provisionerName is what the storage class names.
	provisionerName = "cluster.lockstep.dev/node-disk"
	// mountedDisk is where each node sees its own disk.
	mountedDisk = "/mnt/disk"

	// Set on a claim by Kubernetes: who is to provision it, and the node that the scheduler chose.
	annotationProvisioner  = "volume.kubernetes.io/storage-provisioner"
	annotationSelectedNode = "volume.kubernetes.io/selected-node"
	// Set on a volume by us: Kubernetes deletes the claims' volumes only of known provisioners.
	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
)

type provisioner struct {
	client  kubernetes.Interface
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	nodes   string // the folder of the nodes' folders
}

// provision makes a folder and a volume for a claim that waits for us.
func (p *provisioner) provision(ctx context.Context, name task) error {
	claim, err := p.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read claim %s: %w", name, err)
	}
	node := claim.Annotations[annotationSelectedNode]
	if claim.Annotations[annotationProvisioner] != provisionerName || node == "" || claim.Status.Phase != corev1.ClaimPending || claim.DeletionTimestamp != nil {
		return nil
	}

	volume := volumeFor(claim, node)
	folder := p.folder(volume)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("make folder for claim %s: %w", name, err)
	}
	// Any user of a pod may write, also where the pod sets no fsGroup; the umask would forbid it.
	if err := os.Chmod(folder, 0o777); err != nil {
		return fmt.Errorf("open folder for claim %s: %w", name, err)
	}
	_, err = p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create volume for claim %s: %w", name, err)
	}
	log.Printf("claim %s has volume %s on node %s", name, volume.Name, node)
	return nil
}

// volumeFor returns the volume that satisfies the claim on the node. Its name
// follows from the claim's UID, so that a second try cannot make a second one.
func volumeFor(claim *corev1.PersistentVolumeClaim, node string) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	onNode := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}
	var class string
	if claim.Spec.StorageClassName != nil {
		class = *claim.Spec.StorageClassName
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{annotationProvisionedBy: provisionerName},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              class,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			// Not hostPath: only for local volumes does the kubelet apply a pod's fsGroup.
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: filepath.Join(mountedDisk, name)}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{onNode}}},
			}},
		},
	}
}

// reclaim removes a volume of ours that no claim uses any more, folder first:
// a volume without its folder is tried again, a folder without its volume would be forgotten.
func (p *provisioner) reclaim(ctx context.Context, name task) error {
	volume, err := p.volumes.Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read volume %s: %w", name, err)
	}
	if volume.Annotations[annotationProvisionedBy] != provisionerName ||
		volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	if err := os.RemoveAll(p.folder(volume)); err != nil {
		return fmt.Errorf("remove folder of volume %s: %w", name, err)
	}
	err = p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete volume %s: %w", name, err)
	}
	log.Printf("volume %s is removed", name)
	return nil
}

// folder is where the volume lies on the machine. Only a volume made by
// volumeFor has one; its name and node are names of Kubernetes, hence no paths.
func (p *provisioner) folder(volume *corev1.PersistentVolume) string {
	node := volume.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0]
	return filepath.Join(p.nodes, node, "disk", volume.Name)
}

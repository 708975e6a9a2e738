package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
)

// observer puts together what is known of a cluster. It reads from caches and from
// the fleet, so it is quick, and it changes nothing but whom the fleet listens to.
type observer struct {
	reader     client.Reader
	fleet      *Fleet
	leases     *LeaseKeeper
	leadership *Leadership
	image      string // that runs when the spec names none
	now        func() time.Time
}

// objects are the Kubernetes objects behind an observation, for those who change
// them.
type objects struct {
	pods   map[string]*corev1.Pod
	claims map[string]*corev1.PersistentVolumeClaim // by the instance's name
	nodes  map[string]*corev1.Node
}

// aim points the fleet at the pods that there are.
func (o *observer) aim(ctx context.Context, c *v1alpha1.LockstepCluster) (map[string]*corev1.Pod, error) {
	pods, err := o.pods(ctx, c)
	if err != nil {
		return nil, err
	}
	var targets []Target
	for _, name := range memberNames(c, pods) {
		target := Target{Name: name, Silence: c.Spec.Failover.DetectionTimeout.Duration}
		if pod := pods[name]; pod != nil {
			target.PodUID, target.IP = string(pod.UID), pod.Status.PodIP
		}
		targets = append(targets, target)
	}
	o.fleet.Track(client.ObjectKeyFromObject(c), targets)
	return pods, nil
}

// observe looks at everything. An error means that the API server's objects could
// not be read; an instance that can not be reached is not one.
func (o *observer) observe(ctx context.Context, c *v1alpha1.LockstepCluster) (Observation, objects, error) {
	key := client.ObjectKeyFromObject(c)
	pods, err := o.aim(ctx, c)
	if err != nil {
		return Observation{}, objects{}, err
	}
	objs := objects{pods: pods, nodes: map[string]*corev1.Node{}}
	if objs.claims, err = o.claims(ctx, c); err != nil {
		return Observation{}, objects{}, err
	}
	views := o.fleet.Views(key, uint64(c.Status.Epoch))
	obs := Observation{Self: Self{OthersUntil: o.leadership.OthersUntil(), GrantedFrom: o.leases.GrantedFrom(key)}}
	for _, name := range memberNames(c, pods) {
		ordinal, _ := desired.Ordinal(c.Name, name)
		m := Member{
			Name: name, Ordinal: ordinal,
			Wanted: ordinal <= int(c.Spec.Instances),
			Voter:  slices.Contains(c.Status.Voters, name),
			Claim:  claimState(c, objs.claims[name]),
			View:   views[name],
		}
		if m.Pod, err = o.podFacts(ctx, c, name, objs); err != nil {
			return Observation{}, objects{}, err
		}
		o.bindContainer(key, &m, pods[name])
		obs.Members = append(obs.Members, m)
	}
	return obs, objs, nil
}

// pods are the cluster's own, by name.
func (o *observer) pods(ctx context.Context, c *v1alpha1.LockstepCluster) (map[string]*corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := o.reader.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels(desired.PodLabels(c))); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	pods := map[string]*corev1.Pod{}
	for i := range list.Items {
		pod := &list.Items[i]
		if _, ok := desired.Ordinal(c.Name, pod.Name); ok && metav1.IsControlledBy(pod, c) {
			pods[pod.Name] = pod
		}
	}
	return pods, nil
}

func (o *observer) claims(ctx context.Context, c *v1alpha1.LockstepCluster) (map[string]*corev1.PersistentVolumeClaim, error) {
	list := &corev1.PersistentVolumeClaimList{}
	labels := client.MatchingLabels{v1alpha1.LabelCluster: c.Name}
	if err := o.reader.List(ctx, list, client.InNamespace(c.Namespace), labels); err != nil {
		return nil, fmt.Errorf("list volume claims: %w", err)
	}
	claims := map[string]*corev1.PersistentVolumeClaim{}
	for i := range list.Items {
		claim := &list.Items[i]
		claims[claim.Labels[v1alpha1.LabelInstance]] = claim
	}
	return claims, nil
}

// memberNames are the instances that are wanted, exist, vote or take part in a
// change of primary, by ordinal.
func memberNames(c *v1alpha1.LockstepCluster, pods map[string]*corev1.Pod) []string {
	ordinals := map[int]bool{}
	add := func(name string) {
		if ordinal, ok := desired.Ordinal(c.Name, name); ok {
			ordinals[ordinal] = true
		}
	}
	for ordinal := 1; ordinal <= int(c.Spec.Instances); ordinal++ {
		ordinals[ordinal] = true
	}
	for name := range pods {
		add(name)
	}
	for _, name := range c.Status.Voters {
		add(name)
	}
	add(c.Status.Primary)
	if f := c.Status.Failover; f != nil {
		add(f.From)
	}
	var names []string
	for ordinal := range ordinals {
		names = append(names, desired.InstanceName(c.Name, ordinal))
	}
	slices.SortFunc(names, func(a, b string) int {
		x, _ := desired.Ordinal(c.Name, a)
		y, _ := desired.Ordinal(c.Name, b)
		return x - y
	})
	return names
}

func claimState(c *v1alpha1.LockstepCluster, claim *corev1.PersistentVolumeClaim) ClaimState {
	switch {
	case c.Spec.Storage.Ephemeral:
		return ClaimEphemeral
	case claim == nil:
		return ClaimMissing
	case claim.Status.Phase == corev1.ClaimLost:
		return ClaimLost
	case claim.Status.Phase == corev1.ClaimBound || claim.Spec.VolumeName != "":
		return ClaimBound
	}
	return ClaimUnbound
}

// podFacts puts what is known of a pod into the words of a decision.
func (o *observer) podFacts(ctx context.Context, c *v1alpha1.LockstepCluster, name string, objs objects) (Pod, error) {
	pod := objs.pods[name]
	if pod == nil {
		return Pod{State: PodMissing}, nil
	}
	p := Pod{
		State: podState(pod), UID: string(pod.UID), IP: pod.Status.PodIP, Node: pod.Spec.NodeName,
		Deleting: pod.DeletionTimestamp != nil,
		Outdated: desired.Outdated(pod, desired.Pod(c, name, desired.PodInputs{DefaultImage: o.image})),
	}
	for _, s := range serverStatuses(pod) {
		p.EndedContainers = endedContainers(s)
		p.Trouble = trouble(s)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			p.Unschedulable = condition.Message
		}
	}
	if p.Node == "" {
		return p, nil
	}
	node := &corev1.Node{}
	err := o.reader.Get(ctx, types.NamespacedName{Name: p.Node}, node)
	if apierrors.IsNotFound(err) {
		p.NodeLost = true
		return p, nil
	}
	if err != nil {
		return Pod{}, fmt.Errorf("get node %s: %w", p.Node, err)
	}
	objs.nodes[p.Node] = node
	p.NodeLost, p.NodeCordoned = nodeLost(node), node.Spec.Unschedulable
	return p, nil
}

func podState(pod *corev1.Pod) PodState {
	switch {
	case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		return PodEnded
	case pod.Status.Phase == corev1.PodRunning:
		return PodRunning
	}
	for _, s := range serverStatuses(pod) {
		if s.State.Running != nil || len(endedContainers(s)) > 0 {
			return PodRunning
		}
	}
	return PodPending
}

// serverStatuses is the status of the server's container: one, or none yet.
func serverStatuses(pod *corev1.Pod) []corev1.ContainerStatus {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == desired.ContainerName {
			return []corev1.ContainerStatus{s}
		}
	}
	return nil
}

func endedContainers(s corev1.ContainerStatus) []string {
	var ids []string
	for _, t := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
		if t != nil && t.ContainerID != "" {
			ids = append(ids, t.ContainerID)
		}
	}
	return ids
}

func nodeLost(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status != corev1.ConditionTrue
		}
	}
	return true
}

// bindContainer remembers in which container a process was seen to run: the one
// that the kubelet reports as running while its stream is open.
func (o *observer) bindContainer(cluster types.NamespacedName, m *Member, pod *corev1.Pod) {
	if pod == nil || m.View.Container != "" || m.View.Status == nil || !m.View.LostAt.IsZero() || m.View.Failure != "" {
		return
	}
	boot := m.View.Status.BootID
	for _, s := range serverStatuses(pod) {
		if s.State.Running == nil || s.ContainerID == "" {
			continue
		}
		m.View.Container = s.ContainerID
		o.fleet.Note(cluster, m.Name, func(v *View) {
			if v.Status != nil && v.Status.BootID == boot {
				v.Container = s.ContainerID
			}
		})
	}
}

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
	"github.com/lockstep-db/lockstep/controllers/desired"
	"github.com/lockstep-db/lockstep/controllers/pki"
)

// fieldOwner is the name under which the operator owns fields of objects.
const fieldOwner = client.FieldOwner(desired.ManagedBy)

// errNotOwned says that an object of a name that the cluster needs is there and
// belongs to somebody else. It is left alone.
var errNotOwned = errors.New("an object of this name exists and does not belong to the cluster")

// appliedObject remembers what was asked for and what came of it, so that an object
// is applied again only when one of the two has changed.
type appliedObject struct {
	asked   string // JSON
	version string // the resource version that came of it
}

// ensureObjects makes everything that the pods need before they are made. What is
// refused is a problem to report, and no reason to leave the rest undone.
func (p *pass) ensureObjects(ctx context.Context) error {
	if err := p.ensureCertificates(ctx); err != nil {
		return err
	}
	objects := []client.Object{desired.ServiceAccount(p.c), desired.ConfigMap(p.c), desired.DisruptionBudget(p.c)}
	for _, service := range desired.Services(p.c) {
		objects = append(objects, service)
	}
	for _, object := range objects {
		if err := p.apply(ctx, object); err != nil {
			return err
		}
	}
	if err := p.ensureClaims(ctx); err != nil {
		return err
	}
	return p.dropOldConfigs(ctx)
}

// dropOldConfigs deletes configurations that no pod was started with any more. A pod
// is only ever made with the present one.
func (p *pass) dropOldConfigs(ctx context.Context) error {
	used := map[string]bool{desired.ConfigMap(p.c).Name: true}
	for _, pod := range p.objects.pods {
		for _, v := range pod.Spec.Volumes {
			if v.ConfigMap != nil {
				used[v.ConfigMap.Name] = true
			}
		}
	}
	list := &corev1.ConfigMapList{}
	labels := client.MatchingLabels(desired.Labels(p.c, desired.ComponentConfiguration))
	if err := p.Client.List(ctx, list, client.InNamespace(p.c.Namespace), labels); err != nil {
		return fmt.Errorf("list config maps: %w", err)
	}
	for i := range list.Items {
		old := &list.Items[i]
		if used[old.Name] || !metav1.IsControlledBy(old, p.c) {
			continue
		}
		if err := p.Client.Delete(ctx, old); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete config map %s: %w", old.Name, err)
		}
	}
	return nil
}

// apply makes an object what it should be, by server-side apply, unless it already
// is.
func (p *pass) apply(ctx context.Context, object client.Object) error {
	gvk, err := apiutil.GVKForObject(object, p.Client.Scheme())
	if err != nil {
		return fmt.Errorf("apply %s: %w", object.GetName(), err)
	}
	asked, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", gvk.Kind, object.GetName(), err)
	}
	id := gvk.Kind + "/" + object.GetName()
	known, seen := p.memory.applied[id]
	present := object.DeepCopyObject().(client.Object)
	err = p.Client.Get(ctx, client.ObjectKeyFromObject(object), present)
	if apierrors.IsNotFound(err) && !seen {
		// The caches hold only what has the operator's labels. Somebody else's
		// object of this name must not be taken over.
		err = p.Live.Get(ctx, client.ObjectKeyFromObject(object), present)
	}
	switch {
	case err == nil && !metav1.IsControlledBy(present, p.c):
		p.problem(v1alpha1.ReasonObjectNotOwned, "%s %s: %v; rename the cluster or remove the object", gvk.Kind, object.GetName(), errNotOwned)
		return nil
	case err == nil && known == appliedObject{string(asked), present.GetResourceVersion()}:
		return nil
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("get %s %s: %w", gvk.Kind, object.GetName(), err)
	}
	version, err := p.applyNow(ctx, object)
	if refusedForGood(err) {
		p.problem(v1alpha1.ReasonObjectRefused, "the API server refuses %s %s: %v", gvk.Kind, object.GetName(), err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", gvk.Kind, object.GetName(), err)
	}
	p.memory.applied[id] = appliedObject{string(asked), version}
	return nil
}

// applyNow writes without looking first, and returns the new resource version.
func (p *pass) applyNow(ctx context.Context, object client.Object) (version string, err error) {
	gvk, err := apiutil.GVKForObject(object, p.Client.Scheme())
	if err != nil {
		return "", err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return "", err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	// Zero values of the Go types that would claim fields nobody asked for.
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "status")
	if err := p.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), fieldOwner, client.ForceOwnership); err != nil {
		return "", err
	}
	return u.GetResourceVersion(), nil
}

// ensureClaims makes the volume claims of the wanted instances, and lets them grow.
func (p *pass) ensureClaims(ctx context.Context) error {
	for _, m := range p.obs.Members {
		want := desired.Claim(p.c, m.Name)
		if !m.Wanted || want == nil {
			continue
		}
		have := p.objects.claims[m.Name]
		if have == nil {
			err := p.Client.Create(ctx, want)
			if refusedForGood(err) {
				p.problem(v1alpha1.ReasonObjectRefused, "the API server refuses the volume claim of %s: %v", m.Name, err)
			} else if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("create volume claim %s: %w", want.Name, err)
			}
			continue
		}
		if grown := desired.GrowTo(p.c, have); grown != nil {
			err := p.Client.Update(ctx, grown)
			if refusedForGood(err) {
				p.problem(v1alpha1.ReasonObjectRefused, "the volume of %s can not grow: %v", m.Name, err)
			} else if err != nil && !apierrors.IsConflict(err) {
				return fmt.Errorf("grow volume claim %s: %w", grown.Name, err)
			}
		}
	}
	return nil
}

// ensureCertificates makes and renews the certificates of the instance API. The
// secrets are read from the API server, and only when something may be due.
func (p *pass) ensureCertificates(ctx context.Context) error {
	now := p.Now()
	if p.memory.certsDue.After(now) {
		return nil
	}
	names := []string{desired.AuthoritySecretName(p.c.Name), desired.ServerSecretName(p.c.Name), desired.OperatorSecretName(p.c.Name)}
	have := make([]*corev1.Secret, len(names))
	data := make([]map[string][]byte, len(names))
	for i, name := range names {
		secret := &corev1.Secret{}
		err := p.Live.Get(ctx, types.NamespacedName{Namespace: p.c.Namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("get secret %s: %w", name, err)
		}
		if !metav1.IsControlledBy(secret, p.c) {
			p.problem(v1alpha1.ReasonObjectNotOwned, "Secret %s: %v; rename the cluster or remove the secret", name, errNotOwned)
			return nil
		}
		have[i], data[i] = secret, secret.Data
	}
	whom := pki.Cluster{Namespace: p.c.Namespace, Name: p.c.Name}
	old := pki.Secrets{Authority: data[0], Server: data[1], Operator: data[2]}.Material()
	material, changes, err := pki.Renew(whom, old, now)
	if err != nil {
		p.problem(v1alpha1.ReasonCertificatesInvalid, "the certificates of the instance API can not be used: %v; delete secret %s to have new ones made", err, names[0])
		return nil
	}
	want := material.Secrets()
	for i, content := range []map[string][]byte{want.Authority, want.Server, want.Operator} {
		if err := p.writeSecret(ctx, have[i], desired.Secret(p.c, names[i], content)); err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		p.Connect.Forget(p.key)
	}
	// Not longer than an hour, so that a secret that was deleted comes back.
	p.memory.certsDue = now.Add(min(pki.RenewIn(whom, material, now)+time.Second, time.Hour))
	return nil
}

func (p *pass) writeSecret(ctx context.Context, have, want *corev1.Secret) error {
	if have == nil {
		if err := p.Client.Create(ctx, want); err != nil {
			return fmt.Errorf("create secret %s: %w", want.Name, err)
		}
		return nil
	}
	if equalData(have.Data, want.Data) {
		return nil
	}
	next := have.DeepCopy()
	next.Data = want.Data
	if err := p.Client.Update(ctx, next); err != nil {
		return fmt.Errorf("update secret %s: %w", want.Name, err)
	}
	return nil
}

func equalData(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		if other, ok := b[key]; !ok || !slices.Equal(value, other) {
			return false
		}
	}
	return true
}

// foreignOrCached explains why an object could not be made because it is there: it
// is somebody else's, or the cache does not show it yet.
func (p *pass) foreignOrCached(ctx context.Context, object client.Object, name string) error {
	err := p.Live.Get(ctx, types.NamespacedName{Namespace: p.c.Namespace, Name: name}, object)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(object, p.c) && object.GetDeletionTimestamp() == nil {
		p.problem(v1alpha1.ReasonObjectNotOwned, "Pod %s: %v; rename the cluster or remove the pod", name, errNotOwned)
	}
	return nil
}

// routePrimary points the writers' service at the primary, at once and without
// reading anything first.
func (p *pass) routePrimary(ctx context.Context, m Member) error {
	routes := desired.Route([]desired.Backend{backend(m, true, false)})
	name := desired.ReadWriteName(p.c.Name)
	for _, slice := range desired.EndpointSlices(p.c, name, p.families(ctx, name), routes.ReadWrite) {
		version, err := p.applyNow(ctx, slice)
		if refusedForGood(err) {
			// The primary is what it is, also when clients can not be led to it.
			p.problem(v1alpha1.ReasonObjectRefused, "the API server refuses to lead service %s to %s: %v", name, m.Name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("route %s to %s: %w", name, m.Name, err)
		}
		if asked, err := json.Marshal(slice); err == nil {
			p.memory.applied["EndpointSlice/"+slice.Name] = appliedObject{string(asked), version}
		}
	}
	return nil
}

// syncRoutes points all services where they should lead to. While a change of
// primary is under way they stay as they are: the old primary refuses writes or is
// gone, and the new one is routed to when it is committed.
func (p *pass) syncRoutes(ctx context.Context) error {
	if p.c.Status.Failover != nil {
		return nil
	}
	s := newSituation(p.c, p.obs, p.Now())
	var backends []desired.Backend
	for _, m := range p.obs.Members {
		backends = append(backends, backend(m, m.Name == p.c.Status.Primary, s.ready(m) && !m.Pod.Deleting))
	}
	routes := desired.Route(backends)
	for name, to := range map[string][]desired.Backend{
		desired.ReadWriteName(p.c.Name): routes.ReadWrite,
		desired.ReadOnlyName(p.c.Name):  routes.ReadOnly,
		desired.ReadName(p.c.Name):      routes.Read,
	} {
		for _, slice := range desired.EndpointSlices(p.c, name, p.families(ctx, name), to) {
			if err := p.apply(ctx, slice); err != nil {
				return err
			}
		}
	}
	return nil
}

func backend(m Member, primary, readyReplica bool) desired.Backend {
	b := desired.Backend{Instance: m.Name, PodUID: types.UID(m.Pod.UID), Node: m.Pod.Node, Primary: primary, ReadyReplica: readyReplica}
	// An address that can not be parsed is an invalid one, and gets no clients.
	b.Address, _ = netip.ParseAddr(m.Pod.IP)
	return b
}

// families are the address families of a service; nil when it is not known yet.
func (p *pass) families(ctx context.Context, name string) []corev1.IPFamily {
	service := &corev1.Service{}
	if err := p.Client.Get(ctx, types.NamespacedName{Namespace: p.c.Namespace, Name: name}, service); err != nil {
		return nil // then it has the default one, and the next reconcile knows
	}
	return service.Spec.IPFamilies
}

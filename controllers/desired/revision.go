package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

// hash names a text in ten hex digits: 40 bits tell the few versions of one
// cluster apart.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:10]
}

// revision names everything in a pod that can be changed only by replacing it.
// The instance's own name is in it too; revisions are compared between a pod and
// what the same instance should run.
func revision(pod *corev1.Pod) string {
	text, err := json.Marshal(struct {
		Annotations map[string]string
		Labels      map[string]string
		Spec        corev1.PodSpec
	}{pod.Annotations, pod.Labels, pod.Spec})
	if err != nil {
		// A pod that we built ourselves consists of strings and numbers.
		panic(fmt.Sprintf("encode pod %s: %v", pod.Name, err))
	}
	return hash(string(text))
}

// Outdated tells whether a pod has to be replaced so that it is what the spec
// asks for. wanted comes from Pod, for the same instance.
//
// What others have changed in a running pod does not count: the API server's
// defaults, a service mesh's additions, the role label.
func Outdated(running, wanted *corev1.Pod) bool {
	return running.Annotations[v1alpha1.AnnotationRevision] != wanted.Annotations[v1alpha1.AnnotationRevision]
}

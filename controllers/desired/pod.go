package desired

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lockstep-db/lockstep/api/v1alpha1"
)

const (
	// ContainerName of the server in its pod.
	ContainerName = "server"

	// userID is the image's user.
	userID = 65532

	// terminationGraceSeconds is how long a server may take to stop: it closes
	// its connections and writes a snapshot.
	terminationGraceSeconds = 60

	volumeData   = "data"
	volumeConfig = "config"
	volumeCerts  = "tls"
)

// PodInputs are what a pod depends on beside the spec.
type PodInputs struct {
	// DefaultImage runs when the spec names no image; normally the operator's own.
	DefaultImage string
}

// Pod is an instance's pod. It satisfies the "restricted" Pod Security Standard
// and has no access to the Kubernetes API. It carries no role: the operator adds
// that label once the instance has one.
func Pod(c *v1alpha1.LockstepCluster, instance string, in PodInputs) *corev1.Pod {
	meta := object(c, instance, ComponentServer)
	meta.Labels[v1alpha1.LabelInstance] = instance
	for name, value := range c.Spec.Monitoring.PodLabels {
		meta.Labels[name] = string(value)
	}
	config := ConfigMap(c)
	meta.Annotations = podAnnotations(c, config)
	pod := &corev1.Pod{ObjectMeta: meta, Spec: podSpec(c, instance, config.Name, in)}
	pod.Annotations[v1alpha1.AnnotationRevision] = revision(pod)
	return pod
}

func podAnnotations(c *v1alpha1.LockstepCluster, config *corev1.ConfigMap) map[string]string {
	annotations := map[string]string{
		v1alpha1.AnnotationConfigHash:             hash(config.Data[configFile]),
		"kubectl.kubernetes.io/default-container": ContainerName,
	}
	if scrape := c.Spec.Monitoring.ScrapeAnnotations; scrape != nil && *scrape {
		annotations["prometheus.io/scrape"] = "true"
		annotations["prometheus.io/port"] = strconv.Itoa(HTTPPort)
		annotations["prometheus.io/path"] = "/metrics"
	}
	return annotations
}

func podSpec(c *v1alpha1.LockstepCluster, instance, config string, in PodInputs) corev1.PodSpec {
	yes, no := true, false
	user, grace := int64(userID), int64(terminationGraceSeconds)
	readableByGroup := int32(0o440)
	onMismatch := corev1.FSGroupChangeOnRootMismatch
	scheduling := c.Spec.Scheduling
	return corev1.PodSpec{
		// The names under which the headless service publishes the pod.
		Hostname:  instance,
		Subdomain: HeadlessName(c.Name),

		ServiceAccountName:           AccountName(c.Name),
		AutomountServiceAccountToken: &no,
		EnableServiceLinks:           &no,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:        &yes,
			RunAsUser:           &user,
			RunAsGroup:          &user,
			FSGroup:             &user,
			FSGroupChangePolicy: &onMismatch,
			SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		// Always: a server that ended is back within a second or two, with its
		// data, and waits to be given a role.
		RestartPolicy:                 corev1.RestartPolicyAlways,
		TerminationGracePeriodSeconds: &grace,

		ImagePullSecrets:          c.Spec.ImagePullSecrets,
		NodeSelector:              scheduling.NodeSelector,
		Tolerations:               scheduling.Tolerations,
		PriorityClassName:         scheduling.PriorityClassName,
		Affinity:                  affinity(c),
		TopologySpreadConstraints: spread(c),

		Containers: []corev1.Container{container(c, instance, in)},
		Volumes: []corev1.Volume{
			dataVolume(c, instance),
			{Name: volumeConfig, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: config},
			}}},
			{Name: volumeCerts, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName:  ServerSecretName(c.Name),
				DefaultMode: &readableByGroup,
			}}},
		},
	}
}

func container(c *v1alpha1.LockstepCluster, instance string, in PodInputs) corev1.Container {
	yes, no := true, false
	image := c.Spec.Image
	if image == "" {
		image = in.DefaultImage
	}
	return corev1.Container{
		Name:            ContainerName,
		Image:           image,
		ImagePullPolicy: c.Spec.ImagePullPolicy,
		Command:         []string{"lockstep-server"},
		Args:            []string{configDirectory + "/" + configFile, "--lockstep-instance-name", instance},
		WorkingDir:      dataDirectory,
		Ports: []corev1.ContainerPort{
			{Name: PortNameRedis, ContainerPort: ClientPort, Protocol: corev1.ProtocolTCP},
			{Name: PortNameInstance, ContainerPort: InstancePort, Protocol: corev1.ProtocolTCP},
			{Name: PortNameHTTP, ContainerPort: HTTPPort, Protocol: corev1.ProtocolTCP},
		},
		Resources: resources(c),
		VolumeMounts: []corev1.VolumeMount{
			{Name: volumeData, MountPath: dataDirectory},
			{Name: volumeConfig, MountPath: configDirectory, ReadOnly: true},
			{Name: volumeCerts, MountPath: certsDirectory, ReadOnly: true},
		},
		LivenessProbe:  liveness(),
		ReadinessProbe: readiness(),
		// A server that can not start says why in its last lines. They get into the
		// pod's status, and from there into the cluster's.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot:             &yes,
			AllowPrivilegeEscalation: &no,
			ReadOnlyRootFilesystem:   &yes,
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// liveness ends a process that has answered nothing for half a minute:
// 6 probes, 5 seconds apart. Failover does not wait for that; it is there so
// that a process which will never wake up is replaced in the end. A server that
// is busy or loading still answers.
func liveness() *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     httpGet("/livez"),
		PeriodSeconds:    5,
		TimeoutSeconds:   4,
		SuccessThreshold: 1,
		FailureThreshold: 6,
	}
}

// readiness shows in the pod's status and in the disruption budget. Clients are
// routed by the operator, which is faster.
func readiness() *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     httpGet("/readyz"),
		PeriodSeconds:    1,
		TimeoutSeconds:   1,
		SuccessThreshold: 1,
		FailureThreshold: 2,
	}
}

func httpGet(path string) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path:   path,
		Port:   intstr.FromString(PortNameHTTP),
		Scheme: corev1.URISchemeHTTP,
	}}
}

// resources are the spec's, or a small request: without any, the kernel would
// end a database before everything else when memory runs out.
func resources(c *v1alpha1.LockstepCluster) corev1.ResourceRequirements {
	r := c.Spec.Resources
	if len(r.Requests) > 0 || len(r.Limits) > 0 || len(r.Claims) > 0 {
		return r
	}
	memory := resource.MustParse("64Mi")
	memory.Add(c.Spec.Replication.Backlog.Memory)
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("100m"),
		corev1.ResourceMemory: memory,
	}}
}

func dataVolume(c *v1alpha1.LockstepCluster, instance string) corev1.Volume {
	volume := corev1.Volume{Name: volumeData}
	if c.Spec.Storage.Ephemeral {
		size := c.Spec.Storage.Size
		volume.EmptyDir = &corev1.EmptyDirVolumeSource{SizeLimit: &size}
		return volume
	}
	volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: ClaimName(instance)}
	return volume
}

// affinity prefers a node of its own for each instance. It does not insist: two
// instances on one node are better than one that does not run.
func affinity(c *v1alpha1.LockstepCluster) *corev1.Affinity {
	if c.Spec.Scheduling.Affinity != nil {
		return c.Spec.Scheduling.Affinity
	}
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				LabelSelector: &metav1.LabelSelector{MatchLabels: PodLabels(c)},
				TopologyKey:   corev1.LabelHostname,
			},
		}},
	}}
}

// spread is over zones, where there are any. Constraints of the user's that name
// no pods mean the cluster's own.
func spread(c *v1alpha1.LockstepCluster) []corev1.TopologySpreadConstraint {
	own := &metav1.LabelSelector{MatchLabels: PodLabels(c)}
	if c.Spec.Scheduling.TopologySpreadConstraints == nil {
		return []corev1.TopologySpreadConstraint{{
			MaxSkew:           1,
			TopologyKey:       corev1.LabelTopologyZone,
			WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:     own,
		}}
	}
	constraints := make([]corev1.TopologySpreadConstraint, 0, len(c.Spec.Scheduling.TopologySpreadConstraints))
	for _, constraint := range c.Spec.Scheduling.TopologySpreadConstraints {
		if constraint.LabelSelector == nil {
			constraint.LabelSelector = own
		}
		constraints = append(constraints, constraint)
	}
	return constraints
}

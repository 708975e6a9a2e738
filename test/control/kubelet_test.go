// Package control runs the operator against a real API server and real server
// processes. Only the kubelet is played: pods become processes with addresses of
// their own in a network namespace, so that faults are signals. It needs neither
// root nor containers.
package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-db/lockstep/controllers/desired"
)

// kubelet runs a process for each pod and starts it again when it ends.
type kubelet struct {
	t         *testing.T
	client    client.Client
	namespace string
	server    string // program
	dir       string
	index     int // of this kubelet among those of the process

	mu   sync.Mutex // guards what follows
	pods map[types.UID]*process
	next int
	wg   sync.WaitGroup
}

// process is the container of a pod.
type process struct {
	name   string
	ip     string
	cancel context.CancelFunc
	cmd    *exec.Cmd
	starts int
}

// run plays until the context ends.
func (k *kubelet) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			k.wg.Wait()
			return
		case <-time.After(50 * time.Millisecond):
		}
		k.syncPods(ctx)
	}
}

func (k *kubelet) syncPods(ctx context.Context) {
	pods := &corev1.PodList{}
	if err := k.client.List(ctx, pods, client.InNamespace(k.namespace)); err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	there := map[types.UID]bool{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		there[pod.UID] = true
		if k.pods[pod.UID] != nil {
			continue
		}
		processCtx, cancel := context.WithCancel(ctx)
		p := &process{name: pod.Name, cancel: cancel, ip: k.address()}
		k.pods[pod.UID] = p
		k.wg.Go(func() { k.keep(processCtx, pod, p) })
	}
	for uid, p := range k.pods {
		if !there[uid] {
			p.cancel()
			delete(k.pods, uid)
		}
	}
}

// address is a new one for each pod.
func (k *kubelet) address() string {
	k.next++
	return fmt.Sprintf("%s.%d.%d", podNetwork, k.index, k.next)
}

// keep starts the process again whenever it ends, until the pod is gone.
func (k *kubelet) keep(ctx context.Context, pod *corev1.Pod, p *process) {
	for ctx.Err() == nil {
		cmd, err := k.start(ctx, pod, p)
		if err != nil {
			if ctx.Err() == nil {
				k.t.Logf("kubelet: start %s: %v", p.name, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // how it ended is the test's doing
			close(ended)
		}()
		select {
		case <-ended:
			k.report(ctx, pod, p, false)
			select { // a crash-loop back-off
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGCONT) // it may have been frozen
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				_ = cmd.Process.Kill()
				<-ended
			}
		}
	}
}

func (k *kubelet) start(ctx context.Context, pod *corev1.Pod, p *process) (*exec.Cmd, error) {
	dir := filepath.Join(k.dir, pod.Name)
	certs := filepath.Join(dir, "certs")
	data := filepath.Join(dir, "data")
	for _, d := range []string{certs, data} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	args, err := k.files(ctx, pod, dir, certs, data)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(k.server, append(args, "--bind", p.ip, "--lockstep-api-bind", p.ip, "--lockstep-http-port", "0")...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k.mu.Lock()
	p.cmd = cmd
	p.starts++
	k.mu.Unlock()
	k.report(ctx, pod, p, true)
	return cmd, nil
}

// files writes what the pod mounts, and returns the server's arguments.
func (k *kubelet) files(ctx context.Context, pod *corev1.Pod, dir, certs, data string) ([]string, error) {
	secret, config := &corev1.Secret{}, &corev1.ConfigMap{}
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.Secret != nil:
			if err := k.client.Get(ctx, types.NamespacedName{Namespace: k.namespace, Name: v.Secret.SecretName}, secret); err != nil {
				return nil, err
			}
		case v.ConfigMap != nil:
			if err := k.client.Get(ctx, types.NamespacedName{Namespace: k.namespace, Name: v.ConfigMap.Name}, config); err != nil {
				return nil, err
			}
		}
	}
	for name, content := range secret.Data {
		if err := os.WriteFile(filepath.Join(certs, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, "lockstep.conf")
	if err := os.WriteFile(file, []byte(config.Data["lockstep.conf"]), 0o600); err != nil {
		return nil, err
	}
	return []string{file, "--lockstep-instance-name", pod.Name, "--dir", data,
		"--lockstep-api-cert-file", filepath.Join(certs, "tls.crt"),
		"--lockstep-api-key-file", filepath.Join(certs, "tls.key"),
		"--lockstep-api-ca-file", filepath.Join(certs, "ca.crt")}, nil
}

// report writes the pod's status.
func (k *kubelet) report(ctx context.Context, pod *corev1.Pod, p *process, running bool) {
	fresh := &corev1.Pod{}
	if err := k.client.Get(ctx, client.ObjectKeyFromObject(pod), fresh); err != nil || fresh.UID != pod.UID {
		return
	}
	before := fresh.DeepCopy()
	fresh.Status.Phase = corev1.PodRunning
	fresh.Status.PodIP, fresh.Status.PodIPs = p.ip, []corev1.PodIP{{IP: p.ip}}
	id := fmt.Sprintf("played://%s-%d", pod.UID, p.starts)
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	if !running {
		state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: id, ExitCode: 137}}
	}
	fresh.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: desired.ContainerName, ContainerID: id, State: state}}
	if err := k.client.Status().Patch(ctx, fresh, client.MergeFrom(before)); err != nil && ctx.Err() == nil {
		k.t.Logf("kubelet: report %s: %v", pod.Name, err)
	}
}

// signal sends a signal to the process of an instance.
func (k *kubelet) signal(name string, sig syscall.Signal) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.name == name && p.cmd != nil {
			return p.cmd.Process.Signal(sig)
		}
	}
	return errors.New("no process of that name")
}

// clientAddress is where an instance serves clients; empty when it has no pod.
func (k *kubelet) clientAddress(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.name == name {
			return net.JoinHostPort(p.ip, fmt.Sprint(desired.ClientPort))
		}
	}
	return ""
}

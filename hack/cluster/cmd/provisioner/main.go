// Command provisioner gives each claim of the cluster's storage class a folder
// on the disk of the node that the scheduler chose for its pod, and removes the
// folder when the claim is deleted.
//
// It runs beside the control plane, where the disks of all nodes are folders
// below one. It owns no state: what is to be done follows from the claims and
// volumes alone, so it may be ended at any time.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the kubeconfig to call the API with")
	nodes := flag.String("nodes", "", "the folder in which NODE/disk is the disk of each node")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *nodes); err != nil {
		log.Fatal(err)
	}
}

// run reconciles claims and volumes until the context ends.
func run(ctx context.Context, kubeconfig, nodes string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}

	factory := informers.NewSharedInformerFactory(client, time.Minute)
	claims := factory.Core().V1().PersistentVolumeClaims()
	volumes := factory.Core().V1().PersistentVolumes()
	p := &provisioner{client: client, claims: claims.Lister(), volumes: volumes.Lister(), nodes: nodes}

	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[task](100*time.Millisecond, 10*time.Second))
	if err := enqueue(claims.Informer(), queue); err != nil {
		return err
	}
	if err := enqueue(volumes.Informer(), queue); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	go func() {
		<-ctx.Done()
		queue.ShutDown()
	}()
	for work(ctx, queue, p) {
	}
	factory.Shutdown()
	return nil
}

// task is one claim (with a namespace) or one volume (without).
type task = cache.ObjectName

// enqueue adds each object of the informer to the queue whenever it changes.
func enqueue(informer cache.SharedIndexInformer, queue workqueue.TypedRateLimitingInterface[task]) error {
	add := func(object any) {
		if name, err := cache.ObjectToName(object); err == nil {
			queue.Add(name)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    add,
		UpdateFunc: func(_, object any) { add(object) },
	})
	return err
}

// work takes one task from the queue; false means that the queue is shut down.
func work(ctx context.Context, queue workqueue.TypedRateLimitingInterface[task], p *provisioner) bool {
	next, shutdown := queue.Get()
	if shutdown {
		return false
	}
	defer queue.Done(next)

	step := p.provision
	if next.Namespace == "" {
		step = p.reclaim
	}
	if err := step(ctx, next); err != nil {
		log.Printf("%v (tried again soon)", err)
		queue.AddRateLimited(next)
		return true
	}
	queue.Forget(next)
	return true
}

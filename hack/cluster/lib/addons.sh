# shellcheck shell=bash
# What a usable cluster has beside Kubernetes itself: images, names, storage.

# load_image WORKER FILE imports an image archive into the node's containerd.
# The file goes in by standard input, since the node may not see its folder.
load_image() {
	in_node "$1" ctr --address /run/containerd/containerd.sock --namespace k8s.io images import --digests=false - <"$2"
}

# load_own_images WORKER, once for each build; they stay on the node's disk.
load_own_images() {
	local folder build image
	folder=$(node_folder "$1")
	build=$(readlink -f "$PROGRAMS/..")
	[[ $(cat "$folder/own-images" 2>/dev/null) == "$build" ]] && return
	for image in "$build"/images/*.tar; do
		wait_for 60 "node $1 to take $(basename "$image")" "$folder/log/containerd.log" load_image "$1" "$image"
	done
	echo "$build" >"$folder/own-images"
}

# on_each_worker COMMAND... runs it for all workers at once, with the name of
# the worker as the first argument, and fails if any has failed.
on_each_worker() {
	local worker job failed=0 jobs=()
	for worker in "${WORKERS[@]}"; do
		"$1" "$worker" "${@:2}" &
		jobs+=("$!")
	done
	for job in "${jobs[@]}"; do
		wait "$job" || failed=1
	done
	return "$failed"
}

# wait_for_cluster returns when pods can be made, named and given storage.
wait_for_cluster() {
	local worker logs
	logs=$(node_folder "$CONTROL_PLANE")/log
	wait_for 180 "the API server" "$logs/kube-apiserver.log" kubectl get --raw /readyz
	say "the API server is ready"
	kubectl apply -f "$HERE/manifests/" >"$logs/manifests.log" 2>&1 || {
		show_tail "$logs/manifests.log"
		fail "the manifests in $HERE/manifests could not be applied"
	}
	for worker in "${WORKERS[@]}"; do
		wait_for 180 "node $worker to be Ready" "$(node_folder "$worker")/log/kubelet.log" worker_is_ready "$worker"
	done
	say "the ${#WORKERS[@]} workers are Ready"
	wait_for 120 "the default service account, without which no pod can be made" "$logs/kube-controller-manager.log" \
		kubectl get serviceaccount default
	wait_for 180 "the name server on every worker" "$logs/kube-controller-manager.log" names_are_served
	wait_for 60 "services to be reachable on the control plane" "$logs/kube-proxy.log" services_are_reachable
	say "names and services are there"
}

worker_is_ready() { [[ $(readiness_of "$1") == True ]]; }

# readiness_of WORKER prints True, False or Unknown, as the API has it.
readiness_of() {
	kubectl get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null
}

# name_servers prints "READY/WANTED".
name_servers() {
	kubectl get daemonset coredns --namespace kube-system \
		-o 'jsonpath={.status.numberReady}/{.status.desiredNumberScheduled}' 2>/dev/null
}

names_are_served() { [[ $(name_servers) == "${#WORKERS[@]}/${#WORKERS[@]}" ]]; }

# services_are_reachable asks for the API server by its name, at its service's address.
services_are_reachable() {
	in_control_plane bash -c 'exec 3<>/dev/tcp/kubernetes.default.svc.cluster.local/443'
}

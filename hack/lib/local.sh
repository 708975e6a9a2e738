# shellcheck shell=bash
# The local Kubernetes of hack/cluster. Needs say.sh and operator.sh.

readonly CLUSTER_TOOL=$PWD/hack/cluster/cluster

in_cluster() { "$CLUSTER_TOOL" run "$@"; }

# local_exists: there is a cluster, well or not.
local_exists() { "$CLUSTER_TOOL" kubeconfig >/dev/null 2>&1; }

# local_load_image puts IMAGE on every worker, and takes away those of former
# builds that no pod uses: each is as large as the programs.
local_load_image() {
	say "loading the image onto the nodes"
	"$CLUSTER_TOOL" load-image "$ARCHIVE"
	local used worker
	used=$(in_cluster kubectl get pods --all-namespaces --output 'jsonpath={.items[*].spec.containers[*].image}')
	for worker in $(in_cluster kubectl get nodes --output 'jsonpath={.items[*].metadata.name}'); do
		remove_images_but "$worker" "$used $IMAGE"
	done
}

# remove_images_but WORKER IMAGES removes all of ours that are not named. An image
# is listed by its name and once more by a sum, which would keep its content.
remove_images_but() {
	local list name digest names
	list=$("$CLUSTER_TOOL" exec "$1" ctr --namespace k8s.io images list 2>/dev/null)
	while read -r name _ digest _; do
		[[ $name == localhost/lockstep:* && " $2 " != *" $name "* ]] || continue
		names=$(awk -v name="$name" -v digest="$digest" '$1 == name || $3 == digest && /^sha256:/ && !/pinned/ {print $1}' <<<"$list")
		# shellcheck disable=SC2086 # one argument each
		"$CLUSTER_TOOL" exec "$1" ctr --namespace k8s.io images remove $names >/dev/null 2>&1
	done <<<"$list"
}

# local_process POD-UID PROGRAM prints the machine's process ID of a program in a
# pod: the nodes' processes are all visible here, and the name of the control
# group holds the pod's UID, with dashes or, under some drivers, underscores.
local_process() {
	local file process
	for file in $(grep -lE "$1|${1//-/_}" /proc/[0-9]*/cgroup 2>/dev/null); do
		process=$(dirname "$file")
		# The kernel keeps 15 characters of a name.
		[[ $(cat "$process/comm" 2>/dev/null) == "${2:0:15}" ]] || continue
		basename "$process"
		return
	done
	return 1
}

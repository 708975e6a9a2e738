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
	local used worker stale
	used=$(in_cluster kubectl get pods --all-namespaces --output 'jsonpath={.items[*].spec.containers[*].image}')
	for worker in $(in_cluster kubectl get nodes --output 'jsonpath={.items[*].metadata.name}'); do
		for stale in $("$CLUSTER_TOOL" exec "$worker" ctr --namespace k8s.io images list --quiet 'name~=^localhost/lockstep:'); do
			[[ " $used $IMAGE " == *" $stale "* ]] ||
				"$CLUSTER_TOOL" exec "$worker" ctr --namespace k8s.io images remove "$stale" >/dev/null
		done
	done
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

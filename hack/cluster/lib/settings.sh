# shellcheck shell=bash
# Names, addresses and places. Everything that the cluster makes on the machine
# carries the prefix "lockstep", so that nothing else is ever taken for ours.

readonly CONTROL_PLANE=cp
readonly WORKERS=(w1 w2 w3)
readonly NODES=("$CONTROL_PLANE" "${WORKERS[@]}")

# The nodes' own network, the pods' (one /24 a worker) and the services'.
readonly NODE_NETWORK=10.99.0
readonly POD_NETWORK=10.244
readonly SERVICE_SUBNET=10.96.0.0/16
readonly API_SERVICE_ADDRESS=10.96.0.1 # the first of the subnet: Kubernetes picks it
readonly DNS_SERVICE_ADDRESS=10.96.0.10
readonly API_ADDRESS=$NODE_NETWORK.10

# Network namespaces and, below every cgroup controller, the cluster's folder.
readonly NAMESPACE_PREFIX=lockstep
readonly SWITCH=$NAMESPACE_PREFIX-switch
readonly CGROUP=lockstep

# What the running cluster has on disk; `down` removes all of it.
readonly STATE=/var/lib/lockstep-cluster
readonly CERTIFICATES=$STATE/certificates
readonly ADMIN_KUBECONFIG=$CERTIFICATES/admin.kubeconfig
# The programs that the running cluster uses: a link into the cache of builds.
readonly PROGRAMS=$STATE/programs
# Held while the cluster is being changed. It outlives the state folder.
readonly LOCK=/run/lockstep-cluster.lock

# Built programs. They outlive the cluster and the clone that built them.
readonly CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/lockstep/cluster

# node_address NODE prints its address on the nodes' network.
node_address() {
	case $1 in
	"$CONTROL_PLANE") echo "$API_ADDRESS" ;;
	w[1-9]) echo "$NODE_NETWORK.1${1#w}" ;;
	esac
}

# pod_subnet WORKER prints the subnet from which its pods get their addresses.
pod_subnet() { echo "$POD_NETWORK.${1#w}.0/24"; }

network_of() { echo "$NAMESPACE_PREFIX-$1"; }

node_folder() { echo "$STATE/nodes/$1"; }

is_node() {
	local node
	for node in "${NODES[@]}"; do
		[[ $node == "$1" ]] && return 0
	done
	return 1
}

# shellcheck shell=bash
# The nodes' network: a switch in a network namespace of its own, and a cable
# from it to each node. Pods are routed from node to node, without encapsulation.
# No namespace has a default route or a link to the machine's own, so no packet
# of the cluster can leave it.

# make_network makes what is missing and connects every node again.
make_network() {
	local node
	make_namespace "$SWITCH"
	ip -n "$SWITCH" link show bridge0 >/dev/null 2>&1 || ip -n "$SWITCH" link add bridge0 type bridge
	ip -n "$SWITCH" link set bridge0 up
	for node in "${NODES[@]}"; do
		make_namespace "$(network_of "$node")"
		plug_in "$node"
		connect "$node"
	done
	for node in "${NODES[@]}"; do
		make_routes "$node"
	done
}

make_namespace() {
	# A name without a namespace behind it is what a crash in the middle leaves.
	ip netns exec "$1" true 2>/dev/null && return
	ip netns del "$1" 2>/dev/null || true
	ip netns add "$1"
}

# plug_in NODE lays its cable: eth0 in the node, port-NODE in the switch.
plug_in() {
	local network address
	network=$(network_of "$1")
	address=$(node_address "$1")
	if ! ip -n "$SWITCH" link show "port-$1" >/dev/null 2>&1 || ! ip -n "$network" link show eth0 >/dev/null 2>&1; then
		ip -n "$SWITCH" link del "port-$1" 2>/dev/null || true
		ip -n "$SWITCH" link add "port-$1" type veth peer name eth0 netns "$network"
	fi
	ip -n "$SWITCH" link set "port-$1" master bridge0 up
	ip -n "$network" link set lo up
	ip -n "$network" addr replace "$address/24" dev eth0
	ip -n "$network" link set eth0 up
}

make_routes() {
	local network peer
	network=$(network_of "$1")
	ip netns exec "$network" sysctl -q -w net.ipv4.ip_forward=1
	for peer in "${WORKERS[@]}"; do
		[[ $peer == "$1" ]] || ip -n "$network" route replace "$(pod_subnet "$peer")" via "$(node_address "$peer")"
	done
	# kube-proxy rewrites a service's address only after the kernel has found it
	# a route, so that the node's own processes need one, no matter whereto.
	ip -n "$network" route replace "$SERVICE_SUBNET" dev eth0
}

# disconnect NODE drops every packet from and to it, without a word: like a
# failed switch, and unlike a pulled cable, which the node would notice.
disconnect() { bridge -n "$SWITCH" link set dev "port-$1" state 0; }

# connect undoes that. The kernel lets a port forward only when it has noticed that
# the cable is up at both ends, which takes it a moment after it was plugged in.
connect() {
	local tries
	for ((tries = 0; tries < 50; tries++)); do
		bridge -n "$SWITCH" link set dev "port-$1" state 3 2>/dev/null && return
		sleep 0.1
	done
	bridge -n "$SWITCH" link set dev "port-$1" state 3
}

is_connected() { bridge -n "$SWITCH" link show dev "port-$1" 2>/dev/null | grep -q 'state forwarding'; }

remove_network() {
	local name
	for name in "${NODES[@]/#/$NAMESPACE_PREFIX-}" "$SWITCH"; do
		ip netns del "$name" 2>/dev/null || true
	done
}

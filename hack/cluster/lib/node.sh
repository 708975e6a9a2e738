# shellcheck shell=bash
# A node is a process (its pid 1, node/init) in namespaces and cgroups of its
# own. To end that process is to cut the node's power: the kernel ends all of
# its other processes, pods included, and its mounts go with it. Its disk stays.

# Kept in a node's folder: its pid 1 as "PID START", where START (in clock ticks
# since the machine booted) tells it from a later process of the same number.
init_file() { echo "$(node_folder "$1")/init"; }

# start_time PID prints field 22 of its stat; the name in field 2 may hold blanks.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# node_init NODE prints the pid of its pid 1, or fails when the node is off.
node_init() {
	local pid start
	read -r pid start 2>/dev/null <"$(init_file "$1")" || return 1
	[[ -n $start && $(start_time "$pid") == "$start" ]] || return 1
	echo "$pid"
}

node_is_on() { node_init "$1" >/dev/null; }

# node_power_on NODE starts it, unless it is on.
node_power_on() {
	node_is_on "$1" && return
	local folder log launcher
	folder=$(node_folder "$1")
	log=$folder/log/init.log
	mkdir -p "$folder"/{log,containerd,kubelet,pod-logs,container-logs,cni,disk,etcd}
	cgroup_make "$1"
	(
		# The lock would otherwise be held for as long as the node runs.
		exec 9>&-
		cgroup_join "$1"
		exec setsid nsenter --net="/run/netns/$(network_of "$1")" \
			unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --cgroup \
			"$HERE/node/init" "$1"
	) </dev/null >"$log" 2>&1 &
	launcher=$!
	disown
	wait_for 10 "the first process of node $1" "$log" note_init "$1" "$launcher"
}

# note_init NODE LAUNCHER writes down the launcher's child, the node's pid 1.
note_init() {
	local pid
	pid=$(pgrep --parent "$2" --full "$HERE/node/init") || return 1
	echo "$pid $(start_time "$pid")" >"$(init_file "$1")"
	node_is_on "$1"
}

# node_power_off NODE ends it as a power failure would.
node_power_off() {
	local pid
	pid=$(node_init "$1") || return 0
	kill -9 "$pid"
	wait_for 30 "the processes of node $1 to end" /dev/null is_gone "$pid"
	rm -f "$(init_file "$1")"
}

is_gone() { [[ ! -e /proc/$1 ]]; }

# in_node NODE COMMAND... runs it in all of the node's namespaces.
in_node() {
	local pid
	pid=$(node_init "$1") || fail "node $1 is off; 'cluster node poweron $1' starts it"
	shift
	PATH=$PROGRAMS:$PATH nsenter -t "$pid" --mount --net --pid --uts --ipc --cgroup -- "$@"
}

# in_control_plane COMMAND... runs it on the machine's files, but on the control
# plane's network and with the cluster's names: the place where nodes, pods and
# services can all be reached.
in_control_plane() {
	node_is_on "$CONTROL_PLANE" || fail "the cluster is not running; 'cluster up' starts it"
	# shellcheck disable=SC2016 # the inner shell expands it
	KUBECONFIG=$ADMIN_KUBECONFIG KUBECACHEDIR=$STATE/kubectl-cache PATH=$PROGRAMS:$PATH nsenter --net="/run/netns/$(network_of "$CONTROL_PLANE")" \
		unshare --mount --propagation slave \
		bash -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$STATE/resolv.conf" "$@"
}

kubectl() { in_control_plane kubectl "$@"; }

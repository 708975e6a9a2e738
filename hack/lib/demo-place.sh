# shellcheck shell=bash
# Where the demonstration takes place. The story (demo-story.sh) asks for:
#   place_up        a cluster with the operator in it
#   place_client    a place where redis-cli runs and reaches the cluster's services
#   client COMMAND  runs a command there
#   place_kill POD  ends the server's process in the pod; sets KILLED_AT
#                   (microseconds since 1970), KILLED_HOW, and KILLED_AT_ONCE to
#                   "yes" when it took no write after that
#   place_down      removes what place_up made

# On the demonstration's namespace: the operator came with it, and goes with it.
readonly OPERATOR_MARK=lockstep.dev/demo-installed-operator

case $CLUSTER in
local) source hack/lib/local.sh ;;
current | kind) source hack/lib/elsewhere.sh ;;
*) fail "CLUSTER=$CLUSTER: it is local, current or kind" ;;
esac

place_up() {
	case $CLUSTER in
	local)
		hack/install-packages redis-cli
		"$CLUSTER_TOOL" up
		build_image
		local_load_image
		;;
	kind)
		use_kind
		build_image
		say "loading the image onto the nodes"
		kind load image-archive "$ARCHIVE" --name "$KIND_NAME"
		;;
	current)
		use_current
		if operator_is_installed && [[ $(operator_mark) != yes ]]; then
			say "an operator is installed in $OPERATOR_NAMESPACE, so that one is used"
			make_namespace no
			return
		fi
		[[ -n ${IMAGE:-} ]] || fail "CLUSTER=current takes IMAGE=NAME:TAG, an image of lockstep that the cluster's nodes can pull: 'docker build -t NAME:TAG . && docker push NAME:TAG' makes one"
		;;
	esac
	make_namespace yes
	install_operator
}

operator_mark() {
	kube get namespace "$NAMESPACE" --ignore-not-found \
		--output "go-template={{index .metadata.annotations \"$OPERATOR_MARK\"}}" 2>/dev/null || true
}

make_namespace() {
	in_cluster kubectl apply -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Namespace
		metadata:
		  name: $NAMESPACE
		  annotations: {$OPERATOR_MARK: "$1"}
	YAML
}

place_client() {
	[[ $CLUSTER != local ]] || return 0
	say "starting a pod of $REDIS_IMAGE, for redis-cli"
	kube apply -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata:
		  name: client
		spec:
		  terminationGracePeriodSeconds: 0
		  automountServiceAccountToken: false
		  securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
		  containers:
		  - name: client
		    image: $REDIS_IMAGE
		    command: [sleep, infinity]
		    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
	YAML
	kube wait --for=condition=Ready pod/client --timeout 180s >/dev/null ||
		fail "the pod 'client' with redis-cli did not start: see 'kubectl --namespace $NAMESPACE describe pod client'; REDIS_IMAGE names another image"
}

client() {
	if [[ $CLUSTER == local ]]; then
		in_cluster "$@"
	else
		kube exec --stdin client -- "$@"
	fi
}

place_kill() {
	local uid node
	uid=$(kube get pod "$1" --output 'jsonpath={.metadata.uid}')
	node=$(kube get pod "$1" --output 'jsonpath={.spec.nodeName}')
	KILLED_AT_ONCE=yes
	if [[ $CLUSTER == local ]]; then
		local process
		process=$(local_process "$uid" lockstep-server) || fail "pod $1 has no process lockstep-server on this machine"
		KILLED_HOW="process $process of $1 on node $node killed with SIGKILL"
		KILLED_AT=${EPOCHREALTIME/[.,]/}
		kill -9 "$process"
	elif kill_from_node "$uid" "$node"; then
		KILLED_HOW="server process of $1 on node $node killed with SIGKILL, by a pod on that node"
	else
		# The image holds nothing to send a signal with, and a process can't
		# kill the first one of its own namespace anyhow.
		say "a pod may not reach the node's processes here, so the primary's pod is deleted instead, without grace"
		KILLED_HOW="pod $1 on node $node deleted without grace"
		KILLED_AT_ONCE=no
		KILLED_AT=${EPOCHREALTIME/[.,]/}
		kube delete pod "$1" --grace-period 0 --force >/dev/null 2>&1
	fi
}

# kill_from_node POD-UID NODE runs a pod that sees the node's processes and kills
# the one that is meant. It fails where such pods are not allowed.
kill_from_node() {
	kube delete pod killer --ignore-not-found --wait >/dev/null
	# shellcheck disable=SC2016 # the pod's shell expands it
	local script='for file in $(grep -lE "$0" /proc/[0-9]*/cgroup 2>/dev/null); do
		process=$(dirname "$file")
		[ "$(cat "$process/comm")" = lockstep-server ] || continue
		at=$EPOCHREALTIME
		kill -9 "${process#/proc/}" && echo "$at" && exit 0
	done
	exit 1'
	kube apply -f - >/dev/null 2>&1 <<-YAML || return 1
		apiVersion: v1
		kind: Pod
		metadata:
		  name: killer
		spec:
		  nodeName: $2
		  hostPID: true
		  restartPolicy: Never
		  terminationGracePeriodSeconds: 0
		  automountServiceAccountToken: false
		  containers:
		  - name: killer
		    image: $REDIS_IMAGE
		    command: [bash, -c, $(to_json "$script"), "$1|${1//-/_}"]
		    securityContext: {runAsUser: 0, capabilities: {add: [KILL, SYS_PTRACE]}}
	YAML
	kube wait --for=jsonpath='{.status.phase}'=Succeeded pod/killer --timeout 60s >/dev/null 2>&1 || return 1
	KILLED_AT=$(kube logs killer | tr -d .,)
	kube delete pod killer --wait=false >/dev/null
}

# to_json TEXT prints it as a JSON string.
to_json() {
	local text=$1
	text=${text//\\/\\\\}
	text=${text//\"/\\\"}
	text=${text//$'\n'/\\n}
	printf '"%s"' "${text//$'\t'/ }"
}

place_down() {
	case $CLUSTER in
	local)
		"$CLUSTER_TOOL" down
		return
		;;
	kind)
		need_program kind
		kind delete cluster --name "$KIND_NAME"
		rm -f "$KIND_KUBECONFIG"
		return
		;;
	esac
	use_current
	local mark
	mark=$(operator_mark)
	say "removing the namespace $NAMESPACE with the cluster in it"
	# The cluster before its namespace, while the operator can still see to it.
	kube delete lockstepcluster "$NAME" --ignore-not-found --timeout 120s >/dev/null 2>&1 || true
	in_cluster kubectl delete namespace "$NAMESPACE" --ignore-not-found >/dev/null
	[[ $mark == yes ]] && operator_is_installed || return 0
	uninstall_operator
	# The chart leaves the definition in place, for the clusters that there may be.
	[[ -n $(in_cluster kubectl get lockstepclusters --all-namespaces --output name) ]] ||
		in_cluster kubectl delete customresourcedefinition lockstepclusters.lockstep.dev >/dev/null
}

# shellcheck shell=bash
# The components of the control plane. Each function ends in the exec of its
# program. No pod is scheduled here: there is no kubelet.

start_control_plane() {
	supervise etcd run_etcd
	supervise kube-apiserver run_apiserver
	supervise kube-controller-manager run_controller_manager
	supervise kube-scheduler run_scheduler
	supervise provisioner run_provisioner
	supervise kube-proxy run_control_plane_proxy
	supervise coredns run_control_plane_dns
}

run_etcd() {
	# A power failure of the node ends processes only, so nothing is lost without fsync.
	exec etcd --data-dir "$FOLDER/etcd" --unsafe-no-fsync --log-level warn \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
		--listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
		--initial-cluster default=http://127.0.0.1:2380
}

run_apiserver() {
	# shellcheck disable=SC2054 # the commas belong to the flags
	local flags=(
		--etcd-servers=http://127.0.0.1:2379
		--bind-address=0.0.0.0 --advertise-address="$API_ADDRESS" --secure-port=6443
		--service-cluster-ip-range="$SERVICE_SUBNET"
		--cert-dir="$FOLDER" --client-ca-file="$CERTIFICATES/ca.crt"
		--tls-cert-file="$CERTIFICATES/apiserver.crt" --tls-private-key-file="$CERTIFICATES/apiserver.key"
		--service-account-issuer=https://kubernetes.default.svc
		--service-account-key-file="$CERTIFICATES/service-accounts.pub"
		--service-account-signing-key-file="$CERTIFICATES/service-accounts.key"
		--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true
		--kubelet-client-certificate="$CERTIFICATES/apiserver-to-kubelet.crt"
		--kubelet-client-key="$CERTIFICATES/apiserver-to-kubelet.key"
		--kubelet-certificate-authority="$CERTIFICATES/ca.crt"
		--kubelet-preferred-address-types=InternalIP
		# Webhooks are called at the pods' own addresses, without a kube-proxy in between.
		--enable-aggregator-routing=true
		# A pod of a lost node is replaced after 10 s instead of 5 min: tests wait for it.
		--default-not-ready-toleration-seconds=10 --default-unreachable-toleration-seconds=10
		--profiling=false
	)
	exec kube-apiserver "${flags[@]}"
}

run_controller_manager() {
	# It gives up, rather than wait, when its own roles are not there yet.
	until kubectl --kubeconfig "$ADMIN_KUBECONFIG" get --raw /readyz/poststarthook/rbac/bootstrap-roles >/dev/null 2>&1; do
		sleep 0.2
	done
	local kubeconfig=$CERTIFICATES/controller-manager.kubeconfig
	local flags=(
		--kubeconfig="$kubeconfig" --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig"
		--service-account-private-key-file="$CERTIFICATES/service-accounts.key"
		--root-ca-file="$CERTIFICATES/ca.crt" --use-service-account-credentials=true
		--cluster-signing-cert-file="$CERTIFICATES/ca.crt" --cluster-signing-key-file="$CERTIFICATES/ca.key"
		--leader-elect=false
		# The pods' subnets are fixed, since the routes between the nodes are.
		--allocate-node-cidrs=false
		# It would make the default one on the machine.
		--flex-volume-plugin-dir="$FOLDER/volume-plugins"
		# A silent node is found out after 8 s instead of 50 s.
		--node-monitor-period=1s --node-monitor-grace-period=8s
	)
	exec kube-controller-manager "${flags[@]}"
}

run_scheduler() {
	local kubeconfig=$CERTIFICATES/scheduler.kubeconfig
	exec kube-scheduler --leader-elect=false \
		--kubeconfig="$kubeconfig" --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig"
}

run_provisioner() {
	exec provisioner --kubeconfig "$ADMIN_KUBECONFIG" --nodes "$STATE/nodes"
}

# The control plane is where people and tests call services from. It is no node
# to Kubernetes, and a kube-proxy waits half a minute for its node object before
# it does anything; so it takes the name of the first worker, from which it only
# learns what is near.
run_control_plane_proxy() { run_proxy "${WORKERS[0]}"; }

# A name server for the same people and tests: one in a pod could be on the very
# node that a test has just cut off.
run_control_plane_dns() {
	cat >/run/Corefile <<-COREFILE
		.:53 {
		    errors
		    cache 1
		    kubernetes cluster.local in-addr.arpa {
		        kubeconfig $ADMIN_KUBECONFIG
		        ttl 1
		    }
		}
	COREFILE
	exec coredns -conf /run/Corefile
}

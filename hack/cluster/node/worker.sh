# shellcheck shell=bash
# The components of a worker. Each function ends in the exec of its program.

readonly CONTAINERD_SOCKET=/run/containerd/containerd.sock

start_worker() {
	write_cni_configuration >/etc/cni/net.d/10-lockstep.conflist
	supervise containerd run_containerd
	supervise kubelet run_kubelet
	supervise kube-proxy run_worker_proxy
}

# Pods are connected point to point and routed, also between two of one node: so
# every packet passes the node's forward chain, and a test can drop it there.
write_cni_configuration() {
	cat <<-JSON
		{
		  "cniVersion": "1.0.0",
		  "name": "lockstep",
		  "plugins": [
		    {
		      "type": "ptp",
		      "ipMasq": false,
		      "ipam": {
		        "type": "host-local",
		        "dataDir": "/var/lib/cni",
		        "ranges": [[{"subnet": "$(pod_subnet "$NODE")"}]],
		        "routes": [{"dst": "0.0.0.0/0"}]
		      }
		    },
		    {"type": "portmap", "capabilities": {"portMappings": true}}
		  ]
		}
	JSON
}

run_containerd() { exec containerd --config "$HERE/node/containerd.toml"; }

run_kubelet() {
	until [[ -S $CONTAINERD_SOCKET ]]; do sleep 0.05; done
	sed -e "s|@CERTIFICATES@|$CERTIFICATES|; s|@NODE@|$NODE|; s|@DNS@|$DNS_SERVICE_ADDRESS|; s|@STATE@|$STATE|" \
		"$HERE/node/kubelet.yaml" >/run/kubelet.yaml
	exec kubelet --config=/run/kubelet.yaml --kubeconfig="$CERTIFICATES/$NODE.kubeconfig" \
		--node-ip="$(node_address "$NODE")" \
		--node-labels="topology.kubernetes.io/region=local,topology.kubernetes.io/zone=zone-$NODE"
}

run_worker_proxy() { run_proxy "$NODE"; }

# run_proxy NAME: kube-proxy, under the name of a node.
run_proxy() {
	local flags=(
		--kubeconfig="$CERTIFICATES/proxy.kubeconfig" --hostname-override="$1"
		--proxy-mode=nftables --cluster-cidr="$POD_NETWORK.0.0/16"
		--bind-address="$(node_address "$NODE")"
		# A change of a service's endpoints is in force after 0.1 s instead of 1 s:
		# with a handful of services that costs nothing, and a test that measures a
		# fail-over measures less of kube-proxy.
		--nftables-min-sync-period=100ms
		# The size of the connection table is the machine's, not ours to change.
		--conntrack-max-per-core=0
		--healthz-bind-address=0.0.0.0:10256
	)
	exec kube-proxy "${flags[@]}"
}

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
	fill_in kubelet.yaml "$NODE"
	exec kubelet --config=/run/kubelet.yaml --kubeconfig="$CERTIFICATES/$NODE.kubeconfig" \
		--node-ip="$(node_address "$NODE")" \
		--node-labels="topology.kubernetes.io/region=local,topology.kubernetes.io/zone=zone-$NODE"
}

run_worker_proxy() { run_proxy "$NODE"; }

# run_proxy NAME: kube-proxy, under the name of a node.
run_proxy() {
	fill_in kube-proxy.yaml "$1"
	exec kube-proxy --config=/run/kube-proxy.yaml
}

# fill_in FILE NAME makes /run/FILE for this node, or the node of that name,
# from the FILE beside this one.
fill_in() {
	sed -e "s|@CERTIFICATES@|$CERTIFICATES|; s|@NODE@|$2|; s|@STATE@|$STATE|" \
		-e "s|@DNS@|$DNS_SERVICE_ADDRESS|; s|@ADDRESS@|$(node_address "$NODE")|; s|@PODS@|$POD_NETWORK.0.0/16|" \
		"$HERE/node/$1" >"/run/$1"
}

# shellcheck shell=bash
# The cluster's own authority and what it signs: a certificate for each
# component to show, and a kubeconfig for each that calls the API.

# make_certificates makes those that are not there yet.
make_certificates() {
	local node
	mkdir -p "$CERTIFICATES"
	chmod 700 "$CERTIFICATES"
	make_authority
	make_service_account_keys
	issue apiserver /CN=kube-apiserver \
		"DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$API_SERVICE_ADDRESS,IP:$API_ADDRESS"
	issue apiserver-to-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client
	issue admin /O=system:masters/CN=admin
	issue controller-manager /CN=system:kube-controller-manager
	issue scheduler /CN=system:kube-scheduler
	issue proxy /CN=system:kube-proxy
	for node in "${WORKERS[@]}"; do
		# The kubelet serves logs and exec with the same certificate that it calls the API with.
		issue "$node" "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$(node_address "$node")"
	done
}

make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

make_authority() {
	local at=$CERTIFICATES/ca
	[[ -s $at.crt ]] && return
	make_key "$at.key"
	openssl req -x509 -new -key "$at.key" -subj /CN=lockstep-cluster -days 3650 -out "$at.crt.new"
	mv "$at.crt.new" "$at.crt"
}

make_service_account_keys() {
	local at=$CERTIFICATES/service-accounts
	[[ -s $at.pub ]] && return
	make_key "$at.key"
	openssl ec -in "$at.key" -pubout -out "$at.pub.new" 2>/dev/null
	mv "$at.pub.new" "$at.pub"
}

# issue NAME SUBJECT [ALTERNATIVE-NAMES] makes NAME.key, NAME.crt and
# NAME.kubeconfig. The kubeconfig comes last, so where it is, all are.
issue() {
	local at=$CERTIFICATES/$1 subject=$2 names=${3:-DNS:$1}
	[[ -s $at.kubeconfig ]] && return
	make_key "$at.key"
	openssl req -new -key "$at.key" -subj "$subject" |
		openssl x509 -req -CA "$CERTIFICATES/ca.crt" -CAkey "$CERTIFICATES/ca.key" -CAcreateserial \
			-days 3650 -extfile <(echo "subjectAltName=$names") -out "$at.crt" 2>/dev/null
	write_kubeconfig "$1" >"$at.kubeconfig.new"
	mv "$at.kubeconfig.new" "$at.kubeconfig"
}

# write_kubeconfig NAME prints one that holds all it needs, so that a copy of
# the file works as well.
write_kubeconfig() {
	local at=$CERTIFICATES/$1
	cat <<-YAML
		apiVersion: v1
		kind: Config
		current-context: lockstep
		contexts:
		- name: lockstep
		  context: {cluster: lockstep, user: $1}
		clusters:
		- name: lockstep
		  cluster:
		    server: https://$API_ADDRESS:6443
		    certificate-authority-data: $(base64 -w0 "$CERTIFICATES/ca.crt")
		users:
		- name: $1
		  user:
		    client-certificate-data: $(base64 -w0 "$at.crt")
		    client-key-data: $(base64 -w0 "$at.key")
	YAML
}

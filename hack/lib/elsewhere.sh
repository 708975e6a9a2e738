# shellcheck shell=bash
# A Kubernetes that is not the local one: that of the current kubeconfig, or one
# made by kind. Needs say.sh.

readonly KIND_NAME=lockstep
readonly KIND_KUBECONFIG=$PWD/dist/kind.kubeconfig

in_cluster() { "$@"; }

# use_current takes the cluster that kubectl speaks to.
use_current() {
	need_program kubectl
	provide_helm
	local version
	version=$(kubectl version --output json 2>&1) || fail "kubectl does not reach the cluster of the current kubeconfig: ${version##*$'\n'}"
	say "using the cluster of the current context, $(kubectl config current-context 2>/dev/null || echo "without a name")"
}

# use_kind makes a cluster with three workers, unless it is there.
use_kind() {
	need_program kind
	need_program kubectl
	provide_helm
	mkdir -p dist
	if ! kind get clusters 2>/dev/null | grep -qx "$KIND_NAME"; then
		say "making a kind cluster named $KIND_NAME, with three workers"
		kind create cluster --name "$KIND_NAME" --kubeconfig "$KIND_KUBECONFIG" --config - <<-'YAML'
			kind: Cluster
			apiVersion: kind.x-k8s.io/v1alpha4
			nodes:
			- role: control-plane
			- role: worker
			- role: worker
			- role: worker
		YAML
	fi
	kind get kubeconfig --name "$KIND_NAME" >"$KIND_KUBECONFIG"
	export KUBECONFIG=$KIND_KUBECONFIG
}

need_program() {
	command -v "$1" >/dev/null ||
		fail "CLUSTER=${CLUSTER:-} takes $1, which is not on the PATH; CLUSTER=local needs nothing but root on Linux"
}

# provide_helm uses the machine's Helm, or builds the one that hack/cluster pins.
provide_helm() {
	command -v helm >/dev/null && return
	if [[ ! -x dist/tools/helm ]]; then
		say "building Helm, since there is none on the PATH (a few minutes)"
		mkdir -p dist/tools
		GOWORK=off CGO_ENABLED=0 go build -C hack/cluster -trimpath -o "$PWD/dist/tools/" helm.sh/helm/v4/cmd/helm
	fi
	export PATH=$PWD/dist/tools:$PATH
}

# shellcheck shell=bash
# Puts the operator that this clone builds into a Kubernetes. Needs say.sh, and
# of the script that uses it a function in_cluster, which runs a command where
# kubectl and helm reach the right cluster.

readonly OPERATOR_NAMESPACE=lockstep-system
readonly RELEASE=lockstep
readonly ARCHIVE=dist/lockstep.tar
# Labels of the operator's pods.
readonly OPERATOR_PODS=app.kubernetes.io/name=lockstep,app.kubernetes.io/component=operator

# build_image sets IMAGE and writes its archive. The tag comes from the content,
# so that pods never run a former build under the same name.
build_image() {
	say "building the image"
	local log=dist/image.log
	with_progress "$log" hack/image/build "$ARCHIVE" localhost/lockstep ||
		fail "the image could not be built; all of the output is in $log"
	IMAGE=$(tail -n 1 "$log" | cut -d ' ' -f 1)
	say "built $IMAGE"
}

operator_is_installed() { in_cluster helm status "$RELEASE" --namespace "$OPERATOR_NAMESPACE" >/dev/null 2>&1; }

# install_operator [HELM ARGUMENT...] installs or upgrades it to run IMAGE, and
# returns when it does.
install_operator() {
	[[ ${IMAGE##*/} == *:* && $IMAGE != *@* ]] || fail "IMAGE=$IMAGE: give it as NAME:TAG, with a tag"
	say "installing the chart with Helm, with $IMAGE"
	local log
	log=$(mktemp)
	in_cluster helm upgrade --install "$RELEASE" charts/lockstep \
		--namespace "$OPERATOR_NAMESPACE" --create-namespace \
		--set "image.repository=${IMAGE%:*},image.tag=${IMAGE##*:}" "$@" >"$log" 2>&1 || {
		cat "$log" >&2
		fail "helm could not install charts/lockstep; its output is above"
	}
	rm -f "$log"
	in_cluster kubectl rollout status deployment --namespace "$OPERATOR_NAMESPACE" --timeout 120s \
		--selector "$OPERATOR_PODS" >&2 || {
		show_operator >&2
		fail "the operator did not become ready within 2 minutes; its pods and the end of its log are above"
	}
}

uninstall_operator() {
	say "uninstalling the operator"
	in_cluster helm uninstall "$RELEASE" --namespace "$OPERATOR_NAMESPACE" >/dev/null
	in_cluster kubectl delete namespace "$OPERATOR_NAMESPACE" --ignore-not-found >/dev/null
}

# show_operator prints its pods and the end of their logs.
show_operator() {
	in_cluster kubectl get pods --namespace "$OPERATOR_NAMESPACE" --output wide || true
	operator_logs 20 || true
}

# operator_logs LINES prints the last lines of every operator pod's log.
operator_logs() {
	in_cluster kubectl logs --namespace "$OPERATOR_NAMESPACE" --selector "$OPERATOR_PODS" --tail "$1" --prefix
}

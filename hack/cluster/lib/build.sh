# shellcheck shell=bash
# Builds what the cluster runs from the module beside this file, once for each
# version of it. Sets BUILD, the folder of the finished build.

readonly BUILD_TAGS=no_btrfs,no_devmapper,no_zfs
readonly PROGRAMS_BUILT=(./cmd/kubernetes ./cmd/coredns ./cmd/provisioner ./cmd/pause tool)
readonly KUBERNETES_LINKS=(etcd kubectl kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

# build_hash prints what the result depends on, in short.
build_hash() {
	(
		cd "$HERE" || exit
		{
			uname -m
			declare -f link_flags make_programs make_images
			echo "$BUILD_TAGS ${PROGRAMS_BUILT[*]}"
			find go.mod go.sum cmd ../image -type f \( -name '*.go' -o -name 'go.*' \) ! -name '*_test.go' | LC_ALL=C sort | xargs sha256sum
		} | sha256sum | cut -c 1-16
	)
}

# build makes BUILD unless it is there. Of several at once, one builds.
build() {
	BUILD=$CACHE/$(build_hash)
	if [[ ! -d $BUILD ]]; then
		command -v go >/dev/null || fail "building the cluster takes Go, and there is no go on the PATH"
		mkdir -p "$CACHE"
		(
			flock --nonblock 8 || {
				say "another build is running, waiting for it"
				flock 8
			}
			[[ -d $BUILD ]] || build_anew
		) 8>"$CACHE/lock"
	fi
	touch "$BUILD" # the date of its last use
}

# build_anew runs in a shell of its own, so what it exports ends with it.
build_anew() {
	# With -trimpath everywhere the same packages are compiled once for everything
	# in the repository; without cgo nothing depends on the machine's libraries.
	export GOFLAGS=-trimpath CGO_ENABLED=0 GOWORK=off
	local new=$BUILD.new log=$CACHE/build.log
	rm -rf "$new"
	mkdir -p "$new"
	find "$CACHE" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} +
	say "building Kubernetes, etcd, containerd, CoreDNS and Helm into $BUILD (the first time takes 10 to 20 minutes on two cores)"
	with_progress "$log" make_all "$new" || {
		show_tail "$log"
		fail "the build failed; all of its output is in $log"
	}
	mv "$new" "$BUILD"
	say "built"
}

# with_progress LOG COMMAND... runs it with its output in the log, and says every
# ten seconds how far it is. `go build -v` writes a line for each package.
with_progress() {
	local log=$1 job began=$SECONDS
	shift
	: >"$log"
	"$@" >"$log" 2>&1 &
	job=$!
	while sleep 1; kill -0 "$job" 2>/dev/null; do
		(((SECONDS - began) % 10)) || say "building: $(wc -l <"$log") packages done, the last one $(tail -n 1 "$log" | cut -c 1-80)"
	done
	wait "$job"
}

module_version() { go list -m -f '{{.Version}}' "$1"; }

# link_flags prints the linker's: a plain build leaves the programs without
# their versions, and kubelet and Helm compare those.
link_flags() {
	local kubernetes minor
	kubernetes=$(module_version k8s.io/kubernetes)
	minor=${kubernetes#v1.}
	printf -- '-s -w'
	printf -- ' -X k8s.io/component-base/version.%s' \
		"gitVersion=$kubernetes" gitMajor=1 "gitMinor=${minor%%.*}" gitTreeState=clean
	printf -- ' -X github.com/containerd/containerd/v2/version.Version=%s' "$(module_version github.com/containerd/containerd/v2)"
	printf -- ' -X helm.sh/helm/v4/internal/version.version=%s' "$(module_version helm.sh/helm/v4)"
}

# Bash ignores -e in functions whose result is looked at, so that these two
# have to name every step that can fail.
make_all() { make_programs "$1" && make_images "$1"; }

make_programs() {
	local programs=$1/programs name
	mkdir "$programs"
	cd "$HERE" || return
	go build -v -buildvcs=false -tags "$BUILD_TAGS" -ldflags "$(link_flags)" -o "$programs/" "${PROGRAMS_BUILT[@]}" || return
	for name in "${KUBERNETES_LINKS[@]}"; do
		ln -s kubernetes "$programs/$name"
	done
}

# make_images packs the two images that the cluster itself starts pods from.
make_images() {
	local programs=$1/programs images=$1/images
	mkdir "$images"
	pack_program pause "$programs" "$images" && pack_program coredns "$programs" "$images"
}

# pack_program NAME PROGRAMS IMAGES makes the image localhost/NAME:1.
pack_program() {
	"$HERE/../image/pack" --name "localhost/$1:1" --out "$3/$1.tar" --entrypoint "/$1" "$2/$1=/$1"
}

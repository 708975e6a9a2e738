# shellcheck shell=bash
# What the cluster needs of the machine, and what it must give back: settings
# of the kernel that no namespace keeps apart, and empty mount points.

readonly PACKAGES=(iproute2 iptables nftables runc containernetworking-plugins
	jq openssl procps util-linux kmod ca-certificates)
readonly COMMANDS=(ip bridge iptables nft runc jq openssl pgrep nsenter unshare flock)
readonly CNI_PLUGINS=/usr/lib/cni

readonly ALTERNATIVES="CLUSTER=current uses the cluster of your kubeconfig, CLUSTER=kind a kind cluster where Docker runs"

# kubelet sets these for the whole machine.
readonly MACHINE_SYSCTLS=(kernel.panic kernel.panic_on_oops vm.overcommit_memory
	vm.panic_on_oom kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

# A node mounts its own folders over these, so they must exist on the machine.
# (The last one ip makes by itself, but then nobody would remove it.)
readonly MOUNT_POINTS=(/var/lib/kubelet /var/lib/containerd /var/lib/cni
	/var/log/pods /var/log/containers /etc/cni/net.d /mnt/disk /run/netns)

cannot() { fail "a local cluster can't run here: $*; $ALTERNATIVES"; }

require_root() {
	[[ $(uname -s) == Linux ]] || cannot "this is $(uname -s), and its nodes are Linux namespaces"
	((EUID == 0)) || cannot "it takes root (try sudo)"
}

# require_machine ends the command unless namespaces and cgroups can be made.
require_machine() {
	require_root
	cgroup_layout >/dev/null || cannot "no cgroup hierarchy is mounted under /sys/fs/cgroup"
	# In a script of its own, so that the trial leaves nothing behind.
	local reason
	reason=$(unshare --mount --propagation private --pid --fork --net --uts --ipc --cgroup \
		bash -c 'mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt' 2>&1) ||
		cannot "namespaces can't be made (${reason:-no reason given})"
	cgroup_trial || cannot "cgroups can't be made or mounted (read-only in this container?)"
	grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
		cannot "the kernel has no overlay file system"
}

missing_commands() {
	local command missing=()
	for command in "${COMMANDS[@]}"; do
		command -v "$command" >/dev/null || missing+=("$command")
	done
	[[ -x $CNI_PLUGINS/ptp && -x $CNI_PLUGINS/host-local ]] || missing+=("$CNI_PLUGINS/ptp")
	# Without these Go fetches no module. Elsewhere than on Debian they have other names.
	[[ -e /etc/ssl/certs/ca-certificates.crt || ! -e /etc/debian_version ]] || missing+=(certificates)
	echo "${missing[*]}"
}

# install_packages installs what is missing, where the machine has apt-get.
install_packages() {
	local missing
	missing=$(missing_commands)
	[[ -z $missing ]] && return
	command -v apt-get >/dev/null ||
		fail "these are missing: $missing; there is no apt-get here to install them with (Debian calls the packages ${PACKAGES[*]})"
	say "installing Debian packages for: $missing"
	local log
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	# An old package list may name files that are gone, so a failure is tried once more on a new one.
	if ! apt-get install -y --no-install-recommends "${PACKAGES[@]}" >"$log" 2>&1; then
		if ! { apt-get update && apt-get install -y --no-install-recommends "${PACKAGES[@]}"; } >"$log" 2>&1; then
			show_tail "$log"
			rm -f "$log"
			fail "apt-get could not install ${PACKAGES[*]}"
		fi
	fi
	rm -f "$log"
	missing=$(missing_commands)
	[[ -z $missing ]] || fail "these are still missing after the installation: $missing"
}

# borrow_machine notes how the machine is, once, before the first change.
borrow_machine() {
	local name point
	if [[ ! -f $STATE/sysctls ]]; then
		for name in "${MACHINE_SYSCTLS[@]}"; do
			printf '%s=%s\n' "$name" "$(sysctl -n "$name")"
		done >"$STATE/sysctls.new"
		mv "$STATE/sysctls.new" "$STATE/sysctls"
	fi
	for point in "${MOUNT_POINTS[@]}"; do
		make_mount_point "$point"
	done
}

# make_mount_point FOLDER makes it and notes each folder that was not there.
make_mount_point() {
	[[ -d $1 ]] && return
	make_mount_point "$(dirname "$1")"
	echo "$1" >>"$STATE/made-folders"
	mkdir "$1"
}

# return_machine undoes borrow_machine.
return_machine() {
	local line folder
	if [[ -f $STATE/sysctls ]]; then
		while read -r line; do
			sysctl -q -w "$line" || true
		done <"$STATE/sysctls"
	fi
	if [[ -f $STATE/made-folders ]]; then
		# Deepest first. One that is not empty belongs to somebody else by now.
		while read -r folder; do
			[[ -z $(ls -A "$folder" 2>/dev/null) ]] || continue
			umount "$folder" 2>/dev/null || true
			rmdir "$folder" 2>/dev/null || true
		done < <(sort -r "$STATE/made-folders")
	fi
}

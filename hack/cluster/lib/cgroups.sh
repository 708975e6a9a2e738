# shellcheck shell=bash
# Each node is confined to a cgroup of its own, under every controller, and
# sees it as the root of the hierarchy: kubelet and containerd work in it with
# their default paths, and two nodes never share one.
#
# On machines with version 1 each controller is a hierarchy by itself; with
# version 2 there is one. The parts for version 2 have not been run by us: no
# machine at hand has it.

# cgroup_layout prints "v1" or "v2", or fails where there is neither.
cgroup_layout() {
	if [[ $(stat -f -c %T /sys/fs/cgroup 2>/dev/null) == cgroup2fs ]]; then
		echo v2
	elif [[ -n $(cgroup_hierarchies) ]]; then
		echo v1
	else
		return 1
	fi
}

# cgroup_hierarchies prints, for version 1, a line "FOLDER OPTIONS" for every
# mounted hierarchy: its folder below /sys/fs/cgroup, and what to mount it by.
cgroup_hierarchies() {
	awk '$3 == "cgroup" && $2 ~ "^/sys/fs/cgroup/" {
		folder = substr($2, length("/sys/fs/cgroup/") + 1)
		count = split($4, options, ",")
		wanted = ""
		for (i = 1; i <= count; i++)
			if (options[i] !~ /^(rw|ro|nosuid|nodev|noexec|relatime|xattr|clone_children|release_agent=.*)$/)
				wanted = wanted (wanted == "" ? "" : ",") options[i]
		if (wanted ~ /^name=/) wanted = "none," wanted
		print folder, wanted
	}' /proc/mounts
}

# cgroup_folders NODE prints the node's folder in every hierarchy.
cgroup_folders() {
	local hierarchy
	if [[ $(cgroup_layout) == v2 ]]; then
		echo "/sys/fs/cgroup/$CGROUP/$1"
		return
	fi
	while read -r hierarchy _; do
		echo "/sys/fs/cgroup/$hierarchy/$CGROUP/$1"
	done < <(cgroup_hierarchies)
}

# cgroup_make NODE makes the node's cgroups afresh. What the pods of a node that
# lost its power left behind is removed: kubelet needs seconds for each such
# cgroup before it starts the first pod.
cgroup_make() {
	cgroup_remove "$1"
	local folder
	if [[ $(cgroup_layout) == v2 ]]; then
		mkdir -p "/sys/fs/cgroup/$CGROUP"
		cgroup_delegate /sys/fs/cgroup
		cgroup_delegate "/sys/fs/cgroup/$CGROUP"
	fi
	while read -r folder; do
		mkdir -p "$folder"
		case $folder in
		/sys/fs/cgroup/*cpuset*)
			# An empty set of CPUs or memory nodes takes no process.
			cgroup_copy_cpuset "$(dirname "$folder")"
			cgroup_copy_cpuset "$folder"
			echo 1 >"$folder/cgroup.clone_children"
			;;
		/sys/fs/cgroup/memory/*)
			echo 1 >"$folder/memory.use_hierarchy" 2>/dev/null || true # always on in newer kernels
			;;
		esac
	done < <(cgroup_folders "$1")
}

cgroup_copy_cpuset() {
	local file
	for file in cpuset.cpus cpuset.mems; do
		cat "$(dirname "$1")/$file" >"$1/$file"
	done
}

# cgroup_delegate FOLDER hands all controllers down to the cgroups below (v2).
cgroup_delegate() {
	local controller
	for controller in $(<"$1/cgroup.controllers"); do
		echo "+$controller" >"$1/cgroup.subtree_control" || true
	done
}

# cgroup_join NODE moves the calling shell into the node's cgroups.
cgroup_join() {
	local folder
	while read -r folder; do
		echo "$BASHPID" >"$folder/cgroup.procs"
	done < <(cgroup_folders "$1")
}

# cgroup_remove NODE removes its cgroups; they must have no processes any more.
cgroup_remove() {
	local folder
	while read -r folder; do
		[[ -d $folder ]] && find "$folder" -depth -type d -exec rmdir {} \;
	done < <(cgroup_folders "$1") 2>/dev/null
	return 0
}

# cgroup_remove_all removes the cluster's own folder in every hierarchy.
cgroup_remove_all() { cgroup_remove ""; }

# mount_sys mounts, inside of a node, a /sys of its network namespace and in it
# the node's cgroups, where programs look for them.
mount_sys() {
	local layout hierarchies folder options process
	# The new /sys hides the machine's, so this is read before.
	layout=$(cgroup_layout)
	hierarchies=$(cgroup_hierarchies)
	mount -t sysfs sysfs /sys
	if [[ $layout == v2 ]]; then
		mount -t cgroup2 cgroup /sys/fs/cgroup
		# Only leaves may hold processes, and the pods' cgroups go beside this one.
		mkdir /sys/fs/cgroup/init
		for process in $(</sys/fs/cgroup/cgroup.procs); do
			echo "$process" >/sys/fs/cgroup/init/cgroup.procs || true
		done
		cgroup_delegate /sys/fs/cgroup
		return
	fi
	mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
	while read -r folder options; do
		mkdir "/sys/fs/cgroup/$folder"
		mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$folder"
		cgroup_link_controllers "$folder"
	done <<<"$hierarchies"
}

# cgroup_link_controllers FOLDER: where one hierarchy holds several controllers
# ("cpu,cpuacct"), programs expect a link by the name of each.
cgroup_link_controllers() {
	local controller
	[[ $1 == *,* ]] || return 0
	for controller in ${1//,/ }; do
		ln -s "$1" "/sys/fs/cgroup/$controller"
	done
}

# cgroup_trial tells whether cgroups can be made and mounted on this machine.
cgroup_trial() {
	local folder options
	if [[ $(cgroup_layout) == v2 ]]; then
		options=()
		folder=/sys/fs/cgroup/$CGROUP.trial
	else
		read -r folder options < <(cgroup_hierarchies)
		options=(-o "$options")
		folder=/sys/fs/cgroup/$folder/$CGROUP.trial
	fi
	mkdir -p "$folder" 2>/dev/null || return 1
	rmdir "$folder"
	local type=cgroup
	[[ $(cgroup_layout) == v2 ]] && type=cgroup2
	unshare --mount --propagation private --cgroup mount -t "$type" "${options[@]}" cgroup /mnt 2>/dev/null
}

# shellcheck shell=bash
# What the person at the terminal sees.

# say TEXT prints a line of progress with the seconds since the start.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

# fail TEXT says what is wrong and ends the command.
fail() {
	printf 'cluster: %s\n' "$*" >&2
	exit 1
}

# show_tail FILE prints the end of a log, indented, if there is one.
show_tail() {
	if [[ -s $1 ]]; then
		printf 'cluster: the end of %s:\n' "$1" >&2
		tail -n 15 "$1" | cut -c 1-400 | sed 's/^/    /' >&2
	else
		printf 'cluster: %s is empty\n' "$1" >&2
	fi
}

# wait_for SECONDS WHAT LOG COMMAND... runs the command until it succeeds. When
# it has not within the time, it says what it waited for, shows the end of the
# log that most likely knows why, and ends the command.
wait_for() {
	local limit=$1 what=$2 log=$3
	shift 3
	local end=$((SECONDS + limit))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			show_tail "$log"
			show_restarting
			fail "waited $limit s for $what, in vain; 'cluster up' goes on from here, 'cluster down' removes everything"
		fi
		sleep 0.2
	done
}

# show_restarting shows the log of each component that has just ended by itself.
show_restarting() {
	local log
	for log in "$STATE"/nodes/*/log/*.log; do
		if tail -n 1 "$log" | grep -q 'it is started again in a second$'; then
			show_tail "$log"
		fi
	done
}

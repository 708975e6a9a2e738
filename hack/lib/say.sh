# shellcheck shell=bash
# What the person at the terminal sees of the scripts in hack/.

# say TEXT prints a line of progress with the seconds since the start.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

# fail TEXT says what is wrong and ends the script.
fail() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# wait_for SECONDS WHAT COMMAND... runs the command until it succeeds. The last
# line that it printed is what it saw; it is shown whenever it changes, and when
# the time is over.
wait_for() {
	local limit=$1 what=$2 seen='' last=''
	shift 2
	local end=$((SECONDS + limit))
	until seen=$("$@" 2>&1); do
		seen=${seen##*$'\n'}
		if [[ $seen != "$last" ]]; then
			say "waiting for $what: $seen"
			last=$seen
		fi
		((SECONDS < end)) || fail "waited $limit s for $what, in vain; last seen: ${seen:-nothing}"
		sleep 0.3
	done
}

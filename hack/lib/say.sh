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
# line that it printed is what it saw; it is shown when it changes, at most every
# two seconds, and when the time is over.
wait_for() {
	local limit=$1 what=$2 seen='' last=''
	shift 2
	local end=$((SECONDS + limit)) shown=$SECONDS
	until seen=$("$@" 2>&1); do
		seen=${seen##*$'\n'}
		if [[ $seen != "$last" ]] && ((SECONDS >= shown + 2)); then
			say "waiting for $what: $seen"
			last=$seen shown=$SECONDS
		fi
		((SECONDS < end)) || fail "waited $limit s for $what, in vain; last seen: ${seen:-nothing}"
		sleep 0.3
	done
}

# with_progress LOG COMMAND... runs it with its output in the log, and says every
# ten seconds how far it is: `go build -v` writes a line for each package.
with_progress() {
	local log=$1 job began=$SECONDS
	shift
	mkdir -p "$(dirname "$log")"
	: >"$log"
	"$@" >"$log" 2>&1 &
	job=$!
	while sleep 0.5; kill -0 "$job" 2>/dev/null; do
		((SECONDS - began >= 10)) || continue
		began=$SECONDS
		if [[ -s $log ]]; then
			say "$(wc -l <"$log") packages compiled, the last one $(tail -n 1 "$log" | cut -c 1-80)"
		else
			say "waiting for the first package"
		fi
	done
	wait "$job" || {
		tail -n 20 "$log" >&2
		return 1
	}
}

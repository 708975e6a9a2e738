# shellcheck shell=bash
# What happens in the demonstration, one function a step.

readonly KEYS=10000
readonly INSTANCES=3

create_cluster() {
	say "applying $SAMPLE"
	kube apply -f - <"$SAMPLE" >/dev/null
	wait_for 300 "three instances to be Ready" cluster_is_ready
	say "the cluster is Ready"
}

# cluster_is_ready prints what the cluster is at.
cluster_is_ready() {
	# Of a condition, what it says of the present spec; the image, since an
	# operator of another version replaces the pods.
	local seen images image
	seen=$(kube get lockstepcluster "$NAME" --output 'go-template={{$g := .metadata.generation}}{{range .status.conditions}}{{if and (eq .type "Ready") (eq .observedGeneration $g)}}{{.status}} {{end}}{{end}}{{with .status}}{{.readyInstances}} of {{end}}{{.spec.instances}} instances ready{{with .status}}, {{.phase}}{{end}}') || {
		echo "$seen"
		return 1
	}
	images=$(kube get pods --selector "lockstep.dev/cluster=$NAME" --output 'jsonpath={.items[*].spec.containers[0].image}')
	for image in $images; do
		[[ $image == "${IMAGE:-$image}" ]] || {
			echo "$image is being replaced"
			return 1
		}
	done
	echo "${seen#@(True|False|Unknown) }"
	[[ $seen == "True $INSTANCES of $INSTANCES instances ready"* ]]
}

# load_data writes keys by redis-cli's mass insertion. Each value is 100 bytes.
load_data() {
	say "loading $KEYS keys through the service $NAME-rw with redis-cli"
	local output
	output=$(awk -v keys="$KEYS" 'BEGIN {
		for (n = 1; n <= keys; n++) printf "SET demo:key:%d %0100d\r\n", n, n
	}' | client redis-cli -h "$SERVICE" --pipe 2>&1) || fail "redis-cli could not load the data: $output"
	[[ $output == *"errors: 0, replies: $KEYS"* ]] || fail "redis-cli could not load the data: $output"
	wait_for 60 "the replicas to have it" replicas_have "$KEYS"
}

# replicas_have COUNT: every instance holds at least so many keys. Asked of the
# primary by WAIT, so that nothing has to reach the instances one by one.
replicas_have() {
	local acknowledged
	acknowledged=$(client redis-cli -h "$SERVICE" WAIT $((INSTANCES - 1)) 1000) || return 1
	echo "${acknowledged:-no} replicas have acknowledged $1 keys"
	[[ $acknowledged == "$((INSTANCES - 1))" ]]
}

# start_writer begins to write in the background, and returns when it is in its
# stride.
start_writer() {
	TICKS=tick:$(date +%s)
	say "a client begins to write through $NAME-rw, about thirty times a second"
	client bash -c "$(cat hack/lib/writer.sh)" writer "$SERVICE" "$TICKS" >"$work/writes" 2>"$work/writer-errors" &
	WRITER=$!
	wait_for 30 "the client's first writes" written_after 0 30
}

# written_after TIME COUNT: so many writes were acknowledged after the time.
written_after() {
	local count
	count=$(awk -v after="$1" '$3 == "ok" && $1 > after' "$work/writes" | wc -l)
	echo "$count acknowledged, the last outcome is '$(tail -n 1 "$work/writes" | cut -d ' ' -f 3-)' $(tail -n 1 "$work/writer-errors")"
	((count >= $2))
}

stop_writer() {
	[[ -n ${WRITER:-} ]] || return 0
	local child
	# The pod's client ends with the connection; here it is a child of ours.
	for child in $(pgrep --parent "$WRITER" 2>/dev/null) "$WRITER"; do
		kill "$child" 2>/dev/null || true
	done
	wait "$WRITER" 2>/dev/null || true
	WRITER=
}

end_writer() {
	stop_writer
	rm -rf "$work"
}

kill_primary() {
	EPOCH_BEFORE=$(of_status epoch)
	PRIMARY_BEFORE=$(of_status primary)
	say "killing the primary, $PRIMARY_BEFORE"
	place_kill "$PRIMARY_BEFORE"
}

of_status() { kube get lockstepcluster "$NAME" --output "jsonpath={.status.$1}"; }

wait_for_recovery() {
	wait_for 120 "another primary" failover_is_complete
	wait_for 60 "accepted writes" written_after "$((KILLED_AT + 1))" 30
	say "another primary takes writes; waiting for $PRIMARY_BEFORE to come back as a replica"
	wait_for 300 "three instances to be Ready" cluster_is_ready
}

failover_is_complete() {
	local seen
	seen=$(kube get lockstepcluster "$NAME" --output 'jsonpath={.status.lastFailover.epoch} {.status.phase}') || return 1
	echo "the status says ${seen#* }"
	[[ ${seen%% *} =~ ^[0-9]+$ ]] && ((${seen%% *} > EPOCH_BEFORE))
}

# check_data counts what is missing of what was acknowledged.
check_data() {
	say "comparing what is there with what was acknowledged"
	awk '$3 == "ok" {print $2}' "$work/writes" >"$work/acknowledged"
	ACKNOWLEDGED=$(wc -l <"$work/acknowledged")
	local found
	found=$(count_present "$TICKS" <"$work/acknowledged")
	MISSING=$((ACKNOWLEDGED - found))
	found=$(seq "$KEYS" | count_present demo:key)
	MISSING_LOADED=$((KEYS - found))
}

# count_present PREFIX reads numbers and prints how many of PREFIX:NUMBER exist.
count_present() {
	awk -v prefix="$1" '
		{ line = line " " prefix ":" $1 }
		NR % 500 == 0 { print "EXISTS" line; line = "" }
		END { if (line != "") print "EXISTS" line }' |
		client redis-cli -h "$SERVICE" | awk '{ sum += $1 } END { print sum + 0 }'
}

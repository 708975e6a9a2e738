# shellcheck shell=bash
# What the demonstration prints.

# tell_state TITLE shows the cluster as kubectl does, with its conditions.
tell_state() {
	printf '\n%s\n\n' "$1"
	kube get lockstepcluster "$NAME" --output wide | sed 's/^/  /'
	echo
	kube get lockstepcluster "$NAME" --output 'go-template={{range .status.members}}{{printf "  %-10s %-11s %-12s on %v" .name .role .state .node}}{{"\n"}}{{end}}'
	echo
	kube get lockstepcluster "$NAME" --output 'go-template={{range .status.conditions}}{{printf "  %-20s %-8s %-22s %v" .type .status .reason .message}}{{"\n"}}{{end}}'
	echo
}

print_report() {
	local failover
	failover=$(kube get lockstepcluster "$NAME" --output 'go-template={{with .status.lastFailover}}started {{.startedAt}}
epoch {{.epoch}}
to {{.to}}
reason {{.reason}}
{{if or (eq (print .bytesLost) "0") .bytesLost}}lost {{.bytesLost}}
{{end}}explanation {{.bytesLostExplanation}}
{{range $name, $millis := .steps}}{{$name}} {{$millis}}
{{end}}{{end}}')
	printf '\nWhat happened\n\n'
	{
		row 0 "$KILLED_HOW"
		print_steps "$failover"
		row "$(gap_begin)" "last write acknowledged before the gap, as the client saw it"
		row "$(gap_end)" "first accepted write, by the client through $NAME-rw"
	} | sort --stable --key 1,1n | awk '{ $1 = sprintf("  %+8.3f s  ", $1 / 1000000); print }'
	printf '\n  killed at            %s\n' "$(date --date "@$((KILLED_AT / 1000000))" '+%H:%M:%S').$(printf %06d $((KILLED_AT % 1000000)))"
	printf '  without a write      %s s, as the client saw it\n' "$(seconds "$(gap_length)")"
	printf '  bytes lost           %s\n' "$(loss "$failover")"
	printf '  acknowledged writes  %d; missing now: %d\n' "$ACKNOWLEDGED" "$MISSING"
	printf '  loaded keys          %d; missing now: %d\n' "$KEYS" "$MISSING_LOADED"
	[[ $CLUSTER == local ]] || printf '  (the times of the kill, of the operator and of the client are of the clocks of their nodes)\n'
}

# row MICROSECONDS TEXT: a line of the report, by the time since the kill.
row() { printf '%d %s\n' "$1" "$2"; }

# print_steps FAILOVER prints its steps as rows.
print_steps() {
	local from to epoch started
	from=$PRIMARY_BEFORE to=$(field to "$1") epoch=$(field epoch "$1")
	started=$(($(date --date "$(field started "$1")" +%s%6N) - KILLED_AT))
	row "$started" "detection: the operator sees that the primary is lost ($(field reason "$1"))"
	step confirmedMillis "the loss is confirmed"
	step electedMillis "election: epoch $epoch is stored"
	step fencedMillis "the others are fenced: none follows $from any more"
	step leaseEndedMillis "$from can not take a write any more: it has ended, or its lease has"
	step committedMillis "$to is stored as the primary of epoch $epoch"
	step promotedMillis "promotion: $to takes writes"
	step routedMillis "the service $NAME-rw leads to $to"
}

# step NAME TEXT: a row by the time since the detection, unless there was no such
# step. It uses print_steps' failover and time.
step() {
	local millis
	millis=$(field "$1" "$failover")
	[[ -z $millis ]] || row "$((started + millis * 1000))" "$2"
}

# field NAME FAILOVER prints one of its values.
field() { sed -n "s/^$1 //p" <<<"$2"; }

loss() {
	local bytes explanation bound=''
	bytes=$(field lost "$1")
	explanation=$(field explanation "$1")
	[[ $explanation != *'highest write rate'* ]] || bound=': an upper bound, the highest write rate seen times the time in doubt'
	if [[ -n $bytes ]]; then
		printf 'at most %s%s (%s)' "$bytes" "$bound" "$explanation"
	else
		printf 'no bound is known (%s)' "$explanation"
	fi
}

# gap prints the two ends of the time without an acknowledged write, in
# microseconds since 1970. A write that was begun after the kill was accepted by
# somebody else. A pod that is deleted goes on for a moment, so there it is the
# longest time between two acknowledgements that ends afterwards.
gap() {
	awk -v ended="$KILLED_AT" -v at_once="$KILLED_AT_ONCE" '
		$3 == "ok" && $1 > ended && !found {
			if (at_once == "yes" && tried > ended) { found = 1; from = last; to = $1 }
			if (at_once != "yes" && last && $1 - last > longest) { longest = $1 - last; from = last; to = $1 }
		}
		$3 == "ok" { last = $1 }
		{ tried = $1 }
		END { print from, to }' "$work/writes"
}

# gap_begin may be after the kill: a write that had been accepted before, of which the
# client heard a moment later.
gap_begin() {
	local from to
	read -r from to < <(gap)
	echo $((from - KILLED_AT))
}

gap_end() {
	local from to
	read -r from to < <(gap)
	echo $((to - KILLED_AT))
}

gap_length() {
	local from to
	read -r from to < <(gap)
	echo $((to - from))
}

seconds() { awk -v micros="$1" 'BEGIN { printf "%.3f", micros / 1000000 }'; }

print_usage() {
	# kubectl takes no options in front of a plugin's name.
	local plugin="kubectl lockstep status $NAME -n $NAMESPACE"
	local kubectl="kubectl" redis="kubectl --namespace $NAMESPACE exec -it client -- redis-cli"
	case $CLUSTER in
	local)
		kubectl="hack/cluster/cluster kubectl"
		plugin="hack/cluster/cluster $plugin"
		redis="hack/cluster/cluster run redis-cli"
		;;
	kind)
		kubectl="kubectl --kubeconfig $KIND_KUBECONFIG"
		plugin+=" --kubeconfig $KIND_KUBECONFIG"
		redis=${redis/kubectl/$kubectl}
		;;
	esac
	local with=''
	[[ $CLUSTER == local ]] || with=" CLUSTER=$CLUSTER"
	cat <<-TEXT

		The cluster is left running.

		  $kubectl --namespace $NAMESPACE get lsc $NAME --output wide
		  $kubectl --namespace $NAMESPACE describe lsc $NAME
		  $redis -h $SERVICE
		  make build && PATH=\$PWD/bin:\$PATH $plugin

		Again:      make demo$with$([[ $CLUSTER != current || -z ${IMAGE:-} ]] || echo " IMAGE=$IMAGE")
		Remove it:  make demo-down$with
	TEXT
}

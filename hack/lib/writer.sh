# shellcheck shell=bash
# A client that writes all the time, one redis-cli a write, as a program does
# that opens a connection for each of its tasks. It is handed to bash with the
# service's name and the keys' prefix as arguments, wherever the service can be
# reached. Prints a line for each write: the time in microseconds since 1970 when
# its outcome was known, its number, and "ok" or what came instead.
host=$1 prefix=$2
# Nothing ever comes from here, so that reading it is a pause without a process.
exec 9<> <(:)
# It ends with whoever started it, who may not be able to reach it through what is
# in between, and after half an hour at the latest. (Process 0, which is what a pod
# sees, always counts as there.)
for ((n = 1; n < 60000; n++)); do
	kill -0 "$PPID" 2>/dev/null || exit 0
	# A write that hangs is given up: the next connection may go elsewhere.
	reply=$(timeout 0.5 redis-cli -h "$host" SET "$prefix:$n" "$n" EX 3600 2>&1)
	[[ $reply == OK ]] && reply=ok
	printf '%s %s %s\n' "${EPOCHREALTIME/[.,]/}" "$n" "${reply:-no answer within 0.5 s}"
	read -r -t 0.02 -u 9
done

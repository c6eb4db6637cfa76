#!/bin/sh
# What takes longer than a minute: sanitizers, fuzzers, valgrind, coverage, the codec
# on a million values, a long simulation, the durability loop, checks broken
# on purpose.  Ends with a table: of each row the seconds, those of processors,
# and its last line.  All rows take at most 45 minutes of two cores: what would
# take longer is a sample here, and whole in soak.sh.
# Rows that measure the machine run alone; the others in two lanes at a time,
# for the most part programs that talk to each other in the one, what computes
# in the other.
# usage: test-long.sh [ROW...], all rows when none is named
set -u
wanted=" $* "
table=build/test-long.txt
mine=${MUSTER_LANE:-}
unset MUSTER_LANE # what runs here may run this
lane= # that of the rows that follow
cpu() { # BEFORE AFTER: seconds of children between two answers of times
	awk 'FNR == 2 { split($0, t, /[ms ]+/); n = t[1] * 60 + t[2] + t[3] * 60 + t[4] - n } END { printf "%d", n }' "$@"
}
row() { # NAME COMMAND...
	name=$1
	shift
	[ "$lane" = "$mine" ] || return 0
	case $wanted in "  " | *" $name "*) ;; *) return 0 ;; esac
	log=build/long-$name.log
	begin=$(date +%s)
	times >"$log.before"
	if "$@" >"$log" 2>&1; then verdict=passed; else
		verdict=FAILED
		tail -n 30 "$log"
	fi
	times >"$log.after"
	printf '%-12s %-7s %5d s %5d s  %s\n' "$name" "$verdict" $(($(date +%s) - begin)) \
	    "$(cpu "$log.before" "$log.after")" "$(tail -n 1 "$log")" | tee -a "$table"
	rm "$log.before" "$log.after"
}
if [ -z "$mine" ]; then
	: >"$table"
	ended=0 # a lane before its last row
	MUSTER_LANE=alone sh "$0" "$@" || ended=1
	MUSTER_LANE=programs sh "$0" "$@" &
	other=$!
	trap 'kill "$other"; exit 1' INT TERM # it ignores the terminal's own
	MUSTER_LANE=code sh "$0" "$@" || ended=1
	wait "$other" || ended=1
	cat "$table"
	n=$(grep -c '^[a-z0-9-]* *passed' "$table")
	failed=$(grep -c '^[a-z0-9-]* *FAILED' "$table")
	failed=$((failed + ended))
	echo "$n passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$n" -gt 0 ]
	exit
fi
lane=alone
row durability /usr/bin/python3 tests/e2e/durability.py 200 200
row flood /usr/bin/python3 tests/e2e/flood.py 30 10000
row files env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -s -rfE -p no:cacheprovider tests/e2e/test_flood.py -k "file"
# a minute of an idle machine, twenty of one that has much else to do
row tls /usr/bin/python3 tests/e2e/tls_scan.py
# what takes longest comes first
lane=programs
row packages sh tools/deb-test.sh short
row sanitizers sh tools/instrumented.sh sanitizers
row end-to-end /usr/bin/python3 -m pytest -q -rfEs -p no:cacheprovider -n 2 --dist loadfile -m long --ignore tests/e2e/test_host_disk.py tests/e2e
row threads sh tools/instrumented.sh threads
row agent-disk env MUSTER_STEP=3 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider -n 2 --dist load tests/e2e/test_agent_kill.py tests/e2e/test_agent_disk.py
row calls /usr/bin/python3 tests/e2e/faults.py calls 100
row allocations /usr/bin/python3 tests/e2e/faults.py alloc 100
row host-disk env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_host_disk.py
row cluster /usr/bin/python3 tests/e2e/cluster_run.py 25000 2000 50
row stores env MUSTER_OPERATIONS=10000 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_cluster.py -k model
row secret-modes env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_secret.py
lane=code
row analysis sh tools/analyse.sh
row mutants sh tools/mutants.sh
row valgrind sh tools/instrumented.sh valgrind
row fuzz sh tools/fuzz.sh --seconds 10
row models sh tools/models.sh
row coverage sh tools/instrumented.sh coverage
row simulation build/sim/muster-sim --seeds 20000
row mutation /usr/bin/python3 tools/mutate.py --sample 60 --minutes 4
row near build/tests/test_near_signed 4
row memory sh tools/instrumented.sh memory
row store-calls env TMPDIR=/dev/shm build/tests/test_store_calls each
row rot env TMPDIR=/dev/shm build/tests/test_store_rot 20000
row power env TMPDIR=/dev/shm build/tests/test_store_power 20000
row oracle build/tests/test_oracle 1000000
exit 0

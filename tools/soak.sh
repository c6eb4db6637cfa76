#!/bin/sh
# What takes hours, some of it days: run before a release.  Ends with a table.
# A row in parts, and that of mutants, goes on where it was ended (parts.sh).
# usage: soak.sh [ROW...], all rows when none is named
set -u
wanted=" $* "
failed=0
n=0
row() { # NAME COMMAND...
	name=$1
	shift
	case $wanted in "  " | *" $name "*) ;; *) return 0 ;; esac
	begin=$(date +%s)
	n=$((n + 1))
	if "$@" >"build/soak-$name.log" 2>&1; then verdict=passed; else
		verdict=FAILED
		failed=$((failed + 1))
	fi
	printf '%-12s %-7s %6d s  %s\n' "$name" "$verdict" \
	    $(($(date +%s) - begin)) "$(tail -n 1 "build/soak-$name.log")"
}
# The programme's numbers, and a seed of its own for each part: 10^7 inputs,
# 10^6 seeds, 100,000 kills and files, 10^6 operations and disks after a power
# cut; of each parser 10^9 runs, of requests and replies 10^10.
row oracle sh tools/parts.sh oracle 10 build/tests/test_oracle 1000000
row simulation sh tools/parts.sh simulation 50 \
    sh -c 'build/sim/muster-sim --seeds 20000 --seed $(($1 * 20000 - 19999))' sh
row durability sh tools/parts.sh durability 100 \
    sh -c 'SEED=$1 /usr/bin/python3 tests/e2e/durability.py 1000 200' sh
row rot env TMPDIR=/dev/shm sh tools/parts.sh rot 10 build/tests/test_store_rot 10000
row power env TMPDIR=/dev/shm sh tools/parts.sh power 10 build/tests/test_store_power 100000
row cluster sh tools/parts.sh cluster 10 /usr/bin/python3 tests/e2e/cluster_run.py 100000 2000 200
row fuzz sh tools/parts.sh fuzz 100 sh tools/fuzz.sh --runs 10000000 --part
row fuzz-wire sh tools/parts.sh fuzz-wire 900 \
    sh -c 'sh tools/fuzz.sh --runs 10000000 --part "$(($1 + 100))" args result' sh
row models sh tools/models.sh full
row mutation /usr/bin/python3 tools/mutate.py --kept build/mutants.txt
row near build/tests/test_near_signed 50
row allocations /usr/bin/python3 tests/e2e/faults.py alloc
row calls /usr/bin/python3 tests/e2e/faults.py calls
row sanitizers sh tools/instrumented.sh sanitizers whole
row threads sh tools/instrumented.sh threads whole
row valgrind sh tools/instrumented.sh valgrind whole
row agent-disk env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider -n 2 --dist load tests/e2e/test_agent_kill.py tests/e2e/test_agent_disk.py
row stores env MUSTER_OPERATIONS=100000 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_cluster.py -k model
row coverage sh tools/coverage.sh
row packages sh tools/deb-repro.sh
row guides sh tools/deb-test.sh
echo "$n rows, $failed failed"
[ "$failed" -eq 0 ] && [ "$n" -gt 0 ]

#!/bin/sh
# What takes hours: run before a release.  Ends with a table.
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
row models sh tools/models.sh full
row mutation /usr/bin/python3 tools/mutate.py --kept build/mutants.txt
row near build/tests/test_near_signed 50
row allocations /usr/bin/python3 tests/e2e/faults.py alloc
row calls /usr/bin/python3 tests/e2e/faults.py calls
row packages sh tools/deb-repro.sh
echo "$n rows, $failed failed"
[ "$failed" -eq 0 ] && [ "$n" -gt 0 ]

#!/bin/sh
# Checks of structure, unit tests, end-to-end tests, and the seconds that each
# took; ends with one line that counts them.  A skip or an empty suite is a
# failure, but for rows that need root where nobody is root.
set -u
passed=0
failed=0
begin=$(date +%s)
took() { # WHAT: since the last one
	now=$(date +%s)
	echo "$1: $((now - begin)) s"
	begin=$now
}
tally() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >build/"$name".log 2>&1; then
		passed=$((passed + 1))
		echo "ok $name"
	else
		failed=$((failed + 1))
		echo "FAILED $name"
		tail -n 40 build/"$name".log
	fi
}
# What the workers of the end-to-end tests read is made ready while the checks
# take one core: each would do it for itself.
export PYTHONPYCACHEPREFIX="$PWD/build/pycache" PYTHONDONTWRITEBYTECODE=
end_to_end() { # PYTEST-ARGS...
	/usr/bin/python3 -m pytest -q -rfEs -p no:cacheprovider -m "not long" "$@" tests/e2e
}
end_to_end --collect-only >build/e2e-ready.log 2>&1 &
ready=$!
for check in format layers sizes docs; do
	tally "check-$check" sh "tools/check-$check.sh"
done
took checks

meson test -C build --no-rebuild --num-processes 2 --print-errorlogs >build/unit.log 2>&1
status=$?
ok=$(awk '/^Ok:/ { print $2 }' build/unit.log)
bad=$(awk '/^(Fail|Timeout|Unexpected Pass|Skipped):/ { n += $NF } END { print n + 0 }' build/unit.log)
ok=${ok:-0}
if [ "$ok" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
	bad=$((bad + 1))
fi
[ "$bad" -eq 0 ] || cat build/unit.log
echo "unit: $ok programs passed, $bad failed"
passed=$((passed + ok))
failed=$((failed + bad))
took "unit tests"

if ls tests/e2e/test_*.py >/dev/null 2>&1; then
	# half of their time is waiting: six keep two cores busy; the tests of a
	# file stay together
	wait "$ready"
	end_to_end -n 6 --dist loadfile >build/e2e.log 2>&1
	status=$?
	last=$(tail -n 1 build/e2e.log)
	n_ok=$(echo "$last" | sed -n 's/.*\b\([0-9][0-9]*\) passed.*/\1/p')
	n_bad=$(echo "$last" | grep -oE '[0-9]+ (failed|error|errors|skipped)' | awk '{ n += $1 } END { print n + 0 }')
	# what only root can be is left out, and said, where nobody is root
	if [ "$(id -u)" -ne 0 ]; then
		n_root=$(sed -n 's/^SKIPPED \[\([0-9]*\)\].*: needs root: .*/\1/p' build/e2e.log |
		    awk '{ n += $1 } END { print n + 0 }')
		sed -n 's/^SKIPPED.*: needs root: /not run, needs root: /p' build/e2e.log
		n_bad=$((n_bad - n_root))
	fi
	if [ "$status" -ne 0 ] && [ "$n_bad" -eq 0 ]; then n_bad=1; fi
	if [ "$n_bad" -ne 0 ]; then tail -n 80 build/e2e.log; fi
	echo "end to end: ${n_ok:-0} passed, $n_bad failed"
	passed=$((passed + ${n_ok:-0}))
	failed=$((failed + n_bad))
	took "end-to-end tests"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/bin/sh
# What takes longer than a minute: sanitizers, valgrind, coverage, the codec
# on a million values, the durability loop.  Ends with a table.
set -u
table=build/test-long.txt
: >"$table"
failed=0
row() { # NAME COMMAND...
	name=$1
	shift
	begin=$(date +%s)
	if "$@" >"build/long-$name.log" 2>&1; then verdict=passed; else
		verdict=FAILED
		failed=$((failed + 1))
		tail -n 30 "build/long-$name.log"
	fi
	printf '%-12s %-7s %5d s  %s\n' "$name" "$verdict" \
	    $(($(date +%s) - begin)) "$(tail -n 1 "build/long-$name.log")" | tee -a "$table"
}
sanitized() {
	[ -f build/asan/build.ninja ] || meson setup build/asan -Db_sanitize=address,undefined -Db_lundef=false --prefix /usr >/dev/null
	ninja -C build/asan >/dev/null && meson test -C build/asan --no-rebuild | tail -n 12 &&
	    DESTDIR="$PWD/build/asan-stage" meson install -C build/asan --no-rebuild --quiet &&
	    MUSTER_BIN="$PWD/build/asan-stage/usr/bin" UBSAN_OPTIONS=halt_on_error=1 \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e
}
memcheck() {
	meson test -C build --no-rebuild --timeout-multiplier 20 --wrapper \
	    "valgrind -q --leak-check=full --error-exitcode=9" | grep -E '^(Ok|Fail|Timeout)' | tr '\n' ' '
	! grep -q '^Fail: *[1-9]' build/long-valgrind.log
}
coverage() {
	[ -f build/cov/build.ninja ] || meson setup build/cov -Db_coverage=true -Doptimization=0 --prefix /usr >/dev/null
	ninja -C build/cov >/dev/null && meson test -C build/cov --no-rebuild >/dev/null
	for d in wire trust count store; do
		pct=$(gcovr -r . --object-directory build/cov -f "src/$d/" 2>/dev/null | awk '/^TOTAL/ { sub("%", "", $4); print $4 }')
		echo "$d $pct %"
		[ "${pct:-0}" -ge 95 ] || return 1
	done | tee /dev/stderr | { tr '\n' ' '; }
}
row oracle build/tests/test_oracle 1000000
row durability /usr/bin/python3 tests/e2e/durability.py 200 200
row sanitizers sanitized
row valgrind memcheck
row coverage coverage
cat "$table"
n=$(grep -c passed "$table")
echo "$n passed, $failed failed"
[ "$failed" -eq 0 ]

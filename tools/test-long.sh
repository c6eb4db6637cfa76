#!/bin/sh
# What takes longer than a minute: sanitizers, fuzzers, valgrind, coverage, the codec
# on a million values, a long simulation, the durability loop, checks broken
# on purpose.  Ends with a table.
# usage: test-long.sh [ROW...], all rows when none is named
set -u
wanted=" $* "
table=build/test-long.txt
: >"$table"
failed=0
row() { # NAME COMMAND...
	name=$1
	shift
	case $wanted in "  " | *" $name "*) ;; *) return 0 ;; esac
	begin=$(date +%s)
	if "$@" >"build/long-$name.log" 2>&1; then verdict=passed; else
		verdict=FAILED
		failed=$((failed + 1))
		tail -n 30 "build/long-$name.log"
	fi
	printf '%-12s %-7s %5d s  %s\n' "$name" "$verdict" \
	    $(($(date +%s) - begin)) "$(tail -n 1 "build/long-$name.log")" | tee -a "$table"
}
suite() { # BUILD-FOLDER MESON-ARGS...: its unit tests; the last line counts
	folder=$1
	shift
	meson test -C "$folder" --no-rebuild --print-errorlogs "$@" >"$folder/suite.log" 2>&1
	status=$?
	[ "$status" -eq 0 ] || cat "$folder/suite.log"
	n=$(awk '/^Ok:/ { print $2 }' "$folder/suite.log")
	echo "${n:-0} programs ok"
	[ "$status" -eq 0 ] && [ "${n:-0}" -gt 0 ]
}
sanitized() {
	[ -f build/asan/build.ninja ] || meson setup build/asan -Db_sanitize=address,undefined -Db_lundef=false -Doracle=enabled --prefix /usr >/dev/null || return 1
	ninja -C build/asan >/dev/null && suite build/asan &&
	    DESTDIR="$PWD/build/asan-stage" meson install -C build/asan --no-rebuild --quiet &&
	    export MUSTER_BIN="$PWD/build/asan-stage/usr/bin" UBSAN_OPTIONS=halt_on_error=1 || return 1
	# a sanitizer owns the allocator; libmuster in a program without one
	# needs it loaded first; tests marked bare bear neither
	/usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider -n 2 --dist loadfile tests/e2e \
	    --ignore tests/e2e/test_library.py --ignore tests/e2e/test_python.py \
	    --ignore tests/e2e/test_example.py -m "not bare" &&
	    LD_PRELOAD="$(cc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e/test_library.py \
	    tests/e2e/test_python.py tests/e2e/test_example.py -m "not bare"
}
sanitized_row() { # what it exports ends with it
	(sanitized)
}
threads() { # musterd's loop and store thread, the authority's three
	[ -f build/tsan/build.ninja ] || meson setup build/tsan -Db_sanitize=thread -Db_lundef=false -Doracle=disabled --prefix /usr >/dev/null || return 1
	ninja -C build/tsan >/dev/null &&
	    DESTDIR="$PWD/build/tsan-stage" meson install -C build/tsan --no-rebuild --quiet &&
	    MUSTER_BIN="$PWD/build/tsan-stage/usr/bin" TSAN_OPTIONS="halt_on_error=1" \
	    /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider -n 2 --dist loadfile \
	    tests/e2e/test_serve.py tests/e2e/test_serve_life.py tests/e2e/test_lease.py \
	    tests/e2e/test_listing.py tests/e2e/test_admin.py tests/e2e/test_rpc.py -m "not bare"
}
memcheck() {
	# the simulator by a few seeds: two hundred take some minutes
	valgrind -q --suppressions="$PWD/tests/valgrind.supp" --leak-check=full \
	    --error-exitcode=9 build/sim/muster-sim --seeds 20 &&
	    suite build --no-suite sim --timeout-multiplier 20 --num-processes 2 --wrapper \
	    "valgrind -q --suppressions=$PWD/tests/valgrind.supp --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9"
}
coverage() {
	[ -f build/cov/build.ninja ] || meson setup build/cov -Db_coverage=true -Doptimization=0 -Doracle=enabled --prefix /usr >/dev/null || return 1
	ninja -C build/cov >/dev/null && suite build/cov || return 1
	said=
	low=0
	for d in wire trust count store; do
		gcovr -r . --object-directory build/cov -f "src/$d/" >build/cov/"$d".txt || return 1
		cat build/cov/"$d".txt
		pct=$(awk '/^TOTAL/ { sub("%", "", $4); print $4 }' build/cov/"$d".txt)
		said="$said$d $pct %  "
		[ "${pct:-0}" -ge 95 ] || low=1
	done
	echo "$said"
	return $low
}
row oracle build/tests/test_oracle 1000000
row simulation build/sim/muster-sim --seeds 20000
row durability /usr/bin/python3 tests/e2e/durability.py 200 200
row sanitizers sanitized_row
row analysis sh tools/analyse.sh
row threads threads
row fuzz sh tools/fuzz.sh --seconds 30
row valgrind memcheck
row coverage coverage
row agent-disk env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider -n 2 --dist load tests/e2e/test_agent_kill.py tests/e2e/test_agent_disk.py
row tls /usr/bin/python3 tests/e2e/tls_scan.py
row mutants sh tools/mutants.sh
cat "$table"
n=$(grep -c passed "$table")
echo "$n passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$n" -gt 0 ]

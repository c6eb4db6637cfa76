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
# what is instrumented takes several times as long, and has limits to match
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
quietly() { # COMMAND...: what it says, where it fails: meson and ninja say why on standard output
	out=$("$@" 2>&1) && return 0
	printf '%s\n' "$out"
	return 1
}
sanitized() {
	[ -f build/asan/build.ninja ] || quietly meson setup build/asan -Db_sanitize=address,undefined -Db_lundef=false -Doracle=enabled --prefix /usr || return 1
	quietly ninja -C build/asan && suite build/asan --timeout-multiplier 4 &&
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
	[ -f build/tsan/build.ninja ] || quietly meson setup build/tsan -Db_sanitize=thread -Db_lundef=false -Doracle=disabled --prefix /usr || return 1
	quietly ninja -C build/tsan &&
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
	    suite build --no-suite sim --no-suite kernel --timeout-multiplier 20 --num-processes 2 --wrapper \
	    "valgrind -q --suppressions=$PWD/tests/valgrind.supp --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9"
}
coverage() {
	[ -f build/cov/build.ninja ] || quietly meson setup build/cov -Db_coverage=true -Doptimization=0 -Doracle=enabled --prefix /usr || return 1
	quietly ninja -C build/cov && suite build/cov --timeout-multiplier 4 || return 1
	# the shared store has no unit test without a server
	env TMPDIR=/dev/shm build/cov/tests/test_store_calls each &&
	    env MUSTER_SHARED="$PWD/build/cov/tests/store_shared" MUSTER_OPERATIONS=2000 /usr/bin/python3 -m pytest \
	    -q -p no:cacheprovider tests/e2e/test_cluster.py -k model || return 1
	low=0
	said=
	# PATH, and the least of lines and of branches, in per cent.  An assert is
	# our mark of what cannot be, so its branch is not counted.  100 is the goal.
	while read -r part lines branches; do
		gcovr -r . --object-directory build/cov -f "src/$part" --exclude-branches-by-pattern '^\s*assert\(' \
		    --json-summary build/cov/part.json --txt build/cov/part.txt || return 1
		cat build/cov/part.txt
		got=$(/usr/bin/python3 -c 'import json,sys; s=json.load(open("build/cov/part.json"))
print(s["line_percent"], s["branch_percent"])
sys.exit(s["line_percent"] < float(sys.argv[1]) or s["branch_percent"] < float(sys.argv[2]))' "$lines" "$branches") || {
			echo "src/$part: below $lines % of lines or $branches % of branches"
			low=1
		}
		said="$said$part: $got  "
	done <tests/coverage.txt
	echo "$said"
	[ -n "$said" ] && return $low
}
# Codecs and what reads text, none of which calls a library that is not
# built so.
memory() {
	[ -f build/msan/build.ninja ] || quietly env CC=clang meson setup build/msan -Db_sanitize=memory -Db_lundef=false -Doracle=disabled || return 1
	n=0
	for t in msg rpc agentmsg near base45 hex text dns_message dns_name walk choice; do
		ninja -C build/msan "tests/test_$t" >build/msan/ninja.log 2>&1 || { cat build/msan/ninja.log; return 1; }
		build/msan/tests/test_$t >build/msan/$t.log 2>&1 || { tail -n 20 build/msan/$t.log; return 1; }
		n=$((n + 1))
	done
	for f in args result rpc agent dns; do
		ninja -C build/msan "fuzz/${f}_replay" >build/msan/ninja.log 2>&1 || { cat build/msan/ninja.log; return 1; }
		build/msan/fuzz/${f}_replay "fuzz/corpus/$f.txt" 48 >build/msan/$f.log 2>&1 || { tail -n 20 build/msan/$f.log; return 1; }
		n=$((n + 1))
	done
	echo "$n programs, nothing read that was not written"
}
row oracle build/tests/test_oracle 1000000
row near build/tests/test_near_signed 4
row simulation build/sim/muster-sim --seeds 20000
row durability /usr/bin/python3 tests/e2e/durability.py 200 200
row flood /usr/bin/python3 tests/e2e/flood.py 30 10000
row host-disk env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_host_disk.py
row files env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -s -rfE -p no:cacheprovider tests/e2e/test_flood.py -k "file"
row rot env TMPDIR=/dev/shm build/tests/test_store_rot 20000
row secret-modes env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_secret.py
row store-calls env TMPDIR=/dev/shm build/tests/test_store_calls each
row allocations /usr/bin/python3 tests/e2e/faults.py alloc 250
row calls /usr/bin/python3 tests/e2e/faults.py calls 250
row end-to-end /usr/bin/python3 -m pytest -q -rfEs -p no:cacheprovider -n 2 --dist loadfile -m long tests/e2e
row sanitizers sanitized_row
row analysis sh tools/analyse.sh
row threads threads
row fuzz sh tools/fuzz.sh --seconds 30
row valgrind memcheck
row memory memory
row coverage coverage
row agent-disk env MUSTER_STEP=1 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider -n 2 --dist load tests/e2e/test_agent_kill.py tests/e2e/test_agent_disk.py
row stores env MUSTER_OPERATIONS=100000 /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider tests/e2e/test_cluster.py -k model
row cluster /usr/bin/python3 tests/e2e/cluster_run.py 100000 2000 200
row tls /usr/bin/python3 tests/e2e/tls_scan.py
row mutants sh tools/mutants.sh
row mutation /usr/bin/python3 tools/mutate.py --sample 400 --minutes 10
row models sh tools/models.sh
row packages sh tools/deb-test.sh
cat "$table"
n=$(grep -c passed "$table")
echo "$n passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$n" -gt 0 ]

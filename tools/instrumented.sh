#!/bin/sh
# Tests of programs that are built otherwise, or watched: by sanitizers, by
# valgrind, by counters of lines and branches.
# usage: instrumented.sh sanitizers|threads|valgrind|coverage|memory [whole]
#   whole: all of them, as soak.sh has it; else what takes some minutes
set -u
whole=${2:-}
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
# What is built without would pass by saying nothing.
has() { # SYMBOL FILE...: does each call it?
	symbol=$1
	shift
	for program in "$@"; do
		nm "$program" 2>/dev/null | grep -q " U $symbol\| [Tt] $symbol" || {
			echo "$program: built without $symbol"
			return 1
		}
	done
}
installed() { # asan|tsan: all machine code that is installed
	find "build/$1-stage/usr" -type f \( -path '*/bin/muster*' -o -name muster-plan -o -name '*.so' -o -name '*.so.*' \)
}
end_to_end() { # PYTEST-ARGS...
	/usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider "$@"
}
# What each program does in its life, once: the loop and the thread of the
# store, the authority's three, an agent's, and what asks them.
few='tests/e2e/test_serve.py tests/e2e/test_serve_life.py tests/e2e/test_lease.py
 tests/e2e/test_listing.py tests/e2e/test_admin.py tests/e2e/test_rpc.py'
more='tests/e2e/test_agent_copies.py tests/e2e/test_authority.py'
# an agent's work, publication, the authority, the shared store, the status page
threaded='tests/e2e/test_agent.py tests/e2e/test_publish.py tests/e2e/test_authority.py
 tests/e2e/test_cluster.py tests/e2e/test_cluster_commit.py tests/e2e/test_status.py'
# A sanitizer's, likewise: one store after another, thousands of times.
often='store_calls|store_reads|sim'
but() { # BUILD-FOLDER NAMES MESON-ARGS...: the names of its tests but for these
	folder=$1
	names=$2
	shift 2
	meson test -C "$folder" --list "$@" 2>/dev/null | sed -n 's/^.* \/ //p' | grep -vxE "$names"
}
sanitizers() {
	[ -f build/asan/build.ninja ] || quietly meson setup build/asan -Db_sanitize=address,undefined -Db_lundef=false -Doracle=enabled --prefix /usr || return 1
	quietly ninja -C build/asan || return 1
	set --
	# shellcheck disable=SC2046
	[ -n "$whole" ] || set -- $(but build/asan "$often")
	suite build/asan --timeout-multiplier 4 "$@" &&
	    DESTDIR="$PWD/build/asan-stage" meson install -C build/asan --no-rebuild --quiet &&
	    has __asan_init build/asan/tests/test_worker $(installed asan) &&
	    has __ubsan_handle_ $(installed asan) &&
	    export MUSTER_BIN="$PWD/build/asan-stage/usr/bin" UBSAN_OPTIONS=halt_on_error=1 || return 1
	# a sanitizer owns the allocator; libmuster in a program without one
	# needs it loaded first; tests marked bare bear neither
	if [ -n "$whole" ]; then
		end_to_end -n 2 --dist loadfile tests/e2e --ignore tests/e2e/test_library.py \
		    --ignore tests/e2e/test_python.py --ignore tests/e2e/test_example.py -m "not bare"
	else
		# shellcheck disable=SC2086
		end_to_end -n 2 --dist loadfile $few $more -m "not bare and not long"
	fi && LD_PRELOAD="$(cc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
	    end_to_end tests/e2e/test_library.py tests/e2e/test_python.py tests/e2e/test_example.py -m "not bare"
}
threads() { # musterd's loop and store thread, the authority's three, a worker
	[ -f build/tsan/build.ninja ] || quietly meson setup build/tsan -Db_sanitize=thread -Db_lundef=false -Doracle=disabled -Dtests=false --prefix /usr || return 1
	[ -f build/tsan-unit/build.ninja ] || quietly meson setup build/tsan-unit -Db_sanitize=thread -Db_lundef=false -Doracle=disabled || return 1
	long=' and not long'
	files=$few
	# the sanitizer's own memory is more than an agent may have
	[ -z "$whole" ] || { long= files="$few $threaded --deselect
	    tests/e2e/test_agent.py::test_a_flood_of_connections_passes"; }
	quietly ninja -C build/tsan && quietly ninja -C build/tsan-unit tests/test_worker tests/test_agentcall &&
	    DESTDIR="$PWD/build/tsan-stage" meson install -C build/tsan --no-rebuild --quiet &&
	    has __tsan_init build/tsan-unit/tests/test_worker build/tsan-unit/tests/test_agentcall $(installed tsan) || return 1
	for unit in worker agentcall; do
		TSAN_OPTIONS=halt_on_error=1 "build/tsan-unit/tests/test_$unit" || return 1
	done
	# shellcheck disable=SC2086
	MUSTER_BIN="$PWD/build/tsan-stage/usr/bin" TSAN_OPTIONS="halt_on_error=1" \
	    end_to_end -n 2 --dist loadfile $files -m "not bare$long"
}
# Under valgrind a second becomes half a minute: the loops over each fault,
# call, allocation and mutant are left to soak.sh, where they are whole; what
# they go through is in the programs that stay.
loops='near|near_signed|store_alloc|store_calls|store_damage|store_fault|store_power|store_reads|store_rot|fuzz_.*'
memcheck() {
	check="valgrind -q --suppressions=$PWD/tests/valgrind.supp --leak-check=full --error-exitcode=9"
	ours="$check --errors-for-leak-kinds=definite" # what a thread holds at the end is none
	# the simulator by a few seeds: two hundred take some minutes
	# shellcheck disable=SC2086
	$check build/sim/muster-sim --seeds 20 || return 1
	set --
	[ -n "$whole" ] || set -- $(but build "$loops" --no-suite sim --no-suite kernel)
	suite build --no-suite sim --no-suite kernel --timeout-multiplier 20 --num-processes 2 \
	    --wrapper "$ours" "$@" || return 1
	[ -z "$whole" ] || return 0
	n=0
	for f in fuzz/corpus/*.txt; do
		$ours "build/fuzz/$(basename "$f" .txt)_replay" "$f" 0 || return 1
		n=$((n + 1))
	done
	echo "$(awk '/^Ok:/ { print $2 }' build/suite.log) programs ok, seeds of $n targets"
}
coverage() {
	[ -f build/cov/build.ninja ] || quietly meson setup build/cov -Db_coverage=true -Dc_std=gnu11 -Doptimization=0 -Doracle=enabled --prefix /usr || return 1
	quietly ninja -C build/cov && find build/cov -name '*.gcda' -delete && suite build/cov --timeout-multiplier 4 || return 1
	# the shared store has no unit test without a server
	env TMPDIR=/dev/shm build/cov/tests/test_store_calls each &&
	    env MUSTER_SHARED="$PWD/build/cov/tests/store_shared" MUSTER_OPERATIONS=2000 /usr/bin/python3 -m pytest \
	    -q -p no:cacheprovider tests/e2e/test_cluster.py -k model || return 1
	sh tools/coverage.sh tests/coverage.txt
}
# Codecs and what reads text, none of which calls a library that is not
# built so.
memory() {
	[ -f build/msan/build.ninja ] || quietly env CC=clang meson setup build/msan -Db_sanitize=memory -Db_lundef=false -Doracle=disabled || return 1
	n=0
	for t in msg rpc agentmsg near base45 hex text dns_message dns_name walk choice; do
		ninja -C build/msan "tests/test_$t" >build/msan/ninja.log 2>&1 || { cat build/msan/ninja.log; return 1; }
		build/msan/tests/test_$t >build/msan/$t.log 2>&1 || { tail -n 20 build/msan/$t.log; return 1; }
		has __msan_init "build/msan/tests/test_$t" || return 1
		n=$((n + 1))
	done
	for f in args result rpc agent dns; do
		ninja -C build/msan "fuzz/${f}_replay" >build/msan/ninja.log 2>&1 || { cat build/msan/ninja.log; return 1; }
		has __msan_init "build/msan/fuzz/${f}_replay" || return 1
		build/msan/fuzz/${f}_replay "fuzz/corpus/$f.txt" 48 >build/msan/$f.log 2>&1 || { tail -n 20 build/msan/$f.log; return 1; }
		n=$((n + 1))
	done
	echo "$n programs, nothing read that was not written"
}
case ${1:-} in
sanitizers | threads | coverage | memory) "$1" ;;
valgrind) memcheck ;;
*)
	sed -n 's/^# usage: //p' "$0" >&2
	exit 2
	;;
esac

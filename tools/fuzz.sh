#!/bin/sh
# Runs the fuzz targets by clang's libFuzzer with ASan and UBSan, each for so
# many seconds, and keeps in fuzz/corpus what reached new code.  A finding
# stays in build/fuzz-found, and the exit code is 1.  --keep writes the corpus;
# --runs has it end by a number instead; --part has it draw by the seed N, and
# begin with all that an earlier part found, unless it is the first.
# usage: fuzz.sh [--seconds N | --runs N] [--keep] [--part N] [TARGET...]
set -u
until=-max_total_time=45
# of the slowest, ten times as many were seen beside other work: one that says
# nothing because it stands still is a finding
least_a_second=20
least=$((45 * least_a_second))
part=
keep=
while :; do
	case ${1:-} in
	--seconds) until=-max_total_time=$2; least=$(($2 * least_a_second)); shift 2 ;;
	--runs) until=-runs=$2; least=$2; shift 2 ;;
	--part) part=$2; shift 2 ;;
	--keep) keep=1; shift ;;
	*) break ;;
	esac
done
quietly() { # COMMAND...: what it says, where it fails: meson and ninja say why on standard output
	out=$("$@" 2>&1) && return 0
	printf '%s\n' "$out"
	return 1
}
build=build/fuzz-clang
found=build/fuzz-found
[ -f "$build/build.ninja" ] ||
    quietly env CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Doracle=disabled || exit 1
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(for f in fuzz/*_fuzz.c; do basename "$f" _fuzz.c; done)
for t in "$@"; do
	ninja -C "$build" "fuzz/${t}_fuzz" >"$build/ninja.log" 2>&1 || { cat "$build/ninja.log"; exit 1; }
done
mkdir -p "$found"
status=0
for t in "$@"; do
	seeds=$build/corpus/$t
	[ "${part:-1}" -gt 1 ] || rm -rf "$seeds"
	mkdir -p "$seeds"
	n=0
	while read -r hex; do
		n=$((n + 1))
		printf '%s' "$hex" | xxd -r -p >"$seeds/$n"
	done <"fuzz/corpus/$t.txt"
	if "$build/fuzz/${t}_fuzz" "$until" ${part:+-seed="$part"} -timeout=1 -rss_limit_mb=1024 -print_final_stats=1 \
	    -artifact_prefix="$found/$t-" "-dict=fuzz/$t.dict" "$seeds" >"$build/$t.log" 2>&1; then verdict=ok; else
		verdict=FOUND
		status=1
		grep -E 'does not hold|ERROR|runtime error' "$build/$t.log" | head -n 3
	fi
	runs=$(awk -F: '/number_of_executed_units/ { print $NF + 0 }' "$build/$t.log")
	if [ "${runs:-0}" -lt "$least" ]; then
		verdict=STOOD
		status=1
	fi
	edges=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$build/$t.log" | tail -n 1)
	printf '%-6s %-10s %10s runs  %5s edges\n' "$verdict" "$t" "${runs:-?}" "${edges:-?}"
	if [ -n "$keep" ]; then
		rm -rf "$seeds.min" && mkdir "$seeds.min"
		"$build/fuzz/${t}_fuzz" -merge=1 "$seeds.min" "$seeds" >>"$build/$t.log" 2>&1 || exit 1
		for f in "$seeds.min"/*; do xxd -p "$f" | tr -d '\n'; echo; done | sort >"fuzz/corpus/$t.txt"
	fi
done
[ $status -eq 0 ] && echo "$# targets, nothing found" || echo "see $found"
exit $status

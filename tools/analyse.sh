#!/bin/sh
# Static analysis: gcc -fanalyzer, clang-tidy as .clang-tidy says, and cppcheck.
# A finding is explained in tests/analysis.txt, a line "TOOL FILE CHECK: REASON";
# one that is not, and a line without its finding, fail.
set -u
found=build/analysis.found
flags='-std=c11 -D_GNU_SOURCE -DMUSTER_VERSION="x" -Iinclude -Isrc -Ibuild/src'
flags="$flags $(pkg-config --cflags libpq)" || exit 1
mkdir -p build
ninja -C build src/calls_filter.h >/dev/null || exit 1
# shellcheck disable=SC2086
git ls-files 'src/*.c' 'tools/*.c' | xargs -P 2 -I{} gcc -fanalyzer -O1 $flags -S -o /dev/null {} 2>build/analysis.gcc
# a file each, for what two say at once is mixed; what it cannot read is a finding
rm -rf build/analysis.tidy && mkdir -p build/analysis.tidy
# shellcheck disable=SC2016,SC2086
git ls-files 'src/*.c' 'tools/*.c' | xargs -P 2 -I{} sh -c \
    'one=$1; shift; clang-tidy --quiet "$one" -- "$@" >"build/analysis.tidy/$(echo "$one" | tr / _)" 2>&1' \
    tidy {} $flags
cppcheck -q --enable=warning,performance,portability --std=c11 -Iinclude -Isrc \
    --template='{file}:{line}: {severity}: {message} [{id}]' src 2>build/analysis.cppcheck
{
	sed -n 's/^\([^ :]*\):[0-9:]* warning: .*\[\(-W[a-z-]*\)\]$/gcc \1 \2/p' build/analysis.gcc
	# a file that was not read was not looked at
	sed -n 's/^\([^ :]*\):[0-9:]* [a-z ]*error: .*/gcc \1 error/p' build/analysis.gcc
	sed -n 's/^\([^ :]*\):[0-9]*: [a-z]*: .*\[\([A-Za-z]*\)\]$/cppcheck \1 \2/p' build/analysis.cppcheck
	sed -n 's/^\(.*\/\)*\(src\/[^:]*\|tools\/[^:]*\):[0-9:]* [a-z]*: .*\[\([A-Za-z0-9.,-]*\)\]$/tidy \2 \3/p' build/analysis.tidy/*
} | sort -u >"$found"
sed -n 's/^\([a-z]* [^ :]* [^ :]*\): .*/\1/p' tests/analysis.txt | sort -u >build/analysis.known
bad=$(diff build/analysis.known "$found") || {
	echo "not explained (>) or gone (<):"
	echo "$bad" | grep '^[<>]'
	grep -h 'warning: \|error: ' build/analysis.gcc build/analysis.cppcheck build/analysis.tidy/*
	exit 1
}
# one that says nothing at all was not run
for tool in gcc cppcheck tidy; do
	grep -q "^$tool " build/analysis.known || exit 1
done
echo "$(git ls-files 'src/*.c' 'tools/*.c' | wc -l) files, $(wc -l <"$found") findings, each explained"

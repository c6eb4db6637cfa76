#!/bin/sh
# Static analysis: gcc -fanalyzer and cppcheck.  A finding is explained in
# tests/analysis.txt, a line "TOOL FILE CHECK: REASON"; one that is not, and a
# line without its finding, fail.
set -u
found=build/analysis.found
flags='-std=c11 -D_GNU_SOURCE -DMUSTER_VERSION="x" -Iinclude -Isrc'
mkdir -p build
# shellcheck disable=SC2086
git ls-files 'src/*.c' | xargs -P 2 -I{} gcc -fanalyzer -O1 $flags -S -o /dev/null {} 2>build/analysis.gcc
cppcheck -q --enable=warning,performance,portability --std=c11 -Iinclude -Isrc \
    --template='{file}:{line}: {severity}: {message} [{id}]' src 2>build/analysis.cppcheck
{
	sed -n 's/^\([^ :]*\):[0-9:]* warning: .*\[\(-W[a-z-]*\)\]$/gcc \1 \2/p' build/analysis.gcc
	sed -n 's/^\([^ :]*\):[0-9]*: [a-z]*: .*\[\([A-Za-z]*\)\]$/cppcheck \1 \2/p' build/analysis.cppcheck
} | sort -u >"$found"
sed -n 's/^\([a-z]* [^ :]* [^ :]*\): .*/\1/p' tests/analysis.txt | sort -u >build/analysis.known
bad=$(diff build/analysis.known "$found") || {
	echo "not explained (>) or gone (<):"
	echo "$bad" | grep '^[<>]'
	grep -h 'warning: \|error: ' build/analysis.gcc build/analysis.cppcheck
	exit 1
}
# a compiler that says nothing at all was not run
grep -q . build/analysis.known || exit 1
echo "$(git ls-files 'src/*.c' | wc -l) files, $(wc -l <"$found") findings, each explained"

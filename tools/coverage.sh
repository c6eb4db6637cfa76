#!/bin/sh
# What the tests reach, held against the least that each folder must have.
# usage: coverage.sh FLOORS   what build/cov has counted so far, against that file
#        coverage.sh          unit and end-to-end tests by build/cov, against
#                             tests/coverage-all.txt
#
# Programs of build/cov are not confined: each writes its counts when it ends,
# so that what a test kills, and a child that ends by _exit(), counts nothing.
# Who becomes another program writes them before, as gcc has it of an exec that
# it knows: by gnu11, and not by c11, where that name may be anybody's.
set -u
# FILE: PATH, and the least of lines and of branches, in per cent.  An assert
# is our mark of what cannot be, so its branch is not counted.
judge() {
	low=0
	said=
	gcovr -r . --object-directory build/cov -f src/ --exclude-branches-by-pattern '^\s*assert\(' \
	    --json build/cov/all.json || return 1
	while read -r part lines branches; do
		gcovr -r . -a build/cov/all.json -f "src/$part" \
		    --json-summary build/cov/part.json --txt build/cov/part.txt || return 1
		cat build/cov/part.txt
		got=$(/usr/bin/python3 -c 'import json,sys; s=json.load(open("build/cov/part.json"))
print(s["line_percent"], s["branch_percent"])
sys.exit(s["line_percent"] < float(sys.argv[1]) or s["branch_percent"] < float(sys.argv[2]))' "$lines" "$branches") || {
			echo "src/$part: below $lines % of lines or $branches % of branches"
			low=1
		}
		said="$said$part: $got  "
	done <"$1"
	echo "$said"
	[ -n "$said" ] && return $low
}
# Of what the programs do, the files that say most; the others fake a time or a
# disk, make packages, or hold the machine for long.
files='admin agent agent_config agent_copies agent_files agent_clones agent_hosts agent_rearm agent_storage agent_users
 audit authority backup catalogue client clients correlation demo discovery doctor
 duplicates error_codes errors events example flood health history http_module issuers json
 lease library listing logs lost man_activation metrics nameserver online online_answers output phone
 phone_operator publish publish_bad publishers qr report resolve revoked rights
 rpc seal secret selftest serve serve_bad serve_disk serve_life service settings shared
 site start state status stories tsig users'
# what `muster plan` does before it becomes the planner, whose long plans count
# nothing here
plan='test_usage test_usage_says_what_an_option_may_be
 test_every_mistake_of_a_file_is_told test_a_planner_that_is_not_there'
# counts need memory of their own
heap=tests/e2e/test_library.py::test_no_heap_no_signal_no_environment
suite() {
	[ -f build/cov/build.ninja ] || meson setup build/cov -Db_coverage=true -Dc_std=gnu11 -Doptimization=0 -Doracle=enabled --prefix /usr || return 1
	ninja -C build/cov && find build/cov -name '*.gcda' -delete && meson test -C build/cov --no-rebuild --timeout-multiplier 4 --print-errorlogs &&
	    DESTDIR="$PWD/build/cov-stage" meson install -C build/cov --no-rebuild --quiet || return 1
	# a service of another user writes, too
	chmod -R a+rwX build/cov/src
	set --
	for f in $files; do set -- "$@" "tests/e2e/test_$f.py"; done
	for t in $plan; do set -- "$@" "tests/e2e/test_plan.py::$t"; done
	MUSTER_BIN="$PWD/build/cov-stage/usr/bin" /usr/bin/python3 -m pytest -q -rfE -p no:cacheprovider \
	    -n 2 --dist loadfile -m "not long" --deselect "$heap" "$@"
}
[ $# -gt 0 ] || { suite && set -- tests/coverage-all.txt; } || exit 1
judge "$1"

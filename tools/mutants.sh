#!/bin/sh
# Break one check at a time, as tests/mutants/*.patch say, in a copy of the
# tree; the command in a patch's first line must then fail.
# usage: mutants.sh [NAME...]
set -u
copy=$(mktemp -d "${TMPDIR:-/tmp}/muster-mutants.XXXXXX")
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' INT TERM
{
	git ls-files -co --exclude-standard | while read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done
	# what is built of this text need not be built again: times are copied, too
	if [ -f build/build.ninja ]; then
		find build -maxdepth 1 -type f -o -path 'build/meson-*' -prune
		for d in */; do [ ! -d "build/$d" ] || echo "build/$d"; done
	fi
} | tar -cf - -T - | tar -xf - -C "$copy"
cd "$copy" || exit 1
again=
[ ! -f build/build.ninja ] || again=--reconfigure
# shellcheck disable=SC2086
meson setup $again build -Doracle=enabled >build.log || {
	tail -n 20 build.log
	exit 1
}
# COMMAND: a program of build/ by itself; for others what is installed, and all
# that starts it
rebuild() {
	case $1 in
	build/*)
		program=${1%% *}
		ninja -C build "${program#build/}" >build.log 2>&1
		;;
	*)
		ninja -C build >build.log 2>&1 &&
		    DESTDIR="$PWD/build/stage" meson install -C build --no-rebuild --quiet
		;;
	esac
}
# A command that took too long says nothing of the mutant; and the simulator
# also fails where a campaign misses a point, so it has to name an invariant; and
# so has the run of hosts with one count, or to find that they stay away for good.
is_caught() {
	code=0
	timeout 300 sh -c "$1" >run.log 2>&1 || code=$?
	case $code in 0 | 124) return 1 ;; esac
	case $1 in
	*muster-sim*) grep -q 'does not hold' run.log ;;
	*cluster_run*) grep -qE '^impossible: |nobody is answered any more' run.log ;;
	esac
}
red=0
green=0
for patch in tests/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	case " $* " in "  " | *" $name "*) ;; *) continue ;; esac
	cmd=$(sed -n '1s/^# red: //p' "$patch")
	if [ -z "$cmd" ] || ! patch -p1 -F0 -s <"$patch" || ! rebuild "$cmd"; then
		echo "$name: does not apply or build"
		green=$((green + 1))
	elif ! is_caught "$cmd"; then
		echo "$name: NOT caught by: $cmd (exit $code)"
		green=$((green + 1))
	else
		echo "$name: caught by $cmd: $(grep -E '^not ok|^FAILED|"lost"|does not hold|^impossible|nobody is' run.log | head -n 1)"
		red=$((red + 1))
	fi
	sed -n 's/^the tests. folders stay in //p' run.log | xargs -r rm -rf
	patch -R -p1 -s <"$patch" || exit 1
done
echo "$red caught, $green not"
[ "$green" -eq 0 ] && [ "$red" -gt 0 ]

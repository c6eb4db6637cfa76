#!/bin/sh
# Checks models/counting.pml by spin: each planted bug is found by its own
# invariant, then nothing is found in the model as it stands, and every
# statement of it was reached.  Exhaustive, no bit states.
# usage: models.sh [full]; full: three clients, and two with two faults
set -u
dir=build/models
mkdir -p "$dir"
cd "$dir" || exit 1
model=../../models/counting.pml
failed=0
make_pan() { # NAME SPIN-ARGS... -- CC-ARGS...
	name=$1
	shift
	mkdir -p "$name"
	args=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		args="$args $1"
		shift
	done
	[ $# -eq 0 ] || shift
	# spin writes a copy and looks for its own trail beside it
	cp "$model" "$name/counting.pml"
	# shellcheck disable=SC2086
	(cd "$name" && spin $args -a counting.pml >spin.log 2>&1 &&
	    cc -w -O2 -DCOLLAPSE -DVECTORSZ=1200 -DMEMLIM=12000 "$@" -o pan pan.c) && return 0
	cat "$name/spin.log"
	return 1
}
planted() { # NUMBER
	make_pan "bug$1" -DCLIENTS=2 -DFAULTS=1 "-DBUG=$1" -- -DSAFETY || exit 1
	if (cd "bug$1" && ./pan -m100000 >pan.log 2>&1
	    spin -DCLIENTS=2 -DFAULTS=1 "-DBUG=$1" -t -p counting.pml >trail.log 2>&1
	    grep -q "$2" pan.log trail.log); then
		echo "bug $1: found: $(grep -h "$2" "bug$1/pan.log" "bug$1/trail.log" | head -n 1 | tr -s ' ')"
	else
		echo "bug $1: NOT found"
		failed=1
	fi
}
whole() { # CLIENTS FAULTS
	make_pan "whole$1$2" "-DCLIENTS=$1" "-DFAULTS=$2" -- -DSAFETY || exit 1
	log="whole$1$2/pan.log"
	(cd "whole$1$2" && ./pan -m100000) >"$log" 2>&1
	grep -v '^Depth=' "$log" | sed -n '/^State-vector/,/^unreached/p'
	# what only a violation reaches, and the ends of what never ends
	missed=$(grep 'counting.pml:[0-9]*, state' "$log" | grep -v 'violates I\|"-end-"')
	states=$(awk '/states, stored/ { print $1 }' "$log")
	if ! grep -q 'errors: 0' "$log" || [ -n "$missed" ] ||
	    grep -q 'max search depth too small\|out of memory' "$log"; then
		echo "$1 clients, $2 faults: FAILED"
		echo "$missed"
		failed=1
	fi
	echo "$1 clients, $2 faults: $states states, every statement reached"
}
for n in 1 2 3 4 5 6 8; do planted $n "violates I$n"; done
planted 9 'violates I1'
planted 7 'pan:1: invalid end state\|violates I7'
make_pan live -DCLIENTS=2 -DFAULTS=1 -DLIVE -- || exit 1
(cd live && ./pan -a -m100000 -N i7) >live/pan.log 2>&1
if grep -q 'errors: 0' live/pan.log && ! grep -q 'max search depth too small\|out of memory' live/pan.log; then
	echo "i7, as a formula: $(awk '/states, stored/ { print $1 }' live/pan.log) states"
else
	echo "i7: FAILED"
	failed=1
fi
# assertions aside, which find bug 7 as well
make_pan livebug -DCLIENTS=2 -DFAULTS=1 -DLIVE -DBUG=7 -- || exit 1
(cd livebug && ./pan -a -A -m100000 -N i7) >livebug/pan.log 2>&1
if grep -q 'acceptance cycle' livebug/pan.log; then
	echo "bug 7: found as a formula: $(grep 'acceptance cycle' livebug/pan.log)"
else
	echo "bug 7: NOT found as a formula"
	failed=1
fi
case ${1:-} in
full) whole 2 2 && whole 3 1 ;;
*) whole 2 1 ;;
esac
[ "$failed" -eq 0 ] && echo "9 bugs found, $states states without one"
exit $failed

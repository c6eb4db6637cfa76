#!/bin/sh
# What takes days, in parts: runs a command with the number of the part, 1 to N,
# as its last word, and notes each that has passed, so that a run that was ended
# goes on.  What is noted holds for one commit, so of a changed tree nothing is;
# the first part that fails ends the run, and comes first in the next.
# usage: parts.sh NAME N COMMAND...
set -u
noted=build/soak-$1.parts
n=$2
shift 2
commit=$(git describe --always --abbrev=40 --dirty --exclude '*' 2>/dev/null || echo none)
touch "$noted" || exit 1
i=0
before=0
while [ $i -lt "$n" ]; do
	i=$((i + 1))
	if grep -qx "$commit $i" "$noted"; then
		before=$((before + 1))
		continue
	fi
	"$@" "$i" || {
		echo "part $i of $n failed, $before had passed before"
		exit 1
	}
	case $commit in none | *-dirty) ;; *) echo "$commit $i" >>"$noted" ;; esac
done
echo "$n parts passed, $before of them before"

#!/bin/sh
# A folder of src/ includes only from itself and from folders above it in this
# list; the programs never include one another.  sim/ stands on the list and
# includes no program; nothing includes sim/.
set -eu
order="base wire trust count discovery turn client store"
programs="host agent authority cli lib"
exec awk -v order="$order" -v programs="$programs sim" '
	BEGIN {
		n = split(order, layer, " ")
		for (i = 1; i <= n; i++)
			rank[layer[i]] = i
		split(programs, name, " ")
		for (i in name)
			rank[name[i]] = n + 1
	}
	FNR == 1 {
		dir = FILENAME
		sub(/^src\//, "", dir)
		sub(/\/.*/, "", dir)
		seen++
		if (!(dir in rank)) { printf "%s: %s is in no list\n", FILENAME, dir; bad = 1 }
	}
	/^#include "[a-z]*\// {
		used = $0
		sub(/^#include "/, "", used)
		sub(/\/.*/, "", used)
		if (used == "muster" || used == dir)
			next
		if (!(used in rank) || rank[used] > n || rank[used] > rank[dir]) {
			printf "%s: %s may not include from %s\n", FILENAME, dir, used
			bad = 1
		}
	}
	END { exit bad || !seen }
' src/*/*.[ch] sim/*.[ch]

#!/bin/sh
# A folder of src/ includes only from itself and from folders above it in this
# list; the programs never include one another.  sim/ stands on the list and
# includes no program; nothing includes sim/.
set -eu
order="base wire trust count discovery turn client store"
programs="host agent authority cli lib"
bad=0
for file in src/*/*.[ch] sim/*.[ch]; do
	dir=$(echo "$file" | sed 's/^src\///; s/\/.*//')
	allowed=
	case " $programs sim " in
	*" $dir "*) allowed="$order $dir" ;;
	*)
		for d in $order; do
			allowed="$allowed $d"
			[ "$d" = "$dir" ] && break
		done
		;;
	esac
	for used in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
		[ "$used" = muster ] && continue
		case " $allowed " in
		*" $used "*) ;;
		*) echo "$file: $dir may not include from $used"; bad=1 ;;
		esac
	done
done
exit $bad

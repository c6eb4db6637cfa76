#!/bin/sh
# A folder of src/ includes only from itself and from folders above it in this
# list; the programs never include one another.
set -eu
order="base wire trust count discovery turn client store"
programs="host agent authority cli lib"
bad=0
for file in src/*/*.[ch]; do
	dir=$(echo "$file" | cut -d/ -f2)
	allowed=
	case " $programs " in
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

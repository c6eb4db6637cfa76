#!/bin/sh
# No file over 600 lines, no function over 70.
set -eu
bad=0
files=$(git ls-files -co --exclude-standard '*.c' '*.h' '*.py' '*.sh' dev 'web/js/*.js' 'web/page.css')
[ -n "$files" ]
for f in $files; do
	[ -f "$f" ] || continue
	awk -v f="$f" '
		FILENAME ~ /\.c$/ && /^\{/ { start = NR }
		FILENAME ~ /\.c$/ && /^\}/ {
			if (start && NR - start > 70) {
				printf "%s:%d: a function of %d lines\n", f, start, NR - start
				bad = 1
			}
			start = 0
		}
		END {
			if (NR > 600) { printf "%s: %d lines\n", f, NR; bad = 1 }
			exit bad
		}' "$f" || bad=1
done
exit $bad

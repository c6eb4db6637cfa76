#!/bin/sh
# No file over 600 lines, no function over 70.
set -eu
files=$(git ls-files -co --exclude-standard '*.c' '*.h' '*.py' '*.sh' dev 'web/js/*.js' 'web/page.css')
[ -n "$files" ]
# a file that was deleted and not yet committed is still listed
for f in $files; do [ ! -f "$f" ] || echo "$f"; done | xargs awk '
	function ended() {
		if (lines > 600) { printf "%s: %d lines\n", file, lines; bad = 1 }
	}
	FNR == 1 { ended(); file = FILENAME; start = 0 }
	{ lines = FNR }
	FILENAME ~ /\.c$/ && /^\{/ { start = FNR }
	FILENAME ~ /\.c$/ && /^\}/ {
		if (start && FNR - start > 70) {
			printf "%s:%d: a function of %d lines\n", file, start, FNR - start
			bad = 1
		}
		start = 0
	}
	END { ended(); exit bad }'

#!/bin/sh
# Every function that a header declares has a docblock which begins with its
# name; one that is not void says what it returns.
set -eu
# Each error of the list stands in doc/errors.md, with its value and its text.
tr '\n\t' '  ' <include/muster/err.h | sed 's/\\//g' |
    grep -o 'X(MUSTER_E_[A-Z_]*, *-[0-9]*, *"[^"]*")' |
    sed 's/X(\([A-Z_]*\), *\(-[0-9]*\), *"\(.*\)")/\1 \2 \3/' >build/errors.txt
[ -s build/errors.txt ]
while read -r name value text; do
	grep -q "^| \`$name\` | $value | \`[a-z_]*\` | $text |" doc/errors.md || {
		echo "doc/errors.md: no row of $name, $value, $text"
		exit 1
	}
done <build/errors.txt
exec awk '
	FNR == 1 { doc = ""; says = 0; inside = 0 }
	/^\/\*\*$/ { inside = 1; first = 1; doc = ""; says = 0; next }
	inside {
		if (first) { split($0, w, /[ (:]+/); doc = w[3]; first = 0 }
		if ($0 ~ /^ \* Returns:/) says = 1
		if ($0 ~ /\*\/$/) inside = 0
		next
	}
	/^[a-zA-Z_]/ && !/^(typedef|enum|extern)/ && !/^struct [a-z_]*( \{|;)/ {
		text = $0
		while (text !~ /[;{=]/ && (getline line) > 0) text = text " " line
		if (text !~ /\(/ || text ~ /^static const/) next
		sub(/__attribute__\(\(.*\)\) (void|int)/, "void", text)
		name = text; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
		isvoid = text ~ /^(static inline )?void [^*]/
		n++
		if (doc != name) { printf "%s:%d: %s: no docblock\n", FILENAME, FNR, name; bad = 1 }
		else if (!isvoid && !says) { printf "%s:%d: %s: no Returns:\n", FILENAME, FNR, name; bad = 1 }
		doc = ""
	}
	END { printf "%d functions in headers\n", n; exit bad || n == 0 }
' $(git ls-files -co --exclude-standard 'include/*.h' 'src/*.h' 'bench/*.h' 'sim/*.h')

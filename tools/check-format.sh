#!/bin/sh
# clang-format decides what C looks like.
set -eu
files=$(git ls-files -co --exclude-standard '*.c' '*.h')
[ -n "$files" ]
# a file that was deleted and not yet committed is still listed
for f in $files; do [ ! -f "$f" ] || echo "$f"; done |
    xargs clang-format --dry-run -Werror

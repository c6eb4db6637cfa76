#!/bin/sh
# clang-format decides what C looks like.
set -eu
exec clang-format --dry-run -Werror $(git ls-files -co --exclude-standard '*.c' '*.h')

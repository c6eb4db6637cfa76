#!/bin/sh
# rpcgen's C code for a specification, including the header by its plain name:
# rpcgen-c.sh RPCGEN SPECIFICATION HEADER [OPTION]; -c: coding, -m: the server's half
set -eu
echo "#include \"$3\""
"$1" -C "${4:--c}" "$2" | grep -v '^#include ".*\.h"'

#!/bin/sh
# rpcgen's C code for a specification, including the header by its plain name.
set -eu
echo '#include "muster_xdr.h"'
"$1" -C -c "$2" | grep -v '^#include ".*muster\.h"'

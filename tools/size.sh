#!/bin/sh
# size.sh SCRIPT LIMIT: how many bytes a script of web/ is as the service sends it, packed; fails above LIMIT.
set -eu
bytes=$("${PYTHON:-python3}" -c 'import sys; from handlers.assets import SCRIPTS; print(len(SCRIPTS[sys.argv[1]].packed))' "$1")
echo "$1: $bytes bytes of at most $2, as sent"
[ "$bytes" -le "$2" ]

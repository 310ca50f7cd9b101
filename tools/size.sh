#!/bin/sh
# size.sh SCRIPT LIMIT: prints the size of a script of web/ as the service sends it (gzip); fails above LIMIT bytes.
set -eu
bytes=$("${PYTHON:-python3}" -c 'import sys; from handlers.assets import SCRIPTS; print(len(SCRIPTS[sys.argv[1]].packed))' "$1")
echo "$1: $bytes bytes of at most $2, as sent"
[ "$bytes" -le "$2" ]

#!/bin/sh
# size.sh FILE LIMIT: how many bytes FILE is on its way to a browser (gzip); fails above LIMIT.
set -eu
bytes=$(gzip -9 -n -c "$1" | wc -c)
echo "$1: $bytes bytes of at most $2, compressed"
[ "$bytes" -le "$2" ]

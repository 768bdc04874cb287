#!/usr/bin/env bash
# A copy of the shop as it was at a moment, from binlog files alone: no server is asked, none is changed.
#
#   examples/point_in_time.sh '2026-11-25 14:30:00' NEW-FOLDER /var/lib/mysql/binlog.0000*
#
# The moment is a time in UTC, a GTID (0-1-42: with this transaction) or a position (binlog.000042:1234).
# The files are plain or .gz, in their order, from the one on that has the CREATE TABLE of the tables;
# docs/replication.md, "Copies from files". `magic` is found in PATH, or named by MAGIC.
set -euo pipefail

if [ $# -lt 3 ]; then
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
moment=$1 folder=$2
shift 2
magic=${MAGIC:-magic}

# Loading goes on where it was when it is interrupted and run again.
"$magic" load --data "$folder" --include 'shop.*' --to "$moment" "$@"

# Nobody serves the folder, so the engine is opened by the command itself.
"$magic" sql --data "$folder" --format table -e "
  SELECT count() AS orders, countIf(status = 'cancelled') AS cancelled, max(placed_at) AS last
  FROM shop.orders;
  SELECT magicGTID() AS state"

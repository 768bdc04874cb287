// What to do about what the server reports; from docs/replication.md ("When something goes wrong") and docs/serving.md.

const ADVICE = [
  [/log_bin is OFF|binlog_format is \w+, not ROW/i, "Set the source's binlog as the message says, then Magic goes on by itself."],
  [/binlog_row_metadata|binlog_row_image is \w+/i, "It works, with limits. FULL is best: SET GLOBAL binlog_row_image = FULL, binlog_row_metadata = FULL at the source."],
  [/Access denied|may not read the binlog|BINLOG MONITOR/i, "Grant the user of the source SELECT, REPLICATION SLAVE and REPLICATION CLIENT on *.*; on MySQL also RELOAD and LOCK TABLES."],
  [/No table of the source is selected/i, "Look at --include and --exclude, and at the SELECT privilege of the user of the source."],
  [/holds a copy of another server/i, "Use another --data folder, or name several hosts in --source, so that it is followed by GTID."],
  [/purged or reset/i, "Make a new data folder, or restore a newer backup. Have the source keep its binlog longer."],
  [/does not have all transactions up to/i, "This replica is behind. It is tried again by itself."],
  [/lacks transactions .* others in their place/i, "The server has another history: name one that has what the copy has, or make a new copy."],
  [/another replica has|same server_id|same server_uuid/i, "Two replicas show the same id. Start Magic again: its id is chosen by chance at each connection."],
  [/reports a gap in its binlog/i, "The source itself says that its binlog has a gap: make a new copy."],
  [/logged a row change as a statement/i, "Set binlog_format = ROW in every session, and make a new copy: those rows are not in the binlog."],
  [/statement at .* is not understood/i, "Make a new copy; its snapshot comes after the statement. Please tell us the statement."],
  [/checksumMismatch|malformed|truncated/i, "Start again, which reads the binlog anew. When it stays, look at that place with mariadb-binlog at the source, or make a new copy."],
  [/is damaged: restore/i, "Restore a backup, or make a new copy."],
  [/checkpoint of \d+ bytes is too long/i, "End prepared XA transactions, or close the gaps of the GTID set."],
  [/relay\/.* cannot be opened/i, "Restore another backup, or make a new copy."],
  [/is in use by process/i, "End the other process that owns the data folder."],
  [/has format version/i, "The data folder is of a newer program: use that one."],
  [/has no consistent snapshots/i, "ALTER TABLE … ENGINE=InnoDB at the source, then copy the table anew; or leave it out by --exclude."],
  [/is not a replicated table; rename or drop it/i, "A table or view of your own has this name: rename yours, then copy the table anew."],
  [/cannot be copied|name is too long for the engine/i, "Give it another name at the source, then copy it anew; or leave it out by --exclude."],
  [/has a name that the copy needs for itself/i, "Rename the column at the source, then copy the table anew."],
  [/zero or partial date/i, "Mend the value at the source, then copy the table anew."],
  [/row images? lacks? the generated column/i, "Set binlog_row_image = FULL at the source, then copy the table anew."],
  [/lacks a row that the source deleted/i, "Copy the table anew. With magic load, begin with an earlier file."],
  [/neither copied nor created there/i, "Copy the table anew."],
  [/is copied anew/i, "Wait: the table is readable as it was until the new copy takes its place."],
  [/skipped by an operator|not followed any more/i, "Copy it anew when it is wanted again."],
  [/differs? from the source|^differ$/i, "Copy the table anew, and mend the cause: cascades of foreign keys, REPLACE under a MINIMAL row image, or writes with sql_log_bin = 0."],
  [/connection .*(lost|refused)|cannot be reached|Connection refused|reconnect/i, "It is tried again by itself, at least every 10 s. See to the source and the network between."],
  [/free on the disk|no space left|^disk$/i, "Make room on the disk. Replication waits, and writes are refused, while less than --disk-reserve is free."],
  [/took more memory|memory limit/i, "The largest statements are ended first. See --memory-limit and --statement-memory."],
  [/too many statements/i, "Others wait up to 30 s for one of --max-statements places: cancel long ones, or raise the limit."],
  [/Too many connections/, "Close some connections, or have a proxy share them."],
  [/reach .* unencrypted/i, "Give --tls-certificate and --tls-key, or let it be reached through an encrypting proxy only."],
  [/Users or certificates cannot be read again/i, "Mend the files; until then both stay what they were."],
];

/** What to do about a message, or undefined. */
export const adviceFor = message => ADVICE.find(([pattern]) => pattern.test(message ?? ""))?.[1];

export const PHASES = {
  starting: ["Starting", "The data folder is being opened.", "busy"],
  copying: ["Copying", "Existing rows are copied, beside the stream.", "busy"],
  streaming: ["Streaming", "The binlog is followed.", "good"],
  reconnecting: ["Reconnecting", "The source cannot be reached, or is behind. It is tried again by itself, at least every 10 s.", "bad"],
  paused: ["Paused", "No binlog is read until it is resumed. Mind that the source may purge its binlog.", "warn"],
  stopping: ["Stopping", "The process was told to end.", "warn"],
  notRunning: ["Not running", "Nothing follows the source. It is tried again every 30 s.", "bad"],
};

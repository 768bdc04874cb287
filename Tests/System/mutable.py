"""`magic serve` and connections to it, and an in-memory model of mutable tables to compare with."""

import http.client
import json
import signal
import struct
import subprocess
from pathlib import Path

from harness import MAGIC, Magic, UnixConnection, spawn, wait_until

VERSION, MARK = "_INTERNAL_VERSION", "_INTERNAL_DELMARK"


class StatementFailed(Exception):
    """The server's answer to a statement that it refused or that ended half-way."""


class Reply:
    """What a statement gave: its text, and how many rows it says that it changed (or None)."""

    def __init__(self, text, written):
        self.text, self.written = text, written

    def lines(self):
        return self.text.removesuffix("\n").split("\n") if self.text else []


class Connection:
    """One HTTP connection, kept open from statement to statement; not for two threads at once."""

    def __init__(self, path):
        self.http = UnixConnection(path)

    def run(self, statement):
        """A Reply; raises StatementFailed for an answer that tells of an error, and OSError or
        HTTPException when the server went away: then the statement may have happened."""
        try:
            self.http.request("POST", "/?default_format=TSV", statement.encode())
            response = self.http.getresponse()
            status, body = response.status, response.read().decode(errors="replace")
        except BaseException as error:
            self.http.close()  # the next statement connects again
            partial = getattr(error, "partial", b"").decode(errors="replace")
            if "__exception__" in partial:
                raise StatementFailed(partial) from error
            raise
        if status != 200:
            raise StatementFailed(body.strip() or f"status {status}")
        summary = json.loads(response.getheader("X-ClickHouse-Summary") or "{}")
        written = summary.get("written_rows")
        return Reply(body, None if written is None else int(written))

    def rows(self, statement):
        return [tuple(line.split("\t")) for line in self.run(statement).lines()]

    def value(self, statement):
        """The only field of a statement's only row, as a number."""
        [[field]] = self.rows(statement)
        return int(field)

    def fails(self, statement):
        """The error of a statement that must fail."""
        try:
            reply = self.run(statement)
        except StatementFailed as error:
            return str(error)
        raise AssertionError(f"no error, but {reply.text!r}: {statement}")

    def close(self):
        self.http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server(Magic):
    """`magic serve` on a data folder of its own, and on its socket only."""

    CLOSED = ("--http", "none", "--flight", "none", "--latch", "none")

    def __init__(self):
        super().__init__()
        self.log = self.folder / "serve.log"

    def start(self):
        self.process = spawn([MAGIC, "serve", "--data", self.data, *self.CLOSED], self.log)
        wait_until(self.answers_ping, 60, "the start of magic serve", interval=0.01)

    def answers_ping(self):
        if self.process.poll() is not None:
            raise RuntimeError(
                f"magic serve ended with {self.process.returncode}:\n" + self.output()[-4000:])
        connection = UnixConnection(self.data / "magic.sock")
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().read() == b"Ok.\n"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def connect(self):
        return Connection(self.data / "magic.sock")

    def restart(self):
        status = self.end()
        if status != 0:
            raise RuntimeError(f"magic serve ended with {status}:\n" + self.output()[-4000:])
        self.start()

    def kill(self):
        self.end(signal.SIGKILL)

    def refused_start(self):
        """What `magic serve` says when it ends by itself; None when it goes on running."""
        try:
            result = self.run(
                "serve", "--data", self.data, *self.CLOSED, check=False, timeout=20)
        except subprocess.TimeoutExpired:
            return None
        return result.stderr if result.returncode != 0 else None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self


# Where a data folder holds the number of its format: adapt these to the layout of DIR/commits.
COMMITS_NAME, SLOT_BYTES, FORMAT_OFFSET = "commits", 64 << 10, 8


def commit_files(data):
    """The files that hold commit points, whether `commits` is one file or a folder of them."""
    path = Path(data) / COMMITS_NAME
    return sorted(path.iterdir()) if path.is_dir() else [path]


def raise_format_version(data):
    """Makes a data folder look like one of a newer program; gives the newer number."""
    newest = 0
    for path in commit_files(data):
        content = bytearray(path.read_bytes())
        for offset in range(FORMAT_OFFSET, len(content), SLOT_BYTES):
            [version] = struct.unpack_from("<I", content, offset)
            struct.pack_into("<I", content, offset, version + 1)
            newest = max(newest, version + 1)
        path.write_bytes(content)
    return newest


def quoted(name):
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def mutable_tables(connection, databases):
    """The quoted names of the mutable tables in `databases`, each with its bare name: those that
    were declared as one, whatever the engine itself takes them for."""
    listed = ", ".join(f"'{name}'" for name in databases)
    found = {}
    for database, table in connection.rows(
            f"SELECT database, name FROM system.tables WHERE database IN ({listed})"):
        name = f"{quoted(database)}.{quoted(table)}"
        if database == "_magic":
            continue  # storage, which comes and goes
        if "MutableMergeTree" in connection.run(f"SHOW CREATE TABLE {name}").text:
            found[name] = table
    return found


ESCAPES = str.maketrans({
    "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f",
    "'": "\\'"})


class Type:
    """A column's type: how random values of it are made, and how the server writes them. A value
    is None, an int, a str, or a list of ints."""

    def __init__(self, name, default, make):
        self.name, self.default, self.make = name, default, make


def field(value):
    """A value as the server writes it into a TSV field."""
    if value is None:
        return "\\N"
    if isinstance(value, list):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value).translate(ESCAPES)


def literal(value):
    """A value as it is written in a statement."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.translate(ESCAPES) + "'"
    return field(value)


class Table:
    """What a mutable table must hold. Changes give a new Table, so that the state of before a
    statement stays at hand."""

    def __init__(self, key, columns, rows=()):
        self.key = tuple(key)
        self.columns = dict(columns)  # name -> Type, in the order of the table
        self.rows = dict(rows)  # key values -> {column: value}

    def copy(self):
        return Table(self.key, self.columns, self.rows)

    def key_of(self, row):
        return tuple(row[name] for name in self.key)

    def put(self, rows):
        changed = self.copy()
        for row in rows:
            changed.rows[self.key_of(row)] = row
        return changed

    def matching(self, condition):
        return [row for row in self.rows.values() if condition(row)]

    def update(self, condition, change):
        """`change` gives a row's new version. Old keys disappear before new ones are written."""
        changed, old = self.copy(), self.matching(condition)
        for row in old:
            del changed.rows[self.key_of(row)]
        for row in old:
            new = {**row, **change(row)}
            changed.rows[self.key_of(new)] = new
        return changed

    def delete(self, condition):
        changed = self.copy()
        for row in self.matching(condition):
            del changed.rows[self.key_of(row)]
        return changed

    def truncate(self):
        return Table(self.key, self.columns)

    def add_column(self, name, column_type, value):
        rows = {key: {**row, name: value} for key, row in self.rows.items()}
        return Table(self.key, {**self.columns, name: column_type}, rows)

    def drop_column(self, name):
        columns = {each: kind for each, kind in self.columns.items() if each != name}
        rows = {key: {each: row[each] for each in columns} for key, row in self.rows.items()}
        return Table(self.key, columns, rows)

    def rename_column(self, name, new):
        columns = {new if each == name else each: kind for each, kind in self.columns.items()}
        rows = {
            key: {new if each == name else each: value for each, value in row.items()}
            for key, row in self.rows.items()}
        return Table(self.key, columns, rows)

    def lines(self):
        """The rows as TSV lines, sorted as text: equal to those of the server in any order."""
        names = list(self.columns)
        return sorted(
            "\t".join([field(row[name]) for name in names]) for row in self.rows.values())


def stored_lines(connection, name):
    """What a table holds, through its visible columns."""
    return sorted(connection.run(f"SELECT * FROM {name}").lines())


def column_names(connection, name):
    return [line.split("\t")[0] for line in connection.run(f"DESCRIBE TABLE {name}").lines()]


def reduced_lines(connection, name, columns, key):
    """The living rows that come out of what SELRAW shows: of each key the highest version, unless
    it is marked. `columns` are the visible ones, `key` the names of those that tell rows apart."""
    newest = {}
    for row in connection.rows(
            f"SELRAW {', '.join(columns)}, {VERSION}, {MARK} FROM {name}"):
        *values, version, mark = row
        identity = tuple(values[columns.index(column)] for column in key)
        if identity not in newest or int(version) > newest[identity][0]:
            newest[identity] = int(version), mark, "\t".join(values)
    return sorted(line for _, mark, line in newest.values() if mark == "0")

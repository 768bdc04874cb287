"""Text cases of the SQL on mutable tables: the files Tests/SQL/*.sql, one per topic.

A statement ends with a `;` at the end of a line, which is not sent. The lines after it tell what it
must give; without any it must succeed and give no rows:

    --> a line of the result, as TSV
    --# the number of changed rows that the answer reports
    --! part of the error's text, in any case; nothing after it: any error
    --? part of an error's text that is as good as the result that `-->` tells
    --~ text that the result contains
    --^ text that the result lacks

Other lines that begin with `--` between statements are comments. Every file makes databases of its
own and drops them, and runs three times, with equal results: as it is, with every mutable table
settled after each statement, and with the server restarted every few statements. (Without --soak one
of the latter two, by the seed.) A case on SELRAW
therefore asserts only what is true before and after settling, or has OPTIMIZE TABLE before it.

MAGIC_SQL_UPDATE=1 prints every file with what the server really gives, for review."""

import os
import re
import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness import CommandFailed
from mutable import Server, StatementFailed, mutable_tables

FOLDER = Path(__file__).resolve().parents[1] / "SQL"
UPDATE = bool(os.environ.get("MAGIC_SQL_UPDATE"))
SOAK = bool(os.environ.get("MAGIC_SOAK"))
SEED = int(os.environ.get("MAGIC_SEED", "0"))
RESTART_INTERVAL = 30 if SOAK else 60
# What begins a statement that cannot leave a young row behind, or make a table.
READS = ("CHECK", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "FROM", "SELECT", "SELRAW", "SHOW",
         "WITH")
DEFINITIONS = ("CREATE", "DROP", "EXCHANGE", "RENAME", "UNDROP")


@dataclass
class Case:
    """A statement and what it must give."""

    line: int
    statement: str
    expected: dict = field(default_factory=lambda: {mark: [] for mark in ">#!?~^"})

    def fault(self, outcome):
        """What is wrong with an outcome; None when nothing is."""
        wanted = self.expected
        if outcome.error is not None:
            parts = wanted["!"] + wanted["?"]
            if parts and all(part.casefold() in outcome.error.casefold() for part in parts):
                return None
            return f"error: {outcome.error}"
        if wanted["!"]:
            return f"no error, but {outcome.lines}"
        if wanted["#"] and wanted["#"] != [str(outcome.written)]:
            return f"{outcome.written} changed rows"
        text = "\n".join(outcome.lines)
        if not wanted["~"] and not wanted["^"]:
            return None if outcome.lines == wanted[">"] else f"result: {outcome.lines}"
        missing = [part for part in wanted["~"] if part not in text]
        surplus = [part for part in wanted["^"] if part in text]
        return f"result: {outcome.lines}" if missing or surplus else None

    def describe(self):
        wanted = [f"--{mark} {line}" for mark, lines in self.expected.items() for line in lines]
        return "\n    ".join([f"line {self.line}: {self.statement}", *wanted])


@dataclass
class Outcome:
    """What a statement gave."""

    lines: list
    written: int | None
    error: str | None

    def describe(self):
        """As the lines of a case."""
        if self.error is not None:
            return ["--! " + self.error.split("\n")[0]]
        shown = ["--> " + line for line in self.lines]
        return shown + ([] if self.written is None else [f"--# {self.written}"])


def parse(text):
    """The cases of a file."""
    cases, statement, start = [], [], 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not statement:
            if match := re.match(r"--([>#!?~^])(?: (.*))?$", line):
                cases[-1].expected[match[1]].append(match[2] or "")
                continue
            if line.startswith("--") or not line.strip():
                continue
            start = number
        statement.append(line)
        if line.endswith(";"):
            cases.append(Case(start, "\n".join(statement)[:-1]))
            statement = []
    assert not statement, f"no ; ends the statement at line {start}"
    return cases


def first_word(statement):
    text = re.sub(r"^(\s|\(|/\*.*?\*/|--[^\n]*\n)+", "", statement, flags=re.S)
    return re.match(r"\w*", text)[0].upper()


def is_read(statement):
    return first_word(statement) in READS and not re.search(r"\bINSERT\b", statement, re.I)


class Run:
    """One pass over a file's cases on a server: plain; and what else happens between statements
    comes with the subclasses."""

    name = "as it is"

    def __init__(self, server, cases):
        self.server, self.cases = server, cases
        self.outcomes, self.left_over = [], []
        self.connection = None

    def go(self):
        with self.server.connect() as self.connection:
            before = self.names()
            for case in self.cases:
                self.outcomes.append(self.outcome(case.statement))
                self.after(case.statement)
            self.left_over = sorted(set(self.names()) - set(before))

    def names(self):
        return self.connection.rows("SHOW DATABASES") + self.connection.rows("SHOW TABLES")

    def outcome(self, statement):
        try:
            reply = self.connection.run(statement)
            return Outcome(reply.lines(), reply.written, None)
        except StatementFailed as error:
            return Outcome([], None, str(error))

    def after(self, statement):
        pass

    def faults(self):
        """A text for everything that went wrong."""
        for case, outcome in zip(self.cases, self.outcomes):
            if fault := case.fault(outcome):
                yield f"{case.describe()}\n  but {fault}"
        if self.left_over:
            yield f"the file leaves {self.left_over} behind"


class SettlingRun(Run):
    """Settles the tables that a statement names; all others are settled already."""

    name = "settled"

    def __init__(self, server, cases):
        super().__init__(server, cases)
        made = (re.match(r"CREATE DATABASE (?:IF NOT EXISTS )?(\w+)", case.statement)
                for case in cases)
        self.databases = ["default", *(match[1] for match in made if match)]
        self.tables = {}

    def after(self, statement):
        if first_word(statement) in DEFINITIONS:
            self.tables = mutable_tables(self.connection, self.databases)
        if not is_read(statement):
            for name, table in self.tables.items():
                if table in statement:
                    self.connection.run(f"OPTIMIZE TABLE {name}")


class RestartingRun(Run):
    name = "restarted"

    def after(self, statement):
        if len(self.outcomes) % RESTART_INTERVAL == 0:
            self.connection.close()
            self.server.restart()


class SQLTests(unittest.TestCase):
    """One test method for each file, made below."""

    KINDS = (Run, SettlingRun, RestartingRun)

    @classmethod
    def setUpClass(cls):
        cls.servers = {kind: cls.enterClassContext(Server()) for kind in cls.KINDS}

    def check(self, path):
        cases = parse(path.read_text())
        kinds = self.KINDS if SOAK else (Run, self.KINDS[1 + (SEED + len(path.stem)) % 2])
        runs = [kind(self.servers[kind], cases) for kind in kinds]
        with ThreadPoolExecutor() as pool:
            others = [pool.submit(run.go) for run in runs[:-1]]
            # On this thread, because a server ends with the thread that started it.
            runs[-1].go()
            for other in others:
                other.result()
        if UPDATE:
            print_outcomes(runs[0])
        self.fail_for(path.name, runs)

    def fail_for(self, name, runs):
        """Fails when a run has faults; tells of one that several runs have once."""
        faults = {}
        for run in runs:
            for fault in run.faults():
                faults.setdefault(fault, []).append(run.name)
        if faults:
            texts = (f"{', '.join(runs)}: {fault}" for fault, runs in faults.items())
            self.fail("\n\n".join([f"{len(faults)} faults in {name}", *texts]))

    def test_the_command_with_and_without_a_server(self):
        """`magic sql` gives the same whether or not a process serves the folder."""
        server = self.enterContext(Server())
        server.sql("CREATE TABLE t (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id")
        server.sql("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
        self.assertEqual(server.end(), 0, server.output())
        rows = "SELECT * FROM t ORDER BY id"
        self.assertEqual(server.sql(rows), [[b"1", b"1"], [b"2", b"2"], [b"3", b"3"]])
        server.sql("UPDATE t SET n = n * 10 WHERE id > 1")
        server.sql("DELETE FROM t WHERE id = 3")
        self.assertEqual(server.sql(rows), [[b"1", b"1"], [b"2", b"20"]])
        with self.assertRaisesRegex(CommandFailed, "WHERE 1"):
            server.sql("DELETE FROM t")
        server.start()
        self.assertEqual(server.sql(rows), [[b"1", b"1"], [b"2", b"20"]])


def print_outcomes(run):
    for case, outcome in zip(run.cases, run.outcomes):
        print("\n".join([case.statement + ";", *outcome.describe()]), flush=True)


def add_test(path):
    def test(self):
        self.check(path)

    setattr(SQLTests, f"test_{path.stem}", test)


for file in sorted(FOLDER.glob("*.sql")):
    add_test(file)

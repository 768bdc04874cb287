"""Mutable tables against an in-memory model: small arrangements of writes, a random workload with
kills, writers and readers at once, statements that end half-way, and the version of the format."""

import http.client
import os
import random
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from harness import UnixConnection
from mutable import (
    MARK, VERSION, Server, StatementFailed, Table, Type, column_names, field, literal,
    mutable_tables, raise_format_version, reduced_lines, stored_lines)

SOAK = bool(os.environ.get("MAGIC_SOAK"))
SEED = int(os.environ.get("MAGIC_SEED", "0"))


# Small arrangements: what each kind of write does to a key.
INSERT, DELETE, UPDATE = "insert", "delete", "update"
NEWER, NEWER_MARK, OLDER, OLDER_MARK = "newer", "newer mark", "older", "older mark"
OLD = (OLDER, OLDER_MARK)
MARKS = (NEWER_MARK, OLDER_MARK)
IMPORTS = (NEWER, NEWER_MARK, *OLD)
KINDS = (INSERT, DELETE, UPDATE, *IMPORTS)
# Imports begin above this, so that all versions below it are free for older ones.
FIRST_VERSION = 1_000_000
FIRST_KEYS = [(1,), (1, 2), (2, 1), (1, 1)]
NEXT_KEYS = [(1,), (2,), (3,), *product((1, 2, 3), repeat=2)]
LAST_KEYS = [(1,), (2,), (2, 1)]


class Arrangement:
    """A few writes to the keys 1 to 3, one after another, and what they leave."""

    def __init__(self, number, writes):
        self.number, self.writes = number, writes
        self.state = {}  # key -> (place in the order of versions, mark, n)

    def rows(self, step):
        """What a write names: rows of key, n, and a version that counts from a base; where a key
        comes twice, the higher version comes first in every other arrangement."""
        kind, keys = self.writes[step]
        for place, key in enumerate(keys):
            rank = len(keys) - place if self.number % 2 else place + 1
            yield key, 10 * step + place, 10 * step + rank, int(kind in MARKS)

    def apply(self, step):
        kind, _ = self.writes[step]
        for place, (key, n, version, mark) in enumerate(self.rows(step)):
            if kind == INSERT:
                self.put(key, (1, step, place), 0, n)
            elif kind in IMPORTS:
                self.put(key, (0, version, 0) if kind in OLD else (1, step, version), mark, n)
            elif self.lives(key):
                changed = self.state[key][2] + 1000
                self.put(key, (1, step, key), int(kind == DELETE), changed)

    def lives(self, key):
        return key in self.state and self.state[key][1] == 0

    def put(self, key, order, mark, n):
        if key not in self.state or order > self.state[key][0]:
            self.state[key] = order, mark, n

    def living(self):
        return [(key, n) for key, (_, mark, n) in sorted(self.state.items()) if not mark]


class ArrangementTests(unittest.TestCase):
    """Every small arrangement of equal and different keys, in both orders, settled or not."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        with cls.server.connect() as connection:
            connection.run("CREATE DATABASE small")

    def test_all_at_once(self):
        """All arrangements of three writes, side by side in one table: step by step, all writes of
        a kind are one statement."""
        with self.server.connect() as connection:
            connection.run(
                "CREATE TABLE small.plan (step UInt8, kind String, c UInt32, id UInt8, n Int32, "
                "v UInt64, mark UInt8, place UInt64) ENGINE = MergeTree ORDER BY (step, kind)")
            lines = [
                "\t".join(map(str, (step, case.writes[step][0], case.number, *row, place)))
                for step in range(3) for case in self.triples()
                for place, row in enumerate(case.rows(step))]
            connection.run("INSERT INTO small.plan FORMAT TSV\n" + "\n".join(lines) + "\n")
            for settled in [(), (0,), (1,), (0, 1)]:
                with self.subTest(settled=settled):
                    self.run_plan(connection, settled)

    @staticmethod
    def triples():
        kinds = product((INSERT, NEWER, NEWER_MARK), KINDS, (INSERT, DELETE, UPDATE, NEWER))
        return [
            Arrangement(number, list(zip(of_kinds, keys))) for number, (of_kinds, keys)
            in enumerate(product(kinds, product(FIRST_KEYS, NEXT_KEYS, LAST_KEYS)))]

    def run_plan(self, connection, settled):
        name = "small.t" + "".join(map(str, settled))
        connection.run(
            f"CREATE TABLE {name} (c UInt32, id UInt8, n Int32) "
            "ENGINE = MutableMergeTree ORDER BY (c, id)")
        cases = self.triples()
        for step in range(3):
            for kind in KINDS:
                if self.run_all_of_a_kind(connection, name, step, kind):
                    for case in cases:
                        if case.writes[step][0] == kind:
                            case.apply(step)
            if step in settled:
                connection.run(f"OPTIMIZE TABLE {name}")
            self.compare(connection, name, cases, step)
        connection.run(f"DROP TABLE {name}")

    def run_all_of_a_kind(self, connection, name, step, kind):
        """Whether it happened: an old version may be refused once a mark is gone."""
        rows = f"FROM small.plan WHERE step = {step} AND kind = '{kind}'"
        if kind == INSERT:
            connection.run(f"INSERT INTO {name} SELECT c, id, n {rows} ORDER BY place, c")
        elif kind == DELETE:
            connection.run(f"DELETE FROM {name} WHERE (c, id) IN (SELECT c, id {rows})")
        elif kind == UPDATE:
            connection.run(
                f"UPDATE {name} SET n = n + 1000 WHERE (c, id) IN (SELECT c, id {rows})")
        else:
            base = base_version(connection, name, kind)
            return imported(
                connection, kind, f"IMPORT INTO {name} (c, id, n, {VERSION}, {MARK}) "
                f"SELECT c, id, n, {base} + v, mark {rows}")
        return True

    def compare(self, connection, name, cases, step):
        found = {}
        for case, key, n in connection.rows(f"SELECT c, id, n FROM {name} ORDER BY c, id"):
            found.setdefault(int(case), []).append((int(key), int(n)))
        for case in cases:
            self.assertEqual(
                found.get(case.number, []), case.living(), f"after step {step} of {case.writes}")

    def test_each_in_a_table_of_its_own(self):
        """Two writes in a table with nothing else in it, so that parts hold single rows: as many
        arrangements as fit into the time, in random order."""
        pairs = [
            (kinds, keys, settled) for kinds, keys, settled in product(
                product((INSERT, NEWER, NEWER_MARK), KINDS), product(FIRST_KEYS, NEXT_KEYS),
                (False, True))
            if kinds[0] != INSERT or kinds[1] not in OLD]
        random.Random(SEED).shuffle(pairs)
        cases = [
            (Arrangement(number, list(zip(kinds, keys))), settled)
            for number, (kinds, keys, settled) in enumerate(pairs)]
        deadline = time.monotonic() + (300 if SOAK else 10)

        def work(share):
            done = 0
            with self.server.connect() as connection:
                for case, settled in share:
                    if time.monotonic() > deadline:
                        break
                    self.run_alone(connection, case, settled)
                    done += 1
            return done

        with ThreadPoolExecutor(4) as pool:
            done = sum(pool.map(work, [cases[start::4] for start in range(4)]))
        print(f"           {done} of {len(cases)} arrangements")
        self.assertGreater(done, 20)

    def run_alone(self, connection, case, settled):
        name = f"small.alone{case.number}"
        connection.run(
            f"CREATE TABLE {name} (id UInt8, n Int32) ENGINE = MutableMergeTree ORDER BY id")
        for step in range(2):
            if self.run_write(connection, name, case, step):
                case.apply(step)
            if settled:
                connection.run(f"OPTIMIZE TABLE {name}")
            found = [
                (int(key), int(n)) for key, n in
                connection.rows(f"SELECT * FROM {name} ORDER BY id")]
            self.assertEqual(found, case.living(), f"step {step} of {case.writes}, {settled=}")
        connection.run(f"DROP TABLE {name}")

    def run_write(self, connection, name, case, step):
        kind, keys = case.writes[step]
        condition = f"id IN ({', '.join(map(str, keys))})"
        if kind == INSERT:
            values = ", ".join(f"({key}, {n})" for key, n, _, _ in case.rows(step))
            connection.run(f"INSERT INTO {name} VALUES {values}")
        elif kind == DELETE:
            connection.run(f"DELETE FROM {name} WHERE {condition}")
        elif kind == UPDATE:
            connection.run(f"UPDATE {name} SET n = n + 1000 WHERE {condition}")
        else:
            base = base_version(connection, name, kind)
            values = ", ".join(
                f"({key}, {n}, {base + version}, {mark})"
                for key, n, version, mark in case.rows(step))
            return imported(
                connection, kind,
                f"IMPORT INTO {name} (id, n, {VERSION}, {MARK}) VALUES {values}")
        return True


def base_version(connection, name, kind):
    """What the versions of an import count from: all that is stored, or nothing."""
    if kind in OLD:
        return 0
    return max(FIRST_VERSION, connection.value(f"SELRAW max({VERSION}) FROM {name}"))


def imported(connection, kind, statement):
    """Whether an import happened: one of old versions may be refused, because they are."""
    try:
        connection.run(statement)
        return True
    except StatementFailed as error:
        if kind in OLD and "version" in str(error).lower():
            return False
        raise


# The random workload: columns, conditions and changes that SQL and Python both know.
TEXTS = ["", "a", "b", "ab", "é", "日本", "tab\tnew\nline", "quote'", "\\", "x" * 300]
INT = Type("Int64", 0, lambda choose: choose.randint(-1000, 1000))
KEY = Type("Int64", 0, lambda choose: choose.randint(0, 300))
NULLABLE = Type("Nullable(Int32)", None, lambda choose: choose.choice([None, 0, 1, -7, 100]))
TEXT = Type("String", "", lambda choose: choose.choice(TEXTS))
LOW = Type("LowCardinality(String)", "", lambda choose: choose.choice(TEXTS[:6]))
KEY_TEXT = Type("String", "", lambda choose: choose.choice(TEXTS) + str(choose.randint(0, 60)))
DAY = Type("Date", "1970-01-01", lambda choose: f"2024-0{choose.randint(1, 4)}-15")
ARRAY = Type("Array(Int32)", [], lambda choose: [choose.randint(0, 9)] * choose.randint(0, 3))
ADDED = [INT, NULLABLE, TEXT, LOW, ARRAY]
SHAPES = [
    ("ints", "ORDER BY id", ["id"], {"id": KEY, "n": INT, "s": TEXT}),
    ("pairs", "ORDER BY (a, b)", ["a", "b"], {"m": NULLABLE, "a": KEY, "n": INT, "b": KEY_TEXT}),
    ("days", "PARTITION BY toYYYYMM(d) ORDER BY (d, id)", ["d", "id"],
     {"d": DAY, "id": KEY, "v": ARRAY, "n": INT}),
    ("texts", "PRIMARY KEY k", ["k"], {"k": KEY_TEXT, "l": LOW, "n": INT, "m": NULLABLE})]
BIG_ROWS, BIG_START = 300_000, 1_000_000


class Step:
    """A statement, the tables after it, the rows that it reports, and the table that it touched."""

    def __init__(self, statement, tables, touched, written=None):
        self.statement, self.tables = statement, tables
        self.touched, self.written = touched, written


class Workload:
    """Makes random statements for tables in the database `w`, with what they must lead to."""

    def __init__(self, choose):
        self.choose = choose
        self.numbers = iter(range(1, 1 << 31))
        # Imports take the versions above; far more lie between two of them than statements use.
        self.versions = iter(range(10**9, 1 << 62, 10**9))
        self.tables = {f"w.{name}": Table(key, columns) for name, _, key, columns in SHAPES}
        self.makers = [
            (self.insert, 26), (self.update, 22), (self.delete, 12), (self.key_update, 5),
            (self.imported, 6), (self.add_column, 4), (self.drop_column, 3),
            (self.rename_column, 3), (self.truncate, 1), (self.rename_table, 3),
            (self.exchange, 1), (self.optimize, 6), (self.big_insert, 2)]

    @staticmethod
    def definitions():
        for name, clauses, _, columns in SHAPES:
            declared = ", ".join(f"{column} {kind.name}" for column, kind in columns.items())
            yield f"CREATE TABLE w.{name} ({declared}) ENGINE = MutableMergeTree {clauses}"

    def next(self):
        name = self.choose.choice(list(self.tables))
        if len(self.tables[name].rows) > BIG_ROWS / 2 and self.choose.random() < 0.5:
            return self.truncate(name)
        [(make, _)] = self.choose.choices(self.makers, [weight for _, weight in self.makers])
        # What has nothing to work on becomes an insert.
        return make(name) or self.insert(name)

    def step(self, statement, name, table, written=None):
        return Step(statement, {**self.tables, name: table}, name, written)

    def insert(self, name):
        table = self.tables[name]
        rows = [self.row(table) for _ in range(self.choose.choice([1, 1, 2, 5, 40]))]
        verb = self.choose.choice(["INSERT", "UPSERT"])
        names, values = ", ".join(table.columns), ", ".join(map(self.row_literal, rows))
        keys = {table.key_of(row) for row in rows}
        return self.step(
            f"{verb} INTO {name} ({names}) VALUES {values}", name, table.put(rows),
            len(rows) if len(keys) == len(rows) else None)

    def row(self, table):
        return {name: kind.make(self.choose) for name, kind in table.columns.items()}

    @staticmethod
    def row_literal(row):
        return "(" + ", ".join(map(literal, row.values())) + ")"

    def big_insert(self, name):
        table = self.tables[name]
        columns = {
            column: self.computed(kind, column in table.key)
            for column, kind in table.columns.items() if column in table.key or kind is INT}
        defaults = {column: kind.default for column, kind in table.columns.items()}
        rows = (
            {**defaults, **{column: value(number) for column, (_, value) in columns.items()}}
            for number in range(BIG_ROWS))
        expressions = ", ".join(sql for sql, _ in columns.values())
        return self.step(
            f"INSERT INTO {name} ({', '.join(columns)}) SELECT {expressions} "
            f"FROM numbers({BIG_ROWS})", name, table.put(rows), BIG_ROWS)

    @staticmethod
    def computed(kind, in_key):
        """A column of a big insert as SQL and as a function of the row's number."""
        if kind is DAY:
            return "toDate('2024-05-15')", lambda number: "2024-05-15"
        if kind is KEY_TEXT:
            return "concat('big', toString(number))", lambda number: f"big{number}"
        if in_key:
            return f"{BIG_START} + number", lambda number: BIG_START + number
        return "number % 1000", lambda number: number % 1000

    def imported(self, name):
        """Rows in an order of versions that is not that of the statement, some of them marks."""
        table = self.tables[name]
        rows = [self.row(table) for _ in range(self.choose.randint(1, 6))]
        rows += [dict(row) for row in self.choose.choices(list(table.rows.values()), k=2)
                 ] if table.rows else []
        first = next(self.versions)
        versions = self.choose.sample(range(first, first + 100), len(rows))
        marks = [int(self.choose.random() < 0.3) for _ in rows]
        changed = table.copy()
        for _, row, mark in sorted(zip(versions, rows, marks), key=lambda each: each[0]):
            changed.rows.pop(table.key_of(row), None)
            if not mark:
                changed.rows[table.key_of(row)] = row
        values = ", ".join(
            f"{self.row_literal(row)[:-1]}, {version}, {mark})"
            for version, row, mark in zip(versions, rows, marks))
        return self.step(
            f"IMPORT INTO {name} ({', '.join(table.columns)}, {VERSION}, {MARK}) VALUES {values}",
            name, changed)

    def update(self, name):
        table = self.tables[name]
        columns = [column for column in table.columns if column not in table.key]
        chosen = self.choose.sample(columns, self.choose.randint(1, min(2, len(columns))))
        changes = {column: self.change(column, table.columns[column]) for column in chosen}
        return self.changed_by(name, changes)

    def key_update(self, name):
        """Moves keys, also onto keys that are there."""
        table = self.tables[name]
        columns = [column for column in table.key if table.columns[column] is KEY]
        if not columns:
            return None
        column, shift = self.choose.choice(columns), self.choose.randint(-50, 50)
        return self.changed_by(
            name, {column: (f"{column} + ({shift})", lambda row: row[column] + shift)})

    def changed_by(self, name, changes):
        sql, condition = self.condition(self.tables[name])
        assignments = ", ".join(f"{column} = {text}" for column, (text, _) in changes.items())
        table = self.tables[name].update(
            condition, lambda row: {column: value(row) for column, (_, value) in changes.items()})
        return self.step(
            f"UPDATE {name} SET {assignments} WHERE {sql}", name, table,
            len(self.tables[name].matching(condition)))

    def change(self, column, kind):
        """A new value of a column, as SQL and as a function of the row."""
        constant = kind.make(self.choose)
        if kind.name == "Int64" and self.choose.random() < 0.7:
            return f"{column} + 1", lambda row: row[column] + 1
        if kind.name == "Array(Int32)" and self.choose.random() < 0.7:
            return f"arrayPushBack({column}, 7)", lambda row: row[column] + [7]
        return literal(constant), lambda row: constant

    def delete(self, name):
        sql, condition = self.condition(self.tables[name])
        return self.step(
            f"DELETE FROM {name} WHERE {sql}", name, self.tables[name].delete(condition),
            len(self.tables[name].matching(condition)))

    def condition(self, table):
        """A condition as SQL and as a function of a row: on one column, or on a whole key."""
        choose = self.choose
        if table.rows and choose.random() < 0.3:
            key = choose.choice(list(table.rows))
            parts = (f"{name} = {literal(value)}" for name, value in zip(table.key, key))
            return " AND ".join(parts), lambda row: table.key_of(row) == key
        column = choose.choice(list(table.columns))
        kind = table.columns[column]
        if kind.name != "Int64":
            values = [value for value in (kind.make(choose) for _ in range(2)) if value is not None]
            listed = ", ".join(map(literal, values))
            return (f"{column} IN ({listed})" if values else f"{column} IS NULL",
                    lambda row: row[column] in (values or [None]))
        low, modulus = kind.make(choose), choose.randint(2, 9)
        high = low + choose.randint(0, 80)
        return choose.choice([
            (f"{column} BETWEEN {low} AND {high}", lambda row: low <= row[column] <= high),
            (f"positiveModulo({column}, {modulus}) = 1", lambda row: row[column] % modulus == 1),
            (f"{column} > {high + 200}", lambda row: row[column] > high + 200)])

    def add_column(self, name):
        table = self.tables[name]
        if len(table.columns) > 8:
            return None
        kind = self.choose.choice(ADDED)
        kind = Type(kind.name, kind.make(self.choose), kind.make)
        column = f"c{next(self.numbers)}"
        return self.step(
            f"ALTER TABLE {name} ADD COLUMN {column} {kind.name} DEFAULT {literal(kind.default)}",
            name, table.add_column(column, kind, kind.default))

    def droppable(self, table):
        """A column outside the key, of those that may go; None when too few are left."""
        columns = [column for column in table.columns if column not in table.key]
        return self.choose.choice(columns) if len(columns) > 1 else None

    def drop_column(self, name):
        table = self.tables[name]
        if (column := self.droppable(table)) is None:
            return None
        return self.step(
            f"ALTER TABLE {name} DROP COLUMN {column}", name, table.drop_column(column))

    def rename_column(self, name):
        table, new = self.tables[name], f"r{next(self.numbers)}"
        if (column := self.droppable(table)) is None:
            return None
        return self.step(
            f"ALTER TABLE {name} RENAME COLUMN {column} TO {new}", name,
            table.rename_column(column, new))

    def truncate(self, name):
        return self.step(f"TRUNCATE TABLE {name}", name, self.tables[name].truncate())

    def optimize(self, name):
        return self.step(f"OPTIMIZE TABLE {name}", name, self.tables[name])

    def rename_table(self, name):
        new = f"w.t{next(self.numbers)}"
        tables = {new if each == name else each: table for each, table in self.tables.items()}
        return Step(f"RENAME TABLE {name} TO {new}", tables, new)

    def exchange(self, name):
        other = self.choose.choice([each for each in self.tables if each != name])
        tables = {**self.tables, name: self.tables[other], other: self.tables[name]}
        return Step(f"EXCHANGE TABLES {name} AND {other}", tables, name)


class WorkloadTests(unittest.TestCase):
    """Random statements, restarts and kills; after each the tables are what the model says."""

    SECONDS = 600 if SOAK else 10

    def setUp(self):
        self.choose = random.Random(SEED)
        self.server = self.enterContext(Server())
        self.connection = self.enterContext(self.server.connect())
        self.workload = Workload(self.choose)
        self.history, self.counts = [], {}

    def test_random_workload(self):
        self.connection.run("CREATE DATABASE w")
        for statement in self.workload.definitions():
            self.connection.run(statement)
        events = [
            (self.run_step, 84), (self.query, 10), (self.restart, 2), (self.kill, 2),
            (self.kill_amid_a_step, 4)]
        deadline = time.monotonic() + self.SECONDS
        try:
            while time.monotonic() < deadline:
                [(event, _)] = self.choose.choices(events, [weight for _, weight in events])
                self.counts[event.__name__] = self.counts.get(event.__name__, 0) + 1
                event()
            self.compare_stored()
        except Exception as error:
            error.add_note("the last of it:\n" + "\n".join(self.history[-25:]))
            raise
        print("           " + ", ".join(f"{n} {name}" for name, n in self.counts.items()))

    def next_step(self):
        step = self.workload.next()
        self.history.append(step.statement[:400])
        return step

    def run_step(self):
        step = self.next_step()
        reply = self.connection.run(step.statement)
        if step.written is not None:
            self.assertEqual(reply.written, step.written, "the rows that the statement reports")
        self.workload.tables = step.tables
        self.compare(step.touched)

    def compare(self, name):
        table = self.workload.tables[name]
        self.assertEqual(column_names(self.connection, name), list(table.columns))
        found, wanted = stored_lines(self.connection, name), table.lines()
        if found != wanted:
            surplus, missing = set(found) - set(wanted), set(wanted) - set(found)
            self.fail(
                f"{name} has {len(found)} rows, the model {len(wanted)}; "
                f"only the table: {sorted(surplus)[:5]}, only the model: {sorted(missing)[:5]}")

    def query(self):
        """Conditions, which the engine answers from parts of the table, give the same rows."""
        name = self.choose.choice(list(self.workload.tables))
        table = self.workload.tables[name]
        sql, condition = self.workload.condition(table)
        keys = ", ".join(table.key)
        found = self.connection.run(f"SELECT {keys} FROM {name} WHERE {sql}").lines()
        wanted = ["\t".join(map(field, table.key_of(row))) for row in table.matching(condition)]
        self.assertEqual(sorted(found), sorted(wanted), f"{name}: {sql}")
        count = self.connection.value(f"SELECT count() FROM {name}")
        self.assertEqual(count, len(table.rows), name)

    def restart(self):
        self.history.append("-- SIGTERM")
        self.connection.close()
        self.server.restart()
        self.compare_all()

    def kill(self):
        self.history.append("-- kill")
        self.connection.close()
        self.server.kill()
        self.server.start()
        self.compare_all()

    def kill_amid_a_step(self):
        """The statement happened wholly or not at all; the model follows what is seen. One that
        was acknowledged happened."""
        step = self.next_step()
        pause = self.choose.choice([0.002, 0.01, 0.03, 0.1, 0.4]) * self.choose.random()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.is_acknowledged, step.statement)
            time.sleep(pause)
            self.server.kill()
            acknowledged = running.result()
        self.history.append(f"-- kill after {pause:.3f} s, {acknowledged=}")
        self.connection.close()
        self.server.start()
        if acknowledged or not self.shows(self.workload.tables, step):
            self.workload.tables = step.tables
        self.compare_all()

    def is_acknowledged(self, statement):
        try:
            self.connection.run(statement)
            return True
        except StatementFailed:
            raise
        except (OSError, http.client.HTTPException):
            return False

    def shows(self, tables, step):
        """Whether the server shows what was before a step, as far as the step can tell."""
        changed = [name for name in tables if tables[name] is not step.tables.get(name)]
        if self.names() != set(tables):
            return False
        return all(
            column_names(self.connection, name) == list(tables[name].columns)
            and stored_lines(self.connection, name) == tables[name].lines() for name in changed)

    def names(self):
        return {name.replace("`", "") for name in mutable_tables(self.connection, ["w"])}

    def compare_all(self):
        self.assertEqual(self.names(), set(self.workload.tables))
        for name in self.workload.tables:
            self.compare(name)

    def compare_stored(self):
        """What SELRAW shows comes down to the same rows."""
        self.compare_all()
        for name, table in self.workload.tables.items():
            found = reduced_lines(self.connection, name, list(table.columns), table.key)
            self.assertEqual(found, table.lines(), f"SELRAW of {name}")


class Worker(threading.Thread):
    """Does something again and again on a connection of its own, and keeps the first error."""

    def __init__(self, server, stopping):
        super().__init__(daemon=True)
        self.connection, self.stopping = server.connect(), stopping
        self.error, self.rounds = None, 0

    def run(self):
        try:
            while not self.stopping.is_set():
                self.round()
                self.rounds += 1
        except Exception as error:
            self.error = error
            self.stopping.set()
        finally:
            self.connection.close()


COUNTERS, ACCOUNTS, BALANCE, WRITERS, READERS = 4, 50, 1000, 4, 4


class Shared:
    """What the workers know of each other: increments that were acknowledged, and ids of `items`
    that were deleted and never come back. Both only grow, so a reader that looks before its
    statement knows what the statement must at least show."""

    def __init__(self):
        self.lock = threading.Lock()
        self.increments = dict.fromkeys(range(COUNTERS), 0)
        self.deleted = []

    def increment(self, counter):
        with self.lock:
            self.increments[counter] += 1

    def known(self):
        with self.lock:
            return dict(self.increments), self.deleted[-200:]


class Writer(Worker):
    def __init__(self, server, stopping, shared, number):
        super().__init__(server, stopping)
        self.shared, self.choose = shared, random.Random(SEED + number)
        # Ids that no other writer has, and none comes twice.
        self.ids = iter(range(number, 1 << 31, WRITERS))
        self.living = []

    def round(self):
        self.increment()
        self.transfer()
        self.replace_items()
        if self.rounds % 20 == 19:
            self.connection.run(
                "OPTIMIZE TABLE c." + self.choose.choice(["counters", "accounts", "items"]))

    def increment(self):
        counter = self.choose.randrange(COUNTERS)
        reply = self.connection.run(f"UPDATE c.counters SET n = n + 1 WHERE id = {counter}")
        expect(reply.written == 1, f"UPDATE of one counter reports {reply.written}")
        self.shared.increment(counter)

    def transfer(self):
        giver, taker = self.choose.sample(range(ACCOUNTS), 2)
        amount = self.choose.randint(1, 9)
        self.connection.run(
            f"UPDATE c.accounts SET amount = amount + if(id = {taker}, {amount}, -{amount}) "
            f"WHERE id IN ({giver}, {taker})")

    def replace_items(self):
        new = [next(self.ids) for _ in range(self.choose.randint(1, 5))]
        self.connection.run(
            "INSERT INTO c.items VALUES " + ", ".join(f"({id}, 'inserted')" for id in new))
        self.living += new
        changed = self.choose.choice(self.living)
        self.connection.run(f"UPSERT INTO c.items VALUES ({changed}, 'upserted')")
        if len(self.living) > 20:
            gone = self.choose.sample(self.living, 10)
            listed = ", ".join(map(str, gone))
            reply = self.connection.run(f"DELETE FROM c.items WHERE id IN ({listed})")
            expect(reply.written == 10, f"DELETE of ten rows reports {reply.written}")
            self.living = [id for id in self.living if id not in gone]
            with self.shared.lock:
                self.shared.deleted += gone


class Reader(Worker):
    def __init__(self, server, stopping, shared, number):
        super().__init__(server, stopping)
        self.shared, self.number = shared, number
        self.newest = {}

    def round(self):
        [self.accounts, self.items, self.counters, self.one_state][
            (self.rounds + self.number) % 4]()

    def accounts(self):
        row = self.connection.rows("SELECT count(), uniqExact(id), sum(amount) FROM c.accounts")
        wanted = [(str(ACCOUNTS), str(ACCOUNTS), str(ACCOUNTS * BALANCE))]
        expect(row == wanted, f"accounts: {row}")

    def items(self):
        _, deleted = self.shared.known()
        rows = self.connection.rows("SELECT count(), uniqExact(id), groupArray(id) FROM c.items")
        [(count, distinct, ids)] = rows
        expect(count == distinct, f"{count} rows of {distinct} keys")
        back = set(map(int, ids[1:-1].split(","))) & set(deleted) if len(ids) > 2 else set()
        expect(not back, f"deleted rows are back: {sorted(back)[:5]}")

    def counters(self):
        known, _ = self.shared.known()
        rows = self.connection.rows("SELECT id, n FROM c.counters")
        shown = {int(id): int(n) for id, n in rows}
        expect(len(rows) == COUNTERS and len(shown) == COUNTERS, f"counters: {rows}")
        for counter, n in shown.items():
            least = max(known[counter], self.newest.get(counter, 0))
            expect(n >= least, f"counter {counter} is {n} after {least}")
        self.newest = shown

    def one_state(self):
        """All reads of a statement see the same state, however late they start."""
        read = "(SELECT sum(cityHash64(id, n)) FROM c.counters)"
        [(first, _, last)] = self.connection.rows(f"SELECT {read}, sleep(0.02), {read[:-1]} AS x)")
        expect(first == last, f"one statement read {first} and {last}")


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


class ConcurrencyTests(unittest.TestCase):
    SECONDS = 60 if SOAK else 7

    def test_writers_and_readers_at_once(self):
        server = self.enterContext(Server())
        connection = self.enterContext(server.connect())
        for statement in [
                "CREATE DATABASE c",
                "CREATE TABLE c.counters (id UInt32, n Int64) "
                "ENGINE = MutableMergeTree ORDER BY id",
                "CREATE TABLE c.accounts (id UInt32, amount Int64) "
                "ENGINE = MutableMergeTree ORDER BY id",
                "CREATE TABLE c.items (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id",
                f"INSERT INTO c.counters SELECT number, 0 FROM numbers({COUNTERS})",
                f"INSERT INTO c.accounts SELECT number, {BALANCE} FROM numbers({ACCOUNTS})"]:
            connection.run(statement)
        shared, stopping = Shared(), threading.Event()
        writers = [Writer(server, stopping, shared, number) for number in range(WRITERS)]
        readers = [Reader(server, stopping, shared, number) for number in range(READERS)]
        run_for(self.SECONDS, writers + readers, stopping)
        errors = [repr(worker.error) for worker in writers + readers if worker.error]
        self.assertEqual(errors, [])
        print(f"           {sum(writer.rounds for writer in writers)} rounds of writers, "
              f"{sum(reader.rounds for reader in readers)} reads")
        self.assertTrue(all(worker.rounds for worker in writers + readers))
        self.compare(connection, shared, writers)
        connection.close()
        server.restart()
        self.compare(connection, shared, writers)

    def compare(self, connection, shared, writers):
        counters = connection.rows("SELECT id, n FROM c.counters")
        self.assertEqual({int(id): int(n) for id, n in counters}, shared.increments)
        items = [int(id) for [id] in connection.rows("SELECT id FROM c.items")]
        self.assertEqual(sorted(items), sorted(id for writer in writers for id in writer.living))
        total = connection.value("SELECT sum(amount) FROM c.accounts")
        self.assertEqual(total, ACCOUNTS * BALANCE)


def run_for(seconds, workers, stopping):
    """Lets workers work for a while, or until one of them has an error."""
    for worker in workers:
        worker.start()
    stopping.wait(seconds)
    stopping.set()
    for worker in workers:
        worker.join()


class HalfwayTests(unittest.TestCase):
    """Statements that end half-way leave all or nothing, and nothing when they fail."""

    ROWS = 300_000

    def setUp(self):
        self.server = self.enterContext(Server())
        self.connection = self.enterContext(self.server.connect())
        self.connection.run(
            "CREATE TABLE t (id UInt64, n Int64) ENGINE = MutableMergeTree ORDER BY id")
        self.connection.run("INSERT INTO t VALUES (0, 7), (1, 7)")

    def rows(self):
        return self.connection.rows("SELECT count(), sum(n) FROM t")

    def test_failing_statements_leave_nothing(self):
        late = "throwIf(number = 250000, 'too far')"
        for statement in [
                f"INSERT INTO t SELECT {late} + number, 1 FROM numbers({self.ROWS})",
                f"INSERT INTO t SELECT {late} + number, 1 FROM numbers({self.ROWS}) "
                "SETTINGS max_block_size = 1000, min_insert_block_size_rows = 1000, "
                "min_insert_block_size_bytes = 1",
                f"UPSERT INTO t SELECT {late} + number, 1 FROM numbers({self.ROWS})",
                f"IMPORT INTO t (id, n, {VERSION}, {MARK}) SELECT {late} + number, 1, "
                f"1000000 + number, 0 FROM numbers({self.ROWS})",
                "CREATE TABLE t2 ENGINE = MutableMergeTree ORDER BY id "
                f"AS SELECT {late} + number AS id FROM numbers({self.ROWS})"]:
            with self.subTest(statement):
                self.assertIn("too far", self.connection.fails(statement))
                self.assertEqual(self.rows(), [("2", "14")])
        self.connection.run(f"INSERT INTO t SELECT number, 1 FROM numbers({self.ROWS})")
        for statement in [
                "UPDATE t SET n = n + throwIf(id = 250000, 'too far') + 1 WHERE 1",
                "UPDATE t SET id = id + throwIf(id = 250000, 'too far') + 1 WHERE 1",
                "DELETE FROM t WHERE throwIf(id = 250000, 'too far') = 0"]:
            with self.subTest(statement):
                self.assertIn("too far", self.connection.fails(statement))
                self.assertEqual(self.rows(), [(str(self.ROWS), str(self.ROWS))])
        self.connection.close()
        self.server.restart()
        self.assertEqual(self.rows(), [(str(self.ROWS), str(self.ROWS))])
        self.assertEqual(self.connection.rows("SHOW TABLES LIKE 't%'"), [("t",)])

    def test_a_client_that_leaves(self):
        """A client that goes away amid a long INSERT: every look sees all of its rows or none."""
        statement = (
            "INSERT INTO t SELECT number + 2, if(number % 1000 = 0, sleepEachRow(0.001), 0) + 1 "
            f"FROM numbers({self.ROWS}) SETTINGS max_block_size = 10000")
        before, after = [("2", "14")], [(str(self.ROWS + 2), str(self.ROWS + 14))]
        for number, pause in enumerate([0.02, 0.1, 0.3, 0.6]):
            self.leave_amid(statement, pause)
            seen = self.looks(seconds=2)
            self.assertLessEqual(len(seen), 2, seen)
            self.assertTrue(all(look in (before, after) for look in seen), seen)
            self.assertIn(seen[-1], (before, after))
            # The table takes further changes, and what was seen last stays.
            self.connection.run(f"INSERT INTO t VALUES (0, 7), ({10_000_000 + number}, 0)")
            self.connection.run(f"DELETE FROM t WHERE id = {10_000_000 + number}")
            self.assertEqual(self.rows(), seen[-1])
            self.connection.run("DELETE FROM t WHERE id > 1")
            self.assertEqual(self.rows(), before)
        self.connection.run(statement)
        self.assertEqual(self.rows(), after)
        self.connection.close()
        self.server.restart()
        self.assertEqual(self.rows(), after)

    def leave_amid(self, statement, pause):
        client = UnixConnection(self.server.data / "magic.sock")
        client.request("POST", "/", statement)
        time.sleep(pause)
        client.close()

    def looks(self, seconds):
        """What the table shows, one look after another, without repetitions."""
        seen, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            look = self.rows()
            if not seen or look != seen[-1]:
                seen.append(look)
        return seen


class FormatTests(unittest.TestCase):
    def test_a_newer_format_is_refused(self):
        server = self.enterContext(Server())
        with server.connect() as connection:
            connection.run("CREATE TABLE t (id UInt32) ENGINE = MutableMergeTree ORDER BY id")
            connection.run("INSERT INTO t VALUES (1)")
        self.assertEqual(server.end(), 0, server.output())
        version = raise_format_version(server.data)
        self.assertGreater(version, 1)
        message = server.refused_start()
        self.assertIsNotNone(message, "a data folder of a newer format was opened")
        self.assertIn("format", message.lower())
        self.assertIn(str(version), message)
        self.assertEqual(len(message.strip().split("\n")), 1, message)

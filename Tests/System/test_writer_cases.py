"""The statements of public collections, as far as MariaDB takes them, copied and streamed: the copy equals
the source. They lie outside of the project (../shared/fixtures); without them the tests are skipped."""

import random
import re
import unittest

import pymysql

from compare import database_differences, mysql_name, stopped_tables
from harness import ROOT, MariaDB, Magic
from randomsql import RandomSource
from writer import SEED, SOAK, assert_equal, settle

FIXTURES = ROOT.parent / "shared/fixtures"
# Statements that would end the session or stop the server, or that are no changes.
LEFT_OUT = re.compile(r"(?i)^\s*(show|select|reset|shutdown|kill|lock|purge|set\s+global|set\s+password|grant|create\s+user)")
# How many files of DDL are streamed; each statement is a step of its own there.
STREAMED = 1000 if SOAK else 14


def statements(text):
    """Splits a script at the semicolons outside of quotes and comments."""
    pieces = re.findall(
        r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|--[ \t\n][^\n]*|\#[^\n]*|/\*.*?\*/|;|.""", text, re.S | re.X)
    current, found = [], []
    for piece in pieces:
        if piece == ";":
            found.append("".join(current).strip())
            current = []
        elif not piece.startswith("--") and not piece.startswith("#"):
            current.append(piece)
    found.append("".join(current).strip())
    return [statement for statement in found if statement]


def lines_of_statements(text):
    """One statement a line; what must come of it stands behind an arrow, in lines of their own."""
    lines = [line.strip().rstrip(";") for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith(("->", "#"))]


@unittest.skipUnless(FIXTURES.is_dir(), f"{FIXTURES} is absent")
class CaseTests(unittest.TestCase):
    def setUp(self):
        self.source = self.enterContext(MariaDB("--sql-mode=", "--innodb-strict-mode=OFF"))
        self.magic = self.enterContext(Magic())
        self.source.create_database("ctl")
        # For rows in tables that the scripts only define.
        self.rows = RandomSource(self.source, random.Random(SEED))
        self.addCleanup(self.rows.disconnect)
        self.accepted, self.refused = 0, 0

    def start(self):
        self.magic.start_replicate(self.source.url(), "--exclude", "rnd*.*", "--exclude", "Rnd*.*")

    def assert_all_equal(self, what, verify=False):
        try:
            assert_equal(self, self.source, self.magic, self.databases(), verify=verify)
        except AssertionError as error:
            self.fail(f"{what}: {error}")

    def databases(self):
        return [row[0] for row in self.source.rows("SHOW DATABASES")
                if row[0] not in ("mysql", "sys", "information_schema", "performance_schema", "test", "marker")
                and not row[0].lower().startswith("rnd")]

    def run_script(self, script, database=None, fills=False, before_drop=None):
        """Runs the statements that the server takes. With `fills` tables get rows as they appear."""
        with self.source.connect() as connection, connection.cursor() as cursor:
            if database is not None:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS {mysql_name(database)}")
                cursor.execute(f"USE {mysql_name(database)}")
            for statement in script:
                if LEFT_OUT.match(statement):
                    continue
                if before_drop is not None and re.match(r"(?i)drop\s+database", statement):
                    before_drop()
                try:
                    cursor.execute(statement)
                    self.accepted += 1
                except pymysql.err.Error:
                    self.refused += 1
                if fills:
                    self.fill(cursor, database)

    def fill(self, cursor, database):
        cursor.execute(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = %s", (database,))
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT COUNT(*) < 3 FROM {mysql_name(database, name)}")
            if cursor.fetchone()[0]:
                self.rows.forget()
                table = self.rows.table((database, name))
                session = self.rows.sessions[0]
                for _ in range(2):
                    values = ", ".join(
                        self.rows.value(session, column).replace("'0000-00-00'", "'2020-02-02'") for column in table.stored)
                    columns = ", ".join(mysql_name(column.name) for column in table.stored)
                    try:
                        cursor.execute(f"INSERT IGNORE INTO {mysql_name(database, name)} ({columns}) VALUES ({values})")
                    except (pymysql.err.Error, UnicodeEncodeError):
                        pass

    def drop_stopped(self):
        """A zero date in a key stops its table, and rightly; the others are compared."""
        for (database, table), reason in stopped_tables(self.magic).items():
            self.assertRegex(reason, "zero or partial date|invalid", f"{database}.{table}")
            self.source.execute(f"DROP TABLE {mysql_name(database, table)}")
        settle(self.magic, self.source)

    # Cases of row changes.

    def maxwell(self):
        folder = FIXTURES / "sql/maxwell"
        self.run_script(
            [*[statement for path in sorted((folder / "schema").glob("*.sql")) for statement in statements(path.read_text())],
             "CREATE TABLE minimal (id BIGINT AUTO_INCREMENT, account_id INT UNSIGNED NOT NULL, text_field VARCHAR(255), "
             "PRIMARY KEY (id, account_id))"], "shard_1")
        yield "rows.sql", lines_of_statements((folder / "rows/rows.sql").read_text()), "shard_1"
        self.run_script(["CREATE DATABASE IF NOT EXISTS test"])
        for path in sorted((folder / "json").iterdir()):
            yield path.name, lines_of_statements(path.read_text()), "shard_1"

    def test_row_changes_streamed(self):
        self.start()
        self.magic.catch_up(self.source, "ctl")
        for name, script, database in self.maxwell():
            self.run_script(script, database, before_drop=lambda: self.assert_all_equal(name))
            self.assert_all_equal(name)
        self.assert_all_equal("all", verify=True)
        print(f"           {self.accepted} statements, {self.refused} were refused", flush=True)
        self.assertGreater(self.accepted, 60)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    def test_row_changes_copied(self):
        for _, script, database in self.maxwell():
            self.run_script([line for line in script if not line.lower().startswith("drop database")], database)
        self.start()
        self.assert_all_equal("all", verify=True)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    # Definitions.

    def scripts(self):
        for folder, pattern in [("alter", "alter/*.sql"), ("table", "table/*.sql")]:
            for path in sorted((FIXTURES / "ddl/canal").glob(pattern)):
                yield f"canal_{folder}_{path.stem}", statements(path.read_text())
        for path in sorted((FIXTURES / "ddl/flink-cdc").glob("*.sql")):
            yield f"flink {path.stem}", statements(path.read_text())

    def test_definitions_copied(self):
        # Those that alter mostly end with nothing left.
        for name, script in self.scripts():
            if SOAK or "alter" not in name:
                self.run_script(script, name, fills="alter" not in name)
        self.start()
        settle(self.magic, self.source, seconds=180)
        self.drop_stopped()
        self.assert_all_equal("copied")
        print(f"           {self.accepted} statements, {self.refused} were refused", flush=True)
        self.assertGreater(self.accepted, 150)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    def test_definitions_streamed(self):
        self.start()
        self.magic.catch_up(self.source, "ctl")
        chosen = [script for script in self.scripts() if "alter" in script[0] or "flink" in script[0]]
        random.Random(SEED).shuffle(chosen)
        for number, (name, script) in enumerate(chosen[:STREAMED]):
            # Where all tables are dropped in the end there would be nothing to compare.
            middle = len(script) * 2 // 3
            for part in (script[:middle], script[middle:]):
                self.run_script(part, name, fills=True)
                settle(self.magic, self.source)
                self.drop_stopped()
                differences = database_differences(self.source, self.magic, [name])
                self.assertEqual(differences, [], f"{name} (file {number}), seed {SEED}, after:\n" + ";\n".join(part))
        self.assert_all_equal("all")
        print(f"           {self.accepted} statements, {self.refused} were refused", flush=True)
        self.assertGreater(self.accepted, 50)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])


if __name__ == "__main__":
    unittest.main()

"""The copy of tables beside the stream: while rows change, definitions change, processes are killed and
files of the binlog go; tables with every kind of key, and of extreme sizes."""

import random
import signal
import time
import unittest

import pymysql

from compare import assert_equal_databases, mysql_name, source_tables, stopped_tables
from harness import MariaDB, Magic, wait_until
from writer import (
    SEED, SOAK, Background, assert_equal, progress, reading, rows_sent, settle, table_states, wait_for_progress,
    writer_command)

ROWS = 2_000_000 if SOAK else 150_000
INCLUDE = ("--include", "d.*", "--include", "ctl.*")
BIG = ("CREATE TABLE big (id BIGINT PRIMARY KEY, k INT, v VARCHAR(100), w DOUBLE)",
       f"INSERT INTO big SELECT seq * 3, seq % 1000, SHA2(seq, 256), seq / 7 FROM seq_1_to_{ROWS}")


class Changes(Background):
    """Changes rows of d.big all the time: also the keys, and rows at both ends of it."""

    def __init__(self, source, pause=0.002):
        super().__init__()
        self.source, self.pause = source, pause
        self.choose, self.failure = random.Random(SEED), None

    def run(self):
        try:
            with self.source.connect(database="d") as connection, connection.cursor() as cursor:
                while not self.stopping.wait(self.pause):
                    key = self.choose.randint(1, ROWS * 3)
                    for statement in self.choose.choice([
                            [f"UPDATE big SET v = CONCAT('changed', {key}) WHERE id BETWEEN {key} AND {key + 30}"],
                            [f"DELETE FROM big WHERE id BETWEEN {key} AND {key + 10}"],
                            [f"INSERT IGNORE INTO big (id, v) VALUES ({key}, 'new')"],
                            [f"UPDATE IGNORE big SET id = {self.choose.randint(1, ROWS * 3)} WHERE id = {key // 3 * 3}"],
                            [f"REPLACE INTO big (id, v) VALUES ({key}, 'replaced')"],
                            ["BEGIN", f"DELETE FROM big WHERE id = {key}", f"INSERT IGNORE INTO big (id, v) VALUES ({key}, 'again')",
                             "COMMIT"],
                            ["BEGIN", f"DELETE FROM big WHERE id > {key} LIMIT 50", "ROLLBACK"]]):
                        cursor.execute(statement)
        except pymysql.err.Error as error:
            self.failure = error

    def __exit__(self, *_):
        super().__exit__()
        if self.failure:
            raise self.failure


class CopyTestCase(unittest.TestCase):
    def begin(self, *statements, options=(), big=True):
        self.source = self.enterContext(MariaDB(*options))
        self.magic = self.enterContext(Magic())
        self.source.create_database("ctl")
        self.source.create_database("d", *(BIG if big else ()), *statements)
        return self.source, self.magic

    def start(self, *options):
        self.magic.start_replicate(self.source.url(), *INCLUDE, *options)

    def assert_all_equal(self, ignored=(), verify=True):
        assert_equal(self, self.source, self.magic, ["d", "ctl"], ignored, verify=verify)

    def end(self):
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])


class LongCopyTests(CopyTestCase):
    SLOW = ("--copy-rate", "5MB", "--chunk-rows", "2000", "--copy-workers", "2")

    def test_killed_copies_go_on_where_they_were(self):
        source, magic = self.begin()
        source.execute("SET GLOBAL userstat = 1")
        rounds = 8 if SOAK else 4
        with Changes(source):
            copied = 0
            for number in range(1, rounds):
                self.start(*self.SLOW)
                copied = wait_for_progress(magic, "d", "big", ROWS * number // (rounds + 1))
                # What is not whole is not seen.
                self.assertIsNone(reading(magic, "SELECT count() FROM d.big"))
                self.assertEqual(magic.end(signal.SIGKILL if number % 2 else signal.SIGTERM),
                                 -signal.SIGKILL if number % 2 else 0, magic.output()[-2000:])
            source.execute("FLUSH USER_STATISTICS")
            self.start("--chunk-rows", "2000")
            self.assertGreaterEqual(wait_until(
                lambda: magic.is_answering() and (progress(magic, "d", "big") or
                                                  table_states(magic).get(("d", "big")) == "live" and ROWS), 30, "the copy"),
                copied * 0.9, "the copy began anew")
            settle(magic, source)
        # The rows that the source sent tell the same: not many more than were left.
        self.assertLess(rows_sent(source), ROWS * 1.15 - copied)
        self.assert_all_equal()
        self.end()

    def test_the_binlog_is_purged_and_definitions_change_during_the_copy(self):
        source, magic = self.begin(
            "CREATE TABLE small (id INT PRIMARY KEY, n INT)", "INSERT INTO small SELECT seq, seq FROM seq_1_to_1000",
            "CREATE TABLE doomed (id INT PRIMARY KEY) SELECT seq AS id FROM seq_1_to_50000",
            "CREATE TABLE moving (id INT PRIMARY KEY, n INT) SELECT seq AS id, seq AS n FROM seq_1_to_50000")
        with Changes(source):
            self.start(*self.SLOW)
            wait_for_progress(magic, "d", "big", ROWS // 10)
            for number in range(6):
                source.execute(
                    "FLUSH BINARY LOGS", f"ALTER TABLE big ADD COLUMN c{number} INT NOT NULL DEFAULT {number}",
                    f"ALTER TABLE small ADD COLUMN c{number} VARCHAR(20) DEFAULT 'é'",
                    f"UPDATE small SET c{number} = n", database="d")
                time.sleep(0.3)
                # The server keeps the file that the writer reads.
                position = magic.status().get("position")
                if position:
                    source.execute(f"PURGE BINARY LOGS TO '{position['file']}'")
                if number == 2:
                    source.execute(
                        "DROP TABLE doomed", "RENAME TABLE moving TO moved", "CREATE TABLE moving (x INT)",
                        "INSERT INTO moving VALUES (1), (1)", "ALTER TABLE big DROP COLUMN k, RENAME COLUMN w TO `w w`",
                        "TRUNCATE small", "INSERT INTO small (id) VALUES (7)", database="d")
                    # The process that takes over meets a copy in the middle and new definitions.
                    magic.end(signal.SIGKILL)
                    source.execute("ALTER TABLE big MODIFY v MEDIUMTEXT", "ALTER TABLE moved ADD m INT FIRST", database="d")
                    self.start(*self.SLOW)
                    wait_until(magic.is_answering, 60, "the start")
        magic.end(signal.SIGTERM)
        self.start()
        self.assert_all_equal()
        self.end()

    def test_tables_added_while_it_copies_and_later(self):
        source, magic = self.begin()
        source.execute("CREATE DATABASE other", "CREATE TABLE other.t (id INT PRIMARY KEY)", "INSERT INTO other.t VALUES (1)")
        with Changes(source):
            self.start("--copy-rate", "500KB", "--chunk-rows", "1000", "--copy-workers", "2")
            wait_for_progress(magic, "d", "big", 1000)
            source.execute(
                "CREATE TABLE d.added (id INT PRIMARY KEY, t TEXT)", "INSERT INTO d.added VALUES (1, 'x')",
                "CREATE TABLE d.alike LIKE d.big", "INSERT INTO d.alike SELECT * FROM d.big LIMIT 500",
                "CREATE TABLE d.chosen (PRIMARY KEY (id)) SELECT id, v FROM d.big LIMIT 300")
            # They need not wait for the large table.
            wait_until(lambda: reading(magic, "SELECT id, t FROM d.added") == [[b"1", b"x"]], 30, "the new table")
            self.assertEqual(table_states(magic)["d", "big"], "copying")
        self.end()
        # The rest need not be slow.
        # Tables that were there but not selected are copied when they are.
        magic.start_replicate(source.url(), *INCLUDE, "--include", "other.*")
        assert_equal(self, source, magic, ["d", "ctl", "other"])
        self.end()

    def test_the_rate_is_kept(self):
        source, magic = self.begin()
        size = ROWS * 100
        rate = size // 12
        start = time.monotonic()
        self.start("--copy-rate", str(rate), "--chunk-rows", "5000")
        settle(magic, source)
        took = time.monotonic() - start
        self.assertGreater(took, 5, "faster than the rate")
        self.assertLess(took, 40, "much slower than the rate")
        self.assert_all_equal(verify=False)
        self.end()

    def test_changes_wait_for_the_end_of_a_copy_over_a_pause(self):
        """A change that tells only a part of its row waits until that is copied, which can end in a pause."""
        source, magic = self.begin(options=["--binlog-row-image=MINIMAL"])
        self.start("--copy-rate", "2MB")
        wait_for_progress(magic, "d", "big", 1000)
        source.execute("UPDATE d.big SET v = 'changed' WHERE id % 5 = 0", "DELETE FROM d.big WHERE id % 7 = 0")
        wait_until(lambda: any(file.stat().st_size > 100_000 for file in (magic.data / "relay").glob("table-*")), 30,
                   "the changes")
        writer_command(magic, "pause")
        self.assertEqual(table_states(magic)["d", "big"], "copying")
        # All rows are there, and the changes still wait.
        wait_for_progress(magic, "d", "big", ROWS, 60)
        time.sleep(1)
        writer_command(magic, "resume")
        self.assert_all_equal()
        self.end()

    def test_until_caught_up(self):
        source, magic = self.begin()
        result = magic.run("replicate", "--source", source.url(), "--data", magic.data, *INCLUDE, "--until-caught-up")
        self.assertEqual(result.returncode, 0)
        assert_equal_databases_offline(self, source, magic)


def assert_equal_databases_offline(test, source, magic):
    """As assert_equal_databases, when no process has the folder open."""
    class Folder:
        http = staticmethod(lambda statement: magic.sql(statement))
    assert_equal_databases(test, source, Folder, ["d", "ctl"])


# Definitions of keys, and expressions of `seq` for their columns. Tables are read in ranges of them.
KEYS = {
    "bigint_unsigned": (["k BIGINT UNSIGNED"], ["IF(seq % 2, 18446744073709551615 - seq, seq)"]),
    "bigint": (["k BIGINT"], ["IF(seq % 2, -9223372036854775807 + seq, 9223372036854775807 - seq)"]),
    "tinyint": (["k TINYINT"], ["-128 + seq % 256"]),
    "gaps": (["k BIGINT"], ["seq * seq * seq * 1000"]),
    "text_general": (["k VARCHAR(30) COLLATE utf8mb4_general_ci"], ["CONCAT(CHAR(97 + seq % 26), ' Ä', seq)"]),
    "text_unicode": (["k VARCHAR(30) COLLATE utf8mb4_unicode_ci"], ["CONCAT(ELT(1 + seq % 5, 'ß', 'ç', 'z', 'Æ', '中'), seq)"]),
    "text_binary": (["k VARCHAR(30) COLLATE utf8mb4_bin"], ["CONCAT(ELT(1 + seq % 5, 'a', 'A', 'b''', '\\\\', '😀'), seq)"]),
    "text_nopad": (["k VARCHAR(30) COLLATE utf8mb4_nopad_bin"], ["CONCAT(seq DIV 3, REPEAT(' ', seq % 3))"]),
    "latin1": (["k VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_german2_ci"], ["CONCAT('ü', seq, 'ß')"]),
    "gbk": (["k VARCHAR(30) CHARACTER SET gbk"], ["CONCAT('中', seq)"]),
    "ucs2": (["k VARCHAR(30) CHARACTER SET ucs2"], ["CONCAT('ж', seq)"]),
    "char": (["k CHAR(12)"], ["LPAD(seq, 12, 'ab')"]),
    "binary": (["k BINARY(8)"], ["CONCAT(CHAR(seq % 256), CHAR(seq DIV 256), IF(seq % 5, '', '\\0'))"]),
    "varbinary": (["k VARBINARY(40)"], ["UNHEX(MD5(seq))"]),
    "decimal": (["k DECIMAL(40,12)"], ["(seq - 500) * 123456789.000001"]),
    "date": (["k DATE"], ["DATE_ADD('1899-12-25', INTERVAL seq DAY)"]),
    "datetime": (["k DATETIME(6)"], ["DATE_ADD('1969-12-31 23:59:59.999990', INTERVAL seq MICROSECOND)"]),
    "timestamp": (["k TIMESTAMP(3) DEFAULT '2000-01-01'"], ["FROM_UNIXTIME(1000000000 + seq / 1000)"]),
    "time": (["k TIME(1)"], ["SEC_TO_TIME(seq * 0.7 - 400)"]),
    "year": (["k YEAR"], ["1901 + seq % 250"]),
    "bit": (["k BIT(40)"], ["seq * 1000000"]),
    "enum": (["k ENUM('z','a','m')", "n INT"], ["1 + seq % 3", "seq"]),
    "set": (["k SET('z','a','m','é')", "n INT"], ["seq % 16", "seq"]),
    "uuid": (["k UUID"], ["CONCAT(LEFT(MD5(seq), 8), '-1234-1234-1234-', RIGHT(MD5(seq), 12))"]),
    "inet6": (["k INET6"], ["CONCAT(HEX(seq), '::', HEX(seq * 7 % 65536))"]),
    "inet4": (["k INET4"], ["CONCAT('10.', seq % 256, '.', seq DIV 256, '.1')"]),
    "composite": (["a VARCHAR(20)", "b DATE", "c DECIMAL(10,2)", "d BIGINT UNSIGNED"],
                  ["ELT(1 + seq % 4, 'x', 'Y', 'é', '')", "DATE_ADD('2020-01-01', INTERVAL seq % 6 DAY)", "seq % 5 / 4", "seq"]),
    "double": (["k DOUBLE"], ["seq / 7 - 50"]),
    "long": (["k VARCHAR(700)"], ["CONCAT(REPEAT('long', 150), seq)"]),
    "odd `name'\"\\": (["`k``'\"\\ y` INT"], ["seq"]),
}


def key_table(name, columns, expressions):
    names = ["`k``'\"\\ y`" if "``" in column else column.split()[0] for column in columns]
    key = "k(50)" if columns[0] == "k TEXT" else ", ".join(names)
    table = mysql_name(name)
    return [f"CREATE TABLE {table} ({', '.join(columns)}, seqno INT, PRIMARY KEY ({key})) CHARACTER SET utf8mb4",
            f"INSERT IGNORE INTO {table} SELECT {', '.join(expressions)}, seq FROM "
            "(SELECT CAST(seq AS SIGNED) AS seq FROM d.seq_1_to_900) AS numbers"]


class ShapeTests(CopyTestCase):
    def test_every_kind_of_key(self):
        statements = ["SET SESSION sql_mode = ''"]
        for name, (columns, expressions) in KEYS.items():
            statements += key_table(name, columns, expressions)
        for name in ("enum", "bigint_unsigned", "text_unicode", "decimal"):
            # A unique key serves as well; a copy of rows without any key is a multiset.
            statements += [f"CREATE TABLE {name}_unique LIKE `{name}`", f"ALTER TABLE {name}_unique DROP PRIMARY KEY, ADD UNIQUE KEY u "
                           f"({'k, n' if name == 'enum' else 'k'})", f"INSERT INTO {name}_unique SELECT * FROM `{name}`",
                           f"CREATE TABLE {name}_none SELECT * FROM `{name}`", f"INSERT INTO {name}_none SELECT * FROM `{name}`"]
        source, magic = self.begin(*statements, big=False)
        tables = [names[1] for names in source_tables(source, ["d"]) if names[1] != "marker"]
        for table in tables:
            self.assertGreater(source.rows(f"SELECT COUNT(*) FROM d.{mysql_name(table)}")[0][0], 15, table)
        self.start("--chunk-rows", "100", "--copy-workers", "4")
        # They change while they are copied, and afterwards.
        for number in range(2):
            for table in tables:
                source.execute(
                    f"UPDATE {mysql_name(table)} SET seqno = seqno + 1000 WHERE seqno % 7 = {number}",
                    f"DELETE FROM {mysql_name(table)} WHERE seqno % 11 = {number}",
                    f"DELETE FROM {mysql_name(table)} WHERE seqno % 5 = {number} LIMIT 3", database="d")
            if number == 0:
                settle(magic, source)
        self.assert_all_equal()
        self.end()

    def test_key_of_a_prefix(self):
        """Rows whose key differs in its first characters differ in the whole column, too."""
        source, magic = self.begin(*key_table("prefix", ["k TEXT", "n INT"], ["CONCAT(seq, REPEAT('t', 100))", "seq"]), big=False)
        self.start()
        settle(magic, source)
        source.execute("UPDATE d.prefix SET n = -n WHERE n % 3 = 0", "DELETE FROM d.prefix WHERE n % 10 = 1",
                       "UPDATE d.prefix SET k = CONCAT(k, '!') WHERE n % 7 = 0")
        self.assert_all_equal()
        self.end()

    def test_keyless_tables(self):
        source, magic = self.begin(
            "CREATE TABLE a (n INT, v VARCHAR(20))", "INSERT INTO a SELECT seq % 10, IF(seq % 3, 'x', NULL) FROM seq_1_to_20000",
            "CREATE TABLE f (x FLOAT, y DOUBLE, d DATE, b BLOB, s SET('p','q'), j JSON)",
            "INSERT INTO f SELECT 0.1, 1 / seq, '2020-02-02', 'b', 3, '[1]' FROM seq_1_to_3000",
            "INSERT INTO f VALUES (NULL, NULL, NULL, NULL, NULL, NULL), (-0.0, 0, NULL, '', '', NULL), (0, -0.0, NULL, '', '', NULL)",
            "INSERT INTO f SELECT * FROM f WHERE y < 0.01",
            "CREATE TABLE z (d DATETIME NULL)", "INSERT INTO z VALUES (NULL), (NULL)", big=False)
        self.start("--chunk-rows", "500")
        choose = random.Random(SEED)
        for _ in range(150):
            number = choose.randint(0, 12)
            source.execute(choose.choice([
                f"DELETE FROM a WHERE n = {number} LIMIT {choose.choice([1, 7, 500])}",
                f"UPDATE a SET v = 'y' WHERE n = {number} LIMIT {choose.choice([1, 50])}",
                f"UPDATE a SET n = n + 1 WHERE n = {number} LIMIT 30",
                f"INSERT INTO a VALUES ({number}, 'x'), ({number}, 'x'), ({number}, NULL)",
                "INSERT INTO a SELECT * FROM a LIMIT 700", "INSERT INTO f SELECT * FROM f LIMIT 20", "DELETE FROM f LIMIT 15",
                "UPDATE f SET x = -x LIMIT 40", "UPDATE f SET j = NULL, s = 'q' LIMIT 4", "INSERT INTO z VALUES (NULL), ('2020-01-01')",
                "DELETE FROM z LIMIT 1"]), database="d")
            if choose.random() < 0.04:
                magic.end(signal.SIGKILL)
                self.start("--chunk-rows", "500")
        self.assert_all_equal()
        # Everything once more in one transaction, and a key that is added and goes again.
        source.execute(
            "BEGIN", "UPDATE a SET n = n + 100", "DELETE FROM a WHERE v IS NULL", "INSERT INTO a SELECT * FROM a", "COMMIT",
            "ALTER TABLE a ADD COLUMN id INT NOT NULL AUTO_INCREMENT PRIMARY KEY", "UPDATE a SET v = 'keyed' WHERE id % 9 = 0",
            "ALTER TABLE a DROP COLUMN id", "DELETE FROM a LIMIT 100", "TRUNCATE f", "INSERT INTO f (x) VALUES (1), (1)", database="d")
        self.assert_all_equal()
        self.end()

    def test_generated_and_invisible_columns(self):
        source, magic = self.begin(
            "CREATE TABLE g (id INT PRIMARY KEY, a INT, v INT AS (a * 2) VIRTUAL, s VARCHAR(30) AS (CONCAT('s', a)) STORED, "
            "h INT INVISIBLE DEFAULT 4, z INT INVISIBLE)", "INSERT INTO g (id, a) SELECT seq, seq FROM seq_1_to_500",
            "CREATE TABLE gk (a INT, k INT AS (a + 1) STORED, PRIMARY KEY (a), UNIQUE (k))",
            "INSERT INTO gk (a) SELECT seq FROM seq_1_to_300", big=False)
        self.start()
        settle(magic, source)
        source.execute(
            "INSERT INTO g (id, a, z) VALUES (1000, 7, 9)", "UPDATE g SET a = a + 1 WHERE id % 5 = 0", "UPDATE gk SET a = a + 10000",
            "ALTER TABLE g ADD COLUMN late VARCHAR(20) AS (CONCAT(a, '!')) VIRTUAL", "UPDATE g SET a = 5 WHERE id = 3",
            "ALTER TABLE g MODIFY v BIGINT AS (a * 3) VIRTUAL", "UPDATE g SET a = 6 WHERE id = 4",
            "ALTER TABLE g ALTER COLUMN h SET DEFAULT 9", "ALTER TABLE g MODIFY h INT DEFAULT 5", "INSERT INTO g (id, a) VALUES (2000, 1)",
            "ALTER TABLE g DROP COLUMN s", "DELETE FROM g WHERE id < 10", database="d")
        self.assert_all_equal()
        self.end()

    def test_as_many_columns_as_a_table_can_have(self):
        columns = ", ".join(f"c{number} TINYINT" for number in range(1, 1017))
        # So many does one of these take; the limit is how large a definition may be.
        wide = ", ".join(f"c{number} TINYINT" for number in range(1, 2588))
        source, magic = self.begin(
            f"CREATE TABLE innodb (id INT PRIMARY KEY, {columns})",
            "INSERT INTO innodb (id, c1, c1016) SELECT seq, seq % 100, -1 FROM seq_1_to_50",
            f"CREATE TABLE aria (id INT PRIMARY KEY, {wide}) ENGINE=Aria", "INSERT INTO aria (id, c2500) VALUES (1, 5), (2, NULL)",
            big=False)
        self.start()
        settle(magic, source)
        source.execute(
            "UPDATE innodb SET c500 = id", "DELETE FROM innodb WHERE id = 3", "INSERT INTO innodb (id) VALUES (77)",
            "ALTER TABLE innodb DROP COLUMN c7", "UPDATE aria SET c9 = 9 WHERE id = 2", "INSERT INTO aria (id) VALUES (3)", database="d")
        # Tables without transactions may be refused, if plainly.
        stopped = stopped_tables(magic)
        self.assertLessEqual(set(stopped), {("d", "aria")}, stopped)
        self.assert_all_equal(ignored=set(stopped))
        self.end()

    def test_rows_of_64_mib(self):
        source, magic = self.begin(
            "CREATE TABLE fat (id INT PRIMARY KEY, b LONGBLOB, t LONGTEXT)",
            "INSERT INTO fat VALUES (1, REPEAT(x'00ff10', 20 << 20), 'x'), (2, REPEAT('b', 100), REPEAT('é', 30 << 20)), (3, NULL, '')",
            big=False)
        self.start()
        settle(magic, source)
        source.execute(
            "INSERT INTO fat VALUES (4, REPEAT('4', 64 << 20), NULL)", "UPDATE fat SET t = 'now short' WHERE id = 2",
            "UPDATE fat SET b = REPEAT('1', 63 << 20) WHERE id = 1", "INSERT INTO fat SELECT id + 10, b, t FROM fat WHERE id = 3",
            "DELETE FROM fat WHERE id = 4", "UPDATE fat SET id = 9 WHERE id = 1", database="d")
        settle(magic, source)
        sums = "SELECT id, {length}(b), {length}(t), {hash}(b), {hash}(t) FROM d.fat ORDER BY id"
        expected = source.rows(sums.format(length="LENGTH", hash="MD5"))
        found = magic.http("SELECT id, length(b), length(t), lower(hex(MD5(b))), lower(hex(MD5(t))) FROM d.fat ORDER BY id")
        self.assertEqual([[b"\\N" if value is None else str(value).encode() for value in row] for row in expected], found)
        self.end()

    def test_names_in_lower_case_and_odd_settings(self):
        """A server that folds names, and whose global settings would change what a session reads."""
        source, magic = self.begin(
            "CREATE TABLE MiXed (Id INT PRIMARY KEY, Name CHAR(10))", "INSERT INTO mixed VALUES (1, 'a')", big=False,
            options=("--lower-case-table-names=1", "--sql-mode=PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
                     "--default-time-zone=+07:00", "--character-set-server=gbk", "--init-connect=SET NAMES latin1",
                     "--transaction-isolation=READ-UNCOMMITTED", "--autocommit=OFF",
                     "--max-statement-time=30", "--net-write-timeout=5"))
        source.execute("SET GLOBAL sql_quote_show_create = OFF", "CREATE TABLE d.Times (id INT PRIMARY KEY, t TIMESTAMP NULL, c CHAR(8))",
                       "INSERT INTO d.times VALUES (1, '2020-01-01 00:00:00', 'x ')")
        self.start()
        settle(magic, source)
        source.execute(
            "INSERT INTO D.MIXED VALUES (2, 'B')", "ALTER TABLE d.MIXED ADD COLUMN Extra INT DEFAULT 2", "RENAME TABLE d.mixed TO d.RENAMED",
            "INSERT INTO d.renamed VALUES (3, 'c', 3)", "CREATE TABLE d.NEW LIKE d.Renamed", "INSERT INTO d.new SELECT * FROM d.renamed",
            "INSERT INTO d.TIMES VALUES (2, '2021-01-01 12:00:00', 'y')", "ALTER TABLE d.Times ADD u TIMESTAMP DEFAULT '2020-05-05 05:05:05'")
        self.assert_all_equal()
        self.end()

    def test_values_that_stop_a_copy_stop_no_other(self):
        source, magic = self.begin(
            "SET SESSION sql_mode = ''", "CREATE TABLE bad (d DATE, n INT, PRIMARY KEY (d, n))",
            "INSERT INTO bad SELECT '2020-01-01', seq FROM seq_1_to_5000", "INSERT INTO bad VALUES ('0000-00-00', 1)",
            "CREATE TABLE empty_geometry (id INT PRIMARY KEY, g GEOMETRY NOT NULL)", "INSERT IGNORE INTO empty_geometry (id) VALUES (1)",
            "CREATE TABLE good (id INT PRIMARY KEY)", "INSERT INTO good SELECT seq FROM seq_1_to_5000", big=False)
        self.start()
        settle(magic, source)
        stopped = stopped_tables(magic)
        self.assertIn(("d", "bad"), stopped)
        self.assertRegex(stopped["d", "bad"], "zero or partial date")
        self.assertLessEqual(set(stopped), {("d", "bad"), ("d", "empty_geometry")})
        source.execute("INSERT INTO d.good VALUES (9999)")
        self.assert_all_equal(ignored=set(stopped))
        self.end()


if __name__ == "__main__":
    unittest.main()

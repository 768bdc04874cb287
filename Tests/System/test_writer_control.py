"""How an operator steers replication and is told about it: `magic writer`, `magic status`, `magic verify`,
tables that stop, and changes of tables in small steps as tools make them."""

import signal
import threading
import time
import unittest

import pymysql

from compare import stopped_tables
from harness import MariaDB, Magic, wait_until
from writer import assert_equal, reading, settle, table_states, writer_command

INCLUDE = ("--include", "d.*")
# What a transaction is told that has to be tried again.
DEADLOCKS = (1205, 1213)


class ControlTestCase(unittest.TestCase):
    def begin(self, *statements, options=(), replicate=()):
        self.source = self.enterContext(MariaDB(*options))
        self.magic = self.enterContext(Magic())
        self.source.create_database("d", "CREATE TABLE t (id INT PRIMARY KEY, n INT)",
                                    "INSERT INTO t SELECT seq, 0 FROM seq_1_to_1000", *statements)
        self.start(*replicate)
        settle(self.magic, self.source, "d")
        return self.source, self.magic

    def start(self, *options):
        self.magic.start_replicate(self.source.url(), *INCLUDE, *options)

    def assert_all_equal(self, ignored=(), **options):
        assert_equal(self, self.source, self.magic, ["d"], ignored, database="d", **options)

    def end(self):
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    def wait_until_answering(self):
        wait_until(self.magic.is_answering, 60, "the start")


class CommandTests(ControlTestCase):
    def test_pause_and_resume(self):
        source, magic = self.begin()
        writer_command(magic, "pause")
        wait_until(lambda: magic.status()["phase"] == "paused", 30, "the pause")
        source.execute("UPDATE d.t SET n = 1")
        time.sleep(1)
        self.assertEqual(magic.http("SELECT sum(n) FROM d.t"), [[b"0"]])
        # What differs now is no fault of the copy.
        verified = magic.run("verify", "--data", magic.data, "--source", source.url(), *INCLUDE, check=False)
        self.assertNotEqual(verified.returncode, 0)
        self.assertIn("replication is paused", verified.stderr)
        writer_command(magic, "pause")
        writer_command(magic, "resume")
        settle(magic, source, "d")
        self.assert_all_equal()
        # A pause ends with the process.
        writer_command(magic, "pause")
        self.end()
        source.execute("UPDATE d.t SET n = 2")
        self.start()
        self.wait_until_answering()
        self.assert_all_equal()
        # And it is no obstacle for a kill or for a change of definitions meanwhile.
        writer_command(magic, "pause")
        source.execute("ALTER TABLE d.t ADD COLUMN m INT DEFAULT 3", "INSERT INTO d.t VALUES (5000, 1, 2)")
        magic.end(signal.SIGKILL)
        self.start()
        self.wait_until_answering()
        self.assert_all_equal()
        self.end()

    def test_interval(self):
        source, magic = self.begin()

        def delay(number):
            start = time.monotonic()
            source.execute(f"REPLACE INTO d.t VALUES (0, {number})")
            wait_until(lambda: reading(magic, "SELECT n FROM d.t WHERE id = 0") == [[str(number).encode()]], 30, "the row", 0.01)
            return time.monotonic() - start

        writer_command(magic, "interval", "3s")
        self.assertEqual(magic.status()["flushIntervalMilliseconds"], 3000)
        delay(1)
        self.assertGreater(max(delay(2), delay(3)), 1.5)
        writer_command(magic, "interval", "10ms")
        self.assertEqual(magic.status()["flushIntervalMilliseconds"], 10)
        delay(4)
        self.assertLess(min(delay(5), delay(6)), 0.6)
        for wrong in ["0ms", "abc", "-1s", "99999h"]:
            with self.subTest(wrong):
                self.assertGreater(writer_command(magic, "interval", wrong, check=False).returncode, 0)
        self.end()

    def test_skip_and_recopy(self):
        source, magic = self.begin("CREATE TABLE other (id INT PRIMARY KEY, n INT)", "INSERT INTO other VALUES (1, 1)",
                                   "CREATE TABLE `odd.name` (id INT PRIMARY KEY)")
        writer_command(magic, "skip", "d.other")
        wait_until(lambda: table_states(magic)["d", "other"] == "stopped", 30, "the skip")
        self.assertRegex(stopped_tables(magic)["d", "other"], "(?i)skip|operator|not followed")
        source.execute("UPDATE d.other SET n = 2", "INSERT INTO d.other VALUES (2, 2)", "UPDATE d.t SET n = 7",
                       "ALTER TABLE d.other ADD COLUMN late INT DEFAULT 4")
        settle(magic, source, "d")
        # It stays as it was, and the others go on; a start changes nothing about it.
        self.assertEqual(magic.http("SELECT id, n FROM d.other"), [[b"1", b"1"]])
        self.assert_all_equal(ignored={("d", "other")})
        magic.end(signal.SIGKILL)
        self.start()
        settle(magic, source, "d")
        self.assertEqual(table_states(magic)["d", "other"], "stopped")
        writer_command(magic, "recopy", "d.other")
        self.assert_all_equal()
        # A table that is followed can be copied anew as well, and is readable all the while.
        source.execute("INSERT INTO d.t SELECT seq, 1 FROM d.seq_2000_to_60000")
        settle(magic, source, "d")
        stopping, gaps = threading.Event(), []

        def read():
            while not stopping.wait(0.01):
                found = reading(magic, "SELECT count() > 58000 FROM d.t")
                if found != [[b"1"]]:
                    gaps.append(found)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            writer_command(magic, "recopy", "d.t")
            source.execute("UPDATE d.t SET n = n + 1 WHERE id % 3 = 0", "DELETE FROM d.t WHERE id % 100 = 1")
            settle(magic, source, "d")
        finally:
            stopping.set()
            reader.join()
        self.assertEqual(gaps, [])
        self.assert_all_equal()
        # One that is killed in the middle of it goes on.
        source.execute("INSERT INTO d.t SELECT seq, 1 FROM d.seq_100000_to_200000")
        writer_command(magic, "recopy", "d.t")
        magic.end(signal.SIGKILL)
        self.start()
        self.wait_until_answering()
        self.assert_all_equal()
        for wrong in (["recopy", "d.nothing"], ["skip", "d.nothing"], ["recopy", "elsewhere.t"], ["skip", "t"], ["recopy"], ["what"]):
            with self.subTest(wrong):
                result = writer_command(magic, *wrong, check=False)
                if wrong != ["recopy", "d.nothing"]:
                    self.assertGreater(result.returncode, 0, result.stdout)
        # Asking for what is not there has harmed nothing.
        self.assert_all_equal()
        self.end()

    def test_without_a_running_process(self):
        source, magic = self.begin()
        self.end()
        result = writer_command(magic, "pause", check=False)
        self.assertGreater(result.returncode, 0)
        self.assertEqual(len(result.stderr.strip().split("\n")), 1, result.stderr)


class StatusTests(ControlTestCase):
    def test_status(self):
        source, magic = self.begin("CREATE TABLE keyless (n INT)", "INSERT INTO keyless VALUES (1), (1)", "SET SESSION sql_mode = ''",
                                   "CREATE TABLE dates (id INT PRIMARY KEY, d DATE)", "INSERT INTO dates VALUES (1, '0000-00-00')")
        source.execute("UPDATE d.t SET n = 1", "INSERT INTO d.keyless VALUES (2)")
        settle(magic, source, "d")
        status = magic.status()
        self.assertEqual(status["phase"], "streaming")
        self.assertTrue(status["isCaughtUp"])
        self.assertEqual(status["lagSeconds"], 0)
        self.assertEqual(status["lagBytes"], 0)
        [[gtid]] = source.rows("SELECT @@gtid_binlog_pos")
        self.assertEqual(status["gtid"], gtid)
        [[file, offset, *_]] = source.rows("SHOW MASTER STATUS")
        self.assertEqual(status["position"], {"file": file, "offset": offset})
        self.assertEqual(status["flushIntervalMilliseconds"], 200)
        self.assertEqual(status["counters"]["zeroDates"], 1)
        self.assertGreaterEqual(status["counters"]["rowChanges"], 1001)
        self.assertGreaterEqual(status["counters"]["copiedRows"], 1003)
        self.assertEqual({table["name"]["table"]: table["state"] for table in status["tables"]},
                         {"marker": "live", "t": "live", "keyless": "live", "dates": "live"})
        text = magic.run("status", "--data", magic.data).stdout
        for word in ["streaming", "caught up", gtid, f"{file}:{offset}", "d.keyless: live"]:
            self.assertIn(word, text)
        # Lag, in bytes and seconds, while nothing is read.
        writer_command(magic, "pause")
        for _ in range(3):
            source.execute("UPDATE d.t SET n = n + 1")
        wait_until(lambda: (magic.status().get("lagBytes") or 0) > 30_000, 30, "the lag")
        self.assertFalse(magic.status()["isCaughtUp"])
        wait_until(lambda: (magic.status().get("lagSeconds") or 0) > 1, 30, "the lag")
        writer_command(magic, "resume")
        settle(magic, source, "d")
        wait_until(lambda: magic.status().get("transactionsPerSecond", 0) > 0, 20, "the rates")
        self.end()
        status = magic.status()
        self.assertEqual(status["phase"], "notRunning")
        self.assertIsNone(status.get("failure"))
        self.assertEqual({table["state"] for table in status["tables"]}, {"live"})

    def test_verify_tells_what_differs(self):
        source, magic = self.begin("CREATE TABLE keyless (n INT, v TEXT)", "INSERT INTO keyless SELECT seq % 9, 'x' FROM seq_1_to_300")

        def verify():
            return magic.run("verify", "--data", magic.data, "--source", source.url(), *INCLUDE, check=False)
        self.assertEqual(verify().returncode, 0)
        # What is not logged cannot be in the copy.
        source.execute("SET SESSION sql_log_bin = 0", "UPDATE d.t SET n = 99 WHERE id = 5", "DELETE FROM d.keyless LIMIT 1")
        result = verify()
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"d\.t.*\n?.*5")
        self.assertIn("d.keyless", result.stdout)
        writer_command(magic, "recopy", "d.t")
        writer_command(magic, "recopy", "d.keyless")
        settle(magic, source, "d")
        self.assertEqual(verify().returncode, 0)
        self.end()

    def test_verified_all_the_time(self):
        source, magic = self.begin(replicate=("--verify", "2s"))
        wait_until(lambda: magic.status().get("verification"), 30, "the first comparison", 0.2)
        self.assertNotIn("differ", magic.output())
        source.execute("SET SESSION sql_log_bin = 0", "UPDATE d.t SET n = 99 WHERE id = 5")
        wait_until(lambda: "differ" in magic.output(), 60, "the difference in the log", 0.2)
        self.assertIn("d.t", magic.output())
        self.assertIsNone(magic.process.poll())
        self.end()


class StoppingTests(ControlTestCase):
    def test_a_table_that_stops_stops_no_other(self):
        source, magic = self.begin(
            "SET SESSION sql_mode = ''", "CREATE TABLE dated (d DATE PRIMARY KEY, n INT)", "INSERT INTO dated VALUES ('2020-01-01', 1)",
            "CREATE TABLE spoilt (v VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY)", "INSERT INTO spoilt VALUES ('ok')",
            "CREATE TABLE with_system_versions (id INT PRIMARY KEY, n INT)")
        source.execute("SET SESSION sql_mode = ''", "BEGIN", "UPDATE d.t SET n = 5", "INSERT INTO d.dated VALUES ('0000-00-00', 2)",
                       "UPDATE d.t SET n = 6 WHERE id < 100", "COMMIT", "INSERT INTO d.dated VALUES ('2021-01-01', 3)",
                       "UPDATE d.t SET n = 8 WHERE id = 7")
        settle(magic, source, "d")
        stopped = stopped_tables(magic)
        self.assertEqual(set(stopped), {("d", "dated")})
        self.assertRegex(stopped["d", "dated"], "date")
        self.assertEqual(magic.http("SELECT d, n FROM d.dated"), [[b"2020-01-01", b"1"]])
        self.assert_all_equal(ignored=set(stopped))
        self.assertIn("dated", magic.run("status", "--data", magic.data).stdout)
        verified = magic.run("verify", "--data", magic.data, "--source", source.url(), *INCLUDE, check=False)
        self.assertEqual(verified.returncode, 1)
        self.assertIn("dated", verified.stdout + verified.stderr)
        # The cause is repaired at the source, and the table taken up again.
        source.execute("DELETE FROM d.dated WHERE n = 2")
        writer_command(magic, "recopy", "d.dated")
        self.assert_all_equal()
        # Or it goes at the source, and with it in the copy.
        source.execute("SET SESSION sql_mode = ''", "INSERT INTO d.dated VALUES ('0000-00-00', 2)")
        wait_until(lambda: table_states(magic).get(("d", "dated")) == "stopped", 30, "the stop")
        source.execute("DROP TABLE d.dated", "CREATE TABLE d.dated (id INT PRIMARY KEY)", "INSERT INTO d.dated VALUES (4)")
        self.assert_all_equal()
        self.end()

    def test_names_that_are_taken(self):
        """Tables of one's own keep their names, and names that the engine keeps for itself are no names for
        copies; such tables stop, and no others."""
        self.source = source = self.enterContext(MariaDB())
        self.magic = magic = self.enterContext(Magic())
        source.create_database(
            "d", "CREATE TABLE own (id INT PRIMARY KEY)", "INSERT INTO own VALUES (1)",
            "CREATE TABLE t (id INT PRIMARY KEY, n INT)", "INSERT INTO t VALUES (1, 1)")
        source.execute("CREATE DATABASE `system`", "CREATE TABLE `system`.t (id INT PRIMARY KEY)")
        magic.data.mkdir()
        for statement in ("CREATE DATABASE d", "CREATE TABLE d.own (s String) ENGINE = MutableMergeTree ORDER BY s",
                          "INSERT INTO d.own VALUES ('mine')", "CREATE VIEW d.seen AS SELECT 7 AS n"):
            magic.sql(statement)
        magic.start_replicate(source.url())
        settle(magic, source, "d")
        source.execute(
            "CREATE TABLE d.seen (id INT PRIMARY KEY)", "INSERT INTO d.seen VALUES (1)", "CREATE TABLE d.u (id INT PRIMARY KEY)",
            "INSERT INTO d.u VALUES (1)", "CREATE DATABASE information_schema2", "CREATE TABLE `system`.u (id INT PRIMARY KEY)",
            "UPDATE d.t SET n = 2")
        settle(magic, source, "d")
        source.execute("RENAME TABLE d.u TO d.seen2, d.seen TO d.u, d.seen2 TO d.seen")
        source.execute("INSERT INTO d.seen VALUES (2)", "INSERT INTO d.u VALUES (2)", "UPDATE d.t SET n = 3")
        settle(magic, source, "d")
        taken = "exists and is not a replicated table"
        for names, reason in {("d", "own"): taken, ("d", "seen"): taken, ("system", "t"): "keeps that name for itself",
                              ("system", "u"): "keeps that name for itself"}.items():
            self.assertIn(reason, stopped_tables(magic)[names])
        self.assertEqual(magic.http("SELECT s FROM d.own"), [[b"mine"]])
        self.assertEqual(magic.http("SELECT n FROM d.seen"), [[b"7"]])
        self.assertEqual(magic.http("SELECT n FROM d.t"), [[b"3"]])
        # When the name is free again.
        magic.sql("RENAME TABLE d.own TO d.mine")
        magic.sql("DROP VIEW d.seen")
        for name in ("own", "seen", "u"):
            writer_command(magic, "recopy", f"d.{name}")
        settle(magic, source, "d")
        self.assertEqual(stopped_tables(magic).keys(), {("system", "t"), ("system", "u")})
        self.assertEqual(magic.http("SELECT id FROM d.own"), [[b"1"]])
        self.assertEqual(magic.http("SELECT id FROM d.seen ORDER BY id"), [[b"1"], [b"2"]])
        self.assertEqual(magic.http("SELECT id FROM d.u ORDER BY id"), [[b"1"], [b"2"]])
        self.assertEqual(magic.http("SELECT s FROM d.mine"), [[b"mine"]])
        self.end()
        self.start()
        settle(magic, source, "d")
        self.end()

    def test_statements_in_place_of_rows(self):
        source, magic = self.begin()
        source.execute("SET SESSION binlog_format = STATEMENT", "UPDATE d.t SET n = 4 WHERE id < 10")

        def told():
            if magic.process.poll() is not None:
                return True
            return bool(stopped_tables(magic))
        wait_until(told, 30, "the stop", 0.2)
        if magic.process.poll() is None:
            self.assertRegex(stopped_tables(magic)["d", "t"], "(?i)statement")
        else:
            self.assertGreater(magic.process.returncode, 0)
            self.assertRegex(magic.output().strip().split("\n")[-1], "(?i)statement")
        # Nothing of it was guessed.
        self.assertEqual(magic.sql("SELECT sum(n) FROM d.t"), [[b"0"]])

    def test_what_foreign_keys_change_is_warned_of(self):
        source, magic = self.begin(
            "CREATE TABLE parent (id INT PRIMARY KEY)", "CREATE TABLE child (id INT PRIMARY KEY, p INT, "
            "CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL)",
            "CREATE TABLE strict (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
            "INSERT INTO parent VALUES (1), (2), (3)", "INSERT INTO child VALUES (1, 1), (2, 2)", "INSERT INTO strict VALUES (1, 3)")
        warnings = [line for line in magic.output().split("\n") if "foreign key" in line.lower() or "cascade" in line.lower()]
        self.assertTrue(any("d.child" in line for line in warnings), magic.output()[-2000:])
        self.assertFalse(any("d.strict" in line or "d.parent" in line for line in warnings), warnings)
        source.execute("DELETE FROM d.parent WHERE id = 1")
        settle(magic, source, "d")
        # The source does not log what it deleted in the other table. A comparison finds it.
        verified = magic.run("verify", "--data", magic.data, "--source", source.url(), *INCLUDE, check=False)
        self.assertEqual(verified.returncode, 1)
        self.assertIn("d.child", verified.stdout)
        writer_command(magic, "recopy", "d.child")
        self.assert_all_equal()
        # Tables that are made while it runs are warned of as well.
        source.execute("CREATE TABLE d.later (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES d.parent (id) ON DELETE CASCADE)")
        settle(magic, source, "d")
        self.assertIn("d.later", magic.output())
        self.end()


class OnlineSchemaChangeTests(ControlTestCase):
    """The tables of tools that rebuild a table beside itself; rows are written all the while."""

    def setUp(self):
        self.begin("CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40), n INT)",
                   "INSERT INTO orders (v, n) SELECT MD5(seq), seq FROM seq_1_to_20000")
        self.stopping, self.faults = threading.Event(), []
        self.threads = [threading.Thread(target=self.write, daemon=True), threading.Thread(target=self.read, daemon=True)]
        for thread in self.threads:
            thread.start()

    def write(self):
        with self.source.connect(database="d") as connection, connection.cursor() as cursor:
            number = 0
            while not self.stopping.wait(0.003):
                number += 1
                try:
                    cursor.execute(f"UPDATE orders SET n = n + 1 WHERE id = {number * 37 % 20000 + 1}")
                    cursor.execute(f"INSERT INTO orders (v, n) VALUES ('new', {number})")
                    if number % 10 == 0:
                        cursor.execute(f"DELETE FROM orders WHERE id = {number * 53 % 20000 + 1}")
                except pymysql.err.Error as error:
                    if error.args[0] not in DEADLOCKS:
                        self.faults.append(repr(error))

    def read(self):
        """The name is always there, with nearly all rows."""
        while not self.stopping.wait(0.02):
            found = reading(self.magic, "SELECT count() > 19000 FROM d.orders")
            if found != [[b"1"]] and self.magic.process.poll() is None:
                self.faults.append(f"read {found}")

    def stop_threads(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def finish(self, *columns):
        time.sleep(0.5)
        self.stop_threads()
        self.assert_all_equal()
        self.assertEqual([f for f in self.faults if "read" in f], [])
        self.assertEqual([f for f in self.faults if "read" not in f], [])
        names = [row[0].decode() for row in self.magic.http("DESCRIBE d.orders")]
        self.assertEqual(names, list(columns))
        self.end()

    def copy_chunks(self, target, columns):
        low = 0
        while low < 30000:
            try:
                self.source.execute(
                    f"INSERT IGNORE INTO {target} ({columns}) SELECT {columns} FROM orders WHERE id BETWEEN {low} AND {low + 2499} "
                    "LOCK IN SHARE MODE", database="d")
                low += 2500
            except pymysql.err.OperationalError as error:
                if error.args[0] not in DEADLOCKS:
                    raise

    def test_with_triggers(self):
        """As pt-online-schema-change does it."""
        self.source.execute(
            "CREATE TABLE _orders_new LIKE orders", "ALTER TABLE _orders_new ADD COLUMN extra INT NOT NULL DEFAULT 7, MODIFY n BIGINT",
            "CREATE TRIGGER pt_del AFTER DELETE ON orders FOR EACH ROW DELETE IGNORE FROM _orders_new WHERE id <=> OLD.id",
            "CREATE TRIGGER pt_upd AFTER UPDATE ON orders FOR EACH ROW REPLACE INTO _orders_new (id, v, n) VALUES (NEW.id, NEW.v, NEW.n)",
            "CREATE TRIGGER pt_ins AFTER INSERT ON orders FOR EACH ROW REPLACE INTO _orders_new (id, v, n) VALUES (NEW.id, NEW.v, NEW.n)",
            database="d")
        self.copy_chunks("_orders_new", "id, v, n")
        self.source.execute(
            "RENAME TABLE orders TO _orders_old, _orders_new TO orders", "DROP TABLE IF EXISTS _orders_old",
            "DROP TRIGGER IF EXISTS pt_del", "DROP TRIGGER IF EXISTS pt_upd", "DROP TRIGGER IF EXISTS pt_ins", database="d")
        self.finish("id", "v", "n", "extra")

    def test_with_a_ghost_table(self):
        """As gh-ost does it: the log of changes is applied to the ghost, and the two are swapped under a lock."""
        self.source.execute(
            "CREATE TABLE `_orders_ghc` (id BIGINT AUTO_INCREMENT PRIMARY KEY, last_update TIMESTAMP NOT NULL DEFAULT "
            "CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint VARCHAR(64) CHARACTER SET ascii NOT NULL, value VARCHAR(4096) "
            "CHARACTER SET ascii NOT NULL, UNIQUE KEY hint_uidx (hint)) AUTO_INCREMENT=256",
            "CREATE TABLE `_orders_gho` LIKE orders", "ALTER TABLE `_orders_gho` DROP COLUMN v, ADD COLUMN w VARCHAR(9) DEFAULT 'x' FIRST, "
            "ENGINE=InnoDB", "INSERT INTO _orders_ghc (hint, value) VALUES ('state', 'GhostTableMigrated') "
            "ON DUPLICATE KEY UPDATE value = VALUES(value)", database="d")
        self.copy_chunks("_orders_gho", "id, n")
        with self.source.connect(database="d") as locker, self.source.connect(database="d") as renamer:
            with locker.cursor() as lock, renamer.cursor() as rename:
                lock.execute("CREATE TABLE `_orders_del` (id INT AUTO_INCREMENT PRIMARY KEY) COMMENT='ghost-cut-over-sentry'")
                lock.execute("LOCK TABLES orders WRITE, `_orders_del` WRITE, `_orders_gho` WRITE")
                # What the log of changes would bring into the ghost.
                lock.execute("DELETE FROM _orders_gho")
                lock.execute("UNLOCK TABLES")
                lock.execute("LOCK TABLES orders WRITE, `_orders_del` WRITE, `_orders_gho` WRITE, orders AS o READ")
                lock.execute("INSERT INTO _orders_gho (id, n) SELECT id, n FROM orders AS o")
                waiting = threading.Thread(target=lambda: rename.execute(
                    "RENAME TABLE orders TO `_orders_del`, `_orders_gho` TO orders"), daemon=True)
                lock.execute("DROP TABLE `_orders_del`")
                waiting.start()
                time.sleep(0.3)
                lock.execute("UNLOCK TABLES")
                waiting.join(30)
                self.assertFalse(waiting.is_alive())
        # The writer of the test still names the column that is gone.
        self.source.execute("ALTER TABLE orders ADD COLUMN v VARCHAR(40)", "DROP TABLE _orders_ghc", "DROP TABLE _orders_del", database="d")
        time.sleep(0.3)
        self.faults = [fault for fault in self.faults if "Unknown column" not in fault]
        self.finish("w", "id", "n", "v")


if __name__ == "__main__":
    unittest.main()

import signal
import unittest

from compare import assert_equal_databases, assert_equal_tables
from harness import CommandFailed, MariaDB, Magic, wait_until


class StreamTests(unittest.TestCase):
    def test_goes_on_when_the_source_comes_back(self):
        with MariaDB() as source, Magic() as magic:
            source.create_database(
                "d", "CREATE TABLE t (id INT PRIMARY KEY, n INT)",
                "INSERT INTO t SELECT seq, 0 FROM seq_1_to_1000")
            magic.start_replicate(source.url(), "--include", "d.*")
            magic.catch_up(source, "d")
            source.stop_process(signal.SIGKILL)
            wait_until(lambda: magic.status()["phase"] == "reconnecting", 30, "the loss noticed")
            # What was copied stays readable.
            self.assertEqual(magic.sql("SELECT count() FROM d.t"), [[b"1000"]])
            source.start()
            source.execute("UPDATE d.t SET n = id", "FLUSH BINARY LOGS",
                           "DELETE FROM d.t WHERE id > 990", "FLUSH BINARY LOGS")
            magic.catch_up(source, "d")
            assert_equal_tables(self, source, magic, "d", "t", "id, n", "id")
            self.assertEqual(magic.end(), 0, magic.output())

    def test_statements_that_change_tables(self):
        with MariaDB() as source, Magic() as magic:
            source.create_database(
                "d", "CREATE TABLE altered (id INT PRIMARY KEY, n INT)",
                "INSERT INTO altered VALUES (1, 1)", "CREATE TABLE keyless (n INT)")
            magic.start_replicate(source.url(), "--include", "d.*")
            magic.catch_up(source, "d")
            source.execute(
                "CREATE TABLE made (id INT PRIMARY KEY, t VARCHAR(20)) DEFAULT CHARSET latin1",
                "INSERT INTO made VALUES (1, 'é'), (2, NULL)",
                "CREATE TABLE alike LIKE made", "INSERT INTO alike VALUES (3, 'ü')",
                "CREATE TABLE chosen (id INT PRIMARY KEY) SELECT id, t FROM made",
                "CREATE TEMPORARY TABLE brief (a INT)", "INSERT INTO brief VALUES (1)",
                "DROP TEMPORARY TABLE brief",
                "CREATE VIEW seen AS SELECT * FROM made",
                "ALTER TABLE altered ADD COLUMN m INT", "INSERT INTO altered VALUES (2, 2, 2)",
                "CREATE TABLE again (id INT PRIMARY KEY)", "INSERT INTO again VALUES (1), (2)",
                "DROP TABLE again", "CREATE TABLE again (id INT PRIMARY KEY, u BIGINT UNSIGNED)",
                "INSERT INTO again VALUES (3, 18446744073709551615)", database="d")
            wait_until(lambda: self.shows(magic, "d.again"), 60, "the stream")
            for table, columns in [
                    ("made", "id, t"), ("alike", "id, t"), ("chosen", "id, t"), ("again", "id, u")]:
                assert_equal_tables(self, source, magic, "d", table, columns, "id")
            assert_equal_databases(self, source, magic, ["d"])
            self.assertEqual(set(self.states(magic).values()), {"live"})
            self.assertEqual(magic.end(), 0, magic.output())
            # A later start does not do the statements twice.
            source.execute("INSERT INTO d.made VALUES (5, 'ß')", "INSERT INTO d.keyless VALUES (7), (7)")
            magic.start_replicate(source.url(), "--include", "d.*")
            wait_until(lambda: magic.is_answering() and magic.status()["isCaughtUp"], 60, "the end")
            assert_equal_databases(self, source, magic, ["d"])
            self.assertEqual(magic.end(), 0, magic.output())

    @staticmethod
    def shows(magic, table):
        try:
            return magic.http(f"SELECT count() FROM {table}") == [[b"1"]]
        except CommandFailed:
            return False

    @staticmethod
    def states(magic):
        return {table["name"]["table"]: table["state"] for table in magic.status()["tables"]}

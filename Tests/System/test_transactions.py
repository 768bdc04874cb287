"""Transactions and tokens when clients and servers die, against `magic serve`."""

import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import pyarrow as pa

from harness import wait_until
from protocol import action, command, parse, unpacked
from serving import REFUSED, SEED, SOAK, Service, new_database

TABLES = ("one", "two", "three")


class Client:
    """Statements and transactions over Flight SQL, on one connection."""

    def __init__(self, service):
        self.flight, self.options = service.arrow_flight()

    def update(self, statement, transaction=None):
        descriptor = command("CommandStatementUpdate", (1, statement), (2, transaction))
        writer, reader = self.flight.do_put(descriptor, pa.schema([]), self.options)
        result = reader.read()
        writer.close()
        return dict(parse(result.to_pybytes())).get(1, 0)

    def begin(self):
        [result] = self.flight.do_action(action("BeginTransaction"), self.options)
        return unpacked(result)[1]

    def end(self, transaction, how):
        list(self.flight.do_action(
            action("EndTransaction", (1, transaction), (2, how)), self.options))

    def commit(self, transaction):
        self.end(transaction, 1)

    def rollback(self, transaction):
        self.end(transaction, 2)

    def close(self):
        self.flight.close()


class TransactionTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()

    def setUp(self):
        if self.service.process.poll() is not None:
            self.service.start()
        self.database = new_database(self.service, *[
            f"CREATE TABLE {{}}.{name} (id UInt64, n UInt64) ENGINE = MutableMergeTree ORDER BY id"
            for name in TABLES])

    def value(self, statement):
        with self.service.connect() as connection:
            return connection.value(statement)

    def counts(self):
        return [self.value(f"SELECT count() FROM {self.database}.{name}") for name in TABLES]

    def write_three(self, client, transaction, number):
        for name in TABLES:
            client.update(
                f"INSERT INTO {self.database}.{name} VALUES ({number}, {number})", transaction)

    def stages_are_gone(self):
        """Nothing of what was set aside is left in storage."""
        return self.value(
            "SELECT count() FROM system.tables WHERE database = '_magic' AND "
            "match(name, '^u[0-9]+_x')") == 0

    def test_rollback_and_commit(self):
        client = Client(self.service)
        self.addCleanup(client.close)
        transaction = client.begin()
        self.write_three(client, transaction, 1)
        self.assertEqual(self.counts(), [0, 0, 0])
        client.rollback(transaction)
        self.assertEqual(self.counts(), [0, 0, 0])
        wait_until(self.stages_are_gone, 10, "the end of the stages")
        transaction = client.begin()
        self.write_three(client, transaction, 1)
        client.update(f"UPDATE {self.database}.one SET n = 5 WHERE id = 1", transaction)
        client.commit(transaction)
        self.assertEqual(self.counts(), [1, 1, 1])

    def test_a_transaction_that_fails_half_way_can_be_rolled_back(self):
        client = Client(self.service)
        self.addCleanup(client.close)
        transaction = client.begin()
        self.write_three(client, transaction, 1)
        with self.assertRaises(REFUSED):
            client.update(f"INSERT INTO {self.database}.one VALUES ('x', 1)", transaction)
        client.rollback(transaction)
        self.assertEqual(self.counts(), [0, 0, 0])

    def test_a_client_that_dies_leaves_nothing(self):
        program = (
            "import os, signal, sys\n"
            "import adbc_driver_flightsql.dbapi as dbapi\n"
            "connection = dbapi.connect(sys.argv[1])\n"
            "cursor = connection.cursor()\n"
            "for table in sys.argv[2:]:\n"
            "    cursor.execute(f'INSERT INTO {table} VALUES (1, 1)').fetchall()\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n")
        result = subprocess.run(
            [sys.executable, "-c", program, f"grpc://127.0.0.1:{self.service.flight}",
             *[f"{self.database}.{name}" for name in TABLES]], capture_output=True, text=True)
        self.assertEqual(result.returncode, -signal.SIGKILL, result.stderr)
        self.assertEqual(self.counts(), [0, 0, 0])
        # Others are not in its way, and a restart leaves nothing of it.
        client = Client(self.service)
        transaction = client.begin()
        self.write_three(client, transaction, 2)
        client.commit(transaction)
        client.close()
        self.assertEqual(self.counts(), [1, 1, 1])
        self.service.stop_cleanly()
        self.service.start()
        self.assertEqual(self.counts(), [1, 1, 1])
        self.assertTrue(self.stages_are_gone())

    def test_a_server_that_is_killed_leaves_nothing_of_an_open_transaction(self):
        client = Client(self.service)
        self.addCleanup(client.close)
        self.write_three(client, None, 1)
        transaction = client.begin()
        self.write_three(client, transaction, 2)
        self.service.kill()
        self.service.start()
        self.assertEqual(self.counts(), [1, 1, 1])
        again = Client(self.service)
        self.addCleanup(again.close)
        with self.assertRaises(REFUSED):
            again.commit(transaction)
        self.assertEqual(self.counts(), [1, 1, 1])
        self.assertTrue(self.stages_are_gone())

    def test_a_commit_to_three_tables_is_whole_when_the_server_is_killed(self):
        chance = random.Random(SEED)
        for round_number in range(50 if SOAK else 5):
            with self.subTest(round=round_number):
                self.kill_during_commits(chance.uniform(0.02, 0.8), round_number)

    def kill_during_commits(self, seconds, round_number):
        """Commits one transaction after another until the server dies."""
        acknowledged, attempted = [], []
        base = round_number * 1_000_000

        def commit_on_and_on():
            client = Client(self.service)
            try:
                for number in range(base, base + 1_000_000):
                    transaction = client.begin()
                    self.write_three(client, transaction, number)
                    attempted.append(number)
                    client.commit(transaction)
                    acknowledged.append(number)
            except Exception:
                pass  # the server is gone
            finally:
                client.close()

        thread = threading.Thread(target=commit_on_and_on)
        thread.start()
        time.sleep(seconds)
        self.service.kill()
        thread.join(60)
        self.assertFalse(thread.is_alive())
        self.service.start()
        with self.service.connect() as connection:
            stored = [
                {int(row[0]) for row in connection.rows(
                    f"SELECT id FROM {self.database}.{name} WHERE id >= {base}")}
                for name in TABLES]
        self.assertEqual(stored[0], stored[1])
        self.assertEqual(stored[0], stored[2])
        self.assertLessEqual(set(acknowledged), stored[0], "a commit that was told is gone")
        self.assertLessEqual(stored[0], set(attempted), "rows of no commit")

    def put(self, number, token):
        """The same rows, as a client sends them again that does not know whether they arrived."""
        with self.service.clickhouse(database=self.database) as client:
            client.insert(
                "keyless", [[number, each] for each in range(100)],
                settings={"insert_deduplication_token": token})

    def test_a_retried_put_writes_once(self):
        with self.service.connect() as connection:
            connection.run(
                f"CREATE TABLE {self.database}.keyless (id UInt64, n UInt64) "
                "ENGINE = MutableMergeTree")
        count = f"SELECT count() FROM {self.database}.keyless"
        for _ in range(3):
            self.put(1, "first")
        self.assertEqual(self.value(count), 100)
        self.service.kill()
        self.service.start()
        self.put(1, "first")
        self.assertEqual(self.value(count), 100)
        self.put(1, "second")
        self.assertEqual(self.value(count), 200)
        # Killed while it writes, and told again: once, whichever way it went.
        chance = random.Random(SEED)
        for round_number in range(10 if SOAK else 3):
            timer = threading.Timer(chance.uniform(0, 0.1), self.service.kill)
            timer.start()
            try:
                self.put(2, f"killed {round_number}")
            except Exception:
                pass
            timer.join()
            self.service.start()
            self.put(2, f"killed {round_number}")
            self.assertEqual(self.value(count), 300 + 100 * round_number)


if __name__ == "__main__":
    unittest.main()

import os
import random
import signal
import subprocess
import threading
import time
import unittest

from compare import assert_equal_tables
from harness import CommandFailed, MariaDB, Magic, spawn, wait_until
from test_sysbench import sysbench

SOAK = bool(os.environ.get("MAGIC_SOAK"))
KILLS, AT_LEAST, SECONDS = (20, 20, 3600) if SOAK else (20, 8, 45)
ACCOUNTS, BALANCE = 2_000, 1_000
INCLUDE = ("--include", "bank.*", "--include", "sbtest.*")
# Rows of each of the tables that sysbench changes all the while.
LOAD_ROWS = 100_000 if SOAK else 10_000


class Writer(threading.Thread):
    """Transfers between accounts. Every transaction logs itself and counts itself, so in every
    committed state the balances sum up to the same, and the log is as long as the count."""

    def __init__(self, source, choose):
        super().__init__(daemon=True)
        self.source, self.choose = source, choose
        self.stopping = threading.Event()

    def run(self):
        connection = self.source.connect(database="bank", autocommit=False)
        with connection, connection.cursor() as cursor:
            while not self.stopping.wait(0.003):
                giver, taker = self.choose.sample(range(1, ACCOUNTS + 1), 2)
                amount = self.choose.randint(1, 9)
                change = "UPDATE accounts SET balance = balance + %s WHERE id = %s"
                cursor.execute(change, (-amount, giver))
                cursor.execute(change, (amount, taker))
                cursor.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
                cursor.execute("INSERT INTO log SELECT n, %s FROM counter", "x" * amount)
                connection.commit()

    def stop(self):
        self.stopping.set()
        self.join()


class Watcher(threading.Thread):
    """Reads all the time what the copy shows, also right after a kill, and notes every step
    backwards and every state, of all tables together, that no transaction of the source ever
    left."""

    STATE = ("SELECT (SELECT n FROM bank.counter WHERE id = 1), (SELECT count() FROM bank.log), "
             "(SELECT sum(balance) FROM bank.accounts)")

    def __init__(self, magic, ownership):
        super().__init__(daemon=True)
        self.magic, self.ownership = magic, ownership
        self.stopping = threading.Event()
        self.newest, self.longest, self.reads, self.faults = 0, 0, 0, []

    def run(self):
        while not self.stopping.wait(0.05):
            self.read()

    def read(self):
        try:
            # Without a running replicate the read owns the data folder, so no start beside it.
            with self.ownership:
                [[count, log, balance]] = self.magic.sql(self.STATE, timeout=60)
        except CommandFailed:
            return  # killed under the read, or not yet copied
        self.reads += 1
        count, log, balance = int(count), int(log), int(balance)
        if count < self.newest:
            self.faults.append(f"the counter went from {self.newest} back to {count}")
        if log < self.longest:
            self.faults.append(f"the log went from {self.longest} rows back to {log}")
        if balance != ACCOUNTS * BALANCE or log != count:
            self.faults.append(f"no such commit: balance {balance}, log {log}, count {count}")
        self.newest = max(self.newest, count)
        self.longest = max(self.longest, log)

    def stop(self):
        self.stopping.set()
        self.join()


class KillTests(unittest.TestCase):
    def test_every_kill_is_survived(self):
        choose = random.Random(int(os.environ["MAGIC_SEED"]))
        with MariaDB() as source, Magic() as magic:
            source.create_database(
                "bank",
                "CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
                "CREATE TABLE counter (id INT PRIMARY KEY, n BIGINT NOT NULL)",
                "CREATE TABLE log (id BIGINT PRIMARY KEY, note VARCHAR(20))",
                f"INSERT INTO accounts SELECT seq, {BALANCE} FROM seq_1_to_{ACCOUNTS}",
                "INSERT INTO counter VALUES (1, 0)")
            source.create_database("sbtest")
            subprocess.run(
                sysbench(source, "prepare", rows=LOAD_ROWS), check=True, stdout=subprocess.DEVNULL)
            load = spawn(
                sysbench(source, "--time=0", "--rate=100", "run", rows=LOAD_ROWS),
                source.folder / "sysbench.log")
            ownership = threading.Lock()
            writer, watcher = Writer(source, choose), Watcher(magic, ownership)
            writer.start()
            watcher.start()
            try:
                kills = self.kill_again_and_again(source, magic, choose, ownership, watcher)
                writer.stop()
                load.terminate()
                load.wait()
                self.start(source, magic, ownership)
                magic.catch_up(source, "bank")
            finally:
                writer.stop()
                load.kill()
                watcher.stop()
            print(f"           {kills} kills, {watcher.reads} reads, newest {watcher.newest}")

            self.assertEqual(watcher.faults, [])
            self.assertGreaterEqual(kills, AT_LEAST)
            self.assertGreater(watcher.newest, 0)
            for table, columns in [
                    ("accounts", "id, balance"), ("counter", "id, n"), ("log", "id, note")]:
                assert_equal_tables(self, source, magic, "bank", table, columns, "id")
            for number in range(1, 5):
                assert_equal_tables(
                    self, source, magic, "sbtest", f"sbtest{number}", "id, k, c, pad", "id")
            self.assertEqual(magic.end(), 0, magic.output())

    def kill_again_and_again(self, source, magic, choose, ownership, watcher):
        kills, deadline = 0, time.monotonic() + SECONDS
        while kills < KILLS and (kills < AT_LEAST or time.monotonic() < deadline):
            if kills % 2:
                # An early kill meets the opening of the data folder, recovery or the copy.
                with ownership:
                    magic.start_replicate(source.url(), *INCLUDE)
                    time.sleep(choose.uniform(0.05, 1.5))
                    self.kill(magic)
            else:
                self.start(source, magic, ownership)
                time.sleep(choose.uniform(0.5, 5))
                self.kill(magic)
            kills += 1
            if choose.random() < 0.5:
                watcher.read()
        return kills

    def kill(self, magic):
        self.assertEqual(magic.end(signal.SIGKILL), -signal.SIGKILL, magic.output())

    @staticmethod
    def start(source, magic, ownership):
        """Starts replication and waits until it answers, so that no read opens the folder first."""
        with ownership:
            magic.start_replicate(source.url(), *INCLUDE)
            wait_until(magic.is_answering, 60, "the start of magic replicate")

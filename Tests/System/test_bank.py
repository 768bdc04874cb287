"""A bank over three tables: whatever reads it, through whatever interface and however slowly, sees
whole transactions of the source, and is told which."""

import bisect
import random
import signal
import subprocess
import threading
import time
import unittest
import urllib.request

import adbc_driver_manager.dbapi as dbapi
import pyarrow
import pyarrow.flight

from harness import MAGIC, MariaDB, free_port, spawn, wait_until
from protocol import command
from serving import SEED, SOAK, Service
from test_adbc_so import DRIVER

SECONDS = 60 if SOAK else 25
ACCOUNTS, BALANCE = 200, 1_000
TABLES = ("checking", "savings", "credit")
TOTAL = len(TABLES) * ACCOUNTS * BALANCE
# Each state of the accounts has a checksum of its own, or nearly.
WEIGHT = {name: 10_007 ** index for index, name in enumerate(TABLES)}

PART = "(SELECT sum(balance) FROM bank.{0})"
CHECK = "(SELECT sum(balance * id) FROM bank.{0}) * {1}"
SLOW = "(SELECT sum(balance) + sleep({1}) FROM bank.{0})"
TOLD = "magicCommitPoint(), magicGTID()"


def checksum_of(reading):
    return " + ".join(reading(name) for name in TABLES)


STATEMENTS = {
    "join": (
        "SELECT sum(a.balance + b.balance + c.balance), "
        + "sum((a.balance * {0} + b.balance * {1} + c.balance * {2}) * a.id)".format(
            *WEIGHT.values())
        + f", any({TOLD.split(', ')[0]}), any({TOLD.split(', ')[1]}) "
        "FROM bank.checking AS a JOIN bank.savings AS b ON a.id = b.id "
        "JOIN bank.credit AS c ON c.id = b.id"),
    "in": (
        "SELECT " + checksum_of(
            lambda name: f"(SELECT sum(balance) FROM bank.{name} WHERE id IN "
                         f"(SELECT id FROM bank.{TABLES[0]}) AND id IN bank_ids)")
        + ", " + checksum_of(lambda name: CHECK.format(name, WEIGHT[name])) + f", {TOLD}"),
    "view": f"SELECT total, weighted, {TOLD} FROM bank_total",
    "slow": (
        "SELECT " + " + ".join(
            SLOW.format(name, delay) for name, delay in zip(TABLES, (0.25, 0.4, 0)))
        + ", " + checksum_of(lambda name: CHECK.format(name, WEIGHT[name])) + f", {TOLD}"),
}
VIEWS = [
    "CREATE OR REPLACE VIEW bank_ids AS SELECT id FROM bank.credit",
    "CREATE OR REPLACE VIEW bank_all AS " + " UNION ALL ".join(
        f"SELECT id, balance, {WEIGHT[name]} AS weight FROM bank.{name}" for name in TABLES),
    "CREATE OR REPLACE VIEW bank_total AS SELECT sum(balance) AS total, "
    "sum(balance * id * weight) AS weighted FROM bank_all",
]


class Teller(threading.Thread):
    """Transfers at full speed, each from one table to another, and what became of them."""

    def __init__(self, source, choose):
        super().__init__(daemon=True)
        self.source, self.choose = source, choose
        self.stopping = threading.Event()
        # By number: what a transaction added to the checksum.
        self.history = []

    def run(self):
        connection = self.source.connect(database="bank", autocommit=False)
        with connection, connection.cursor() as cursor:
            while not self.stopping.is_set():
                giver, taker = self.choose.sample(TABLES, 2)
                one, other = (self.choose.randint(1, ACCOUNTS) for _ in range(2))
                amount = self.choose.randint(1, 99)
                # In one order, so that tellers do not wait for each other in a circle.
                for name, account, change in sorted(
                        [(giver, one, -amount), (taker, other, amount)]):
                    cursor.execute(
                        f"UPDATE {name} SET balance = balance + %s WHERE id = %s",
                        (change, account))
                connection.commit()
                cursor.execute("SELECT @@last_gtid")
                number = int(cursor.fetchone()[0].split("-")[2])
                change = amount * (other * WEIGHT[taker] - one * WEIGHT[giver])
                self.history.append((number, change))

    def stop(self):
        self.stopping.set()
        self.join()


class Reader(threading.Thread):
    """Reads all the time, and goes on when the server was killed under it."""

    def __init__(self, name, read):
        super().__init__(daemon=True)
        self.name, self.read = name, read
        self.stopping = threading.Event()
        self.reads, self.interrupted = [], 0

    def run(self):
        while not self.stopping.is_set():
            for kind, statement in STATEMENTS.items():
                if self.stopping.is_set():
                    return
                try:
                    total, weighted, commit, gtid = self.read(statement)
                except Exception as error:  # each library has its own kinds
                    self.interrupted += 1
                    self.last_error = error
                    time.sleep(0.1)
                    continue
                self.reads.append((kind, int(total), int(weighted), int(commit), str(gtid)))

    def stop(self):
        self.stopping.set()
        self.join()


class Bank:
    """The server's addresses, and how each interface reads."""

    def __init__(self, service, flight, http):
        self.service, self.flight, self.http = service, flight, http

    def over_http(self, statement):
        url = f"http://127.0.0.1:{self.http}/?default_format=TSV"
        with urllib.request.urlopen(url, statement.encode(), timeout=30) as response:
            body, headers = response.read().decode(), response.headers
        if "__exception__" in body:
            raise RuntimeError(body)
        row = body.rstrip("\n").split("\t")
        # The headers tell the same as the statement itself.
        if [headers["X-Magic-Commit-Point"], headers["X-Magic-GTID"]] != row[2:]:
            raise AssertionError(f"the headers tell of another commit point: {dict(headers)}")
        return row

    def over_flight(self, statement):
        with pyarrow.flight.connect(f"grpc://127.0.0.1:{self.flight}") as client:
            options = pyarrow.flight.FlightCallOptions(timeout=30)
            info = client.get_flight_info(
                command("CommandStatementQuery", (1, statement)), options)
            table = client.do_get(info.endpoints[0].ticket, options).read_all()
        return list(table.to_pylist()[0].values())

    def over_driver(self, statement):
        with dbapi.connect(
                driver=str(DRIVER), autocommit=True,
                db_kwargs={"uri": f"http://127.0.0.1:{self.http}"}) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchone()

    def over_command(self, statement):
        result = subprocess.run(
            [str(MAGIC), "sql", "--connect", f"http://127.0.0.1:{self.http}", "-e", statement,
             "--format", "TabSeparated"], capture_output=True, text=True, timeout=60)
        if result.returncode:
            raise RuntimeError(result.stderr)
        return result.stdout.rstrip("\n").split("\t")


class BankTests(unittest.TestCase):
    def test_every_read_is_a_state_of_the_source(self):
        choose = random.Random(SEED)
        with MariaDB() as source:
            self.make_bank(source)
            flight, http = free_port(), free_port()
            service = Service("--source", source.url(), "--include", "bank.*")
            self.addCleanup(service.stop)
            self.start(service, flight, http)
            wait_until(lambda: self.has_tables(service), 60, "the copy")
            with service.connect() as connection:
                for view in VIEWS:
                    connection.run(view)
            bank = Bank(service, flight, http)
            tellers = [Teller(source, random.Random(choose.random())) for _ in range(2)]
            readers = [
                Reader("HTTP", bank.over_http), Reader("Flight SQL", bank.over_flight),
                Reader(".so", bank.over_driver), Reader("magic sql", bank.over_command)]
            for thread in tellers + readers:
                thread.start()
            kills = 0
            try:
                deadline = time.monotonic() + SECONDS
                while time.monotonic() < deadline:
                    time.sleep(choose.uniform(3, 6))
                    service.kill()
                    kills += 1
                    self.start(service, flight, http)
                # Long enough for a read of each kind without a kill.
                time.sleep(4)
            finally:
                for thread in tellers + readers:
                    thread.stop()
            self.check(source, tellers, readers, kills)

    @staticmethod
    def make_bank(source):
        source.create_database(
            "bank",
            *[f"CREATE TABLE {name} (id INT PRIMARY KEY, balance BIGINT NOT NULL)"
              for name in TABLES],
            *[f"INSERT INTO {name} SELECT seq, {BALANCE} FROM seq_1_to_{ACCOUNTS}"
              for name in TABLES])

    @staticmethod
    def start(service, flight, http):
        service.process = spawn(
            [MAGIC, "serve", "--data", service.data, "--flight", f"127.0.0.1:{flight}",
             "--http", f"127.0.0.1:{http}", *service.options], service.log)
        wait_until(service.answers_ping, 60, "the start of magic serve", interval=0.01)

    @staticmethod
    def has_tables(service):
        try:
            with service.connect() as connection:
                return connection.value("SELECT count() FROM bank.credit") == ACCOUNTS
        except Exception:
            return False

    def check(self, source, tellers, readers, kills):
        changes = sorted(change for teller in tellers for change in teller.history)
        start = sum(BALANCE * (ACCOUNTS * (ACCOUNTS + 1) // 2) * WEIGHT[name] for name in TABLES)
        numbers, checksums = [0], [start]
        for number, change in changes:
            numbers.append(number)
            checksums.append(checksums[-1] + change)
        for reader in readers:
            kinds = {kind for kind, *_ in reader.reads}
            self.assertEqual(
                kinds, set(STATEMENTS),
                f"{reader.name}: {getattr(reader, 'last_error', None)!r}")
            newest = (0, 0)
            for kind, total, weighted, commit, gtid in reader.reads:
                where = f"{reader.name}, {kind}, at {gtid}, commit {commit}"
                self.assertEqual(total, TOTAL, where)
                number = int(gtid.split("-")[2])
                state = bisect.bisect_right(numbers, number) - 1
                self.assertEqual(weighted, checksums[state], where)
                self.assertGreaterEqual((commit, number), newest, where)
                newest = (commit, number)
        print(f"           {len(changes)} transfers, {kills} kills; reads: " + ", ".join(
            f"{reader.name} {len(reader.reads)} ({reader.interrupted} interrupted)"
            for reader in readers))


if __name__ == "__main__":
    unittest.main()

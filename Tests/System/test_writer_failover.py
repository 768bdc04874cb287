"""Two servers that replicate each other, and a writer that follows one of them at a time: nothing is
lost or comes twice, and versions only grow."""

import random
import signal
import threading
import time
import unittest
from urllib.parse import quote

import pymysql

from harness import PASSWORD, USER, MariaDB, Magic, wait_until
from writer import SEED, SOAK, Background, assert_equal, reading

ROUNDS = 8 if SOAK else 3
ACCOUNTS = 50


class Server(MariaDB):
    """One of the two. What it gets from the other it logs too."""

    def __init__(self, number, *options):
        super().__init__(
            f"--server-id={number}", "--log-slave-updates", "--gtid-strict-mode=ON", f"--report-port={number}", *options)

    def follow(self, other):
        self.execute(
            "STOP SLAVE", f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={other.port}, MASTER_USER='{USER}', "
            f"MASTER_PASSWORD='{PASSWORD}', MASTER_USE_GTID=current_pos, MASTER_CONNECT_RETRY=1", "START SLAVE")

    def gtid(self):
        return self.rows("SELECT @@gtid_binlog_pos")[0][0]

    def wait_for(self, gtid):
        """Waits until it has what another server has logged up to `gtid`."""
        def numbers(text):
            return {each.split("-")[0]: int(each.split("-")[2]) for each in text.split(",") if each}

        def has_it():
            found = numbers(self.gtid())
            return all(found.get(domain, 0) >= number for domain, number in numbers(gtid).items())
        wait_until(has_it, 60, f"{gtid} at the other server")


class Bank(Background):
    """Transfers between accounts, each in one transaction that counts and logs itself. It writes to the
    server that is the first one at present."""

    def __init__(self, server):
        super().__init__()
        self.server, self.choose = server, random.Random(SEED)
        self.lock, self.failure = threading.Lock(), None

    def run(self):
        while not self.stopping.wait(0.002):
            with self.lock:
                try:
                    self.transfer()
                except (pymysql.err.Error, OSError) as error:
                    self.failure = error
                    return

    def transfer(self):
        giver, taker = self.choose.sample(range(1, ACCOUNTS + 1), 2)
        with self.server.connect(database="bank", autocommit=False) as connection, connection.cursor() as cursor:
            cursor.execute(f"UPDATE accounts SET balance = balance - 1 WHERE id = {giver}")
            cursor.execute(f"UPDATE accounts SET balance = balance + 1 WHERE id = {taker}")
            cursor.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
            cursor.execute("INSERT INTO log SELECT n, @@server_id FROM counter")
            cursor.execute("INSERT INTO keyless SELECT n FROM counter")
            connection.commit()


class Watcher(Background):
    """Notes every state of the copy that the bank never had, and every step backwards."""

    STATE = ("SELECT (SELECT n FROM bank.counter), (SELECT count() FROM bank.log), (SELECT sum(balance) FROM bank.accounts), "
             "(SELECT max(id) FROM bank.log)")

    def __init__(self, magic):
        super().__init__()
        self.magic, self.newest, self.reads, self.faults = magic, 0, 0, []

    def run(self):
        while not self.stopping.wait(0.05):
            try:
                found = reading(self.magic, self.STATE)
            except Exception:  # killed in the middle of an answer
                continue
            if found is None:
                continue
            self.reads += 1
            count, log, balance, last = (0 if field == b"\\N" else int(field) for field in found[0])
            if count != log or last != count or balance != ACCOUNTS * 100:
                self.faults.append(f"counter {count}, log {log} up to {last}, balance {balance}")
            if count < self.newest:
                self.faults.append(f"from {self.newest} back to {count}")
            self.newest = max(self.newest, count)


class FailoverTests(unittest.TestCase):
    def begin(self, *options):
        self.first = self.enterContext(Server(1, *options))
        self.second = self.enterContext(Server(2, *(option.replace("domain-id=1", "domain-id=2") for option in options)))
        self.magic = self.enterContext(Magic())
        self.first.create_database(
            "bank", "CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
            "CREATE TABLE counter (id INT PRIMARY KEY, n BIGINT NOT NULL)", "CREATE TABLE log (id BIGINT PRIMARY KEY, server INT)",
            # What comes twice is seen here.
            "CREATE TABLE keyless (n BIGINT)",
            f"INSERT INTO accounts SELECT seq, 100 FROM seq_1_to_{ACCOUNTS}", "INSERT INTO counter VALUES (1, 0)")
        self.second.follow(self.first)
        self.second.wait_for(self.first.gtid())
        self.first.follow(self.second)

    def start(self):
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self.first, self.second))
        self.magic.start_replicate(f"mysql://{USER}:{quote(PASSWORD, safe='')}@{hosts}", "--include", "bank.*")

    def fail_over(self, bank, how, choose):
        """Ends the server that is written to, when the other has everything; it comes back later."""
        with bank.lock:
            old, new = bank.server, (self.second if bank.server is self.first else self.first)
            new.wait_for(old.gtid())
            old.stop_process(how)
            bank.server = new
        time.sleep(choose.uniform(0.2, 1.5))
        if choose.random() < 0.5:
            self.magic.end(signal.SIGKILL)
            self.start()
        self.magic.catch_up(new, "bank", 60)
        old.start()
        old.follow(new)
        old.wait_for(new.gtid())

    def assert_versions(self):
        """What was logged later has the higher version. A row may be there twice when it was copied while
        it came by the stream; the copied one has the lowest version of all."""
        versions = {}
        for number, version in self.magic.http("SELRAW id, _INTERNAL_VERSION FROM bank.log"):
            versions.setdefault(int(number), set()).add(int(version))
        lowest = min((version for each in versions.values() for version in each), default=0)
        streamed = [(number, sorted(each - {lowest})) for number, each in sorted(versions.items()) if each - {lowest}]
        twice = [(number, each) for number, each in streamed if len(each) > 1]
        self.assertEqual(twice[:5], [], f"{len(twice)} of {len(streamed)} rows were applied twice, with other versions")
        order = [each[0] for _, each in streamed]
        self.assertEqual(order, sorted(set(order)), "versions in the order of the log")

    def check(self, *options):
        choose = random.Random(SEED)
        self.begin(*options)
        with Bank(self.first) as bank:
            self.start()
            self.magic.catch_up(self.first, "bank")
            with Watcher(self.magic) as watcher:
                for number in range(ROUNDS):
                    self.fail_over(bank, signal.SIGKILL if number % 2 == 0 else signal.SIGTERM, choose)
                    self.assert_versions()
                time.sleep(0.5)
        self.assertIsNone(bank.failure)
        assert_equal(self, bank.server, self.magic, ["bank"], database="bank", verify=False)
        verified = self.magic.run("verify", "--data", self.magic.data, "--source", bank.server.url(), check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        self.assert_versions()
        self.assertEqual(watcher.faults, [], f"{watcher.reads} reads")
        self.assertGreater(watcher.newest, 100)
        servers = {row[0] for row in bank.server.rows("SELECT DISTINCT server FROM bank.log")}
        self.assertEqual(servers, {1, 2})
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    def test_there_and_back_again(self):
        self.check()

    def test_a_domain_for_each_server(self):
        self.check("--gtid-domain-id=1")

    def test_a_server_that_lacks_what_the_copy_has(self):
        """The other one has not got everything: the writer waits for it, and goes on once it has."""
        self.begin()
        self.start()
        self.magic.catch_up(self.first, "bank")
        self.second.execute("STOP SLAVE")
        self.first.execute("UPDATE bank.counter SET n = 5", "INSERT INTO bank.log SELECT seq, 1 FROM bank.seq_1_to_5")
        self.magic.catch_up(self.first, "bank")
        self.first.stop_process(signal.SIGKILL)
        time.sleep(2)
        if self.magic.process.poll() is None:
            self.assertNotEqual(self.magic.status()["phase"], "streaming")
            self.assertEqual(reading(self.magic, "SELECT n FROM bank.counter"), [[b"5"]])
        else:
            self.assertRegex(self.magic.output(), "lacks|behind|transactions")
            self.start()
        self.first.start()
        self.second.execute("START SLAVE")
        self.second.wait_for(self.first.gtid())
        self.first.stop_process(signal.SIGKILL)
        self.second.execute("INSERT INTO bank.log VALUES (6, 2)", "UPDATE bank.counter SET n = 6")
        if self.magic.process.poll() is not None:
            self.start()
        self.magic.catch_up(self.second, "bank", 60)
        assert_equal(self, self.second, self.magic, ["bank"], database="bank", verify=False)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    def test_a_server_with_another_history(self):
        """The other one took writes in the place of what the copy has: the writer says so and does not
        mix them."""
        self.begin()
        self.start()
        self.magic.catch_up(self.first, "bank")
        self.first.execute("STOP SLAVE")
        self.second.execute("STOP SLAVE")
        self.first.execute("INSERT INTO bank.log VALUES (1, 1)", "UPDATE bank.counter SET n = 1")
        self.magic.catch_up(self.first, "bank")
        for number in range(20):
            self.second.execute(f"INSERT INTO bank.log VALUES ({number + 100}, 2)")
        self.first.stop_process(signal.SIGKILL)
        wait_until(lambda: self.magic.process.poll() is not None
                   or self.magic.status()["phase"] == "reconnecting", 60, "the writer's word", 0.2)
        time.sleep(2)
        if self.magic.process.poll() is None:
            self.assertEqual(reading(self.magic, "SELECT count() FROM bank.log"), [[b"1"]])
            self.magic.end()
        else:
            self.assertGreater(self.magic.process.returncode, 0)
            self.assertEqual(self.magic.sql("SELECT count() FROM bank.log"), [[b"1"]])
        self.assertRegex(self.magic.output(), "(?i)diverged|other transactions|another history|lacks|not have")
        self.assertNotIn("s3cret", self.magic.output())


if __name__ == "__main__":
    unittest.main()

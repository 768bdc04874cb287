"""The Spark connector on several executors, some of which are killed, while jobs are aborted and the
source goes on: reads see one state of the source, and writes count once."""

import os
import random
import signal
import threading
import time

import sparking
from harness import MariaDB, wait_until
from serving import SEED, SOAK, Service, new_database, shared
from sparking import SparkTests, catalog

SECONDS = 60 if SOAK else 8
ACCOUNTS = 2000
spark = None


def setUpModule():
    global spark
    spark = SparkTests.spark = sparking.start(
        "local-cluster[2,1,1024]", {"magic": {}, "divided": {"splits": 8, "splitRows": 1, "batchRows": 500}},
        **{"spark.executor.memory": "1g", "spark.task.maxFailures": 8})


def tearDownModule():
    if spark is not None:
        spark.stop()


def executors():
    """The processes of the executors of this session's cluster."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            port = spark.sparkContext.getConf().get("spark.driver.port").encode()
            if any(b"CoarseGrainedExecutorBackend" in word for word in words) and any(
                    b":" + port in word for word in words):
                found.append(int(entry))
    return found


def slowly(frame, seconds=1.5):
    """The frame, whose tasks rest amid their rows."""
    schema = frame.schema

    def rest(batches):
        for number, batch in enumerate(batches):
            yield batch.slice(0, batch.num_rows // 2)
            if number == 0:
                time.sleep(seconds)
            yield batch.slice(batch.num_rows // 2)
    return frame.mapInArrow(rest, schema)


class FaultTests(SparkTests):
    def setUp(self):
        wait_until(lambda: len(executors()) == 2, 60, "two executors")
        self.database = new_database(
            shared(), "CREATE TABLE {}.numbers (id Int64, v Int64) ENGINE = MutableMergeTree ORDER BY id",
            "INSERT INTO {}.numbers SELECT number, number * 3 FROM numbers(80000)",
            "CREATE TABLE {}.bag (id Int64, v Int64) ENGINE = MutableMergeTree ORDER BY tuple()")
        self.source = spark.table(f"divided.{self.database}.numbers")

    def kill_one(self, after=1.0):
        """Kills an executor amid a job."""
        killed = []

        def kill():
            killed.append(random.Random(SEED).choice(executors()))
            os.kill(killed[0], signal.SIGKILL)
        timer = threading.Timer(after, kill)
        timer.start()
        self.addCleanup(timer.join)
        return killed

    def bag(self):
        with shared().connect() as connection:
            return connection.rows(f"SELECT count(), uniqExact(id), sum(v) FROM {self.database}.bag")

    def test_an_executor_is_lost_while_reading(self):
        killed = self.kill_one(2.0)
        found = slowly(self.source).selectExpr("count(*)", "count(DISTINCT id)", "sum(v)").collect()
        self.assertEqual(tuple(found[0]), (80000, 80000, 3 * 80000 * 79999 // 2))
        self.assertTrue(killed)

    def test_an_executor_is_lost_while_writing(self):
        killed = self.kill_one(2.0)
        slowly(self.source).writeTo(f"magic.{self.database}.bag").append()
        self.assertEqual(self.bag(), [("80000", "80000", str(3 * 80000 * 79999 // 2))])
        self.assertTrue(killed)

    def test_a_job_that_is_aborted(self):
        timer = threading.Timer(2.5, spark.sparkContext.cancelAllJobs)
        timer.start()
        self.fails("cancel", run=lambda: slowly(self.source, 30).writeTo(f"magic.{self.database}.bag").append())
        timer.join()
        self.assertEqual(self.bag(), [("0", "0", "0")])
        self.assertEqual(spark.table(f"magic.{self.database}.bag").count(), 0)


class Teller(threading.Thread):
    """Moves money between accounts of two tables of the source, at full speed."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source, self.stopping, self.count = source, threading.Event(), 0

    def run(self):
        choose = random.Random(SEED)
        connection = self.source.connect(database="bank", autocommit=False)
        with connection, connection.cursor() as cursor:
            while not self.stopping.is_set():
                for table, sign in (("checking", 1), ("savings", -1)):
                    cursor.execute(f"UPDATE {table} SET balance = balance + %s WHERE id = %s",
                                   (sign * (self.count % 97), choose.randrange(ACCOUNTS)))
                connection.commit() if choose.random() < 0.9 else connection.rollback()
                self.count += 1


class BankTests(SparkTests):
    def test_the_bank_as_spark_sees_it(self):
        """However Spark reads, it sees whole transactions of the source, of both tables at once."""
        with MariaDB() as source:
            source.create_database(
                "bank", *(f"CREATE TABLE {table} (id INT PRIMARY KEY, balance BIGINT NOT NULL)" for table in ("checking", "savings")),
                *(f"INSERT INTO {table} SELECT seq - 1, 1000 FROM seq_1_to_{ACCOUNTS}" for table in ("checking", "savings")))
            service = Service("--source", source.url(), "--include", "bank.*")
            teller = Teller(source)
            try:
                service.start()
                for name, options in {"bank": {}, "parts": {"splits": 5, "splitRows": 1, "pushDown": "false"}}.items():
                    for key, value in catalog(name, service.url(""), **options).items():
                        spark.conf.set(key, str(value))
                with service.connect() as connection:
                    wait_until(lambda: connection.value(
                        "SELECT count() FROM system.tables WHERE database = 'bank' AND name IN ('checking', 'savings')") == 2, 60, "the copy")
                teller.start()
                self.watch(teller)
                self.fails("belongs to replication", run=lambda: spark.sql("INSERT INTO bank.bank.savings VALUES (-1, 5)"))
                self.fails("belongs to replication", run=lambda: spark.sql("UPDATE bank.bank.savings SET balance = 0"))
            finally:
                teller.stopping.set()
                if teller.is_alive():
                    teller.join()
                service.stop()

    def watch(self, teller):
        end, states, questions = time.monotonic() + SECONDS, set(), 0
        union = ("SELECT sum(balance), count(*), max(state) FROM (SELECT balance, _commit_point AS state FROM {}.bank.checking "
                 "UNION ALL SELECT balance, _commit_point FROM {}.bank.savings)")
        join = "SELECT sum(a.balance + b.balance), count(*) * 2, max(a._commit_point) FROM {}.bank.checking a JOIN {}.bank.savings b ON a.id = b.id"
        while time.monotonic() < end:
            for query in (union, join):
                for name in ("bank", "parts"):
                    total, count, state = spark.sql(query.replace("{}", name)).collect()[0]
                    self.assertEqual((total, count), (2 * ACCOUNTS * 1000, 2 * ACCOUNTS), f"after {teller.count} transfers")
                    states.add(state)
                    questions += 1
        self.assertGreater(len(states), questions // 2, "the states hardly changed")

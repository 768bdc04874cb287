"""The Spark connector where Spark runs slow tasks twice: each row counts once. Spark speculates only beside another host,
so this is a cluster of two, which are two addresses of the loopback interface."""

import os
import re
import shutil
import subprocess
import sys
import time
import unittest

import sparking
from harness import ROOT, temporary_folder, wait_until
from serving import SOAK, new_database, shared
from sparking import SparkTests

SPARK = ROOT / ".deps/pyspark/pyspark"
ROWS = 40000
REST = 8
spark = None
processes = []


def launch(folder, kind, host, *arguments):
    """Starts a master or a worker; gives the file that it logs to."""
    log = folder / f"{kind}-{host}.log"
    environment = {
        **os.environ, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": host, "SPARK_WORKER_DIR": str(folder / host),
        "SPARK_CONF_DIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with open(log, "wb") as file:
        processes.append(subprocess.Popen(
            [SPARK / "bin/spark-class", f"org.apache.spark.deploy.{kind.lower()}.{kind}", "--host", host, "--port", "0",
             "--webui-port", "0", *arguments], stdout=file, stderr=subprocess.STDOUT, env=environment, cwd=folder))
    return log


def setUpModule():
    global spark
    folder = temporary_folder("spark-cluster")
    unittest.addModuleCleanup(end, folder)
    (folder / "log4j2.properties").write_text(
        "rootLogger.level = info\nrootLogger.appenderRef.out.ref = out\nappender.out.type = Console\nappender.out.name = out\n"
        "appender.out.layout.type = PatternLayout\nappender.out.layout.pattern = %m%n\n")
    log = launch(folder, "Master", "127.0.0.1")
    found = []

    def is_up():
        found[:] = re.findall(r"Starting Spark master at (spark://\S+)", log.read_text())
        return found
    wait_until(is_up, 60, "the master")
    for host in ("127.0.0.1", "127.0.0.2"):
        launch(folder, "Worker", host, "--cores", "2", "--memory", "1g", found[0])
    spark = SparkTests.spark = sparking.start(
        found[0], {"magic": {}, "divided": {"splits": 4, "splitRows": 1}},
        **{"spark.executor.memory": "512m", "spark.speculation": "true", "spark.speculation.interval": "100ms",
           "spark.speculation.quantile": "0.5", "spark.speculation.multiplier": "1.1", "spark.speculation.minTaskRuntime": "500ms"})
    wait_until(lambda: spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() == 3, 60, "two executors")


def end(folder):
    if spark is not None:
        spark.stop()
    for each in processes:
        each.terminate()
    for each in processes:
        each.wait(60)
    shutil.rmtree(folder)


def first_attempts_rest(batches):
    """The rows, with the number of the attempt; that of one part rests amid its rows, and ends long after the job."""
    import pyarrow
    from pyspark import TaskContext
    task = TaskContext.get()
    for batch in batches:
        for part in (batch.slice(0, batch.num_rows // 2), batch.slice(batch.num_rows // 2)):
            attempts = pyarrow.array([task.attemptNumber()] * part.num_rows, pyarrow.int64())
            yield pyarrow.RecordBatch.from_arrays([part.column(0), attempts], ["id", "v"])
            if task.partitionId() == 1 and task.attemptNumber() == 0:
                time.sleep(REST)


class SpeculationTests(SparkTests):
    def setUp(self):
        self.database = new_database(
            shared(), "CREATE TABLE {}.numbers (id Int64, v Int64) ENGINE = MutableMergeTree ORDER BY id",
            f"INSERT INTO {{}}.numbers SELECT number, number FROM numbers({ROWS})",
            "CREATE TABLE {}.bag (id Int64, v Int64) ENGINE = MutableMergeTree ORDER BY tuple()")
        self.slow = spark.table(f"divided.{self.database}.numbers").mapInArrow(first_attempts_rest, "id long, v long")

    def check(self, rows, count):
        """Each row is there once, and some are of a second attempt."""
        self.assertEqual(rows[0][:3], (count, count, count * (count - 1) // 2))
        self.assertGreater(rows[0][3], 0)

    @unittest.skipUnless(SOAK, "for `make soak`")
    def test_reading(self):
        found = self.slow.selectExpr("count(*)", "count(DISTINCT id)", "sum(id)", "sum(v)").collect()
        self.check([tuple(found[0])], ROWS)

    def test_writing(self):
        start = time.monotonic()
        self.slow.writeTo(f"magic.{self.database}.bag").append()
        with shared().connect() as connection:
            rows = connection.rows(f"SELECT count(), uniqExact(id), sum(id), sum(v) FROM {self.database}.bag")
            self.check([tuple(map(int, rows[0]))], ROWS)
            # The attempt that lost ends later, and is not seen then, either.
            time.sleep(max(0, REST + 2 - (time.monotonic() - start)))
            self.assertEqual(connection.rows(f"SELECT count(), uniqExact(id), sum(id), sum(v) FROM {self.database}.bag"), rows)

"""Real Spark with catalogs of `magic serve`, for the tests of the connector."""

import http.client
import json
import logging
import os
import subprocess
import sys
import unittest
from pathlib import Path

from harness import ROOT
from serving import shared

sys.path.insert(0, str(ROOT / ".deps/pyspark"))
os.environ["PYSPARK_PYTHON"] = sys.executable
logging.getLogger("SQLQueryContextLogger").disabled = True

from py4j.protocol import Py4JJavaError  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

JAR = ROOT / ".build-spark/spark-magic.jar"


def start(master="local[2]", catalogs=None, **settings):
    """A session of Spark whose catalogs, by their options, are all of the shared server."""
    subprocess.run([ROOT / "scripts/build-spark"], check=True)
    builder = SparkSession.builder.master(master).appName("magic")
    settings = {
        "spark.jars": JAR, "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF",
        "spark.sql.shuffle.partitions": 2, "spark.sql.session.timeZone": "UTC",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": "/nonexistent",
    } | settings
    for name, options in ({"magic": {}} if catalogs is None else catalogs).items():
        settings |= catalog(name, shared().url(""), **options)
    for key, value in settings.items():
        builder = builder.config(key, str(value))
    return builder.getOrCreate()


def catalog(name, url, **options):
    """The settings of a catalog."""
    prefix = f"spark.sql.catalog.{name}"
    return {prefix: "magic.spark.MagicCatalog", f"{prefix}.url": url} | {
        f"{prefix}.{key}": value for key, value in options.items()}


def show_files(spark, folder, tables):
    """Makes Parquet files, by the names of their tables, tables of the session."""
    for table in tables:
        spark.read.parquet(str(Path(folder) / f"{table}.parquet")).createOrReplaceTempView(table)


def call(service, route, **members):
    """The answer of a server."""
    connection = http.client.HTTPConnection("127.0.0.1", service.http_port, timeout=60)
    try:
        connection.request("POST", f"/magic/v1/{route}", json.dumps(members))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def listed(service=None):
    """The snapshots that the server keeps."""
    return call(service or shared(), "snapshots/list")["snapshots"]


def snapshots(service=None):
    """The names of the snapshots that the server keeps."""
    return {each["id"] for each in listed(service)}


def rows(frame):
    """The rows of a frame, sorted by their text. NaN is equal to itself."""
    def value(each):
        return "NaN" if each != each else each
    return sorted((tuple(map(value, row)) for row in frame.collect()), key=repr)


def plan(frame):
    """The optimized plan."""
    return frame._jdf.queryExecution().optimizedPlan().toString()


def statement(frame):
    """What the only scan of a frame asks the server."""
    text = frame._jdf.queryExecution().executedPlan().toString()
    lines = [each for each in text.split("\n") if "BatchScan" in each and " SELECT " in each]
    if len(lines) != 1:
        raise AssertionError(f"{len(lines)} scans:\n{text}")
    line = lines[0]
    return line[line.index(" SELECT ") + 1:].split(" RuntimeFilters")[0]


class SparkTests(unittest.TestCase):
    maxDiff = None
    spark = None

    def equal(self, sql, pushed=None, absent=(), ordered=False, catalog="magic"):
        """A query (`{}` stands for the catalog) gives what Spark computes by itself. What the server
        is asked contains `pushed`, and the plan none of `absent`."""
        frame = self.spark.sql(sql.replace("{}", catalog))
        expected = self.spark.sql(sql.replace("{}", "plain"))
        if ordered:
            self.assertEqual(frame.collect(), expected.collect(), sql)
        else:
            self.assertEqual(rows(frame), rows(expected), sql)
        for part in [pushed] if isinstance(pushed, str) else pushed or ():
            self.assertIn(part, statement(frame), sql)
        for node in absent:
            self.assertNotIn(node, plan(frame), sql)
        return frame

    def fails(self, *parts, run):
        with self.assertRaises((PySparkException, Py4JJavaError)) as caught:
            run()
        for part in parts:
            self.assertIn(part, str(caught.exception))

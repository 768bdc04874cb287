"""What a real Spark writes by the connector: rows, changes of rows, and tables, each job's all at once
or not at all, however often its tasks are tried."""

import json
import re
import shutil
import signal
import threading
import time
import unittest
import urllib.request
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import sparking
from harness import free_port, temporary_folder, wait_until
from serving import SOAK, Service, new_database, shared
from sparking import SparkTests, rows

from pyspark import TaskContext  # after sparking, which tells where it is
from pyspark.sql import functions
from pyspark.sql.types import BinaryType, LongType, StructType, TimestampNTZType

spark = None


def setUpModule():
    """Tasks are tried up to three times."""
    global spark
    spark = SparkTests.spark = sparking.start(
        "local[2, 3]", {"magic": {}, "plain": {"pushDown": "false"}, "small": {"batchRows": 100}})


def tearDownModule():
    if spark is not None:
        spark.stop()


def open_transactions():
    """How many transactions the server holds."""
    with urllib.request.urlopen(shared().url("/metrics"), timeout=60) as answer:
        found = re.search(r"^magic_transactions_open (\S+)$", answer.read().decode(), re.M)
        return int(float(found[1])) if found else 0


def failing_first(frame, attempts=1, at=0.5):
    """The frame, whose tasks end with an error amid their rows on their first attempts."""
    schema = frame.schema

    def pass_on(batches):
        for batch in batches:
            yield batch.slice(0, int(batch.num_rows * at))
            if TaskContext.get().attemptNumber() < attempts:
                raise RuntimeError("this attempt is to fail")
            yield batch.slice(int(batch.num_rows * at))
    return frame.mapInArrow(pass_on, schema)


class WriteTests(SparkTests):
    def setUp(self):
        self.database = new_database(shared())
        self.before = open_transactions()

    def tearDown(self):
        # Whatever became of a job, it has ended its transaction.
        wait_until(lambda: open_transactions() <= self.before, 5, "the end of transactions")

    def run_at_server(self, sql):
        with shared().connect() as connection:
            return connection.run(sql.replace("{}", self.database))

    def at_server(self, sql):
        """What the server itself answers: rows of texts."""
        body = sql.replace("{}", self.database).encode()
        with urllib.request.urlopen(shared().url("/"), body, timeout=60) as answer:
            return [tuple(line.split("\t")) for line in answer.read().decode().splitlines()]

    def sql(self, text):
        return spark.sql(text.replace("{}", f"magic.{self.database}"))

    def table(self, name, catalog="magic"):
        return spark.table(f"{catalog}.{self.database}.{name}")


class RowTests(WriteTests):
    def test_every_type(self):
        self.sql(
            "CREATE TABLE {}.t (id BIGINT, b BOOLEAN, i8 TINYINT, i16 SMALLINT, i32 INT, f FLOAT, d DOUBLE, "
            "n DECIMAL(38,10), u DECIMAL(20,0), day DATE, at TIMESTAMP, local TIMESTAMP_NTZ, s STRING, raw BINARY, "
            "list ARRAY<STRING>, pairs MAP<STRING, INT>, deep STRUCT<x: INT, y: ARRAY<DOUBLE>>) "
            "TBLPROPERTIES (primaryKey = 'id')")
        values = (
            (1, True, -128, -32768, -2147483648, 1.5, -0.0, Decimal("1234567890123456789012345678.0123456789"),
             Decimal(18446744073709551615), date(1900, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999),
             datetime(2299, 12, 31, 1, 2, 3, 456789), "ä\0\n'\\", bytearray(range(256)), ["a", None, ""], {"k": 1, "l": None},
             (7, [0.5, None])),
            (2, False, 127, 32767, 2147483647, float("inf"), float("nan"), Decimal("-0.0000000001"), Decimal(0),
             date(2299, 12, 31), datetime(1900, 1, 1), datetime(1900, 1, 1, 0, 0, 0, 1), "", bytearray(), [], {}, (None, [])),
            (3,) + (None,) * 13 + ([], {}, (None, [])))
        schema = self.table("t").schema
        schema["raw"].dataType = BinaryType()
        schema["local"].dataType = TimestampNTZType()
        frame = spark.createDataFrame(values, schema)
        frame.writeTo(f"magic.{self.database}.t").append()
        back = self.table("t")
        # The server has bytes as a text, and every time as a moment.
        found = back.withColumn("raw", functions.expr("CAST(raw AS BINARY)")).withColumn(
            "local", functions.expr("CAST(local AS TIMESTAMP_NTZ)"))
        self.assertEqual(rows(found), rows(frame))
        self.assertEqual(
            self.at_server("SELECT name, type FROM system.columns WHERE database = '{}' AND table = 't' "
                           "AND NOT startsWith(name, '_') ORDER BY position")[:2],
            [("id", "Int64"), ("b", "Nullable(Bool)")])

    def test_types_of_the_server(self):
        self.run_at_server(
            "CREATE TABLE {}.t (id UInt64, e Enum8('a' = 1, 'b' = 2), u UUID, ip IPv6, x FixedString(4), "
            "l LowCardinality(Nullable(String)), w DateTime64(3), n Decimal(10, 2), small UInt8) "
            "ENGINE = MutableMergeTree ORDER BY id")
        insert = ("INSERT INTO {}.t VALUES (18446744073709551615, 'b', '00112233-4455-6677-8899-aabbccddeeff', '::1', "
                  "'ab', 'l', TIMESTAMP '2024-05-06 07:08:09.123', 12.25, 255)")
        self.sql(insert)
        self.assertEqual(
            self.at_server("SELECT * FROM {}.t"),
            [("18446744073709551615", "b", "00112233-4455-6677-8899-aabbccddeeff", "::1", "ab\\0\\0", "l",
              "2024-05-06 07:08:09.123", "12.25", "255")])
        before = rows(self.table("t"))
        for old, new, message in (
                ("255)", "256)", "small"), ("'b'", "'c'", ""), ("09.123'", "09.1234'", ""), ("'ab'", "'abcde'", "")):
            self.fails(message, run=lambda: self.sql(insert.replace(old, new)))
        self.assertEqual(rows(self.table("t")), before)

    def test_rows_replace_those_of_their_keys(self):
        self.sql("CREATE TABLE {}.t (a INT, b STRING, v INT, PRIMARY KEY (a, b))")
        self.sql("INSERT INTO {}.t VALUES (1, 'x', 1), (1, 'y', 2), (2, 'x', 3)")
        self.sql("INSERT INTO {}.t VALUES (1, 'y', 20), (3, 'z', 30)")
        self.sql("INSERT INTO {}.t (b, a) VALUES ('x', 2)")
        self.assertEqual(rows(self.table("t")), [(1, "x", 1), (1, "y", 20), (2, "x", None), (3, "z", 30)])

    def test_results_of_the_server(self):
        """What is written is what the server has computed, into columns that cannot be NULL."""
        self.sql("CREATE TABLE {}.s (id INT NOT NULL, g STRING NOT NULL, v INT) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("INSERT INTO {}.s VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', NULL)")
        self.sql("CREATE TABLE {}.t (g STRING NOT NULL, n BIGINT NOT NULL, total BIGINT, PRIMARY KEY (g))")
        self.sql("INSERT INTO {}.t SELECT g, count(*), sum(v) FROM {}.s GROUP BY g")
        self.assertEqual(rows(self.table("t")), [("a", 2, 3), ("b", 1, None)])
        self.sql("INSERT OVERWRITE {}.t SELECT g, count(*), max(id) FROM {}.s GROUP BY g ORDER BY g LIMIT 1")
        self.assertEqual(rows(self.table("t")), [("a", 2, 2)])

    def test_many_rows(self):
        self.sql("CREATE TABLE {}.keyed (id BIGINT, s STRING) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("CREATE TABLE {}.plain (id BIGINT, s STRING)")
        frame = spark.range(0, 400000, numPartitions=5).selectExpr("id", "repeat(CAST(id AS STRING), 3) AS s")
        for name in ("keyed", "plain"):
            frame.writeTo(f"magic.{self.database}.{name}").append()
            frame.where("id % 4 = 0").writeTo(f"small.{self.database}.{name}").append()
        sums = ["count(*)", "sum(id)", "sum(crc32(s))"]
        self.assertEqual(self.table("keyed").selectExpr(sums).collect(), frame.selectExpr(sums).collect())
        self.assertEqual(
            self.table("plain").selectExpr(sums).collect(),
            frame.union(frame.where("id % 4 = 0")).selectExpr(sums).collect())

    def test_overwrite(self):
        self.sql("CREATE TABLE {}.t (id INT, v STRING) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("INSERT INTO {}.t VALUES (1, 'old'), (2, 'old'), (3, 'old')")
        self.sql("INSERT OVERWRITE {}.t SELECT id + 1, 'new' FROM {}.t WHERE id < 3")
        self.assertEqual(rows(self.table("t")), [(2, "new"), (3, "new")])
        new = spark.createDataFrame([(3, "newer"), (9, "newer")], "id INT, v STRING")
        new.writeTo(f"magic.{self.database}.t").overwrite(functions.col("id") < 3)
        self.assertEqual(rows(self.table("t")), [(3, "newer"), (9, "newer")])
        new.where("id = 9").write.mode("overwrite").insertInto(f"magic.{self.database}.t")
        self.assertEqual(rows(self.table("t")), [(9, "newer")])
        self.assertEqual(self.at_server("SELECT count() FROM {}.t"), [("1",)])
        new.write.mode("overwrite").saveAsTable(f"magic.{self.database}.t")
        self.assertEqual(rows(self.table("t")), [(3, "newer"), (9, "newer")])
        self.sql("TRUNCATE TABLE {}.t")
        self.assertEqual(rows(self.table("t")), [])
        self.fails("overwrite", run=lambda: new.writeTo(f"magic.{self.database}.t").overwrite(
            functions.expr("upper(v) = 'X'")))

    def test_a_job_that_fails_leaves_what_was_there(self):
        self.sql("CREATE TABLE {}.t (id BIGINT, v BIGINT) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("INSERT INTO {}.t VALUES (-1, 0)")
        broken = failing_first(spark.range(0, 60000, numPartitions=3).selectExpr("id", "id AS v"), attempts=99)
        target = f"magic.{self.database}.t"
        for job in (
                lambda: broken.writeTo(target).append(),
                lambda: broken.write.mode("overwrite").insertInto(target),
                lambda: broken.writeTo(target).overwrite(functions.col("id") < 5),
                lambda: broken.writeTo(f"magic.{self.database}.new").create(),
                lambda: broken.writeTo(target).createOrReplace()):
            self.fails("this attempt is to fail", run=job)
            self.assertEqual(rows(self.table("t")), [(-1, 0)])
        self.assertFalse(spark.catalog.tableExists(f"magic.{self.database}.new"))

    def test_tasks_that_are_tried_again_count_once(self):
        self.sql("CREATE TABLE {}.t (id BIGINT, v BIGINT)")
        frame = spark.range(0, 300000, numPartitions=3).selectExpr("id", "id * 2 AS v")
        failing_first(frame, attempts=2).writeTo(f"magic.{self.database}.t").append()
        sums = ["count(*)", "count(DISTINCT id)", "sum(v)"]
        self.assertEqual(self.table("t").selectExpr(sums).collect(), frame.selectExpr(sums).collect())
        failing_first(frame.where("id < 1000")).write.mode("overwrite").insertInto(f"magic.{self.database}.t")
        self.assertEqual(tuple(self.table("t").selectExpr(sums).collect()[0]), (1000, 1000, 999000))

    def test_what_others_may_not_write(self):
        self.run_at_server("CREATE TABLE {}.m (id Int32) ENGINE = MergeTree ORDER BY id")
        self.run_at_server("CREATE VIEW {}.v AS SELECT 1 AS id")
        for name in ("m", "v"):
            self.fails("does not support", run=lambda: self.sql(f"INSERT INTO {{}}.{name} VALUES (1)"))
        self.sql("CREATE TABLE {}.t (id INT NOT NULL)")
        self.fails("null in id", run=lambda: self.sql("INSERT INTO {}.t SELECT CAST(NULL AS INT)"))
        self.sql("CREATE TABLE {}.gone (id INT)")
        frame = spark.range(1).selectExpr("CAST(id AS INT) AS id")
        writer = frame.writeTo(f"magic.{self.database}.gone")
        self.run_at_server("DROP TABLE {}.gone")
        self.fails("gone", run=writer.append)


class ChangeTests(WriteTests):
    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE {}.t (id INT, name STRING, v INT) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("INSERT INTO {}.t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', NULL), (4, 'd', 40)")

    def test_delete(self):
        self.sql("DELETE FROM {}.t WHERE v > 15 AND v < 25")
        self.assertEqual(rows(self.table("t")), [(1, "a", 10), (3, "c", None), (4, "d", 40)])
        # A condition that only Spark can evaluate.
        self.sql("DELETE FROM {}.t WHERE upper(name) = 'A' OR v % 20 = 7")
        self.assertEqual(rows(self.table("t")), [(3, "c", None), (4, "d", 40)])
        self.sql("DELETE FROM {}.t WHERE id IN (SELECT max(id) FROM {}.t)")
        self.assertEqual(rows(self.table("t")), [(3, "c", None)])
        self.sql("DELETE FROM {}.t")
        self.assertEqual(rows(self.table("t")), [])

    def test_update(self):
        self.sql("UPDATE {}.t SET v = v + 1, name = upper(name) WHERE id < 3 OR v IS NULL")
        self.assertEqual(rows(self.table("t")), [(1, "A", 11), (2, "B", 21), (3, "C", None), (4, "d", 40)])

    def test_keys_that_change_places(self):
        self.sql("UPDATE {}.t SET id = 5 - id")
        self.assertEqual(rows(self.table("t")), [(1, "d", 40), (2, "c", None), (3, "b", 20), (4, "a", 10)])
        self.sql("UPDATE {}.t SET id = id + 1")
        self.assertEqual(rows(self.table("t")), [(2, "d", 40), (3, "c", None), (4, "b", 20), (5, "a", 10)])

    def test_many_keys_that_change_places(self):
        self.sql("CREATE TABLE {}.many (id INT, v INT) TBLPROPERTIES (primaryKey = 'id')")
        spark.range(1, 50001).selectExpr("CAST(id AS INT)", "CAST(id AS INT) AS v").writeTo(
            f"magic.{self.database}.many").append()
        spark.conf.set("spark.sql.catalog.divided", "magic.spark.MagicCatalog")
        for key, value in {"url": shared().url(""), "splits": "4", "splitRows": "1"}.items():
            spark.conf.set(f"spark.sql.catalog.divided.{key}", value)
        spark.sql(f"UPDATE divided.{self.database}.many SET id = 50001 - id")
        self.assertEqual(
            tuple(self.table("many").selectExpr("count(*)", "sum(id)", "min(id + v)", "max(id + v)").collect()[0]),
            (50000, 50000 * 50001 // 2, 50001, 50001))

    def test_merge(self):
        spark.createDataFrame(
            [(1, "a", 11), (2, None, 0), (7, "g", 70), (8, "h", 80)], "id INT, name STRING, v INT"
        ).createOrReplaceTempView("changes")
        self.sql(
            "MERGE INTO {}.t USING changes c ON t.id = c.id "
            "WHEN MATCHED AND c.name IS NULL THEN DELETE "
            "WHEN MATCHED THEN UPDATE SET v = c.v "
            "WHEN NOT MATCHED AND c.id < 8 THEN INSERT * "
            "WHEN NOT MATCHED BY SOURCE AND v = 40 THEN UPDATE SET name = 'left' "
            "WHEN NOT MATCHED BY SOURCE THEN DELETE".replace("{}.t", "{}.t AS t"))
        self.assertEqual(rows(self.table("t")), [(1, "a", 11), (4, "left", 40), (7, "g", 70)])
        twice = "MERGE INTO {}.t AS t USING (SELECT 1 AS id UNION ALL SELECT 1) c ON t.id = c.id WHEN MATCHED THEN DELETE"
        self.sql(twice)
        self.assertEqual(rows(self.table("t")), [(4, "left", 40), (7, "g", 70)])
        self.fails("MERGE_CARDINALITY_VIOLATION", run=lambda: self.sql(
            twice.replace("SELECT 1", "SELECT 4").replace("THEN DELETE", "THEN UPDATE SET v = 0")))
        self.assertEqual(rows(self.table("t")), [(4, "left", 40), (7, "g", 70)])

    def test_a_change_that_another_one_overtakes(self):
        """An UPDATE reads, sleeps, and writes; meanwhile somebody else changes the table."""
        spark.udf.register("after_sleep", lambda value: time.sleep(2.5) or value, "int")

        def update_overtaken_by(change):
            errors = []

            def update():
                try:
                    self.sql("UPDATE {}.t SET v = after_sleep(v) + 1 WHERE id = 1")
                except Exception as error:
                    errors.append(str(error))
            thread = threading.Thread(target=update)
            thread.start()
            time.sleep(1.2)
            change()
            thread.join()
            self.assertIn("was changed by somebody else", "".join(errors))
        update_overtaken_by(lambda: self.run_at_server("INSERT INTO {}.t VALUES (1, 'other', 100)"))
        self.assertEqual(rows(self.table("t"))[0], (1, "other", 100))
        self.sql("UPDATE {}.t SET v = v + 1 WHERE id = 1")
        self.assertEqual(rows(self.table("t"))[0], (1, "other", 101))
        # Also when the table is replaced meanwhile, by one that nobody has written to since.
        update_overtaken_by(lambda: self.sql("INSERT OVERWRITE {}.t VALUES (7, 'new', 7)"))
        self.assertEqual(rows(self.table("t")), [(7, "new", 7)])
        self.sql("UPDATE {}.t SET v = 8")
        self.assertEqual(rows(self.table("t")), [(7, "new", 8)])

    def test_a_table_that_is_altered_before_the_commit(self):
        spark.udf.register("after_sleep", lambda value: time.sleep(2.5) or value, "int")
        timer = threading.Timer(1.5, lambda: self.run_at_server("ALTER TABLE {}.t ADD COLUMN more Int8"))
        timer.start()
        self.fails("altered", run=lambda: self.sql("INSERT OVERWRITE {}.t SELECT 9, 'x', after_sleep(CAST(id AS INT)) FROM range(1)"))
        timer.join()
        self.assertEqual(rows(self.table("t").select("id")), [(1,), (2,), (3,), (4,)])

    @unittest.skipUnless(SOAK, "a minute")
    def test_a_task_that_sends_nothing_for_long(self):
        slow = spark.range(2, numPartitions=1).mapInArrow(
            lambda batches: ((time.sleep(75), batch)[1] for batch in batches), "id bigint")
        slow.selectExpr("CAST(id AS INT) AS id", "'slow' AS name", "1 AS v").writeTo(f"magic.{self.database}.t").append()
        self.assertEqual(rows(self.table("t").where("name = 'slow'")), [(0, "slow", 1), (1, "slow", 1)])

    def test_changes_in_tasks_that_are_tried_again(self):
        frame = failing_first(spark.createDataFrame([(1, 100), (9, 900)], "id INT, v INT").coalesce(1))
        frame.createOrReplaceTempView("tried")
        self.sql("MERGE INTO {}.t AS t USING tried c ON t.id = c.id WHEN MATCHED THEN UPDATE SET v = t.v + c.v "
                 "WHEN NOT MATCHED THEN INSERT (id, v) VALUES (c.id, c.v)")
        self.assertEqual(
            rows(self.table("t")), [(1, "a", 110), (2, "b", 20), (3, "c", None), (4, "d", 40), (9, None, 900)])

    def test_rows_without_keys(self):
        self.sql("CREATE TABLE {}.bag (v INT)")
        self.sql("INSERT INTO {}.bag VALUES (1), (1), (2), (3)")
        self.sql("DELETE FROM {}.bag WHERE v = 1")
        self.assertEqual(rows(self.table("bag")), [(2,), (3,)])
        self.fails("does not support", run=lambda: self.sql("UPDATE {}.bag SET v = 1"))


class TableTests(WriteTests):
    def test_create_as_select(self):
        self.sql("CREATE TABLE {}.a TBLPROPERTIES (primaryKey = 'k, id') COMMENT 'made by Spark' AS "
                 "SELECT id, CAST(id % 3 AS INT) AS k, CAST(NULL AS STRING) AS s FROM range(1000)")
        self.assertEqual(
            self.at_server("SELECT engine, primary_key, comment FROM system.tables WHERE database = '{}'")[0][2],
            "made by Spark")
        described = {row[0]: row[1] for row in self.sql("DESCRIBE TABLE EXTENDED {}.a").collect()}
        self.assertEqual(described["primaryKey" if "primaryKey" in described else "id"],
                         "k, id" if "primaryKey" in described else "bigint")
        self.assertEqual(tuple(self.table("a").selectExpr("count(*)", "sum(id)", "sum(k)", "count(s)").collect()[0]),
                         (1000, 499500, 999, 0))
        self.fails("TABLE_OR_VIEW_ALREADY_EXISTS", run=lambda: self.sql("CREATE TABLE {}.a AS SELECT 1 AS x"))
        self.sql("CREATE TABLE IF NOT EXISTS {}.a AS SELECT 1 AS x")
        self.sql("INSERT INTO {}.a VALUES (0, 0, 'again')")
        self.assertEqual(self.table("a").count(), 1000)
        # Made anew from itself, with other columns.
        self.sql("REPLACE TABLE {}.a TBLPROPERTIES (primaryKey = 'id') AS SELECT id, s FROM {}.a WHERE id < 2")
        self.assertEqual(rows(self.table("a")), [(0, "again"), (1, None)])
        self.sql("CREATE OR REPLACE TABLE {}.a AS SELECT 5 AS x")
        self.assertEqual(rows(self.table("a")), [(5,)])
        self.fails("TABLE_OR_VIEW_NOT_FOUND", run=lambda: self.sql("REPLACE TABLE {}.b AS SELECT 1 AS x"))

    def test_keys_given_twice_in_a_new_table(self):
        spark.range(0, 30000, numPartitions=3).selectExpr("id % 100 AS id", "id AS v").createOrReplaceTempView("many")
        self.sql("CREATE TABLE {}.a TBLPROPERTIES (primaryKey = 'id') AS SELECT * FROM many")
        self.assertEqual(tuple(self.table("a").selectExpr("count(*)", "min(v % 100 - id)").collect()[0]), (100, 0))

    def test_declarations(self):
        self.sql("CREATE TABLE {}.a (id INT NOT NULL COMMENT 'the key', `odd ``name` STRING, PRIMARY KEY (id)) "
                 "USING magic COMMENT 'it''s \\\\ one'")
        self.sql("INSERT INTO {}.a VALUES (1, 'x')")
        self.sql("ALTER TABLE {}.a ADD COLUMNS (n SMALLINT COMMENT 'a number' AFTER id, z DOUBLE)")
        self.sql("INSERT INTO {}.a VALUES (2, 3, 'y', 0.5)")
        self.assertEqual(rows(self.table("a")), [(1, None, "x", None), (2, 3, "y", 0.5)])
        self.sql("ALTER TABLE {}.a RENAME COLUMN `odd ``name` TO plain")
        self.sql("ALTER TABLE {}.a ALTER COLUMN n TYPE BIGINT")
        self.sql("ALTER TABLE {}.a ALTER COLUMN z COMMENT 'last'")
        self.sql("ALTER TABLE {}.a DROP COLUMN z")
        self.sql("COMMENT ON TABLE {}.a IS 'another'")
        self.assertEqual(self.table("a").dtypes, [("id", "int"), ("n", "bigint"), ("plain", "string")])
        self.assertEqual(rows(self.table("a")), [(1, None, "x"), (2, 3, "y")])
        self.sql("ALTER TABLE {}.a RENAME TO b")
        self.assertEqual([row[1] for row in self.sql("SHOW TABLES IN {}").collect()], ["b"])
        self.sql("CREATE TABLE {}.c (id INT)")
        self.fails("ALREADY_EXISTS", run=lambda: self.sql("ALTER TABLE {}.c RENAME TO b"))
        self.sql("DROP TABLE {}.b")
        self.sql("DROP TABLE IF EXISTS {}.b")
        self.fails("TABLE_OR_VIEW_NOT_FOUND", run=lambda: self.sql("DROP TABLE {}.b"))

    def test_namespaces(self):
        name = f"magic.{self.database}_two"
        spark.sql(f"CREATE NAMESPACE {name} COMMENT 'second'")
        self.fails("ALREADY_EXISTS", run=lambda: spark.sql(f"CREATE NAMESPACE {name}"))
        spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {name}")
        spark.sql(f"CREATE TABLE {name}.t (id INT)")
        self.fails("SCHEMA_NOT_EMPTY", run=lambda: spark.sql(f"DROP NAMESPACE {name}"))
        spark.sql(f"DROP NAMESPACE {name} CASCADE")
        self.assertNotIn(f"{self.database}_two", [row[0] for row in spark.sql("SHOW NAMESPACES IN magic").collect()])
        self.fails("SCHEMA_NOT_FOUND", run=lambda: spark.sql(f"CREATE TABLE {name}.t (id INT)"))

    def test_what_tables_cannot_have(self):
        for declaration, message in (
                ("(id INT) PARTITIONED BY (id)", "PARTITIONED BY"),
                ("(id INT) TBLPROPERTIES (compression = 'x')", "compression"),
                ("(id INT) TBLPROPERTIES (primaryKey = 'nothing')", "nothing"),
                ("(id INT, CHECK (id > 0))", "primary key only"),
                ("(id INT, x INTERVAL DAY)", "interval"),
                ("(id INT) USING orc", "orc")):
            self.fails(message, run=lambda: self.sql(f"CREATE TABLE {{}}.t {declaration}"))
        self.assertEqual(self.sql("SHOW TABLES IN {}").collect(), [])


class ChangesTests(WriteTests):
    """What became of rows from one snapshot to another."""

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE {}.t (id INT, s STRING, v DECIMAL(10,2), list ARRAY<INT>) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("INSERT INTO {}.t VALUES (1, 'a', 1, array(1)), (2, 'b', 2, array()), (3, NULL, NULL, array(3)), (4, 'd', 4, array(4))")

    def snapshot(self):
        return sparking.call(shared(), "snapshots/open")["id"]

    def change(self):
        self.run_at_server("INSERT INTO {}.t VALUES (5, 'e', 5, [5]), (6, 'gone again', 6, [])")
        self.run_at_server("UPDATE {}.t SET v = NULL WHERE id = 1")
        self.run_at_server("UPDATE {}.t SET s = 'x' WHERE id = 2")
        self.run_at_server("UPDATE {}.t SET s = 'b' WHERE id = 2")
        self.run_at_server("UPDATE {}.t SET s = '' WHERE id = 3")
        self.run_at_server("DELETE FROM {}.t WHERE id IN (4, 6)")
        return [("delete", 4, "d", Decimal("4.00"), [4]), ("insert", 5, "e", Decimal("5.00"), [5]),
                ("update_postimage", 1, "a", None, [1]), ("update_postimage", 3, "", None, [3]),
                ("update_preimage", 1, "a", Decimal("1.00"), [1]), ("update_preimage", 3, None, None, [3])]

    def test_from_snapshot_to_snapshot(self):
        before = self.snapshot()
        expected = self.change()
        after = self.snapshot()
        self.run_at_server("DELETE FROM {}.t WHERE 1")
        columns = ["_change_type", "id", "s", "v", "list"]
        table = f"magic.{self.database}.t"
        frame = spark.read.option("startingVersion", before).option("endingVersion", after).changes(table)
        self.assertEqual(rows(frame.select(columns)), expected)
        self.assertEqual(frame.select("_commit_version").distinct().count(), 1)
        self.assertEqual(rows(frame.select("_change_type").groupBy("_change_type").count())[0], ("delete", 1))
        found = spark.sql(f"SELECT id FROM {table} CHANGES FROM VERSION '{after}' WHERE _change_type = 'delete'")
        self.assertEqual(rows(found), [(1,), (2,), (3,), (5,)])
        self.assertEqual(rows(spark.read.option("startingVersion", after).option("endingVersion", after).changes(table)), [])
        self.fails("there is no snapshot", run=lambda: spark.read.option("startingVersion", "x").changes(table).collect())
        self.sql("CREATE TABLE {}.bag (v INT)")
        self.fails("no primary key", run=lambda: spark.read.option("startingVersion", before).changes(
            f"magic.{self.database}.bag").collect())

    def test_many_changes(self):
        self.sql("CREATE TABLE {}.many (id BIGINT, v BIGINT) TBLPROPERTIES (primaryKey = 'id')")
        self.run_at_server("INSERT INTO {}.many SELECT number, number FROM numbers(60000)")
        before = self.snapshot()
        self.run_at_server("UPDATE {}.many SET v = v + 1 WHERE id % 3 = 0")
        self.run_at_server("DELETE FROM {}.many WHERE id % 3 = 1")
        self.run_at_server("INSERT INTO {}.many SELECT 60000 + number, number FROM numbers(5000)")
        frame = spark.read.option("startingVersion", before).changes(f"magic.{self.database}.many")
        found = {row[0]: tuple(row)[1:] for row in frame.groupBy("_change_type").agg(
            functions.count("*"), functions.sum("id"), functions.sum("v")).collect()}
        thirds = [range(rest, 60000, 3) for rest in range(3)]
        self.assertEqual(found, {
            "insert": (5000, sum(range(60000, 65000)), sum(range(5000))),
            "delete": (20000, sum(thirds[1]), sum(thirds[1])),
            "update_preimage": (20000, sum(thirds[0]), sum(thirds[0])),
            "update_postimage": (20000, sum(thirds[0]), sum(thirds[0]) + 20000)})

    def test_a_stream_of_changes(self):
        """A copy by a stream of changes is equal to the table whenever it has caught up, also after it was begun again."""
        folder = temporary_folder("spark")
        self.addCleanup(shutil.rmtree, folder)
        self.sql("CREATE TABLE {}.copy (id INT, s STRING, v DECIMAL(10,2), list ARRAY<INT>) TBLPROPERTIES (primaryKey = 'id')")
        self.sql("INSERT INTO {}.copy SELECT * FROM {}.t")
        target = f"magic.{self.database}.copy"

        def apply(changes, _):
            session = changes.sparkSession
            changes.where("_change_type <> 'update_preimage'").createOrReplaceTempView("fresh")
            session.sql(
                f"MERGE INTO {target} AS t USING fresh AS c ON t.id = c.id WHEN MATCHED AND c._change_type = 'delete' THEN DELETE "
                "WHEN MATCHED THEN UPDATE SET s = c.s, v = c.v, list = c.list "
                "WHEN NOT MATCHED AND c._change_type <> 'delete' THEN INSERT (id, s, v, list) VALUES (c.id, c.s, c.v, c.list)")

        def start():
            return (spark.readStream.changes(f"magic.{self.database}.t").writeStream.foreachBatch(apply)
                    .trigger(processingTime="200 milliseconds").option("checkpointLocation", str(folder)).start())

        def is_equal():
            return rows(self.table("copy")) == rows(self.table("t"))
        query = start()
        try:
            wait_until(lambda: query.lastProgress is not None or query.status["message"].startswith("Waiting"), 30, "the stream")
            self.change()
            wait_until(is_equal, 60, "the changes", interval=0.5)
            self.sql("INSERT OVERWRITE {}.t VALUES (1, 'anew', 1, array()), (2, 'b', 2, array())")
            wait_until(is_equal, 60, "the other rows", interval=0.5)
            query.processAllAvailable()
        finally:
            query.stop()
        self.assertIsNone(query.exception())
        self.run_at_server("INSERT INTO {}.t VALUES (9, 'while it rests', 9, [9, 9])")
        self.run_at_server("DELETE FROM {}.t WHERE id = 2")
        query = start()
        try:
            wait_until(is_equal, 60, "the changes of its rest", interval=0.5)
            query.processAllAvailable()
        finally:
            query.stop()

    def test_a_stream_outlives_the_server(self):
        """It goes on from where it was, whatever was changed since, when the server is killed and started again."""
        service = Service("--http", f"127.0.0.1:{free_port()}")
        self.addCleanup(service.stop)
        service.start()
        for key, value in sparking.catalog("restarted", service.url("")).items():
            spark.conf.set(key, value)
        database = new_database(
            service, "CREATE TABLE {}.t (id Int32, s String) ENGINE = MutableMergeTree ORDER BY id",
            "INSERT INTO {}.t SELECT number, toString(number) FROM numbers(10)")
        folder = temporary_folder("spark")
        self.addCleanup(shutil.rmtree, folder)
        found = []

        def run(*statements):
            with service.connect() as connection:
                for statement in statements:
                    connection.run(statement.replace("{}", database))

        def read(first=None):
            """What the stream finds until it has caught up; then it ends."""
            del found[:]
            reader = spark.readStream if first is None else spark.readStream.option("startingVersion", first)
            query = (reader.changes(f"restarted.{database}.t").select("_change_type", "id", "s")
                     .writeStream.foreachBatch(lambda changes, _: found.extend(map(tuple, changes.collect())))
                     .option("checkpointLocation", str(folder)).start())
            try:
                query.processAllAvailable()
            finally:
                query.stop()
            return sorted(found)
        self.assertEqual(read(), [])
        run("UPDATE {}.t SET s = 'x' WHERE id = 1")
        self.assertEqual(read(), [("update_postimage", 1, "x"), ("update_preimage", 1, "1")])
        for how in (signal.SIGKILL, signal.SIGTERM):
            run("INSERT INTO {}.t VALUES (100, 'before the end')")
            service.end(how)
            service.start()
            run("DELETE FROM {}.t WHERE id = 2", "UPDATE {}.t SET s = 'y' WHERE id = 1")
            self.assertEqual(read(), [
                ("delete", 2, "2"), ("insert", 100, "before the end"),
                ("update_postimage", 1, "y"), ("update_preimage", 1, "x")])
            self.assertEqual(read(), [])
            run("DELETE FROM {}.t WHERE id = 100", "INSERT INTO {}.t VALUES (2, '2'), (1, 'x')")
            self.assertEqual(len(read()), 4)
        # One that begins at somebody's snapshot goes on without that, and does not end it.
        first = sparking.call(service, "snapshots/open")["id"]
        folder = temporary_folder("spark")
        self.addCleanup(shutil.rmtree, folder)
        run("INSERT INTO {}.t VALUES (7, 'z')")
        self.assertEqual(read(first), [("update_postimage", 7, "z"), ("update_preimage", 7, "7")])
        self.assertEqual(read(first), [])
        self.assertIn(first, sparking.snapshots(service))
        service.end(signal.SIGKILL)
        service.start()
        run("INSERT INTO {}.t VALUES (7, '7')")
        self.assertEqual(read(first), [("update_postimage", 7, "7"), ("update_preimage", 7, "z")])
        # The states of the last batch of each are kept, and no earlier ones.
        self.assertEqual(len([each for each in sparking.listed(service) if each["lasting"]]), 4)


class StreamTests(WriteTests):
    def setUp(self):
        super().setUp()
        self.folder = temporary_folder("spark")
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "input").mkdir()

    def put(self, name, *values):
        path = self.folder / name
        path.write_text("".join(json.dumps({"id": id, "v": v}) + "\n" for id, v in values))
        path.rename(self.folder / "input" / f"{name}.json")

    def stream(self, table, mode="append", change=lambda frame: frame):
        """Writes what there is, and ends."""
        schema = StructType().add("id", LongType()).add("v", LongType())
        source = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).json(str(self.folder / "input"))
        query = (change(source).writeStream.outputMode(mode).trigger(availableNow=True)
                 .option("checkpointLocation", str(self.folder / "checkpoint")).toTable(f"magic.{self.database}.{table}"))
        query.awaitTermination(120)
        return query

    def test_epochs_count_once(self):
        self.sql("CREATE TABLE {}.t (id BIGINT, v BIGINT)")
        for number in range(3):
            self.put(f"f{number}", *((number * 100 + each, 1) for each in range(100)))
        self.stream("t")
        self.assertEqual(self.table("t").count(), 300)
        # As if the last epoch had been written when Spark failed, before it took note of that.
        commits = Path(self.folder / "checkpoint/commits")
        for last in commits.glob("*2*"):
            last.unlink()
        self.put("f3", (1000, 1))
        self.stream("t")
        self.assertEqual(tuple(self.table("t").selectExpr("count(*)", "count(DISTINCT id)").collect()[0]), (301, 301))

    def test_updated_and_complete_results(self):
        self.sql("CREATE TABLE {}.sums (id BIGINT, total BIGINT) TBLPROPERTIES (primaryKey = 'id')")
        self.put("a", (1, 1), (2, 2))
        self.put("b", (1, 10))
        self.stream("sums", "update", lambda frame: frame.groupBy("id").agg(functions.sum("v").alias("total")))
        self.assertEqual(rows(self.table("sums")), [(1, 11), (2, 2)])
        shutil.rmtree(self.folder / "checkpoint")
        self.sql("CREATE TABLE {}.all (n BIGINT, total BIGINT)")
        self.stream("all", "complete", lambda frame: frame.selectExpr("id % 1 AS n", "v").groupBy("n").agg(
            functions.sum("v").alias("total")))
        self.assertEqual(rows(self.table("all")), [(0, 13)])

"""TPC-H by Spark: the answers from the catalog are those from files of the same data."""

import os
import shutil

import sparking
import tpch
from harness import temporary_folder
from serving import new_database, shared
from sparking import SparkTests

SCALE = float(os.environ.get("MAGIC_TPCH_SCALE", "0.01"))
spark = None


def setUpModule():
    global spark
    spark = SparkTests.spark = sparking.start()


def tearDownModule():
    if spark is not None:
        spark.stop()


class Tests(SparkTests):
    @classmethod
    def setUpClass(cls):
        folder = temporary_folder("tpch")
        cls.addClassCleanup(shutil.rmtree, folder)
        tpch.generate(folder, SCALE)
        cls.files = spark.newSession()
        sparking.show_files(cls.files, folder, tpch.KEYS)
        cls.namespace = "magic." + new_database(shared())
        tpch.load(cls.files, cls.namespace)
        cls.copy = spark.newSession()
        cls.copy.sql(f"USE {cls.namespace}")

    def test_tables(self):
        for table in tpch.KEYS:
            sums = ["count(*)", "sum(hash(*))"]
            self.assertEqual(
                self.copy.table(table).selectExpr(sums).collect(), self.files.table(table).selectExpr(sums).collect(), table)

    def test_questions(self):
        for number, sql in tpch.queries().items():
            with self.subTest(number):
                found, expected = self.copy.sql(sql).collect(), self.files.sql(sql).collect()
                # Ties of ORDER BY may come in any order.
                self.assertEqual(sorted(map(repr, found)), sorted(map(repr, expected)))
                self.assertTrue(expected or SCALE < 0.1, "an empty answer")

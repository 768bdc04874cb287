"""TPC-DS by Spark: the answers from the catalog are those from files of the same data."""

import math
import os
import shutil
import unittest

import sparking
import tpcds
from harness import temporary_folder
from serving import SOAK, new_database, shared
from sparking import SparkTests

SCALE = float(os.environ.get("MAGIC_TPCDS_SCALE", "0.1"))
spark = None


def setUpModule():
    global spark
    if not SOAK:
        raise unittest.SkipTest("TPC-DS is for `make soak`")
    if not tpcds.is_there():
        raise unittest.SkipTest("no generator of TPC-DS; scripts/setup soak installs it")
    spark = SparkTests.spark = sparking.start(**{"spark.driver.memory": "4g"})


def tearDownModule():
    if spark is not None:
        spark.stop()


def is_equal(one, other):
    """Sums of floats depend on their order."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9) or one != one and other != other
    return one == other


class Tests(SparkTests):
    def test_questions(self):
        folder = temporary_folder("tpcds")
        self.addCleanup(shutil.rmtree, folder)
        tables, questions = tpcds.generate(folder, SCALE)
        files = spark.newSession()
        sparking.show_files(files, folder, tables)
        namespace = "magic." + new_database(shared())
        tpcds.load(files, namespace, tables)
        copy = spark.newSession()
        copy.sql(f"USE {namespace}")
        answered = 0
        for number, sql in questions.items():
            with self.subTest(number):
                found, expected = copy.sql(sql), files.sql(sql)
                self.assertEqual(found.schema.simpleString(), expected.schema.simpleString())
                found, expected = (sorted(frame.collect(), key=repr) for frame in (found, expected))
                self.assertEqual(len(found), len(expected))
                for row, wanted in zip(found, expected):
                    self.assertTrue(all(map(is_equal, row, wanted)), f"{row}\n{wanted}")
                answered += bool(expected)
        self.assertGreater(answered, len(questions) // 2, "most answers are empty")

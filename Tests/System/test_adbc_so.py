"""The driver `libadbc_driver_magic.so` under pandas, polars and DuckDB: in process, and beside a
process that serves the same folder."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

import adbc_driver_manager.dbapi as dbapi
import duckdb
import pandas
import polars
import pyarrow as pa

import samples
from harness import MAGIC, temporary_folder
from serving import Service, new_database, shared

DRIVER = Path(os.environ.get("MAGIC_ADBC_DRIVER", MAGIC.parent / "libadbc_driver_magic.so"))


def connect(folder, autocommit=True):
    return dbapi.connect(
        driver=str(DRIVER), entrypoint="AdbcDriverMagicInit", db_kwargs={"uri": str(folder)},
        autocommit=autocommit)


def exercise(test, connection, database):
    """What a data scientist does; leaves tables in `database`."""
    with connection.cursor() as cursor:
        for statement in (
                f"CREATE DATABASE IF NOT EXISTS {database}",
                samples.declaration(f"{database}.types"), samples.insertion(f"{database}.types")):
            cursor.execute(statement)
        cursor.execute(f"SELECT * FROM {database}.types ORDER BY id")
        table = cursor.fetch_arrow_table()
        test.assertEqual(table.to_pylist(), samples.plain(samples.rows()))
        test.assertEqual(
            cursor.adbc_ingest("copy", samples.arrow_table(), mode="create",
                               db_schema_name=database), samples.ROWS)
        cursor.execute(f"SELECT * FROM {database}.copy ORDER BY id")
        test.assertEqual(cursor.fetch_arrow_table().to_pylist(), samples.plain(samples.rows()))
    statement = f"SELECT id, i64, n_s, d38 FROM {database}.types ORDER BY id"
    frame = pandas.read_sql(statement, connection)
    test.assertEqual(frame["i64"].tolist(), [row["i64"] for row in samples.rows()])
    frame = polars.read_database(statement, connection)
    test.assertEqual(frame["n_s"].to_list(), [row["n_s"] for row in samples.rows()])
    test.assertEqual(frame["d38"].to_list(), [row["d38"] for row in samples.rows()])
    with connection.cursor() as cursor:
        cursor.execute("SELECT number AS n, toString(number) AS s FROM numbers(1000000)")
        found = cursor.fetch_record_batch()  # noqa: F841: DuckDB finds it by its name
        test.assertEqual(
            duckdb.sql("SELECT count(*), sum(n), sum(length(s)) FROM found").fetchall(),
            [(1_000_000, sum(range(1_000_000)), sum(len(str(n)) for n in range(1_000_000)))])
    made = duckdb.sql("SELECT range AS id, 'é' || range AS s FROM range(10000)").to_arrow_table()
    with connection.cursor() as cursor:
        test.assertEqual(cursor.adbc_ingest(
            "made", made, mode="create", db_schema_name=database), 10_000)
    pandas.DataFrame({"id": [1, 2], "s": ["a", None]}).to_sql(
        "frame", connection, schema=database, index=False)
    polars.DataFrame({"id": [3], "s": ["c"]}).write_database(
        f"{database}.frame", connection, engine="adbc", if_table_exists="append")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {database}.frame ORDER BY id")
        test.assertEqual(cursor.fetchall(), [(1, "a"), (2, None), (3, "c")])
        cursor.execute(f"SELECT count(), sum(id) FROM {database}.made")
        test.assertEqual(cursor.fetchall(), [(10_000, sum(range(10_000)))])


class BesideAServiceTests(unittest.TestCase):
    """The folder is served: the driver reaches the process through its socket."""

    def test_pandas_polars_and_duckdb(self):
        service = shared()
        with connect(service.data) as connection:
            exercise(self, connection, "beside")
        with service.connect() as other:
            self.assertEqual(other.value("SELECT count() FROM beside.made"), 10_000)

    def test_both_see_each_other(self):
        service = shared()
        database = new_database(
            service, "CREATE TABLE {}.t (id UInt32) ENGINE = MutableMergeTree ORDER BY id")
        with connect(service.data, autocommit=False) as connection, service.connect() as other:
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {database}.t VALUES (1)")
                self.assertEqual(other.value(f"SELECT count() FROM {database}.t"), 0)
                connection.commit()
                self.assertEqual(other.value(f"SELECT count() FROM {database}.t"), 1)
                other.run(f"INSERT INTO {database}.t VALUES (2)")
                cursor.execute(f"SELECT count() FROM {database}.t")
                self.assertEqual(cursor.fetchall(), [(2,)])

    def test_errors(self):
        with connect(shared().data) as connection, connection.cursor() as cursor:
            for statement, text in (("SELECT nope", "nope"), ("SELEC 1", "(?i)syntax")):
                with self.assertRaisesRegex(dbapi.Error, text):
                    cursor.execute(statement)
                    cursor.fetchall()


class InProcessTests(unittest.TestCase):
    """Nobody serves the folder: the engine runs in the client, here in a process of its own."""

    def run_program(self, function, *arguments):
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); import test_adbc_so\n"
            f"test_adbc_so.{function}(*sys.argv[2:])\n")
        result = subprocess.run(
            [sys.executable, "-B", "-c", program, str(Path(__file__).parent), *map(str, arguments)],
            capture_output=True, text=True, timeout=240)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result

    def test_pandas_polars_and_duckdb(self):
        service = Service()
        self.addCleanup(service.stop)
        self.run_program("exercise_in_process", service.data)
        service.start()  # what the driver wrote is there for the others
        with service.connect() as connection:
            self.assertEqual(connection.value("SELECT count() FROM inside.made"), 10_000)
            self.assertEqual(
                connection.value("SELECT count() FROM inside.copy"), samples.ROWS)

    def test_a_second_folder_in_one_process_is_refused(self):
        first, second = temporary_folder("first"), temporary_folder("second")
        for folder in (first, second):
            self.addCleanup(subprocess.run, ["rm", "-rf", str(folder)])
        self.run_program("two_folders", first, second)


def exercise_in_process(folder):
    test = unittest.TestCase()
    with connect(folder) as connection:
        exercise(test, connection, "inside")


def two_folders(first, second):
    with connect(first) as connection, connection.cursor() as cursor:
        try:
            connect(second).close()
        except dbapi.Error as error:
            assert "folder" in str(error), error
        else:
            raise AssertionError("a second folder was opened")
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


if __name__ == "__main__":
    unittest.main()

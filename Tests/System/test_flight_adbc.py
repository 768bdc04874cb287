"""The ADBC driver for Flight SQL, through its DBAPI, against `magic serve`."""

import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from decimal import Decimal

import adbc_driver_flightsql.dbapi as dbapi
import duckdb
import pandas
import polars
import pyarrow as pa
from adbc_driver_flightsql import ConnectionOptions

import samples
from serving import new_database, shared

MILLION = "SELECT number AS n, toString(number) AS s FROM numbers(1000000)"


class FlightADBCTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.database = new_database(
            cls.service, samples.declaration("{}.types"), samples.insertion("{}.types"),
            "CREATE TABLE {}.pair (b UInt32, a String, n Nullable(Int64)) "
            "ENGINE = MutableMergeTree ORDER BY (b, a)")

    def setUp(self):
        self.connection = self.connect()

    def connect(self, **options):
        connection = self.service.adbc(**options)
        self.addCleanup(connection.close)
        return connection

    def run_statement(self, statement, parameters=None, connection=None):
        with (connection or self.connection).cursor() as cursor:
            cursor.execute(statement.format(self.database), parameters)
            return cursor.fetch_arrow_table()

    def rows(self, statement, parameters=None, connection=None):
        return [tuple(row.values()) for row in
                self.run_statement(statement, parameters, connection).to_pylist()]

    def test_every_type(self):
        table = self.run_statement("SELECT * FROM {}.types ORDER BY id")
        self.assertTrue(table.schema.equals(samples.result_schema()))
        self.assertEqual(table.to_pylist(), samples.plain(samples.rows()))

    def test_every_type_ingested(self):
        table = samples.arrow_table()
        with self.connection.cursor() as cursor:
            cursor.execute(samples.declaration(f"{self.database}.copy"))
            self.assertEqual(cursor.adbc_ingest(
                "copy", table, mode="append", db_schema_name=self.database), samples.ROWS)
        copied = self.run_statement("SELECT * FROM {}.copy ORDER BY id")
        self.assertEqual(copied.to_pylist(), samples.plain(samples.rows()))

    def test_every_type_as_a_parameter(self):
        for sample in samples.SAMPLES:
            if sample.name in ("member", "members", "vector", "v4", "v6", "bin"):
                continue  # these have no type of their own among parameters
            for value in sample.values:
                with self.subTest(sample.name, value=value):
                    batch = pa.RecordBatch.from_arrays([sample.array([value])], ["0"])
                    [row] = self.rows(
                        "SELECT id FROM {}.types WHERE " + sample.name + " = ? ORDER BY id LIMIT 1",
                        batch)
                    self.assertEqual(row, (sample.values.index(value),))

    def test_results_as_python_has_them(self):
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 AS i, 'é' AS s, NULL AS n, toDecimal64('1.25', 2) AS d, "
                "toDate32('2020-02-29') AS day, toDateTime64('2020-02-29 12:00:00.5', 3, 'UTC') AS t")
            [row] = cursor.fetchall()
            self.assertEqual([each[0] for each in cursor.description],
                             ["i", "s", "n", "d", "day", "t"])
        moment = datetime(2020, 2, 29, 12, 0, 0, 500_000, timezone.utc)
        self.assertEqual(row, (1, "é", None, Decimal("1.25"), date(2020, 2, 29), moment))

    def test_a_big_result(self):
        table = self.run_statement(MILLION)
        self.assertEqual(table.num_rows, 1_000_000)
        self.assertEqual(sum(table["n"].to_pylist()), sum(range(1_000_000)))
        self.assertEqual(table["s"].to_pylist(), [str(each) for each in range(1_000_000)])

    def test_wide_rows_fit_the_driver(self):
        """The driver takes messages of at most 16 MiB."""
        table = self.run_statement("SELECT repeat('x', 100000) AS s, number FROM numbers(2000)")
        self.assertEqual(table.num_rows, 2000)
        self.assertEqual(sum(map(len, table["s"].to_pylist())), 200_000_000)

    def test_declarations_happen_once_without_fetching(self):
        for name in ("quick", "closed"):
            with self.connection.cursor() as cursor:
                cursor.execute(
                    f"CREATE TABLE {self.database}.{name} (n UInt8) ENGINE = MergeTree ORDER BY n")
                if name == "quick":
                    cursor.execute(f"INSERT INTO {self.database}.{name} VALUES (1)")
        with self.connection.cursor() as cursor:
            for _ in range(5):  # the same text again is the same prepared statement
                cursor.execute(f"INSERT INTO {self.database}.closed VALUES (1)")
        self.assertEqual(self.rows("SELECT count() FROM {}.quick"), [(1,)])
        self.assertEqual(self.rows("SELECT count() FROM {}.closed"), [(5,)])
        with self.connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {self.database}.closed")
            self.assertEqual(cursor.fetchall(), [])
        self.assertEqual(self.rows(
            "SELECT name FROM system.tables WHERE database = '{}' AND name = 'closed'"), [])

    def test_parameters(self):
        self.assertEqual(self.rows("SELECT ?, ?, ?", [1, "x'\\y", None]), [(1, "x'\\y", None)])
        self.assertEqual(self.rows("SELECT $2, $1", [1, "b"]), [("b", 1)])
        self.assertEqual(self.rows("SELECT '?', ?", [1]), [("?", 1)])
        self.assertEqual(
            self.rows("SELECT ? + 1, ?", [2 ** 62, 0.1]), [(2 ** 62 + 1, 0.1)])
        with self.assertRaises(dbapi.Error):
            self.rows("SELECT ?, ?", [1])
        with self.assertRaises(dbapi.Error):
            self.rows("SELECT ?")

    def test_types_that_depend_on_parameters(self):
        """Described without values, these are errors: NULL is not for them."""
        self.assertEqual(self.rows("SELECT CAST(? AS Int32) AS x", [5]), [(5,)])
        table = self.run_statement("SELECT CAST(? AS Int8) AS x", [5])
        self.assertEqual(table.schema, pa.schema([pa.field("x", pa.int8(), False)]))
        self.assertEqual(self.rows("SELECT * FROM numbers(?)", [3]), [(0,), (1,), (2,)])
        lists = pa.RecordBatch.from_arrays([pa.array([[1, 3]], pa.list_(pa.int64()))], ["0"])
        self.assertEqual(
            self.rows("SELECT number FROM numbers(5) WHERE has(?, number)", lists), [(1,), (3,)])
        nested = pa.RecordBatch.from_arrays(
            [pa.array([{"x y": 1, "z": [None, "it's"]}]),
             pa.array([[("k", None), ("l", 5)]], pa.map_(pa.utf8(), pa.int64())),
             pa.array([[]], pa.map_(pa.utf8(), pa.int64()))], ["0", "1", "2"])
        self.assertEqual(
            self.rows("SELECT ? AS a, ? AS b, ? AS c", nested),
            [({"x y": 1, "z": [None, "it's"]}, [("k", None), ("l", 5)], [])])
        with self.connection.cursor() as cursor:
            self.assertEqual(len(cursor.adbc_prepare("SELECT CAST(? AS Int32)")), 1)
        with self.assertRaisesRegex(dbapi.Error, "nope"):
            self.rows("SELECT nope, ?", [1])
        with self.assertRaisesRegex(dbapi.Error, "takes 1 values, and none are given"):
            self.rows("SELECT CAST(? AS Int32)")

    def test_no_rows_of_parameters(self):
        nothing = pa.table({"a": pa.array([], pa.int64())})
        # Of a single batch without rows the driver sends nothing at all.
        table = self.run_statement("SELECT ? AS a", nothing)
        self.assertEqual((table.num_rows, table.column_names), (0, ["a"]))
        self.assertEqual(self.rows("SELECT CAST(? AS Int32)", nothing), [])
        self.run_statement("INSERT INTO {}.pair (b) VALUES (?)", nothing)
        with self.connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {self.database}.pair (b) VALUES (?)", nothing)
            self.assertLessEqual(cursor.rowcount, 0)
        self.assertEqual(self.rows("SELECT count() FROM {}.pair WHERE b = 0"), [(0,)])

    def test_many_rows_of_parameters(self):
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {self.database}.many (id UInt32, s Nullable(String)) "
                "ENGINE = MutableMergeTree ORDER BY id")
            cursor.executemany(
                f"INSERT INTO {self.database}.many VALUES (?, ?)",
                [(number, f"é{number}" if number % 3 else None) for number in range(1000)])
            self.assertEqual(cursor.rowcount, 1000)
            cursor.executemany(
                f"UPDATE {self.database}.many SET s = ? WHERE id = ?", [("u", 1), ("v", 2)])
            cursor.executemany(f"DELETE FROM {self.database}.many WHERE id = ?", [(5,), (6,)])
        self.assertEqual(
            self.rows("SELECT count(), countIf(s IS NULL), sum(id) FROM {}.many"),
            [(998, 333, sum(range(1000)) - 11)])
        self.assertEqual(
            self.rows("SELECT s FROM {}.many WHERE id IN (1, 2, 4) ORDER BY id"),
            [("u",), ("v",), ("é4",)])

    def test_the_schema_without_running(self):
        with self.connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(f"SELECT * FROM {self.database}.types")
            self.assertTrue(schema.equals(samples.result_schema()))
            parameters = cursor.adbc_prepare("SELECT ? + ?")
            self.assertEqual(len(parameters), 2)

    def test_many_make_the_same_table(self):
        """Whoever is second adds its rows."""
        def ingest(number):
            with self.service.adbc() as connection, connection.cursor() as cursor:
                rows = pa.table({"id": pa.array([number], pa.int64())})
                return cursor.adbc_ingest(
                    "raced", rows, mode="create_append", db_schema_name=self.database)
        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(ingest, range(8))), [1] * 8)
        self.assertEqual(self.rows("SELECT id FROM {}.raced ORDER BY id"), [(n,) for n in range(8)])

    def test_ingest_in_all_modes(self):
        table = pa.table({"id": pa.array([1, 2], pa.int64()), "s": ["a", None]})
        other = pa.table({"id": pa.array([3], pa.int64()), "s": ["c"]})

        def ingest(mode, rows, name="modes"):
            with self.connection.cursor() as cursor:
                return cursor.adbc_ingest(name, rows, mode=mode, db_schema_name=self.database)

        def stored(name="modes"):
            return self.rows("SELECT id, s FROM {}." + name + " ORDER BY id")

        with self.assertRaisesRegex(dbapi.Error, "modes"):
            ingest("append", table)
        self.assertEqual(ingest("create", table), 2)
        self.assertEqual(stored(), [(1, "a"), (2, None)])
        with self.assertRaises(dbapi.Error):
            ingest("create", other)
        self.assertEqual(stored(), [(1, "a"), (2, None)])
        self.assertEqual(ingest("append", other), 1)
        self.assertEqual(stored(), [(1, "a"), (2, None), (3, "c")])
        self.assertEqual(ingest("replace", other), 1)
        self.assertEqual(stored(), [(3, "c")])
        self.assertEqual(ingest("create_append", table), 2)
        self.assertEqual(stored(), [(1, "a"), (2, None), (3, "c")])
        self.assertEqual(ingest("create_append", table, "fresh"), 2)
        self.assertEqual(stored("fresh"), [(1, "a"), (2, None)])
        self.assertEqual(ingest("replace", pa.table({"id": [9], "s": ["z"]}), "anew"), 1)
        self.assertEqual(stored("anew"), [(9, "z")])
        # Nothing is made when the rows are refused.
        empty = pa.RecordBatchReader.from_batches(
            table.schema, table.slice(0, 0).to_batches() or [
                pa.record_batch([[], []], schema=table.schema)])
        self.assertEqual(ingest("append", empty), 0)
        # Of rows without a batch the driver sends nothing at all, not even for which table.
        with self.assertRaisesRegex(dbapi.Error, "give it an empty batch"):
            ingest("append", table.slice(0, 0))
        with self.assertRaises(dbapi.Error):
            ingest("append", pa.table({"id": [1], "wrong": ["x"]}))

    def test_temporary_tables_are_filled(self):
        connection = self.connect(**{"adbc.flight.sql.rpc.with_cookie_middleware": "true"})
        rows = pa.table({"id": pa.array([1, 2], pa.int64()), "s": ["a", None]})

        def ingest(mode, rows, name="passing"):
            with connection.cursor() as cursor:
                return cursor.adbc_ingest(name, rows, mode=mode, temporary=True)

        def stored():
            return self.rows("SELECT * FROM passing ORDER BY id", connection=connection)

        with self.assertRaisesRegex(dbapi.Error, "no temporary table passing"):
            ingest("append", rows)
        self.assertEqual(ingest("create", rows), 2)
        with self.assertRaisesRegex(dbapi.Error, "a temporary table passing already"):
            ingest("create", rows)
        self.assertEqual(ingest("append", pa.table({"id": [3], "s": ["c"]})), 1)
        self.assertEqual(stored(), [(1, "a"), (2, None), (3, "c")])
        self.assertEqual(ingest("replace", pa.table({"id": [4]})), 1)
        self.assertEqual(stored(), [(4,)])
        self.assertEqual(ingest("create_append", pa.table({"id": [5]})), 1)
        self.assertEqual(stored(), [(4,), (5,)])
        self.assertEqual(ingest("create", samples.arrow_table(), "every"), samples.ROWS)
        copied = self.run_statement("SELECT * FROM every ORDER BY id", connection=connection)
        self.assertEqual(copied.to_pylist(), samples.plain(samples.rows()))
        # It is the session's own.
        with self.assertRaises(dbapi.Error):
            self.rows("SELECT * FROM passing")

    def test_a_big_ingest_streams(self):
        rows, batches = 100_000, 20
        schema = pa.schema([("id", pa.int64()), ("s", pa.utf8())])
        stream = pa.RecordBatchReader.from_batches(schema, (
            pa.record_batch([
                pa.array(range(number * rows, (number + 1) * rows), pa.int64()),
                pa.array(["x" * 20] * rows)], schema=schema) for number in range(batches)))
        with self.connection.cursor() as cursor:
            self.assertEqual(cursor.adbc_ingest(
                "large", stream, mode="create", db_schema_name=self.database), rows * batches)
        self.assertEqual(
            self.rows("SELECT count(), sum(id), sum(length(s)) FROM {}.large"),
            [(2_000_000, sum(range(2_000_000)), 40_000_000)])

    def test_transactions(self):
        connection = self.connect(autocommit=False)
        count = "SELECT count() FROM {}.pair"
        self.assertEqual(self.rows(count, connection=connection), [(0,)])
        self.run_statement("INSERT INTO {}.pair VALUES (1, 'x', 1)", connection=connection)
        self.assertEqual(self.rows(count), [(0,)])
        connection.rollback()
        self.assertEqual(self.rows(count), [(0,)])
        self.run_statement("INSERT INTO {}.pair VALUES (1, 'x', 1)", connection=connection)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self.database}.pair VALUES (?, ?, ?)", [(2, "y", None), (3, "z", 3)])
        self.assertEqual(self.rows(count), [(0,)])
        connection.commit()
        self.assertEqual(self.rows(count), [(3,)])
        self.run_statement("DELETE FROM {}.pair WHERE 1", connection=connection)
        connection.close()  # what was not committed is gone
        self.assertEqual(self.rows(count), [(3,)])

    def test_autocommit_is_switched(self):
        connection = self.connect()
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {self.database}.switched (id UInt8) "
                "ENGINE = MutableMergeTree ORDER BY id")
        connection.adbc_connection.set_autocommit(False)
        self.run_statement("INSERT INTO {}.switched VALUES (1)", connection=connection)
        self.assertEqual(self.rows("SELECT count() FROM {}.switched"), [(0,)])
        connection.adbc_connection.set_autocommit(True)  # commits
        self.assertEqual(self.rows("SELECT count() FROM {}.switched"), [(1,)])

    def test_objects_at_every_depth(self):
        def objects(depth, **filters):
            reader = self.connection.adbc_get_objects(
                depth=depth, db_schema_filter=self.database, **filters)
            return reader.read_all().to_pylist()

        [catalog] = objects("catalogs")
        self.assertIsNone(catalog["catalog_db_schemas"])
        [catalog] = objects("db_schemas")
        [schema] = catalog["catalog_db_schemas"]
        self.assertEqual(schema["db_schema_name"], self.database)
        self.assertIsNone(schema["db_schema_tables"])
        [catalog] = objects("tables")
        tables = {table["table_name"]: table
                  for table in catalog["catalog_db_schemas"][0]["db_schema_tables"]}
        self.assertLessEqual({"types", "pair"}, set(tables))
        self.assertEqual(tables["types"]["table_type"], "TABLE")
        for depth in ("columns", "all"):
            [catalog] = objects(depth, table_name_filter="types")
            [table] = catalog["catalog_db_schemas"][0]["db_schema_tables"]
            found = [(column["column_name"], column["ordinal_position"])
                     for column in table["table_columns"]]
            names = [name for name, _ in samples.columns()]
            self.assertEqual(found, list(zip(names, range(1, len(names) + 1))))
        [catalog] = objects("columns", table_name_filter="types", column_name_filter="n_i%")
        columns = catalog["catalog_db_schemas"][0]["db_schema_tables"][0]["table_columns"]
        self.assertEqual({column["column_name"] for column in columns} &
                         {"n_i8", "n_i16", "n_i32", "n_i64", "i8"},
                         {"n_i8", "n_i16", "n_i32", "n_i64"})

    def test_what_the_service_is(self):
        info = self.connection.adbc_get_info()
        self.assertIn("magic", info["vendor_name"].lower())
        self.assertRegex(info["vendor_version"], r"\d")
        self.assertTrue(info["vendor_arrow_version"])
        self.assertLessEqual({"TABLE", "VIEW"}, set(self.connection.adbc_get_table_types()))
        schema = self.connection.adbc_get_table_schema("types", db_schema_filter=self.database)
        self.assertTrue(schema.equals(samples.result_schema()))
        with self.assertRaises(dbapi.Error):
            self.connection.adbc_get_table_schema("nope", db_schema_filter=self.database)

    def test_session_options(self):
        connection = self.connect(**{"adbc.flight.sql.rpc.with_cookie_middleware": "true"})
        connection.adbc_current_db_schema = self.database
        self.assertEqual(connection.adbc_current_db_schema, self.database)
        self.assertEqual(
            self.rows("SELECT count() FROM types", connection=connection), [(samples.ROWS,)])
        prefix = ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value
        connection.adbc_connection.set_options(**{f"{prefix}max_threads": "3"})
        self.assertEqual(connection.adbc_connection.get_option(f"{prefix}max_threads"), "3")
        self.assertEqual(
            [(str(value),) for [value] in
             self.rows("SELECT getSetting('max_threads')", connection=connection)], [("3",)])
        erase = ConnectionOptions.OPTION_ERASE_SESSION_OPTION_PREFIX.value
        connection.adbc_connection.set_options(**{f"{erase}max_threads": ""})
        self.assertNotEqual(
            self.rows("SELECT toString(getSetting('max_threads'))", connection=connection)[0][0],
            "3")
        with self.assertRaises(dbapi.Error):
            connection.adbc_connection.set_options(**{f"{prefix}no_such_setting": "3"})
        # The other connection has none of it.
        self.assertEqual(self.rows("SELECT currentDatabase()"), [("default",)])

    def test_partitions_are_read_elsewhere(self):
        with self.connection.cursor() as cursor:
            partitions, schema = cursor.adbc_execute_partitions(
                f"SELECT id FROM {self.database}.types ORDER BY id")
        self.assertEqual(schema.names, ["id"])
        ids = []
        for partition in partitions:
            with self.connect().cursor() as cursor:
                cursor.adbc_read_partition(partition)
                ids += [row[0] for row in cursor.fetchall()]
        self.assertEqual(sorted(ids), list(range(samples.ROWS)))

    def test_polling(self):
        with self.connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "true"})
            partitions, _ = cursor.adbc_execute_partitions("SELECT 5 AS n")
            cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "false"})
            cursor.adbc_read_partition(partitions[0])
            self.assertEqual(cursor.fetchall(), [(5,)])

    def test_cancel(self):
        mark = "adbc_" + self.database
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT number, '{mark}' FROM system.numbers")
            cursor.fetchone()
            self.assertEqual(self.service.running(mark), 1)
            cursor.adbc_cancel()
            with self.assertRaises(dbapi.Error):
                cursor.fetchall()
        self.service.wait_gone(mark, 1)

    def test_cancel_while_nothing_comes(self):
        mark = "slow_" + self.database
        with self.connection.cursor() as cursor:
            timer = threading.Timer(0.5, cursor.adbc_cancel)
            timer.start()
            start = time.monotonic()
            with self.assertRaises(dbapi.Error):
                cursor.execute(
                    f"SELECT count(), '{mark}' FROM numbers(100000000000) "
                    "WHERE NOT ignore(cityHash64(number))")
                cursor.fetchall()
            self.assertLess(time.monotonic() - start, 10)
            timer.join()
        self.service.wait_gone(mark, 1)

    def test_errors_name_their_cause(self):
        for statement, text in (
                ("SELEC 1", "(?i)syntax"), ("SELECT nope", "nope"),
                ("SELECT * FROM nope.nope", "nope"),
                ("SELECT throwIf(number = 3000000, 'half-way') FROM numbers(4000000)", "half-way"),
                (f"INSERT INTO {self.database}.nope VALUES (1)", "nope")):
            with self.assertRaisesRegex(dbapi.Error, text):
                self.rows(statement.replace("{", "{{"))
        self.assertEqual(self.rows("SELECT 1"), [(1,)])

    def test_pandas_polars_and_duckdb(self):
        statement = f"SELECT id, i64, n_s, d38 FROM {self.database}.types ORDER BY id"
        rows = samples.rows()
        frame = pandas.read_sql(statement, self.connection)
        self.assertEqual(frame["i64"].tolist(), [row["i64"] for row in rows])
        frame = polars.read_database(statement, self.connection)
        self.assertEqual(frame["n_s"].to_list(), [row["n_s"] for row in rows])
        self.assertEqual(frame["d38"].to_list(), [row["d38"] for row in rows])
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetch_record_batch()  # noqa: F841: DuckDB finds it by its name
            self.assertEqual(
                duckdb.sql("SELECT sum(id), count(n_s) FROM found").fetchall(),
                [(sum(range(samples.ROWS)), samples.ROWS - 1)])
        pandas.DataFrame({"id": [1, 2], "s": ["a", "b"]}).to_sql(
            "frame", self.connection, schema=self.database, index=False)
        polars.DataFrame({"id": [3], "s": ["c"]}).write_database(
            f"{self.database}.frame", self.connection, engine="adbc", if_table_exists="append")
        self.assertEqual(
            self.rows("SELECT id, s FROM {}.frame ORDER BY id"), [(1, "a"), (2, "b"), (3, "c")])


if __name__ == "__main__":
    unittest.main()

"""The driver `libadbc_driver_magic.so` through the driver manager: all that version 1.1 of ADBC has.

The same cases run with the engine in the client's process, and beside a process that serves the
data folder."""

import os
import shutil
import subprocess
import sys
import threading
import time
import unittest
import uuid
from pathlib import Path

import adbc_driver_manager
import adbc_driver_manager.dbapi as dbapi
import polars
import pyarrow as pa

import samples
from harness import temporary_folder
from serving import SOAK, Service, new_database, shared
from test_adbc_so import DRIVER

HERE = Path(__file__).resolve().parent
ENGINE = Path(os.environ["MAGIC_ENGINE_LIBRARY"])
READ_COMMITTED = "adbc.connection.transaction.isolation.read_committed"


def connect(folder, autocommit=True, **options):
    return dbapi.connect(
        driver=str(DRIVER), db_kwargs={"uri": str(folder)}, conn_kwargs=options,
        autocommit=autocommit)


class Cases:
    """What holds in both places; `folder` is the data folder."""

    @classmethod
    def setUpClass(cls):
        cls.connection = connect(cls.folder)
        cls.database = "d" + uuid.uuid4().hex[:8]
        with cls.connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {cls.database}")
            for name in ("pair", "other"):
                cursor.execute(
                    f"CREATE TABLE {cls.database}.{name} (id UInt64, s Nullable(String)) "
                    "ENGINE = MutableMergeTree ORDER BY id")
            cursor.execute(samples.declaration(f"{cls.database}.types"))
            cursor.execute(samples.insertion(f"{cls.database}.types"))

    @classmethod
    def tearDownClass(cls):
        with cls.connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {cls.database}")
        cls.connection.close()

    def setUp(self):
        for name in ("pair", "other"):
            self.execute("DELETE FROM {}." + name + " WHERE 1")

    def execute(self, statement, parameters=None, connection=None):
        with (connection or self.connection).cursor() as cursor:
            cursor.execute(statement.replace("{}", self.database), parameters)
            return cursor.fetchall()

    def ingest(self, table, rows, connection=None, options=None, **arguments):
        with (connection or self.connection).cursor() as cursor:
            cursor.adbc_statement.set_options(**(options or {}))
            return cursor.adbc_ingest(table, rows, db_schema_name=self.database, **arguments)

    def assertFails(self, call, status, text, sqlstate=None):
        with self.assertRaisesRegex(dbapi.Error, text) as raised:
            call()
        self.assertEqual(raised.exception.status_code.name, status)
        if sqlstate:
            self.assertEqual(raised.exception.sqlstate, sqlstate)
        return raised.exception

    # MARK: Statements

    def test_results_have_the_types_of_the_mapping(self):
        statement = f"SELECT * FROM {self.database}.types ORDER BY id"
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            table = cursor.fetch_arrow_table()
            self.assertTrue(table.schema.equals(samples.result_schema()), table.schema)
            self.assertEqual(table.to_pylist(), samples.plain(samples.rows()))
            self.assertTrue(cursor.adbc_execute_schema(statement).equals(table.schema))
        schema = self.connection.adbc_get_table_schema("types", db_schema_filter=self.database)
        self.assertTrue(schema.equals(samples.result_schema()))

    def test_large_results_stream(self):
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT number AS n FROM numbers(3000000)")
            count = total = 0
            for batch in cursor.fetch_record_batch():
                count, total = count + 1, total + batch.num_rows
            self.assertEqual(total, 3_000_000)
            self.assertGreater(count, 10)
            # The first rows come long before the last: this would run for hours.
            cursor.execute("SELECT number AS n FROM numbers(1000000000000)")
            reader = cursor.fetch_record_batch()
            self.assertEqual(reader.read_next_batch()["n"][0].as_py(), 0)
            del reader

    def test_statements_without_a_result(self):
        with self.connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {self.database}.made (n Int8) ENGINE = MergeTree ORDER BY n")
            self.assertEqual(cursor.fetchall(), [])
            cursor.execute(f"INSERT INTO {self.database}.made VALUES (1), (2)")
            self.assertEqual(cursor.rowcount, 2)
            cursor.execute(f"DROP TABLE {self.database}.made")
        self.assertFails(
            lambda: self.execute("SELECT * FROM {}.made"), "NOT_FOUND", "made", "42S02")

    def test_errors(self):
        error = self.assertFails(
            lambda: self.execute("SELECT nope"), "INVALID_ARGUMENT", "nope", "42000")
        self.assertEqual(error.details, [(b"magic.engine_code", b"47")])
        self.assertFails(lambda: self.execute("SELEC 1"), "INVALID_ARGUMENT", "(?i)syntax")
        self.assertFails(
            lambda: self.execute("CREATE TABLE {}.pair (n Int8) ENGINE = Memory"),
            "ALREADY_EXISTS", "pair", "42S01")
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT throwIf(number = 2000000, 'half-way') AS n FROM numbers(3000000)")
            with self.assertRaisesRegex(Exception, "half-way"):
                cursor.fetch_arrow_table()
            # The connection goes on.
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchall(), [(1,)])

    def test_parameters(self):
        self.assertEqual(self.execute("SELECT ? + 1 AS n, ? AS s", (41, "é")), [(42, "é")])
        self.assertEqual(self.execute("SELECT $2 AS a, $1 AS b", ("x", None)), [(None, "x")])
        with self.connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self.database}.pair VALUES (?, ?)", [(1, "a"), (2, None), (3, "c")])
            self.assertEqual(cursor.rowcount, 3)
            parameters = cursor.adbc_prepare(f"SELECT * FROM {self.database}.pair WHERE id > ?")
            self.assertEqual([field.type for field in parameters], [pa.null()])
        self.assertEqual(
            self.execute("SELECT * FROM {}.pair ORDER BY id"), [(1, "a"), (2, None), (3, "c")])
        self.assertFails(
            lambda: self.execute("SELECT 1", (5,)), "INVALID_ARGUMENT", "takes 0 values")

    def test_rows_of_parameters(self):
        rows = pa.table({"a": pa.array([1, 2, 3], pa.int64())})
        with self.connection.cursor() as cursor:
            statement = cursor.adbc_statement
            statement.set_sql_query("SELECT number AS n FROM numbers(?)")
            statement.prepare()
            reader = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=2))
            statement.bind_stream(reader)
            stream, count = statement.execute_query()
            self.assertEqual(count, -1)
            found = pa.RecordBatchReader._import_from_c(stream.address).read_all()
            self.assertEqual(found["n"].to_pylist(), [0, 0, 1, 0, 1, 2])
            statement.set_sql_query(f"INSERT INTO {self.database}.pair (id) VALUES (?)")
            statement.bind_stream(pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches()))
            self.assertEqual(statement.execute_update(), 3)
        self.assertEqual(self.execute("SELECT sum(id) FROM {}.pair"), [(6,)])

    # MARK: Ingestion

    def test_texts_of_polars_are_views(self):
        long = ["a" * 50, None, "", "exactly 12 b", "é" * 40]
        frame = polars.DataFrame(
            {"id": range(5), "s": long, "l": [[text] for text in long], "b": [b"x" * 20] * 5})
        name = "v" + uuid.uuid4().hex[:8]
        self.assertEqual(self.ingest(name, frame, mode="create"), 5)
        self.assertEqual(
            self.execute("SELECT id, s, l, b FROM {}." + name + " ORDER BY id"),
            [(n, text, [text], "x" * 20) for n, text in enumerate(long)])
        self.assertEqual(self.ingest(name, frame[2:4], mode="replace"), 2)
        self.assertEqual(
            self.execute("SELECT id, s FROM {}." + name + " ORDER BY id"),
            [(2, ""), (3, "exactly 12 b")])
        self.execute("DROP TABLE {}." + name)

    def test_modes_of_ingestion(self):
        name = "i" + uuid.uuid4().hex[:8]
        rows = pa.table({"id": pa.array([1, 2], pa.uint64()), "s": ["a", None]})
        count = "SELECT count() FROM {}." + name
        self.assertFails(
            lambda: self.ingest(name, rows, mode="append"), "NOT_FOUND", name)
        self.assertEqual(self.ingest(name, rows, mode="create"), 2)
        self.assertFails(lambda: self.ingest(name, rows, mode="create"), "ALREADY_EXISTS", name)
        self.assertEqual(self.ingest(name, rows, mode="append"), 2)
        self.assertEqual(self.execute(count), [(4,)])
        self.assertEqual(self.ingest(name, rows, mode="create_append"), 2)
        self.assertEqual(self.execute(count), [(6,)])
        other = pa.table({"only": ["x"]})
        self.assertEqual(self.ingest(name, other, mode="replace"), 1)
        self.assertEqual(self.execute("SELECT * FROM {}." + name), [("x",)])
        self.assertFails(
            lambda: self.ingest(name, rows, mode="append", catalog_name="elsewhere"), "NOT_FOUND",
            "elsewhere")
        self.execute("DROP TABLE {}." + name)

    def test_temporary_tables_are_filled(self):
        rows = pa.table({"id": pa.array([1, 2], pa.int64()), "s": ["a", None]})
        connection = connect(self.folder)
        self.addCleanup(connection.close)

        def ingest(mode, rows):
            with connection.cursor() as cursor:
                return cursor.adbc_ingest("passing", rows, mode=mode, temporary=True)

        self.assertFails(lambda: ingest("append", rows), "NOT_FOUND", "passing")
        self.assertEqual(ingest("create", rows), 2)
        self.assertFails(lambda: ingest("create", rows), "ALREADY_EXISTS", "passing")
        self.assertEqual(ingest("append", pa.table({"id": [3], "s": ["c"]})), 1)
        self.assertEqual(
            self.execute("SELECT * FROM passing ORDER BY id", connection=connection),
            [(1, "a"), (2, None), (3, "c")])
        self.assertEqual(ingest("replace", pa.table({"id": [4]})), 1)
        self.assertEqual(ingest("create_append", pa.table({"id": [5]})), 1)
        self.assertEqual(
            self.execute("SELECT * FROM passing ORDER BY id", connection=connection), [(4,), (5,)])
        self.assertFails(
            lambda: self.ingest("passing", rows, connection, temporary=True), "INVALID_ARGUMENT",
            "in no schema")
        self.assertFails(
            lambda: self.execute("SELECT * FROM passing"), "NOT_FOUND", "passing")

    def test_ingestion_of_streams_and_of_keys(self):
        name = "k" + uuid.uuid4().hex[:8]
        schema = pa.schema([pa.field("id", pa.int64(), False), pa.field("s", pa.utf8())])

        def batches():
            for first in range(0, 100_000, 10_000):
                ids = range(first, first + 10_000)
                yield pa.record_batch([pa.array(ids), pa.array([f"r{n}" for n in ids])], schema)
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        key = {"magic.ingest.primary_key": "id"}
        self.assertEqual(self.ingest(name, reader, mode="create", options=key), 100_000)
        [catalog] = self.connection.adbc_get_objects(
            db_schema_filter=self.database, table_name_filter=name).read_all().to_pylist()
        [table] = catalog["catalog_db_schemas"][0]["db_schema_tables"]
        self.assertEqual(
            table["table_constraints"],
            [{"constraint_name": None, "constraint_type": "PRIMARY KEY",
              "constraint_column_names": ["id"], "constraint_column_usage": None}])
        change = pa.table({"id": [5], "s": ["new"]})
        self.assertEqual(
            self.ingest(name, change, mode="append", options={"magic.ingest.action": "upsert"}), 1)
        self.assertEqual(
            self.execute("SELECT id, s FROM {}." + name + " WHERE id = 5"), [(5, "new")])
        self.ingest(
            name, pa.table({"id": [5, 6]}), mode="append",
            options={"magic.ingest.action": "delete"})
        self.assertEqual(self.execute("SELECT count() FROM {}." + name), [(99_998,)])
        self.execute("DROP TABLE {}." + name)

    def test_a_failing_stream_leaves_nothing(self):
        schema = pa.schema([("id", pa.uint64()), ("s", pa.utf8())])

        def batches():
            yield pa.record_batch([pa.array([1], pa.uint64()), pa.array(["a"])], schema)
            raise ValueError("the source is gone")
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        with self.assertRaisesRegex(dbapi.Error, "the source is gone"):
            self.ingest("pair", reader, mode="append")
        self.assertEqual(self.execute("SELECT count() FROM {}.pair"), [(0,)])

    def test_a_token_makes_a_retry_harmless(self):
        rows = pa.table({"id": pa.array([1], pa.uint64()), "s": ["a"]})
        token = {"magic.write_token": uuid.uuid4().hex}
        name = "w" + uuid.uuid4().hex[:8]
        self.ingest(name, rows, mode="create")  # without a key, so that each write adds rows
        for _ in range(2):
            self.ingest(name, rows, mode="append", options=token)
        self.assertEqual(self.execute("SELECT count() FROM {}." + name), [(2,)])
        self.execute("DROP TABLE {}." + name)

    # MARK: Transactions

    def test_transactions(self):
        connection = connect(self.folder, autocommit=False)
        count = "SELECT (SELECT count() FROM {}.pair), (SELECT count() FROM {}.other)"
        with connection:
            self.assertEqual(self.execute(count, connection=connection), [(0, 0)])
            self.execute("INSERT INTO {}.pair VALUES (1, 'x')", connection=connection)
            rows = pa.table({"id": pa.array([1, 2], pa.uint64()), "s": ["a", "b"]})
            self.ingest("other", rows, mode="append", connection=connection)
            self.assertEqual(self.execute(count), [(0, 0)])
            connection.commit()
            self.assertEqual(self.execute(count), [(1, 2)])
            self.execute("DELETE FROM {}.pair WHERE 1", connection=connection)
            connection.rollback()
            self.assertEqual(self.execute(count), [(1, 2)])
            connection.commit()  # of nothing
            self.execute("INSERT INTO {}.pair VALUES (2, 'y')", connection=connection)
        self.assertEqual(self.execute(count), [(1, 2)])  # closing rolls back

    def test_autocommit_is_switched(self):
        with connect(self.folder) as connection:
            low = connection.adbc_connection
            self.assertFails(lambda: low.commit(), "INVALID_STATE", "autocommit")
            self.assertFails(lambda: low.rollback(), "INVALID_STATE", "autocommit")
            low.set_autocommit(False)
            self.execute("INSERT INTO {}.pair VALUES (1, 'x')", connection=connection)
            self.assertEqual(self.execute("SELECT count() FROM {}.pair"), [(0,)])
            low.set_autocommit(True)  # commits
            self.assertEqual(self.execute("SELECT count() FROM {}.pair"), [(1,)])

    # MARK: Partitions

    def test_partitions(self):
        rows = pa.table({"id": pa.array(range(200_000), pa.uint64()), "s": ["x"] * 200_000})
        self.ingest("pair", rows, mode="append")
        with self.connection.cursor() as cursor, connect(self.folder) as other:
            cursor.adbc_statement.set_options(**{"magic.partition_count": 4})
            partitions, schema = cursor.adbc_execute_partitions(
                f"SELECT * FROM {self.database}.pair")
            self.assertEqual(schema.names, ["id", "s"])
            # What is written now is not in the state that the partitions read.
            self.ingest(
                "pair", pa.table({"id": pa.array([1 << 40], pa.uint64()), "s": ["y"]}), mode="append")
            found = []
            for partition in partitions:
                with other.cursor() as reader:
                    reader.adbc_read_partition(partition)
                    found += reader.fetch_arrow_table()["id"].to_pylist()
            self.assertEqual(sorted(found), list(range(200_000)))
            partitions, schema = cursor.adbc_execute_partitions(
                f"SELECT count() AS n FROM {self.database}.pair")
            self.assertEqual((len(partitions), schema.names), (1, ["n"]))
            cursor.adbc_read_partition(partitions[0])
            self.assertEqual(cursor.fetchall(), [(200_001,)])
            self.assertFails(
                lambda: cursor.adbc_read_partition(b"nonsense"), "INVALID_ARGUMENT", "partition")
            self.assertFails(
                lambda: cursor.adbc_execute_partitions(f"DELETE FROM {self.database}.pair WHERE 1"),
                "INVALID_ARGUMENT", "reads")

    def test_partitions_take_no_bound_rows(self):
        with self.connection.cursor() as cursor:
            self.assertFails(
                lambda: cursor.adbc_execute_partitions("SELECT ? AS x", [1]), "NOT_IMPLEMENTED",
                "bound")
            # The rows are gone with the failure.
            statement = cursor.adbc_statement
            statement.set_sql_query("SELECT 2 AS x")
            handle, _ = statement.execute_query()
            with pa.RecordBatchReader._import_from_c(handle.address) as reader:
                self.assertEqual(reader.read_all().to_pylist(), [{"x": 2}])

    def test_the_schema_with_bound_rows(self):
        with self.connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema("SELECT CAST(? AS Int8) AS x, ? AS y", (1, "a"))
            self.assertEqual(schema, pa.schema([
                pa.field("x", pa.int8(), False), pa.field("y", pa.utf8(), schema.field("y").nullable)]))
            cursor.execute("SELECT CAST(? AS Int8) AS x", (1,))
            self.assertEqual(cursor.fetchall(), [(1,)])
            nothing = pa.table({"a": pa.array([], pa.int64())})
            cursor.execute("SELECT CAST(? AS Int8) AS x", nothing)
            self.assertEqual(cursor.fetchall(), [])

    # MARK: Cancellation

    def cancelled(self, cancel, statement):
        """Runs a statement that another thread cancels; gives the error and the seconds."""
        timer = threading.Timer(0.5, cancel)
        timer.start()
        start = time.monotonic()
        with self.assertRaises(dbapi.Error) as raised, self.connection.cursor() as cursor:
            self.cursor = cursor
            cursor.execute(statement)
            cursor.fetchall()
        timer.join()
        return raised.exception, time.monotonic() - start

    def test_cancelling_a_statement_ends_it_in_the_engine(self):
        marker = uuid.uuid4().hex
        statement = f"SELECT count() AS a{marker} FROM numbers(1000000000000)"
        for cancel in (lambda: self.cursor.adbc_cancel(),
                       lambda: self.connection.adbc_connection.cancel()):
            error, seconds = self.cancelled(cancel, statement)
            self.assertEqual((error.status_code.name, error.sqlstate), ("CANCELLED", "57014"))
            self.assertLess(seconds, 5)
        self.assertEqual(self.running(marker), 0)
        self.assertEqual(self.execute("SELECT 1"), [(1,)])

    def running(self, marker):
        deadline = time.monotonic() + 3
        while True:
            [(count,)] = self.execute(
                "SELECT count() FROM system.processes WHERE position(query, "
                f"'{marker[:8]}' || '{marker[8:]}') > 0")
            if count == 0 or time.monotonic() > deadline:
                return count
            time.sleep(0.05)

    def test_cancelled_and_abandoned_results(self):
        marker = uuid.uuid4().hex
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT number AS a{marker} FROM numbers(1000000000000)")
            reader = cursor.fetch_record_batch()
            reader.read_next_batch()
            cursor.adbc_cancel()
            with self.assertRaisesRegex(Exception, "cancelled"):
                while True:
                    reader.read_next_batch()
            del reader
            cursor.execute(f"SELECT number AS a{marker} FROM numbers(1000000000000)")
            reader = cursor.fetch_record_batch()
            reader.read_next_batch()
            del reader
        self.assertEqual(self.running(marker), 0)

    # MARK: What there is

    def objects(self, depth, **filters):
        reader = self.connection.adbc_get_objects(
            depth=depth, db_schema_filter=self.database, **filters)
        [catalog] = reader.read_all().to_pylist()
        self.assertEqual(catalog["catalog_name"], "magic")
        return catalog["catalog_db_schemas"]

    def test_objects_at_every_depth(self):
        self.assertIsNone(self.objects("catalogs"))
        [schema] = self.objects("db_schemas")
        self.assertEqual(schema, {"db_schema_name": self.database, "db_schema_tables": None})
        [schema] = self.objects("tables", table_types_filter=["TABLE"])
        tables = {table["table_name"]: table for table in schema["db_schema_tables"]}
        self.assertLessEqual({"pair", "other", "types"}, set(tables))
        self.assertIsNone(tables["pair"]["table_columns"])
        [schema] = self.objects("all", table_name_filter="pai_")
        [table] = schema["db_schema_tables"]
        first, second = table["table_columns"]
        self.assertEqual(
            (first["column_name"], first["ordinal_position"], first["xdbc_type_name"],
             first["xdbc_is_nullable"]), ("id", 1, "UInt64", "NO"))
        self.assertEqual(
            (second["column_name"], second["xdbc_nullable"], second["xdbc_data_type"]),
            ("s", 1, 12))
        [schema] = self.objects("columns", table_name_filter="pair", column_name_filter="s")
        self.assertEqual(
            [column["column_name"] for column in schema["db_schema_tables"][0]["table_columns"]],
            ["s"])
        self.assertEqual(
            self.objects("tables", table_types_filter=["LOCAL TEMPORARY"])[0]["db_schema_tables"],
            [])
        self.assertEqual(
            self.connection.adbc_get_objects(catalog_filter="no").read_all().num_rows, 0)

    def test_information(self):
        info = self.connection.adbc_get_info()
        self.assertEqual(info["vendor_name"], "Magic")
        self.assertEqual(info["driver_adbc_version"], 1_001_000)
        self.assertEqual((info[3], info[4]), (True, False))  # SQL, Substrait
        self.assertLessEqual({"TABLE", "VIEW"}, set(self.connection.adbc_get_table_types()))
        self.assertFails(
            lambda: self.connection.adbc_get_table_schema("no", db_schema_filter=self.database),
            "NOT_FOUND", "no", "42S02")

    def test_statistics(self):
        self.ingest(
            "pair", pa.table({"id": pa.array([1, 2, 3], pa.uint64()), "s": ["", "", ""]}),
            mode="append")
        low = self.connection.adbc_connection
        for approximate in (False, True):
            handle = low.get_statistics(
                db_schema=self.database, table_name="pair", approximate=approximate)
            [catalog] = pa.RecordBatchReader._import_from_c(handle.address).read_all().to_pylist()
            for schema in catalog["catalog_db_schemas"]:
                [statistic] = schema["db_schema_statistics"]
                self.assertEqual(
                    statistic, {"table_name": "pair", "column_name": None, "statistic_key": 6,
                                "statistic_value": 3, "statistic_is_approximate": False})
            if not approximate:
                self.assertEqual(len(catalog["catalog_db_schemas"]), 1)
        handle = low.get_statistic_names()
        names = pa.RecordBatchReader._import_from_c(handle.address).read_all()
        self.assertEqual((names.num_rows, names.column_names), (0, ["statistic_name", "statistic_key"]))

    # MARK: Connections

    def test_current_names(self):
        with connect(self.folder) as connection:
            self.assertEqual(connection.adbc_current_catalog, "magic")
            self.assertEqual(connection.adbc_current_db_schema, "default")
            connection.adbc_current_db_schema = self.database
            self.assertEqual(
                self.execute("SELECT count() FROM pair", connection=connection), [(0,)])
            self.execute("USE default", connection=connection)
            self.assertEqual(connection.adbc_current_db_schema, "default")
            with self.assertRaisesRegex(dbapi.Error, "nowhere"):
                connection.adbc_current_db_schema = "nowhere"
            with connection.cursor() as cursor:
                cursor.execute(f"USE {self.database}")
                rows = pa.table({"id": pa.array([1], pa.uint64()), "s": ["a"]})
                self.assertEqual(cursor.adbc_ingest("pair", rows, mode="append"), 1)
        with connect(self.folder, **{"adbc.connection.db_schema": self.database}) as connection:
            self.assertEqual(
                self.execute("SELECT count() FROM pair", connection=connection), [(1,)])
        with self.assertRaisesRegex(dbapi.Error, "nowhere"):
            connect(self.folder, **{"adbc.connection.db_schema": "nowhere"})

    def test_what_a_session_keeps(self):
        with connect(self.folder) as connection:
            self.execute("SET max_block_size = 7", connection=connection)
            self.assertEqual(
                self.execute("SELECT getSetting('max_block_size')", connection=connection), [(7,)])
            self.execute("CREATE TEMPORARY TABLE mine (n Int8)", connection=connection)
            self.execute("INSERT INTO mine VALUES (5)", connection=connection)
            self.assertEqual(self.execute("SELECT * FROM mine", connection=connection), [(5,)])
        self.assertNotEqual(self.execute("SELECT getSetting('max_block_size')"), [(7,)])

    def test_read_only_connections(self):
        with connect(self.folder, **{"adbc.connection.readonly": "true"}) as connection:
            self.assertEqual(
                self.execute("SELECT count() FROM {}.pair", connection=connection), [(0,)])
            self.assertEqual(
                self.execute("WITH 1 AS a SELECT a", connection=connection), [(1,)])
            for statement in ("INSERT INTO {}.pair VALUES (1, 'x')", "DROP TABLE {}.pair"):
                self.assertFails(
                    lambda: self.execute(statement, connection=connection), "UNAUTHORIZED",
                    "read-only", "25006")
            self.assertFails(
                lambda: self.ingest("pair", pa.table({"id": [1]}), connection=connection),
                "UNAUTHORIZED", "read-only")

    def test_options(self):
        low = self.connection.adbc_connection
        self.assertEqual(
            low.get_option("adbc.connection.transaction.isolation_level"), READ_COMMITTED)
        with self.assertRaises(dbapi.NotSupportedError):
            low.set_options(**{
                "adbc.connection.transaction.isolation_level":
                    "adbc.connection.transaction.isolation.serializable"})
        with self.connection.cursor() as cursor:
            statement = cursor.adbc_statement
            statement.set_options(**{"magic.partition_count": 3})
            self.assertEqual(statement.get_option_int("magic.partition_count"), 3)
            self.assertEqual(statement.get_option_float("magic.partition_count"), 3.0)
            self.assertEqual(statement.get_option("magic.partition_count"), "3")
            self.assertEqual(statement.get_option_bytes("magic.partition_count"), b"3")
            for value in (0, "many", 1 << 40):
                with self.assertRaisesRegex(dbapi.Error, "magic.partition_count"):
                    statement.set_options(**{"magic.partition_count": value})

    def test_threads(self):
        failures = []

        def work(number):
            try:
                for turn in range(20):
                    with self.connection.adbc_clone() as connection:
                        rows = self.execute(
                            f"SELECT number FROM numbers({number * 100 + turn})",
                            connection=connection)
                        assert len(rows) == number * 100 + turn, len(rows)
            except Exception as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_several_results_of_one_connection(self):
        with self.connection.cursor() as first, self.connection.cursor() as second:
            first.execute("SELECT number AS n FROM numbers(1000000)")
            reader = first.fetch_record_batch()
            reader.read_next_batch()
            second.execute("SELECT 2")
            self.assertEqual(second.fetchall(), [(2,)])
            self.assertGreater(reader.read_all().num_rows, 900_000)

    def test_memory_is_freed(self):
        def resident():
            with open("/proc/self/statm") as status:
                return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def turns(count):
            for turn in range(count):
                with self.connection.cursor() as cursor:
                    cursor.execute("SELECT number, toString(number) AS s FROM numbers(10)")
                    self.assertEqual(len(cursor.fetchall()), 10)
                    if turn % 4 == 0:
                        with self.assertRaises(dbapi.Error):
                            cursor.execute("SELECT nope")
                            cursor.fetchall()
        turns(200)
        before = resident()
        turns(10_000 if SOAK else 500)
        self.assertLess(resident() - before, 32 << 20)


class ServedDriverTests(Cases, unittest.TestCase):
    """Beside a process that serves the folder."""

    @classmethod
    def setUpClass(cls):
        cls.folder = shared().data
        super().setUpClass()

    def test_the_server_has_what_the_driver_wrote(self):
        self.execute("INSERT INTO {}.pair VALUES (1, 'x')")
        with shared().connect() as other:
            self.assertEqual(other.value(f"SELECT count() FROM {self.database}.pair"), 1)

    def test_a_server_by_its_address(self):
        options = {"uri": shared().url("")}
        with dbapi.connect(driver=str(DRIVER), db_kwargs=options, autocommit=True) as connection:
            self.assertEqual(
                self.execute("SELECT count() FROM {}.types", connection=connection),
                [(samples.ROWS,)])


if "MAGIC_ADBC_FOLDER" in os.environ:  # set by InProcessTests

    class InProcessCases(Cases, unittest.TestCase):
        """With the engine in this process."""

        @classmethod
        def setUpClass(cls):
            cls.folder = os.environ["MAGIC_ADBC_FOLDER"]
            super().setUpClass()


class InProcessTests(unittest.TestCase):
    """The engine in a client's process, each in a process of its own."""

    def setUp(self):
        self.folder = temporary_folder("adbc")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_process(self, command, **environment):
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=400,
            env={**os.environ, **environment})
        self.assertEqual(result.returncode, 0, result.stdout[-6000:] + result.stderr[-6000:])
        return result.stdout

    def run_python(self, program, **environment):
        """Runs a program to which `connect` and `folder` are known."""
        start = (
            f"import sys; sys.path[:0] = [{str(HERE)!r}]\n"
            f"from test_adbc_driver import connect, dbapi\nfolder = {str(self.folder)!r}\n")
        return self.run_process([sys.executable, "-B", "-c", start + program], **environment)

    def test_all_cases(self):
        self.run_process(
            [sys.executable, "-B", "-c",
             f"import sys; sys.path.insert(0, {str(HERE)!r}); import unittest; "
             "unittest.main('test_adbc_driver', argv=['', 'InProcessCases'], verbosity=2)"],
            MAGIC_ADBC_FOLDER=str(self.folder))

    def test_databases_of_one_folder_share_it(self):
        self.run_python(
            "first, second = connect(folder), connect(folder + '/.')\n"
            "with first.cursor() as a:\n"
            "    a.execute('CREATE TABLE default.t (n Int8) ENGINE = MutableMergeTree ORDER BY n')\n"
            "first.close()\n"
            "with second.cursor() as b:\n"
            "    b.execute('INSERT INTO t VALUES (1)')\n"
            "second.close()\n"
            "for _ in range(3):\n"
            "    with connect(folder) as again, again.cursor() as c:\n"
            "        c.execute('SELECT * FROM t'); assert c.fetchall() == [(1,)]\n")

    def test_a_folder_of_another_process_that_does_not_serve_it(self):
        other = (
            f"import sys; sys.path[:0] = [{str(HERE)!r}]\n"
            f"from test_adbc_driver import connect; connect({str(self.folder)!r})\n")
        self.run_python(
            "import subprocess\n"
            "with connect(folder):\n"
            f"    command = [sys.executable, '-B', '-c', {other!r}]\n"
            "    found = subprocess.run(command, capture_output=True, text=True)\n"
            "    assert found.returncode == 1, found\n"
            "    assert 'is in use by process' in found.stderr, found.stderr\n")

    def test_exit_with_everything_open(self):
        self.run_python(
            "connection = connect(folder)\n"
            "cursor = connection.cursor()\n"
            "cursor.execute('CREATE TABLE t (n UInt64) ENGINE = MutableMergeTree ORDER BY n')\n"
            "cursor.execute('INSERT INTO t SELECT * FROM numbers(100000)')\n"
            "cursor.execute('SELECT * FROM numbers(1000000000000)')\n"
            "reader = cursor.fetch_record_batch(); reader.read_next_batch()\n"
            "import builtins; builtins.keep = (connection, cursor, reader)\n")
        self.run_python(
            "with connect(folder) as c, c.cursor() as cursor:\n"
            "    cursor.execute('SELECT count() FROM t'); assert cursor.fetchall() == [(100000,)]\n")

    def test_releasing_a_connection_ends_its_results(self):
        self.run_python(
            "import pyarrow as pa, adbc_driver_manager as m\n"
            "connection = connect(folder)\n"
            "statement = m.AdbcStatement(connection.adbc_connection)\n"
            "statement.set_sql_query('SELECT * FROM numbers(1000000000000)')\n"
            "stream, _ = statement.execute_query()\n"
            "reader = pa.RecordBatchReader._import_from_c(stream.address)\n"
            "reader.read_next_batch(); statement.close()\n"
            "connection.close()\n"
            "try: reader.read_next_batch()\n"
            "except OSError as error: assert 'cancelled' in str(error), error\n"
            "else: raise AssertionError('rows of a closed connection')\n")

    def test_other_libraries_in_the_process(self):
        use = (
            "def use():\n"
            "    with connect(folder) as c, c.cursor() as cursor:\n"
            "        cursor.execute('SELECT sum(number) FROM numbers(10)')\n"
            "        assert cursor.fetchall() == [(45,)]\n"
            "def others():\n"
            "    import duckdb, pandas, polars\n"
            "    assert duckdb.sql('SELECT 1').fetchall() == [(1,)]\n"
            "    assert polars.DataFrame({'a': [1, 2]}).sum().item() == 3\n"
            "def chdb():\n"
            f"    sys.path.append({str(ENGINE.parent.parent)!r})\n"
            "    import chdb; assert '2' in str(chdb.query('SELECT 1 + 1', 'CSV'))\n")
        for order in ("use(); others(); use()", "others(); use()", "chdb(); use(); chdb()",
                      "use(); chdb(); use()", "others(); chdb(); use(); others(); use()"):
            with self.subTest(order):
                self.run_python(use + order + "\n")

    def test_chdb_is_found_beside_python(self):
        # Without a hint, a program that has chdb installed gets the engine of chdb.
        engine = str(ENGINE.parent.parent)
        self.run_python(
            f"sys.path.append({engine!r})\n"
            "with connect(folder) as c, c.cursor() as cursor:\n"
            "    cursor.execute('SELECT 1'); assert cursor.fetchall() == [(1,)]\n"
            "import chdb; assert '2' in str(chdb.query('SELECT 1 + 1', 'CSV'))\n"
            f"assert {engine!r} in open('/proc/self/maps').read()\n", MAGIC_ENGINE_LIBRARY="")

    def test_a_program_without_python(self):
        program = self.folder / "program"
        headers = HERE.parent.parent / "Sources" / "CArrowABI" / "include"
        self.run_process(
            ["cc", "-Wall", "-Werror", f"-I{headers}", HERE / "adbc_program.c", "-o", program, "-ldl"])
        output = self.run_process([program, DRIVER, self.folder / "data"])
        self.assertEqual(output.split("\n")[:3], ["rows 3000000", "error 47 42000", "done"])

    def test_the_library_shows_its_entry_points_only(self):
        symbols = self.run_process(["nm", "-D", "--defined-only", DRIVER])
        self.assertEqual(
            sorted(line.split()[-1] for line in symbols.splitlines()),
            ["AdbcDriverInit", "AdbcDriverMagicInit"])


if __name__ == "__main__":
    unittest.main()

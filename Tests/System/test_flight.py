"""Flight as pyarrow speaks it, and Flight SQL as flightsql-dbapi does, against `magic serve`."""

import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import time as clock

import flightsql.dbapi
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as flight

import samples
from protocol import action, any_message, command, message, parse, unpacked
from serving import REFUSED, new_database, shared

MILLION = "SELECT number AS n, cityHash64(number) AS h, toString(number) AS s FROM numbers(1000000)"


class FlightTests(unittest.TestCase):
    """Without SQL: tables by path."""

    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.client, cls.options = cls.service.arrow_flight()
        cls.database = new_database(
            cls.service, samples.declaration("{}.types"), samples.insertion("{}.types"),
            "CREATE TABLE {}.empty (id UInt64, s Nullable(String)) ENGINE = MutableMergeTree "
            "ORDER BY id",
            "CREATE TABLE {}.big (id UInt64, h UInt64) ENGINE = MergeTree ORDER BY id",
            "INSERT INTO {}.big SELECT number, cityHash64(number) FROM numbers(3000000)",
            "CREATE TABLE {}.mutable (id UInt64, h UInt64) ENGINE = MutableMergeTree ORDER BY id",
            "INSERT INTO {}.mutable SELECT * FROM {}.big",
            "DELETE FROM {}.mutable WHERE id = 7")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def info(self, descriptor):
        return self.client.get_flight_info(descriptor, self.options)

    def path(self, table):
        return flight.FlightDescriptor.for_path(self.database, table)

    def read(self, info):
        """All rows of all endpoints."""
        tables = [
            self.client.do_get(endpoint.ticket, self.options).read_all()
            for endpoint in info.endpoints]
        return pa.concat_tables(tables) if tables else info.schema.empty_table()

    def put(self, descriptor, table, batch_rows=None):
        writer, reader = self.client.do_put(descriptor, table.schema, self.options)
        writer.write_table(table, batch_rows)
        writer.done_writing()
        result = reader.read()
        writer.close()
        return result

    def value(self, statement):
        with self.service.connect() as connection:
            return connection.value(statement.format(self.database))

    def test_every_type_is_read_by_path(self):
        info = self.info(self.path("types"))
        self.assertTrue(info.endpoints)
        table = self.read(info).sort_by("id")
        expected = samples.result_schema()
        for column, wanted in zip(table.schema, expected, strict=True):
            self.assertTrue(column.equals(wanted), f"{column}, not {wanted}")
        self.assertEqual(table.to_pylist(), samples.plain(samples.rows()))

    def test_the_announced_schema_is_that_of_the_stream(self):
        for table in ("types", "empty", "big"):
            info = self.info(self.path(table))
            announced = self.client.get_schema(self.path(table), self.options).schema
            self.assertTrue(announced.equals(info.schema, check_metadata=True), table)
            for endpoint in info.endpoints:
                stream = self.client.do_get(endpoint.ticket, self.options)
                self.assertTrue(stream.schema.equals(info.schema, check_metadata=True), table)
                stream.read_all()

    def test_an_empty_table_has_its_columns(self):
        table = self.read(self.info(self.path("empty")))
        self.assertEqual((table.num_rows, table.column_names), (0, ["id", "s"]))

    def test_a_mutable_table_is_divided_too(self):
        info = self.info(self.path("mutable"))
        self.assertGreater(len(info.endpoints), 1)
        ids = pc.unique(self.read(info)["id"])
        self.assertEqual(len(ids), 2_999_999)
        self.assertEqual(pc.sum(ids).as_py(), sum(range(3_000_000)) - 7)

    def test_bytes_that_are_no_text(self):
        """BLOBs are the engine's String; they come as binary when asked for."""
        sql = "SELECT unhex('FF00') AS b, [unhex('FE')] AS l"
        query = command("CommandStatementQuery", (
            1, sql + " SETTINGS output_format_arrow_string_as_string = 0"))
        info = self.info(query)
        table = self.read(info)
        self.assertEqual(info.schema, table.schema)
        self.assertEqual(table.to_pylist(), [{"b": b"\xff\0", "l": [b"\xfe"]}])
        self.assertEqual(self.read(self.info(command(
            "CommandStatementQuery", (1, "SELECT 'é' AS s")))).to_pylist(), [{"s": "é"}])

    def test_times_of_the_day(self):
        table = self.read(self.info(command("CommandStatementQuery", (
            1, "SELECT CAST('12:34:56' AS Time) AS a, CAST('01:02:03.004' AS Time64(3)) AS b, "
               "CAST('01:02:03.000004' AS Time64(6)) AS c"))))
        self.assertEqual(
            [str(field.type) for field in table.schema], ["time32[s]", "time32[ms]", "time64[us]"])
        self.assertEqual(table.to_pylist(), [{
            "a": clock(12, 34, 56), "b": clock(1, 2, 3, 4000), "c": clock(1, 2, 3, 4)}])
        with self.service.connect() as connection:
            connection.run(f"CREATE TABLE {self.database}.times (a Time, b Time64(3), c Time64(6)) "
                           "ENGINE = MutableMergeTree ORDER BY tuple()")
        self.put(self.path("times"), table)
        self.assertEqual(self.read(self.info(self.path("times"))), table)

    def test_endpoints_together_have_every_row_once(self):
        info = self.info(self.path("big"))
        self.assertGreater(len(info.endpoints), 1, "three million rows are not divided")

        def part(endpoint):
            client, options = self.service.arrow_flight()
            with client:
                return client.do_get(endpoint.ticket, options).read_all()

        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(part, info.endpoints))
        self.assertTrue(all(part.num_rows for part in parts), "an endpoint without rows")
        table = pa.concat_tables(parts)
        self.assertEqual(table.num_rows, 3_000_000)
        self.assertEqual(pc.count_distinct(table["id"]).as_py(), 3_000_000)
        self.assertEqual(pc.sum(table["id"]).as_py(), sum(range(3_000_000)))
        self.assertEqual(
            pc.sum(table["h"]).as_py(),  # both wrap
            self.value("SELECT sum(cityHash64(number)) FROM numbers(3000000)"))
        largest = max(part.num_rows for part in parts)
        self.assertLess(largest, 2 * 3_000_000 // len(parts), "the parts are not of equal size")

    def test_locations_can_be_reached(self):
        for endpoint in self.info(self.path("big")).endpoints:
            for location in endpoint.locations:
                text = location.uri.decode()
                self.assertNotIn("0.0.0.0", text)
                self.assertNotIn("[::]", text)
                if text.startswith("arrow-flight-reuse-connection"):
                    continue
                with flight.connect(location) as client:
                    client.do_get(endpoint.ticket, self.options).read_chunk()

    def test_tables_are_listed(self):
        listed = {}
        for info in self.client.list_flights(options=self.options):
            listed[tuple(part.decode() for part in info.descriptor.path)] = info.schema
        self.assertTrue(listed[(self.database, "types")].equals(samples.result_schema()))
        self.assertEqual(listed[(self.database, "empty")].names, ["id", "s"])
        self.assertFalse([path for path in listed if path[0] == "_magic"], "storage is listed")

    def test_every_type_is_written_by_path(self):
        with self.service.connect() as connection:
            connection.run(samples.declaration(f"{self.database}.copy"))
        table = samples.arrow_table()
        self.put(self.path("copy"), table, batch_rows=3)
        read = self.read(self.info(self.path("copy"))).sort_by("id")
        self.assertEqual(read.to_pylist(), samples.plain(samples.rows()))
        self.put(self.path("copy"), table)  # the same keys again
        self.assertEqual(self.read(self.info(self.path("copy"))).num_rows, samples.ROWS)

    def test_bytes_that_are_no_text(self):
        with self.service.connect() as connection:
            connection.run(
                f"CREATE TABLE {self.database}.bytes (id UInt8, b String) "
                "ENGINE = MutableMergeTree ORDER BY id")
        everything = bytes(range(256)) * 3
        schema = pa.schema(
            [pa.field("id", pa.uint8(), False), pa.field("b", pa.binary(), False)])
        self.put(self.path("bytes"), pa.table([[1], [everything]], schema=schema))
        read = self.read(self.info(self.path("bytes")))
        self.assertEqual(read["b"].cast(pa.binary()).to_pylist(), [everything])

    def test_a_million_rows_are_written_in_one_commit(self):
        table = pa.table({
            "id": pa.array(range(1_000_000), pa.uint64()),
            "h": pc.multiply(pa.array(range(1_000_000), pa.uint64()), pa.scalar(7, pa.uint64()))})
        table = table.cast(pa.schema([
            pa.field("id", pa.uint64(), False), pa.field("h", pa.uint64(), False)]))
        with self.service.connect() as connection:
            connection.run(
                f"CREATE TABLE {self.database}.million (id UInt64, h UInt64) "
                "ENGINE = MutableMergeTree ORDER BY id")
        self.put(self.path("million"), table, batch_rows=50_000)
        self.assertEqual(self.value("SELECT count() FROM {}.million"), 1_000_000)
        self.assertEqual(
            self.value("SELECT sum(h) FROM {}.million"), 7 * sum(range(1_000_000)))

    def test_a_put_of_wrong_columns_is_refused(self):
        with self.assertRaisesRegex(Exception, "(?i)nope|column"):
            self.put(self.path("empty"), pa.table({"id": [1], "nope": ["x"]}))
        with self.assertRaisesRegex(Exception, "missing"):
            self.put(self.path("missing"), pa.table({"id": [1]}))
        nulls = pa.table([pa.array([None], pa.uint64()), pa.array(["x"])], names=["id", "s"])
        with self.assertRaisesRegex(Exception, "(?i)null"):
            self.put(self.path("empty"), nulls)
        self.assertEqual(self.value("SELECT count() FROM {}.empty"), 0)

    def test_a_path_to_nothing_is_an_error(self):
        for path in (("nope", "nope"), (self.database, "nope")):
            with self.assertRaisesRegex(Exception, "nope"):
                self.info(flight.FlightDescriptor.for_path(*path))
        for path in ((), (self.database,), (self.database, "types", "more")):
            with self.assertRaises(Exception):
                self.info(flight.FlightDescriptor.for_path(*path))

    def test_a_dropped_reader_ends_the_query(self):
        mark = "flight_" + self.database
        for end in (lambda stream: stream.cancel(), lambda stream: None):
            info = self.info(command("CommandStatementQuery", (1,
                f"SELECT number, '{mark}' FROM system.numbers")))
            client, options = self.service.arrow_flight()
            stream = client.do_get(info.endpoints[0].ticket, options)
            stream.read_chunk()
            self.assertEqual(self.service.running(mark), 1)
            end(stream)
            del stream
            client.close()
            self.service.wait_gone(mark, 1)

    def test_the_first_rows_come_before_the_last(self):
        info = self.info(command("CommandStatementQuery", (1,
            "SELECT number, sleepEachRow(0.0005) FROM numbers(10000) "
            "SETTINGS max_block_size = 100, function_sleep_max_microseconds_per_block = 10000000,"
            "max_threads = 1")))
        start = time.monotonic()
        stream = self.client.do_get(info.endpoints[0].ticket, self.options)
        stream.read_chunk()
        first = time.monotonic() - start
        stream.cancel()
        self.assertLess(first, 3, "the first batch took as long as the query")


class FlightSQLTests(unittest.TestCase):
    """flightsql-dbapi, and the commands that it does not know."""

    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.client = cls.service.flightsql()
        cls.database = new_database(
            cls.service, samples.declaration("{}.types"), samples.insertion("{}.types"),
            "CREATE TABLE {}.pair (b UInt32, a String, n Nullable(Int64)) "
            "ENGINE = MutableMergeTree ORDER BY (b, a)",
            "CREATE VIEW {}.seen AS SELECT b FROM {}.pair")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def read(self, info):
        self.assertEqual(len(info.endpoints), 1)
        stream = self.client.do_get(info.endpoints[0].ticket)
        self.assertTrue(stream.schema.equals(info.schema, check_metadata=True))
        return stream.read_all()

    def query(self, statement):
        return self.read(self.client.execute(statement.format(self.database)))

    def test_every_type(self):
        table = self.query("SELECT * FROM {}.types ORDER BY id")
        self.assertTrue(table.schema.equals(samples.result_schema()))
        self.assertEqual(table.to_pylist(), samples.plain(samples.rows()))

    def test_a_big_result(self):
        table = self.query(MILLION)
        self.assertEqual(table.num_rows, 1_000_000)
        self.assertEqual(sum(table["n"].to_pylist()), sum(range(1_000_000)))
        hashes = self.query(f"SELECT sum(h) AS h, sum(length(s)) AS s FROM ({MILLION})")
        self.assertEqual(
            [sum(table["h"].to_pylist()) % (1 << 64), sum(map(len, table["s"].to_pylist()))],
            list(hashes.to_pylist()[0].values()))

    def test_results_of_no_rows_and_of_odd_names(self):
        table = self.query("SELECT id, n_s FROM {}.types WHERE id > 1000")
        self.assertEqual((table.num_rows, table.column_names), (0, ["id", "n_s"]))
        table = self.query("SELECT 1 AS `a b`, 2 AS `ž🐎`, 3 AS `3`")
        self.assertEqual(table.to_pylist(), [{"a b": 1, "ž🐎": 2, "3": 3}])

    def test_errors_name_their_cause(self):
        for statement, text in (
                ("SELEC 1", "(?i)syntax"), ("SELECT nope", "nope"),
                ("SELECT * FROM nope.nope", "nope"), ("SELECT toInt8('x')", "(?i)pars|x")):
            with self.assertRaisesRegex(Exception, text):
                self.query(statement)
        # One that comes half-way.
        with self.assertRaisesRegex(Exception, "half-way"):
            self.query("SELECT throwIf(number = 2000000, 'half-way') FROM numbers(3000000)")
        self.assertEqual(self.query("SELECT 1 AS a").to_pylist(), [{"a": 1}])

    def test_updates_tell_their_rows(self):
        run = lambda text: self.client.execute_update(text.format(self.database))  # noqa: E731
        self.assertEqual(
            run("INSERT INTO {}.pair VALUES (1, 'x', 1), (2, 'y', NULL), (3, 'z', 3)"), 3)
        self.assertEqual(run("UPDATE {}.pair SET n = 7 WHERE b > 1"), 2)
        self.assertEqual(run("DELETE FROM {}.pair WHERE a = 'x'"), 1)
        self.assertEqual(
            self.query("SELECT * FROM {}.pair ORDER BY b").to_pylist(),
            [{"b": 2, "a": "y", "n": 7}, {"b": 3, "a": "z", "n": 7}])
        run("CREATE TABLE {}.made (id UInt8) ENGINE = MutableMergeTree ORDER BY id")
        self.assertEqual(self.query("SELECT count() AS n FROM {}.made").to_pylist(), [{"n": 0}])
        run("DROP TABLE {}.made")
        with self.assertRaisesRegex(Exception, "nope"):
            run("INSERT INTO {}.nope VALUES (1)")

    def test_dbapi(self):
        connection = flightsql.dbapi.connect(self.client)
        cursor = connection.cursor()
        cursor.execute("SELECT number + 1 AS a, ['x', 'y'][a] AS b FROM numbers(2)")
        self.assertEqual(cursor.fetchall(), [[1, "x"], [2, "y"]])
        # Its parameters are unions, and it asks for the result under the first handle.
        cursor.execute("SELECT ? AS a, ? AS b, ? AS c, ? AS d", [7, "é'", 0.5, True])
        self.assertEqual(cursor.fetchone()[:3], [7, "é'", 0.5])
        self.assertIn("types", connection.flightsql_get_table_names(self.database))
        self.assertIn(self.database, connection.flightsql_get_schema_names())
        names = [column["name"] for column in
                 connection.flightsql_get_columns("types", self.database)]
        self.assertEqual(names, [name for name, _ in samples.columns()])
        keys = connection.flightsql_get_primary_keys("pair", self.database)
        self.assertEqual([each["column_name"] for each in keys], ["b", "a"])
        self.assertEqual([each["key_sequence"] for each in keys], [1, 2])
        self.assertEqual(connection.flightsql_get_foreign_keys("pair", self.database), [])

    def test_dollar_parameters(self):
        with self.client.prepare("SELECT $2 AS b, $1 AS a, $1 AS c") as statement:
            batch = pa.record_batch({"1": pa.array([5], pa.int64()), "2": pa.array(["é"])})
            self.assertEqual(
                self.read(statement.execute(batch)).to_pylist(), [{"b": "é", "a": 5, "c": 5}])

    def test_prepared_statements_run_again(self):
        with self.client.prepare("SELECT ? + 1 AS n") as statement:
            for number in (1, 2, 3):
                batch = pa.record_batch({"0": pa.array([number], pa.int64())})
                self.assertEqual(
                    self.read(statement.execute(batch)).to_pylist(), [{"n": number + 1}])
        with self.assertRaises(Exception):
            self.client.client.get_flight_info(
                command("CommandPreparedStatementQuery", (1, statement.handle)))

    def test_catalog_commands_have_the_exact_columns(self):
        text = pa.utf8()

        def fields(*columns):
            return pa.schema([
                pa.field(name.removesuffix("?"), kind, name.endswith("?"))
                for name, kind in columns])

        keys = fields(
            ("pk_catalog_name?", text), ("pk_db_schema_name?", text), ("pk_table_name", text),
            ("pk_column_name", text), ("fk_catalog_name?", text), ("fk_db_schema_name?", text),
            ("fk_table_name", text), ("fk_column_name", text), ("key_sequence", pa.int32()),
            ("fk_key_name?", text), ("pk_key_name?", text), ("update_rule", pa.uint8()),
            ("delete_rule", pa.uint8()))
        tables = [
            ("catalog_name?", text), ("db_schema_name?", text), ("table_name", text),
            ("table_type", text)]
        reference = flightsql.client.TableRef(db_schema=self.database, table="pair")
        for info, wanted in (
                (self.client.get_catalogs(), fields(("catalog_name", text))),
                (self.client.get_db_schemas(),
                 fields(("catalog_name?", text), ("db_schema_name", text))),
                (self.client.get_tables(), fields(*tables)),
                (self.client.get_tables(include_schema=True),
                 fields(*tables, ("table_schema", pa.binary()))),
                (self.client.get_table_types(), fields(("table_type", text))),
                (self.client.get_primary_keys(reference), fields(
                    ("catalog_name?", text), ("db_schema_name?", text), ("table_name", text),
                    ("column_name", text), ("key_name?", text), ("key_sequence", pa.int32()))),
                (self.client.get_exported_keys(reference), keys),
                (self.client.get_imported_keys(reference), keys),
                (self.client.get_cross_reference(reference, reference), keys)):
            self.assertTrue(info.schema.equals(wanted), f"{info.schema}\n\nnot\n\n{wanted}")
            self.assertTrue(self.read(info).schema.equals(wanted))

    def test_tables_by_pattern_and_type(self):
        def names(**filters):
            info = self.client.get_tables(db_schema_filter_pattern=self.database, **filters)
            return [
                (row["table_name"], row["table_type"]) for row in self.read(info).to_pylist()]

        self.assertEqual(names(), [("pair", "TABLE"), ("seen", "VIEW"), ("types", "TABLE")])
        self.assertEqual(names(table_name_filter_pattern="p%"), [("pair", "TABLE")])
        self.assertEqual(names(table_name_filter_pattern="p_ir"), [("pair", "TABLE")])
        self.assertEqual(names(table_types=["VIEW"]), [("seen", "VIEW")])
        self.assertEqual(names(table_types=["NO SUCH"]), [])
        self.assertEqual(names(table_name_filter_pattern="nope"), [])
        schemas = self.read(self.client.get_db_schemas(db_schema_filter_pattern=self.database))
        self.assertEqual(schemas["db_schema_name"].to_pylist(), [self.database])
        types = self.read(self.client.get_table_types())["table_type"].to_pylist()
        self.assertLessEqual({"TABLE", "VIEW"}, set(types))
        listed = self.read(self.client.get_tables(
            db_schema_filter_pattern=self.database, table_name_filter_pattern="types",
            include_schema=True))
        [schema] = listed["table_schema"].to_pylist()
        self.assertTrue(pa.ipc.open_stream(schema).schema.equals(samples.result_schema()))

    def test_type_info(self):
        table = self.read(self.client.get_xdbc_type_info(None))
        self.assertEqual(table.column_names, [
            "type_name", "data_type", "column_size", "literal_prefix", "literal_suffix",
            "create_params", "nullable", "case_sensitive", "searchable", "unsigned_attribute",
            "fixed_prec_scale", "auto_increment", "local_type_name", "minimum_scale",
            "maximum_scale", "sql_data_type", "datetime_subcode", "num_prec_radix",
            "interval_precision"])
        rows = {row["type_name"]: row for row in table.to_pylist()}
        self.assertEqual(rows["Int64"]["data_type"], -5)
        self.assertEqual(rows["String"]["data_type"], 12)
        self.assertIs(rows["UInt8"]["unsigned_attribute"], True)
        numbers = table["data_type"].to_pylist()
        self.assertEqual(numbers, sorted(numbers))
        only = self.read(self.client.get_xdbc_type_info(-5))
        self.assertEqual(set(only["data_type"].to_pylist()), {-5})

    # The codes of FlightSql.proto: the server's and the SQL's.
    ASSIGNED = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100, 101, *range(500, 577)}

    def sql_info(self, *codes):
        table = self.read(self.client.get_sql_info(list(codes)))
        return {row["info_name"]: row["value"] for row in table.to_pylist()}

    def test_sql_info_is_complete_and_true(self):
        everything = self.sql_info()
        missing = sorted(self.ASSIGNED - set(everything))
        self.assertEqual(missing, [], "codes without an answer")
        self.assertEqual(everything[3], False)  # FLIGHT_SQL_SERVER_READ_ONLY
        self.assertEqual(everything[4], True)  # FLIGHT_SQL_SERVER_SQL
        self.assertEqual(everything[5], False)  # FLIGHT_SQL_SERVER_SUBSTRAIT
        self.assertEqual(everything[8], 1)  # FLIGHT_SQL_SERVER_TRANSACTION
        self.assertEqual(everything[9], True)  # FLIGHT_SQL_SERVER_CANCEL
        self.assertEqual(everything[10], True)  # FLIGHT_SQL_SERVER_BULK_INGESTION
        self.assertIn(everything[504], ("`", '"'))  # SQL_IDENTIFIER_QUOTE_CHAR
        for code in (0, 1, 2):
            self.assertTrue(everything[code])
        # Each code asked for alone has the same answer.
        for code in sorted(self.ASSIGNED):
            self.assertEqual(self.sql_info(code), {code: everything[code]})
        kinds = self.read(self.client.get_sql_info([])).schema.field("value").type
        self.assertEqual(
            [(field.name, field.type) for field in kinds],
            [("string_value", pa.utf8()), ("bool_value", pa.bool_()),
             ("bigint_value", pa.int64()), ("int32_bitmask", pa.int32()),
             ("string_list", pa.list_(pa.utf8())),
             ("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32())))])

    def test_sql_info_says_what_the_sql_does(self):
        info = self.sql_info(523, 540)
        self.assertIs(info[523], True)  # SQL_SUPPORTS_LIKE_ESCAPE_CLAUSE
        self.assertEqual(info[540], 0b10)  # UNION ALL only
        with self.service.connect() as connection:
            self.assertEqual(connection.value("SELECT 'a%' LIKE 'a!%' ESCAPE '!'"), 1)
            with self.assertRaisesRegex(Exception, "558"):
                connection.value("SELECT 1 UNION SELECT 1")

    def test_types_are_those_of_results(self):
        table = self.read(self.client.get_xdbc_type_info(None))
        told = {row["type_name"]: row["data_type"] for row in table.to_pylist()}
        codes = {pa.int8(): -6, pa.int16(): 5, pa.uint32(): -5, pa.binary(16): -2, pa.uuid(): -2,
                 pa.binary(32): -2, pa.time64("us"): 92}
        for name, value in (
                ("Enum8", "CAST('a', 'Enum8(\\'a\\' = 1)')"),
                ("Enum16", "CAST('a', 'Enum16(\\'a\\' = 1)')"), ("DateTime", "now()"),
                ("IPv4", "toIPv4('1.2.3.4')"), ("IPv6", "toIPv6('::1')"),
                ("UUID", "generateUUIDv4()"), ("Int128", "toInt128(1)"),
                ("UInt128", "toUInt128(1)"), ("Int256", "toInt256(1)"),
                ("UInt256", "toUInt256(1)"), ("Time64", "'12:00:00'::Time64(6)")):
            with self.subTest(name):
                column = self.read(self.client.execute(f"SELECT {value} AS x"))["x"]
                self.assertEqual(told[name], codes[column.type])
        self.assertLessEqual({"Variant", "Dynamic"}, set(told))

    def test_unknown_sql_info_is_an_error_or_left_out(self):
        try:
            self.assertEqual(self.sql_info(9999), {})
        except REFUSED as error:
            self.assertIn("9999", str(error))

    def act(self, request):
        return list(self.client.client.do_action(request))

    def put_update(self, statement, transaction=None):
        descriptor = command(
            "CommandStatementUpdate", (1, statement.format(self.database)), (2, transaction))
        writer, reader = self.client.client.do_put(descriptor, pa.schema([]))
        result = reader.read()
        writer.close()
        return dict(parse(result.to_pybytes())).get(1, 0)

    def test_transactions_by_action(self):
        self.put_update(
            "CREATE TABLE {}.act (id UInt8) ENGINE = MutableMergeTree ORDER BY id")
        count = "SELECT count() AS n FROM {}.act"
        for ending, rows in ((2, 0), (1, 2)):  # rolled back, committed
            transaction = unpacked(self.act(action("BeginTransaction"))[0])[1]
            self.put_update("INSERT INTO {}.act VALUES (1)", transaction)
            self.put_update("INSERT INTO {}.act VALUES (2)", transaction)
            self.assertEqual(self.query(count).to_pylist(), [{"n": 0}])
            self.act(action("EndTransaction", (1, transaction), (2, ending)))
            self.assertEqual(self.query(count).to_pylist(), [{"n": rows}])
            with self.assertRaises(REFUSED):
                self.put_update("INSERT INTO {}.act VALUES (3)", transaction)
            with self.assertRaises(REFUSED):
                self.act(action("EndTransaction", (1, transaction), (2, 1)))

    def test_actions_are_listed(self):
        names = {each.type for each in self.client.client.list_actions()}
        self.assertLessEqual(
            {"CreatePreparedStatement", "ClosePreparedStatement", "BeginTransaction",
             "EndTransaction", "CancelFlightInfo", "RenewFlightEndpoint", "SetSessionOptions",
             "GetSessionOptions", "CloseSession"}, names)
        with self.assertRaisesRegex(Exception, "NoSuchAction"):
            self.act(flight.Action("NoSuchAction", b""))

    def test_a_query_is_cancelled_by_its_info(self):
        mark = "cancel_" + self.database
        info = self.client.execute(f"SELECT number, '{mark}' FROM system.numbers")
        stream = self.client.do_get(info.endpoints[0].ticket)
        stream.read_chunk()
        [result] = self.act(flight.Action("CancelFlightInfo", message((1, info.serialize()))))
        status = dict(parse(result.body.to_pybytes())).get(1, 0)
        self.assertIn(status, (1, 2))  # cancelled, cancelling
        self.service.wait_gone(mark, 1)
        with self.assertRaises(REFUSED):
            while True:
                stream.read_chunk()

    def test_an_endpoint_is_renewed(self):
        info = self.client.execute("SELECT 1 AS a")
        endpoint = info.endpoints[0]
        [result] = self.act(flight.Action(
            "RenewFlightEndpoint", message((1, endpoint.serialize()))))
        renewed = flight.FlightEndpoint.deserialize(result.body.to_pybytes())
        self.assertGreaterEqual(
            renewed.expiration_time.as_py(), endpoint.expiration_time.as_py())
        self.assertEqual(
            self.client.do_get(renewed.ticket).read_all().to_pylist(), [{"a": 1}])

    def test_a_command_that_is_none(self):
        for body in (b"SELECT 1", any_message("CommandNoSuch", b"")):
            with self.assertRaises(REFUSED):
                self.client.client.get_flight_info(flight.FlightDescriptor.for_command(body))


if __name__ == "__main__":
    unittest.main()

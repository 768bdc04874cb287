"""ClickHouse's HTTP interface as its Python client, SQLAlchemy, pandas, polars and the chdb library
use it, against `magic serve`."""

import ipaddress
import subprocess
import sys
import unittest
import uuid
from datetime import datetime, timezone
from decimal import Decimal

import pandas
import polars
import pyarrow as pa
import sqlalchemy
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

import samples
from harness import ROOT
from serving import new_database, shared

MILLION = "SELECT number AS n, cityHash64(number) AS h, toString(number) AS s FROM numbers(1000000)"


def as_python(rows):
    """The sample rows as clickhouse-connect has them."""
    def value(name, each):
        kind = name.removeprefix("n_")
        if each is None:
            return None
        if kind == "v4":
            return ipaddress.IPv4Address(each)
        if kind == "v6":
            return ipaddress.IPv6Address(each)
        if kind == "bin":
            return each.decode()
        if isinstance(each, datetime):
            return each.replace(tzinfo=None)
        return each
    return [tuple(value(name, each) for name, each in row.items()) for row in rows]


def naive(rows):
    """Rows whose moments are in UTC, without saying so."""
    def value(each):
        if isinstance(each, datetime) and each.tzinfo is not None:
            return each.astimezone(timezone.utc).replace(tzinfo=None)
        return each
    return [tuple(map(value, row)) for row in rows]


class ClickHouseConnectTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.database = new_database(
            cls.service, samples.declaration("{}.types"), samples.insertion("{}.types"))
        cls.client = cls.service.clickhouse(database=cls.database)
        cls.addClassCleanup(cls.client.close)

    def table(self, columns, rows=None, engine="MutableMergeTree"):
        name = "t" + uuid.uuid4().hex[:8]
        key = columns.split()[0]
        self.client.command(f"CREATE TABLE {name} ({columns}) ENGINE = {engine} ORDER BY {key}")
        if rows is not None:
            self.client.insert(name, rows)
        return name

    def rows(self, statement, **options):
        return [tuple(row) for row in self.client.query(statement, **options).result_rows]

    def test_connecting(self):
        self.assertTrue(self.client.ping())
        self.assertRegex(self.client.server_version, r"^\d+\.\d+")
        self.assertEqual(str(self.client.server_tz), "UTC")
        self.assertEqual(self.client.command("SELECT currentDatabase()"), self.database)

    def test_every_type(self):
        rows = self.rows("SELECT * FROM types ORDER BY id")
        self.assertEqual(naive(rows), as_python(samples.rows()))

    def test_every_type_inserted(self):
        self.client.command(samples.declaration("copy"))
        names = [name for name, _ in samples.columns()]
        rows = [
            tuple(each.replace(tzinfo=timezone.utc) if isinstance(each, datetime) else each
                  for each in row) for row in as_python(samples.rows())]
        summary = self.client.insert("copy", rows, column_names=names)
        self.assertEqual(summary.written_rows, samples.ROWS)
        self.assertEqual(
            naive(self.rows("SELECT * FROM copy ORDER BY id")), as_python(samples.rows()))

    def test_every_type_in_arrow(self):
        self.client.command(samples.declaration("arrow"))
        table = samples.arrow_table()
        skipped = {"v4", "n_v4", "v6", "n_v6"}  # the engine's own reader decides about these
        table = table.select([name for name in table.column_names if name not in skipped])
        self.client.insert_arrow("arrow", table)
        names = ", ".join(table.column_names)
        read = self.client.query_arrow(f"SELECT {names} FROM arrow ORDER BY id")
        expected = [{name: row[name] for name in table.column_names} for row in samples.rows()]
        self.assertEqual(read.to_pylist(), samples.plain(expected))

    def test_data_frames(self):
        name = self.table("id UInt32, f Float64, s Nullable(String), t DateTime64(3, 'UTC')")
        frame = pandas.DataFrame({
            "id": [1, 2, 3], "f": [0.5, -1.0, 1e300], "s": ["é", None, "🐎"],
            "t": pandas.to_datetime(["2020-01-01 00:00:00.001", "1969-12-31", "2100-01-01"], utc=True,
                                    format="ISO8601")})
        self.client.insert_df(name, frame)
        read = self.client.query_df(f"SELECT * FROM {name} ORDER BY id")
        self.assertEqual(read["id"].tolist(), [1, 2, 3])
        self.assertEqual(read["f"].tolist(), [0.5, -1.0, 1e300])
        self.assertEqual(
            [None if pandas.isna(each) else each for each in read["s"]], ["é", None, "🐎"])
        moments = pandas.to_datetime(read["t"], utc=True)
        self.assertEqual(moments.tolist(), frame["t"].tolist())
        read = self.client.query_df_arrow(f"SELECT id, f FROM {name} ORDER BY id")
        self.assertEqual(read["id"].tolist(), [1, 2, 3])
        self.assertEqual(self.client.query_df(f"SELECT * FROM {name} WHERE id > 10").shape[0], 0)

    def test_a_big_result_streams(self):
        count = total = 0
        with self.client.query_row_block_stream(MILLION) as stream:
            for block in stream:
                count += len(block)
                total += sum(row[1] for row in block)
        self.assertEqual(count, 1_000_000)
        self.assertEqual(
            total % (1 << 64),
            self.client.command(f"SELECT sum(h) FROM ({MILLION})"))
        with self.client.query_arrow_stream(MILLION) as stream:
            self.assertEqual(sum(batch.num_rows for batch in stream), 1_000_000)

    def test_a_big_insert(self):
        name = self.table("id UInt64, s String")
        rows = pa.table({
            "id": pa.array(range(1_000_000), pa.uint64()),
            "s": pa.array([str(each) for each in range(1_000_000)])})
        self.client.insert_arrow(name, rows)
        self.assertEqual(
            self.rows(f"SELECT count(), sum(id), sum(length(s)) FROM {name}"),
            [(1_000_000, sum(range(1_000_000)), sum(len(str(n)) for n in range(1_000_000)))])
        self.client.insert(name, [[number, "again"] for number in range(100_000)])
        self.assertEqual(
            self.rows(f"SELECT count(), countIf(s = 'again') FROM {name}"), [(1_000_000, 100_000)])

    def test_parameters(self):
        rows = self.rows(
            "SELECT {a:Int32}, {s:String}, {n:Nullable(String)}, {l:Array(UInt8)}, {d:Date}",
            parameters={"a": -5, "s": "x'\\\t\né", "n": None, "l": [1, 2], "d": "2020-02-29"})
        self.assertEqual(rows[0][:4], (-5, "x'\\\t\né", None, [1, 2]))
        self.assertEqual(str(rows[0][4]), "2020-02-29")
        self.assertEqual(self.rows("SELECT %(a)s, %(b)s", parameters={"a": 1, "b": "x'y"}),
                         [(1, "x'y")])
        self.assertEqual(
            self.rows("SELECT {t:Identifier}.id FROM {t:Identifier} ORDER BY id LIMIT 1",
                      parameters={"t": "types"}), [(0,)])
        with self.assertRaisesRegex(DatabaseError, "(?i)456|substitution|param"):
            self.rows("SELECT {missing:Int32}")

    def test_settings(self):
        self.assertEqual(
            self.rows("SELECT toString(getSetting('max_threads'))", settings={"max_threads": 3}),
            [("3",)])
        with self.assertRaisesRegex(DatabaseError, "(?i)158|limit|rows"):
            self.rows("SELECT number FROM numbers(1000)",
                      settings={"max_rows_to_read": 10, "read_overflow_mode": "throw"})
        with self.service.clickhouse(settings={"max_threads": 2}) as client:
            self.assertEqual(client.command("SELECT toString(getSetting('max_threads'))"), 2)

    def test_a_session_keeps_its_tables_and_settings(self):
        self.client.command("CREATE TEMPORARY TABLE kept (a Int32, s String)")
        self.client.insert("kept", [[1, "x"], [2, "y"]], column_names=["a", "s"],
                           column_type_names=["Int32", "String"])
        self.assertEqual(self.rows("SELECT * FROM kept ORDER BY a"), [(1, "x"), (2, "y")])
        self.client.command("SET max_block_size = 777")
        self.assertEqual(
            self.client.command("SELECT toString(getSetting('max_block_size'))"), 777)
        with self.service.clickhouse(database=self.database) as other:
            with self.assertRaisesRegex(DatabaseError, "kept"):
                other.query("SELECT * FROM kept")
        with self.service.clickhouse(autogenerate_session_id=False) as client:
            client.command("CREATE TEMPORARY TABLE gone (a Int32)")
            with self.assertRaisesRegex(DatabaseError, "gone"):
                client.query("SELECT * FROM gone")

    def test_compression_of_every_kind(self):
        columns = [[number, "compressible " * 20] for number in range(20_000)]
        for method in ("lz4", "zstd", "gzip", False):
            with self.subTest(method), \
                    self.service.clickhouse(database=self.database, compress=method) as client:
                name = self.table("id UInt32, s String")
                client.insert(name, columns)
                read = client.query(f"SELECT count(), sum(id), sum(length(s)) FROM {name}")
                self.assertEqual(
                    [tuple(row) for row in read.result_rows],
                    [(20_000, sum(range(20_000)), 20_000 * 13 * 20)])
                self.assertEqual(
                    [list(row) for row in
                     client.query(f"SELECT * FROM {name} ORDER BY id").result_rows], columns)

    def test_commands_and_raw_forms(self):
        name = self.table("id UInt32, s String")
        self.client.raw_insert(name, insert_block=b"1,x\n2,\"a,b\"\n", fmt="CSV")
        self.assertEqual(
            self.client.raw_query(f"SELECT * FROM {name} ORDER BY id", fmt="JSONEachRow"),
            b'{"id":1,"s":"x"}\n{"id":2,"s":"a,b"}\n')
        self.assertEqual(self.client.command(f"SELECT count() FROM {name}"), 2)
        self.assertEqual(self.client.command("SELECT 'a', 'b'"), ["a", "b"])
        summary = self.client.command(f"INSERT INTO {name} VALUES (3, 'z')")
        self.assertEqual(int(summary.summary["written_rows"]), 1)
        stream = self.client.raw_stream(f"SELECT * FROM {name} ORDER BY id", fmt="CSV")
        self.assertEqual(stream.read(), b'1,"x"\n2,"a,b"\n3,"z"\n')
        self.client.command(f"UPDATE {name} SET s = 'u' WHERE id > 1")
        self.client.command(f"DELETE FROM {name} WHERE id = 1")
        self.assertEqual(self.rows(f"SELECT * FROM {name} ORDER BY id"), [(2, "u"), (3, "u")])

    def test_contexts(self):
        name = self.table("id UInt32, s String")
        context = self.client.create_insert_context(name, data=[[1, "a"], [2, "b"]])
        self.client.insert(context=context)
        context.data = [[3, "c"]]
        self.client.insert(context=context)
        query = self.client.create_query_context(
            query="SELECT s FROM " + name + " WHERE id >= {n:UInt32} ORDER BY id",
            parameters={"n": 2}, column_oriented=True)
        self.assertEqual([list(each) for each in self.client.query(context=query).result_columns],
                         [["b", "c"]])

    def test_external_data(self):
        data = ExternalData(
            data=b"1,x\n2,y\n", fmt="CSV", structure="a Int32, s String", file_name="outer.csv")
        self.assertEqual(
            self.rows("SELECT a, s FROM outer ORDER BY a DESC", external_data=data),
            [(2, "y"), (1, "x")])

    def test_errors(self):
        for statement, code in (
                ("SELEC 1", 62), ("SELECT nope", 47), ("SELECT * FROM nope.nope", 81),
                ("SELECT * FROM nope", 60), ("SELECT throwIf(1, 'thrown')", 395)):
            with self.subTest(statement), self.assertRaisesRegex(
                    DatabaseError, rf"(?i)code: {code}\b"):
                self.client.query(statement)
        with self.assertRaisesRegex(StreamFailureError, "half-way"):
            self.rows(
                "SELECT throwIf(number = 3000000, 'half-way') FROM numbers(4000000)",
                settings={"wait_end_of_query": 0})
        with self.assertRaisesRegex(StreamFailureError, "half-way"):
            with self.client.query_row_block_stream(
                    "SELECT throwIf(number = 3000000, 'half-way') FROM numbers(4000000)") as stream:
                for _ in stream:
                    pass
        name = self.table("id UInt32, n Int8")
        with self.assertRaisesRegex(DatabaseError, r"(?i)code: \d+"):
            self.client.raw_insert(name, insert_block=b"1,5\n2,wrong\n", fmt="CSV")
        self.assertEqual(self.client.command(f"SELECT count() FROM {name}"), 0)

    def test_a_closed_stream_ends_its_query(self):
        mark = "http_" + self.database
        with self.service.clickhouse() as client:
            stream = client.raw_stream(f"SELECT number, '{mark}' FROM system.numbers", fmt="CSV")
            stream.read(1000)
            self.assertEqual(self.service.running(mark), 1)
            stream.close()
        self.service.wait_gone(mark, 2)

    def test_killing_by_id(self):
        mark = "kill_" + self.database
        with self.service.clickhouse() as client, self.service.clickhouse() as other:
            stream = client.raw_stream(
                f"SELECT number, '{mark}' FROM system.numbers", fmt="CSV",
                settings={"query_id": mark})
            stream.read(1000)
            other.command(f"KILL QUERY WHERE query_id = '{mark}'")
            self.service.wait_gone(mark, 2)
            with self.assertRaises(Exception):
                while stream.read(1 << 20):
                    pass
            stream.close()


class SQLAlchemyTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.database = new_database(
            cls.service, samples.declaration("{}.types"), samples.insertion("{}.types"))
        cls.engine = sqlalchemy.create_engine(
            f"clickhousedb://default:@127.0.0.1:{cls.service.http_port}/{cls.database}")
        cls.addClassCleanup(cls.engine.dispose)

    def test_queries(self):
        with self.engine.connect() as connection:
            result = connection.execute(
                sqlalchemy.text("SELECT id, s FROM types WHERE id < :n ORDER BY id"), {"n": 2})
            self.assertEqual(
                [tuple(row) for row in result],
                [(row["id"], row["s"]) for row in samples.rows()[:2]])

    def test_reflection(self):
        inspector = sqlalchemy.inspect(self.engine)
        self.assertIn("types", inspector.get_table_names(self.database))
        self.assertIn(self.database, inspector.get_schema_names())
        self.assertTrue(inspector.has_table("types", self.database))
        self.assertFalse(inspector.has_table("nope", self.database))
        names = [column["name"] for column in inspector.get_columns("types", self.database)]
        self.assertEqual(names, [name for name, _ in samples.columns()])

    def test_pandas(self):
        frame = pandas.read_sql("SELECT id, i64, n_s FROM types ORDER BY id", self.engine)
        self.assertEqual(frame["i64"].tolist(), [row["i64"] for row in samples.rows()])
        frame = pandas.read_sql_table("types", self.engine)
        self.assertEqual(frame.shape, (samples.ROWS, len(samples.columns())))
        with self.engine.connect() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE frame (a Int64, b String) ENGINE = MutableMergeTree ORDER BY a")
        pandas.DataFrame({"a": [1, 2], "b": ["x", "é"]}).to_sql(
            "frame", self.engine, if_exists="append", index=False)
        frame = pandas.read_sql("SELECT * FROM frame ORDER BY a", self.engine)
        self.assertEqual(frame.values.tolist(), [[1, "x"], [2, "é"]])

    def test_polars(self):
        frame = polars.read_database("SELECT id, n_s, d38 FROM types ORDER BY id", self.engine)
        self.assertEqual(frame["n_s"].to_list(), [row["n_s"] for row in samples.rows()])
        self.assertEqual(
            [Decimal(each) for each in frame["d38"].to_list()],
            [row["d38"] for row in samples.rows()])


class LibraryTests(unittest.TestCase):
    """The `url()` table function of the chdb library, in a process of its own."""

    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.database = new_database(
            cls.service, samples.declaration("{}.types"), samples.insertion("{}.types"),
            "CREATE TABLE {}.written (id UInt64, s Nullable(String)) "
            "ENGINE = MutableMergeTree ORDER BY id")

    def chdb(self, *statements):
        """What the statements give, each in CSV, one after another."""
        program = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "import chdb\n"
            "for statement in sys.argv[2:]:\n"
            "    sys.stdout.write(chdb.query(statement, 'CSV').bytes().decode())\n"
            "    sys.stdout.flush()\n")
        result = subprocess.run(
            [sys.executable, "-c", program, str(ROOT / ".deps/engine"), *statements],
            capture_output=True, text=True, timeout=120)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return result.stdout

    def source(self, statement, form="ArrowStream", structure=None):
        encoded = statement.format(self.database).replace(" ", "+")
        structure = f", '{structure}'" if structure else ""
        return f"url('{self.service.url()}?query={encoded}', '{form}'{structure})"

    def test_reading(self):
        for form in ("ArrowStream", "Native", "Parquet", "CSVWithNames"):
            source = self.source("SELECT id,i64,n_s FROM {}.types FORMAT " + form, form)
            self.assertEqual(
                self.chdb(f"SELECT count(), sum(id), max(i64), count(n_s) FROM {source}"),
                f"{samples.ROWS},{sum(range(samples.ROWS))},{2 ** 63 - 1},{samples.ROWS - 1}\n",
                form)
        big = self.source("SELECT number FROM numbers(3000000) FORMAT ArrowStream")
        self.assertEqual(
            self.chdb(f"SELECT count(), sum(number) FROM {big}"), "3000000,4499998500000\n")

    def test_writing(self):
        target = self.source(
            "INSERT INTO {}.written FORMAT ArrowStream", structure="id UInt64, s Nullable(String)")
        self.chdb(
            f"INSERT INTO FUNCTION {target} SELECT number, if(number % 2, 'é', NULL) "
            "FROM numbers(1000000)")
        with self.service.connect() as connection:
            self.assertEqual(
                connection.rows(
                    f"SELECT count(), sum(id), countIf(s = 'é') FROM {self.database}.written"),
                [("1000000", str(sum(range(1_000_000))), "500000")])

    def test_errors(self):
        with self.assertRaisesRegex(RuntimeError, "nope"):
            self.chdb("SELECT * FROM " + self.source(
                "SELECT nope FORMAT CSV", "CSV", "a Int32"))
        with self.assertRaisesRegex(RuntimeError, "nope"):
            target = self.source("INSERT INTO {}.nope FORMAT CSV", "CSV", "a Int32")
            self.chdb(f"INSERT INTO FUNCTION {target} SELECT 1")


if __name__ == "__main__":
    unittest.main()

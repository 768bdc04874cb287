"""ClickHouse's HTTP interface as curl and plain sockets use it, against `magic serve`."""

import gzip
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import unittest
import zlib
from urllib.parse import urlencode

import pyarrow as pa

from harness import find_program
from serving import new_database, shared


class Answer:
    def __init__(self, status, headers, body, exit_status):
        self.status, self.headers, self.body, self.exit_status = status, headers, body, exit_status

    @property
    def text(self):
        return self.body.decode()


def curl(url, *options, body=None, stdin=None):
    """What curl gets; its exit status is that of the transfer, not of the answer."""
    command = [find_program("curl"), "-sS", "-i", "--max-time", "120", *options]
    if body is not None:
        command += ["--data-binary", "@-", "-H", "Expect:"]
    process = subprocess.run(
        [*command, url], input=body, stdin=stdin, capture_output=True, timeout=130)
    head, _, rest = process.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, rest = rest.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    status = int(lines[0].split()[1]) if lines[0] else None
    headers = {name.lower(): value for name, _, value in
               (line.partition(": ") for line in lines[1:])}
    return Answer(status, headers, rest, process.returncode)


class CurlTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = shared()
        cls.database = new_database(
            cls.service,
            "CREATE TABLE {}.t (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id",
            "INSERT INTO {}.t VALUES (1, 'one'), (2, 'two')")

    def url(self, **parameters):
        return self.service.url("/?" + urlencode({"database": self.database, **parameters}))

    def table(self, engine="MutableMergeTree ORDER BY id"):
        name = f"t{time.monotonic_ns()}"
        answer = curl(self.url(), body=f"CREATE TABLE {name} (id UInt32, s String) "
                      f"ENGINE = {engine}".encode())
        self.assertEqual((answer.status, answer.body), (200, b""))
        return name

    def test_asking(self):
        self.assertEqual(curl(self.service.url("/ping")).body, b"Ok.\n")
        self.assertEqual(curl(self.service.url("/")).body, b"Ok.\n")
        answer = curl(self.url(query="SELECT * FROM t ORDER BY id"))
        self.assertEqual((answer.status, answer.text), (200, "1\tone\n2\ttwo\n"))
        self.assertEqual(answer.headers["x-clickhouse-format"], "TabSeparated")
        self.assertTrue(answer.headers["x-clickhouse-query-id"])
        self.assertIn("x-clickhouse-exception-tag", answer.headers)
        self.assertIn("x-clickhouse-timezone", answer.headers)
        summary = json.loads(answer.headers["x-clickhouse-summary"])
        self.assertTrue(all(isinstance(value, str) for value in summary.values()))
        answer = curl(self.url(), body=b"SELECT 1 AS a FORMAT JSON")
        self.assertTrue(answer.headers["content-type"].startswith("application/json"))
        self.assertEqual(json.loads(answer.body)["data"], [{"a": 1}])
        answer = curl(self.url(query="SELECT {n:UInt8} + 1", param_n="5", query_id="asked"))
        self.assertEqual((answer.text, answer.headers["x-clickhouse-query-id"]), ("6\n", "asked"))
        # The beginning in the URL, the rest in the body.
        self.assertEqual(curl(self.url(query="SELECT 1,"), body=b"2").text, "1\t2\n")

    def test_the_database_and_the_format_come_in_headers_too(self):
        answer = curl(
            self.service.url("/?query=SELECT+count()+FROM+t"),
            "-H", f"X-ClickHouse-Database: {self.database}", "-H", "X-ClickHouse-Format: JSONEachRow")
        self.assertEqual(json.loads(answer.body), {"count()": 2})

    def test_get_changes_nothing(self):
        """As ClickHouse has it: a GET only reads."""
        answer = curl(self.url(query="INSERT INTO t VALUES (9, 'nine')"))
        self.assertGreaterEqual(answer.status, 400)
        self.assertEqual(curl(self.url(query="SELECT count() FROM t")).text, "2\n")
        answer = curl(self.url(query="DROP TABLE t"), "-I")
        self.assertEqual(curl(self.url(query="SELECT count() FROM t")).text, "2\n")

    def test_a_session_is_one_for_all_methods(self):
        session = f"s{os.urandom(4).hex()}"
        for body in (b"CREATE TEMPORARY TABLE tt (a UInt8)", b"INSERT INTO tt VALUES (5)"):
            self.assertEqual(curl(self.url(session_id=session), body=body).status, 200)
        self.assertEqual(
            curl(self.url(session_id=session, query="SELECT a FROM tt")).text, "5\n")
        # To be told to read only concerns one statement.
        answer = curl(self.url(session_id=session, readonly=1), body=b"SELECT 1")
        self.assertEqual(answer.text, "1\n")
        answer = curl(self.url(session_id=session, readonly=1), body=b"INSERT INTO tt VALUES (6)")
        self.assertGreaterEqual(answer.status, 400)
        self.assertEqual(
            curl(self.url(session_id=session), body=b"SELECT a FROM tt").text, "5\n")

    def test_arrow_streams_pass_through(self):
        answer = curl(self.url(query="SELECT * FROM t ORDER BY id FORMAT ArrowStream"))
        table = pa.ipc.open_stream(answer.body).read_all()
        self.assertEqual(table.to_pylist(), [{"id": 1, "s": "one"}, {"id": 2, "s": "two"}])
        name = self.table()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        answer = curl(self.url(query=f"INSERT INTO {name} FORMAT ArrowStream"),
                      body=sink.getvalue().to_pybytes())
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(json.loads(answer.headers["x-clickhouse-summary"])["written_rows"], "2")
        self.assertEqual(
            curl(self.url(query=f"SELECT * FROM {name} ORDER BY id")).text, "1\tone\n2\ttwo\n")

    def test_answers_are_compressed(self):
        statement = "SELECT repeat('x', 100), number FROM numbers(10000)"
        wanted = curl(self.url(), body=statement.encode()).body
        for name, decompress in (
                ("gzip", gzip.decompress), ("deflate", zlib.decompress),
                ("zstd", lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()),
                ("lz4", lambda data: pa.CompressedInputStream(pa.BufferReader(data), "lz4").read())):
            with self.subTest(name):
                answer = curl(self.url(enable_http_compression=1), "-H", f"Accept-Encoding: {name}",
                              body=statement.encode())
                self.assertEqual(answer.headers.get("content-encoding"), name)
                self.assertLess(len(answer.body), len(wanted) / 5)
                self.assertEqual(decompress(answer.body), wanted)
        answer = curl(self.url(enable_http_compression=1), "-H", "Accept-Encoding: nonsense",
                      body=statement.encode())
        self.assertEqual(answer.body, wanted)

    def test_requests_are_compressed(self):
        rows = "".join(f"{number}\trow {number}\n" for number in range(100_000))
        for name, compress in (
                ("gzip", gzip.compress), ("zstd", self.arrow_compressed("zstd")),
                ("lz4", self.arrow_compressed("lz4")), ("deflate", zlib.compress)):
            with self.subTest(name):
                table = self.table()
                answer = curl(
                    self.url(query=f"INSERT INTO {table} FORMAT TSV"), "-H",
                    f"Content-Encoding: {name}", body=compress(rows.encode()))
                self.assertEqual(answer.status, 200, answer.body)
                answer = curl(self.url(query=f"SELECT count(), sum(id) FROM {table}"))
                self.assertEqual(answer.text, f"100000\t{sum(range(100_000))}\n")
                # The statement and its rows, together.
                both = f"INSERT INTO {table} FORMAT TSV\n7000000\tlast\n".encode()
                answer = curl(self.url(), "-H", f"Content-Encoding: {name}", body=compress(both))
                self.assertEqual(answer.status, 200, answer.body)
                answer = curl(self.url(query=f"SELECT s FROM {table} WHERE id = 7000000"))
                self.assertEqual(answer.text, "last\n")
                for broken in (compress(rows.encode())[:-20], b"not compressed at all"):
                    answer = curl(
                        self.url(query=f"INSERT INTO {table} FORMAT TSV"), "-H",
                        f"Content-Encoding: {name}", body=broken)
                    self.assertGreaterEqual(answer.status, 400, "broken input was taken")
        answer = curl(self.url(query="INSERT INTO t FORMAT TSV"), "-H",
                      "Content-Encoding: nonsense", body=b"x")
        self.assertGreaterEqual(answer.status, 400)

    @staticmethod
    def arrow_compressed(codec):
        def compress(data):
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, codec) as stream:
                stream.write(data)
            return sink.getvalue().to_pybytes()
        return compress

    def test_a_compressed_file_is_inserted(self):
        table = self.table()
        with tempfile.NamedTemporaryFile(suffix=".csv.gz") as file:
            file.write(gzip.compress(b"id,s\n7,seven\n8,eight\n"))
            file.flush()
            answer = curl(
                self.url(query=f"INSERT INTO {table} FORMAT CSVWithNames"),
                "--data-binary", f"@{file.name}", "-H", "Content-Encoding: gzip")
        self.assertEqual(answer.status, 200, answer.text)
        answer = curl(self.url(query=f"SELECT * FROM {table} ORDER BY id"))
        self.assertEqual(answer.body, b"7\tseven\n8\teight\n")

    def test_another_clickhouse_reads(self):
        url = self.service.url(f"/?query=SELECT+*+FROM+{self.database}.t+FORMAT+ArrowStream")
        answer = curl(
            self.url(), body=f"SELECT * FROM url('{url}', 'ArrowStream') ORDER BY id".encode())
        self.assertEqual(answer.body, b"1\tone\n2\ttwo\n")

    def test_a_scan_reads_what_it_says(self):
        def scan(**members):
            message = {"table": {"database": self.database, "table": "t"}, **members}
            return curl(self.service.url("/magic/v1/scan"), body=json.dumps(message).encode())

        answer = scan(columns=["s"], filter="id > 1 -- and not (")
        self.assertEqual(
            pa.ipc.open_stream(answer.body).read_all().to_pylist(), [{"s": "two"}])
        for members, text in (
                ({"columns": []}, "leave it out"), ({"colums": ["s"]}, "'colums' is unknown"),
                ({"filter": "1) UNION ALL SELECT 5, 'x' WHERE (1"}, "one expression"),
                ({"filter": "1; SELECT 1"}, "one expression"),
                ({"range": {"key": ["1) OR (1"], "lower": ["0"], "rowCount": 0}}, "one expression")):
            with self.subTest(members):
                answer = scan(**members)
                self.assertEqual(answer.status, 400)
                self.assertIn(text, answer.text)

    def test_what_is_there_already_is_a_conflict(self):
        sink = pa.BufferOutputStream()
        batch = pa.record_batch([pa.array([1], pa.uint32())], ["id"])
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        answer = curl(
            self.service.url(f"/magic/v1/write?database={self.database}&table=t&mode=create"),
            body=sink.getvalue().to_pybytes())
        self.assertEqual(answer.status, 409)
        self.assertEqual(json.loads(answer.body)["error"]["kind"], "alreadyExists")

    def test_errors(self):
        answer = curl(self.url(query_id="failing"), body=b"SELECT nope")
        self.assertEqual(answer.headers.get("x-clickhouse-query-id"), "failing")
        for statement, status, code in (
                ("SELEC 1", 400, "62"), ("SELECT nope", 404, "47"),
                ("SELECT * FROM nope", 404, "60"), ("SELECT throwIf(1)", 500, "395")):
            with self.subTest(statement):
                answer = curl(self.url(), body=statement.encode())
                self.assertEqual(answer.headers.get("x-clickhouse-exception-code"), code)
                self.assertRegex(answer.text, rf"^Code: {code}\. DB::Exception: ")
                self.assertEqual(answer.status, status)
        answer = curl(self.service.url("/nothing/here"))
        self.assertEqual(answer.status, 404)

    def test_an_error_half_way_cannot_be_taken_for_the_end(self):
        answer = curl(self.url(), body=b"SELECT number, throwIf(number = 2000000, 'half-way') "
                      b"FROM numbers(3000000)")
        self.assertEqual(answer.status, 200)
        self.assertNotEqual(answer.exit_status, 0, "curl saw a complete answer")
        tag = answer.headers["x-clickhouse-exception-tag"]
        found = re.search(
            rb"\r\n__exception__\r\n" + tag.encode() + rb"\r\n(.*)\n(\d+) " + tag.encode()
            + rb"\r\n__exception__\r\n$", answer.body, re.S)
        self.assertTrue(found, answer.body[-500:])
        self.assertIn(b"half-way", found[1])
        # Waiting for the end of the query gives a proper error instead.
        answer = curl(self.url(wait_end_of_query=1), body=b"SELECT number, throwIf(number = 200000, "
                      b"'half-way') FROM numbers(300000)")
        self.assertEqual((answer.status, answer.exit_status), (500, 0))

    def test_a_retried_insert_with_a_token_writes_once(self):
        table = self.table("MutableMergeTree")  # without a key, each insert adds its rows
        for token, rows in (("a", 1), ("a", 1), ("b", 2), ("a", 2)):
            answer = curl(self.url(query=f"INSERT INTO {table} FORMAT TSV",
                                   insert_deduplication_token=token), body=b"1\tx\n")
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(curl(self.url(query=f"SELECT count() FROM {table}")).text, f"{rows}\n")

    def test_a_big_insert_takes_little_memory(self):
        """200 MB in chunks, as fast as the server takes them."""
        line = b"%d\t" + b"x" * 990 + b"\n"
        for engine, bound in (("Null", 250 << 20), ("MutableMergeTree ORDER BY id", 900 << 20)):
            with self.subTest(engine):
                name = self.table(engine)
                # The engine's own blocks would be larger than all of it.
                settings = {} if bound > 500 << 20 else {
                    "max_insert_block_size": 10_000, "min_insert_block_size_rows": 10_000,
                    "min_insert_block_size_bytes": 10_000_000}
                before = self.service.resident_bytes()
                process = subprocess.Popen(
                    [find_program("curl"), "-sS", "-f", "-X", "POST", "-T", "-",
                     self.url(query=f"INSERT INTO {name} FORMAT TSV", **settings)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                peak, ended = [before], threading.Event()

                def watch():
                    while not ended.wait(0.02):
                        peak[0] = max(peak[0], self.service.resident_bytes())

                watcher = threading.Thread(target=watch)
                watcher.start()
                try:
                    for first in range(0, 200_000, 1000):
                        process.stdin.write(
                            b"".join([line % number for number in range(first, first + 1000)]))
                    _, errors = process.communicate(timeout=120)
                finally:
                    ended.set()
                    watcher.join()
                    process.kill()
                self.assertEqual((process.returncode, errors), (0, b""))
                if engine != "Null":
                    self.assertEqual(
                        curl(self.url(query=f"SELECT count(), sum(id), sum(length(s)) "
                                      f"FROM {name}")).text,
                        f"200000\t{sum(range(200_000))}\t{200_000 * 990}\n")
                self.assertLess(peak[0] - before, bound, f"grew by {(peak[0] - before) >> 20} MiB")

    def test_a_slow_reader_holds_the_query_back(self):
        before = self.service.resident_bytes()
        process = subprocess.Popen(
            [find_program("curl"), "-sS", "--limit-rate", "100K",
             self.url(query="SELECT repeat('slow_read', 110), number FROM numbers(10000000)")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(2)
            # The result has 10 GB.
            self.assertLess(self.service.resident_bytes() - before, 1 << 30)
            self.assertEqual(self.service.running("slow_read"), 1)
        finally:
            process.kill()
            process.wait()
        self.service.wait_gone("slow_read", 2)

    def test_health_and_metrics(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(curl(self.service.url(path)).status, 200)
        answer = curl(self.service.url("/metrics"))
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        for line in answer.text.splitlines():
            self.assertRegex(line, r'^(#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+)?$')
        self.assertRegex(answer.text, r"(?m)^magic_\w+")


if __name__ == "__main__":
    unittest.main()

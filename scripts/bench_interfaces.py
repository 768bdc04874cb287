"""Measures the interfaces of `magic serve` beside their peers, in one run: Flight beside pyarrow's own
C++ server with the same client, the ADBC driver beside the chdb package, and point queries and ingest
over each interface. The C++ server has its rows in memory, already as Arrow data, and forgets what is put;
Magic reads and stores by its engine, so the same server over the chdb package is measured too. Set
MAGIC to a release build. A look in half a minute:

  bench_interfaces.py --rows 500000 --rounds 2 --points 100
"""

import argparse
import concurrent.futures
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
import adbc_driver_manager.dbapi  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.flight as flight  # noqa: E402
from serving import Service  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DRIVER = os.environ.get(
    "MAGIC_ADBC_DRIVER", str(ROOT / ".build-release/release/libadbc_driver_magic.so"))
BATCH_ROWS = 65_536
STARTED = time.monotonic()

PEER = """
import sys, pyarrow as pa, pyarrow.flight as flight
sys.path[:0] = sys.argv[2:4]
from bench_interfaces import sample
from chdb import session
engine = session.Session()
engine.query("CREATE DATABASE bench ENGINE = Atomic")
engine.query("CREATE TABLE bench.numbers ENGINE = MergeTree ORDER BY id AS " + sys.argv[4])
class Peer(flight.FlightServerBase):
    table = sample(int(sys.argv[1]))
    def do_get(self, context, ticket):
        if ticket.ticket == b"engine":
            result = engine.query("SELECT * FROM bench.numbers", "Arrow")
            return flight.RecordBatchStream(pa.ipc.open_file(pa.py_buffer(result.bytes())).read_all())
        part, parts = map(int, ticket.ticket.split(b"/"))
        rows = self.table.num_rows
        low, high = rows * part // parts, rows * (part + 1) // parts
        return flight.RecordBatchStream(self.table.slice(low, high - low))
    def do_put(self, context, descriptor, reader, writer):
        for chunk in reader: pass
peer = Peer("grpc://127.0.0.1:0")
print(peer.port, flush=True)
peer.serve()
"""


def say(text):
    print(f"bench: {time.monotonic() - STARTED:6.1f} s  {text}", file=sys.stderr, flush=True)


def sample(rows):
    """Rows of an integer, a float and a short text, in batches as the engine has them."""
    batches = []
    for low in range(0, rows, BATCH_ROWS):
        numbers = range(low, min(rows, low + BATCH_ROWS))
        batches.append(pa.record_batch(
            [pa.array(numbers, pa.int64()), pa.array([n * 0.5 for n in numbers], pa.float64()),
             pa.array([f"row {n}" for n in numbers], pa.string())], names=["id", "v", "s"]))
    return pa.Table.from_batches(batches)


def best(rounds, *actions):
    """The best seconds of each action, the actions taking turns."""
    seconds = [[] for _ in actions]
    for _ in range(rounds):
        for action, list_ in zip(actions, seconds):
            start = time.perf_counter()
            action()
            list_.append(time.perf_counter() - start)
    return [min(list_) for list_ in seconds]


def drain(reader):
    rows = 0
    for chunk in reader:
        rows += chunk.data.num_rows
    return rows


def in_parallel(count, action):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(action, range(count)))


def http_rows(service, sql):
    """Reads a result as an Arrow stream over HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", service.http_port)
    connection.request(
        "POST", "/?output_format_arrow_compression_method=none", body=sql + " FORMAT ArrowStream")
    response = connection.getresponse()
    rows = sum(batch.num_rows for batch in pa.ipc.open_stream(response))
    connection.close()
    return rows


def measure_streams(service, peer_port, options, report):
    peer = flight.connect(f"grpc://127.0.0.1:{peer_port}")
    ours, _ = service.arrow_flight()
    table = sample(options.rows)
    path = flight.FlightDescriptor.for_path("bench", "numbers")

    def check(rows):
        if rows != options.rows:
            raise SystemExit(f"bench: {rows} rows instead of {options.rows}")

    for streams in (1, 4):
        def get_peer(_=0):
            in_parallel(streams, lambda part: drain(
                peer.do_get(flight.Ticket(f"{part}/{streams}".encode()))))

        def get_ours(_=0):
            call = flight.FlightCallOptions(
                headers=[(b"x-magic-endpoints", str(streams).encode())])
            endpoints = ours.get_flight_info(path, call).endpoints
            check(sum(in_parallel(
                len(endpoints), lambda part: drain(ours.do_get(endpoints[part].ticket)))))

        theirs, mine = best(options.rounds, get_peer, get_ours)
        report(f"DoGet, {streams} stream(s)", options.rows / mine, options.rows / theirs, 0.9)
        if streams == 1:
            engine, = best(options.rounds, lambda: check(drain(
                peer.do_get(flight.Ticket(b"engine")))))
            report("DoGet beside C++ over chdb", options.rows / mine, options.rows / engine, None)
            mine, = best(options.rounds, lambda: check(http_rows(
                service, "SELECT * FROM bench.numbers")))
            report("HTTP ArrowStream beside DoGet of C++", options.rows / mine,
                   options.rows / theirs, 1.3)

        def put(client, name):
            def one(part):
                rows = table.slice(
                    options.rows * part // streams, -(-options.rows // streams))
                writer, reader = client.do_put(
                    flight.FlightDescriptor.for_path("bench", name), table.schema)
                writer.write_table(rows)
                writer.done_writing()
                while reader.read() is not None:
                    pass
                writer.close()
            in_parallel(streams, one)
        theirs, mine = best(
            options.rounds, lambda: put(peer, "sink"), lambda: put(ours, "sink"))
        report(f"DoPut, {streams} stream(s), kept by nobody", options.rows / mine,
               options.rows / theirs, 0.9)


def statement_query(sql):
    """CommandStatementQuery, in the Any that Flight SQL wants."""
    def field(number, data):
        size, length = len(data), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + data
    name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return field(1, name) + field(2, field(1, sql.encode()))


def measure_points(service, driver, options):
    """Latencies of one row by its key, in milliseconds."""
    say("point queries")
    query = "SELECT * FROM bench.keyed WHERE id = {}"
    client, call = service.arrow_flight()
    web = http.client.HTTPConnection("127.0.0.1", service.http_port)
    cursors = {"Flight SQL (ADBC)": service.adbc().cursor(), "libadbc_driver_magic": driver}

    def by_http(sql):
        web.request("POST", "/", body=sql)
        web.getresponse().read()

    def by_flight(sql):
        info = client.get_flight_info(
            flight.FlightDescriptor.for_command(statement_query(sql)), call)
        client.do_get(info.endpoints[0].ticket, call).read_all()

    def by_cursor(cursor):
        def run(sql):
            cursor.execute(sql)
            cursor.fetch_arrow_table()
        return run

    ways = {"HTTP": by_http, "Flight SQL (pyarrow)": by_flight}
    ways |= {name: by_cursor(cursor) for name, cursor in cursors.items()}
    rows = []
    for name, run in ways.items():
        times = []
        for number in range(options.points):
            start = time.perf_counter()
            run(query.format(number * 7919 % options.rows))
            times.append((time.perf_counter() - start) * 1000)
        rows.append((name, statistics.median(times), sorted(times)[len(times) * 99 // 100]))
    return rows


def measure_ingest(service, driver, options):
    """Rows per second into a mutable table, over each interface."""
    say("ingest into mutable tables")
    table = sample(options.rows // 4)
    client, call = service.arrow_flight()

    def stream():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue().to_pybytes()

    body = stream()

    def by_http(name):
        web = http.client.HTTPConnection("127.0.0.1", service.http_port)
        web.request("POST", f"/?query=INSERT%20INTO%20bench.{name}%20FORMAT%20ArrowStream", body)
        response = web.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(f"bench: {text.decode()}")

    def by_put(name):
        writer, reader = client.do_put(
            flight.FlightDescriptor.for_path("bench", name), table.schema, call)
        writer.write_table(table)
        writer.done_writing()
        while reader.read() is not None:
            pass
        writer.close()

    def by_cursor(cursor):
        return lambda name: cursor.adbc_ingest(
            name, table.to_reader(), mode="append", db_schema_name="bench")

    flight_sql = service.adbc().cursor()
    ways = {"HTTP INSERT": by_http, "Flight DoPut": by_put,
            "Flight SQL ingest (ADBC)": by_cursor(flight_sql),
            "libadbc_driver_magic ingest": by_cursor(driver)}
    rows = []
    for number, (name, run) in enumerate(ways.items()):
        target = f"ingest{number}"
        engine = "CREATE TABLE {}.{} (id Int64, v Float64, s String) ENGINE = MutableMergeTree ORDER BY id"
        if run is not ways["libadbc_driver_magic ingest"]:
            with service.connect() as connection:
                connection.run(engine.format("bench", target))
        else:
            driver.execute(engine.format("bench", target))
        start = time.perf_counter()
        run(target)
        rows.append((name, table.num_rows / (time.perf_counter() - start)))
    return rows


CHDB = """
import sys, time
sys.path.insert(0, sys.argv[1])
from chdb import session
session = session.Session(sys.argv[2])
session.query("CREATE DATABASE bench ENGINE = Atomic")
session.query("CREATE TABLE bench.numbers (id Int64, v Float64, s String) ENGINE = MergeTree ORDER BY id")
session.query("INSERT INTO bench.numbers SELECT number, number * 0.5, concat('row ', toString(number)) FROM numbers(" + sys.argv[3] + ")")
session.query("OPTIMIZE TABLE bench.numbers FINAL")
import pyarrow as pa
for line in sys.stdin:
    start = time.perf_counter()
    result = session.query(line, "Arrow")
    rows = pa.ipc.open_file(pa.py_buffer(result.bytes())).read_all().num_rows
    print(time.perf_counter() - start, rows, flush=True)
"""


def measure_driver(driver, folder, options, report):
    """The driver beside the chdb package: the same queries on the same rows."""
    say("the ADBC driver beside chdb")
    peer = subprocess.Popen(
        [sys.executable, "-c", CHDB, str(ROOT / ".deps/engine"), folder, str(options.rows)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    queries = {
        "all rows": "SELECT * FROM bench.numbers",
        "aggregate": "SELECT id % 1000 AS k, sum(v), count() FROM bench.numbers GROUP BY k",
        "one row": "SELECT * FROM bench.numbers WHERE id = 77",
    }

    def by_peer(sql):
        peer.stdin.write(sql + "\n")
        peer.stdin.flush()
        return float(peer.stdout.readline().split()[0])

    def by_driver(sql):
        start = time.perf_counter()
        driver.execute(sql)
        driver.fetch_arrow_table()
        return time.perf_counter() - start

    try:
        for name, sql in queries.items():
            pairs = [(by_peer(sql), by_driver(sql)) for _ in range(options.rounds + 1)]
            theirs, mine = (min(column) for column in zip(*pairs))
            report(f".so beside chdb: {name}", 1 / mine, 1 / theirs, 1.0)
    finally:
        peer.stdin.close()
        peer.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", type=int, default=1000)
    options = parser.parse_args()
    results = []

    def report(name, ours, theirs, aim):
        results.append((name, ours, theirs, ours / theirs, aim))
        say(f"{name}: ratio {ours / theirs:.2f}")

    numbers = ("SELECT toInt64(number) AS id, number * 0.5 AS v, concat('row ', toString(number)) AS s "
               f"FROM numbers({options.rows})")
    service = Service()
    service.start()
    peer = subprocess.Popen(
        [sys.executable, "-c", PEER, str(options.rows), str(ROOT / "scripts"),
         str(ROOT / ".deps/engine"), numbers],
        stdout=subprocess.PIPE, text=True)
    try:
        say("making the tables")
        peer_port = int(peer.stdout.readline())
        with service.connect() as connection:
            for statement in (
                "CREATE DATABASE bench",
                f"CREATE TABLE bench.numbers ENGINE = MergeTree ORDER BY id AS {numbers}",
                "CREATE TABLE bench.keyed (id Int64, v Float64, s String) "
                "ENGINE = MutableMergeTree ORDER BY id",
                f"INSERT INTO bench.keyed {numbers}",
                "CREATE TABLE bench.sink (id Int64, v Float64, s String) ENGINE = Null",
            ):
                connection.run(statement)
        measure_streams(service, peer_port, options, report)
        with tempfile.TemporaryDirectory(prefix="magic-bench-") as folder:
            database = adbc_driver_manager.dbapi.connect(
                driver=DRIVER, entrypoint="AdbcDriverInit", autocommit=True,
                db_kwargs={"uri": os.path.join(folder, "driver")})
            with database, database.cursor() as driver:
                for statement in (
                    "CREATE DATABASE bench",
                    f"CREATE TABLE bench.numbers ENGINE = MergeTree ORDER BY id AS {numbers}",
                    "OPTIMIZE TABLE bench.numbers FINAL",
                    "CREATE TABLE bench.keyed (id Int64, v Float64, s String) "
                    "ENGINE = MutableMergeTree ORDER BY id",
                    f"INSERT INTO bench.keyed {numbers}",
                ):
                    driver.execute(statement)
                measure_driver(driver, os.path.join(folder, "chdb"), options, report)
                points = measure_points(service, driver, options)
                ingest = measure_ingest(service, driver, options)
    finally:
        peer.kill()
        peer.wait()
        service.stop()

    print(f"\n{options.rows:,} rows of an integer, a float and a text; best of {options.rounds} rounds")
    print(f"{'':44}{'magic':>14}{'peer':>14}{'ratio':>8}{'aim':>6}")
    for name, ours, theirs, ratio, aim in results:
        print(f"{name:44}{ours:14,.1f}{theirs:14,.1f}{ratio:8.2f}{aim or '':>6}")
    print(f"\n{'point query':44}{'p50 ms':>14}{'p99 ms':>14}")
    for name, middle, high in points:
        print(f"{name:44}{middle:14.2f}{high:14.2f}")
    print(f"\n{'ingest into a mutable table':44}{'rows/s':>14}")
    for name, rate in ingest:
        print(f"{name:44}{rate:14,.0f}")


if __name__ == "__main__":
    main()

"""What commit points and snapshots cost: the time to pin 1, 10 and 100 tables; a writer's longest pause
beside 8 long readers, and beside none, in the same run; what a query pays for its commit point, beside the
same query on a table of the engine's own; and what snapshots of others cost a query. Set MAGIC to a release
build. A look in half a minute: bench_snapshots.py --rows 200000 --seconds 4"""

import argparse
import json
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from harness import UnixConnection  # noqa: E402
from mutable import Server  # noqa: E402

TABLES = 100


class Client:
    def __init__(self, server):
        self.connection = UnixConnection(server.data / "magic.sock")
        self.connection.timeout = 600

    def post(self, path, body=""):
        self.connection.request("POST", path, body)
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.status != 200 or "__exception__" in text:
            raise RuntimeError(f"{response.status} for {path} {body}\n{text}")
        return text

    def run(self, statement, parameters=""):
        return self.post("/?" + parameters, statement)

    def call(self, route, **members):
        return json.loads(self.post("/magic/v1/" + route, json.dumps(members)))


def milliseconds(body, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        body()
        times.append((time.perf_counter() - start) * 1000)
    return times


def alternating(bodies, count):
    """The medians of several things that are done in turn, so that all have the same machine."""
    times = [[] for _ in bodies]
    for _ in range(count):
        for body, own in zip(bodies, times):
            own += milliseconds(body, 1)
    return [statistics.median(own) for own in times]


def pinning(client):
    print("time to pin a snapshot (median of 100, over the folder's socket)")
    for count in (1, 10, TABLES):
        tables = [{"database": "bench", "table": f"t{n}"} for n in range(count)]

        def pin():
            pinned.append(client.call("snapshots/open", tables=tables)["id"])

        pinned = []
        times = milliseconds(pin, 100)
        releases = milliseconds(
            lambda: client.call("snapshots/release", snapshot=pinned.pop()), 100)
        print(f"  {count:>3} tables: {statistics.median(times):.2f} ms "
              f"(release {statistics.median(releases):.2f} ms)")
    print(f"  all tables: {statistics.median(milliseconds(lambda: release_after(client), 100)):.2f}"
          " ms with its release")


def release_after(client):
    client.call("snapshots/release", snapshot=client.call("snapshots/open")["id"])


def pauses(server, seconds, statement, slowly=False):
    """How long each insert took in which a writer never rests, beside 8 readers of a statement, who take
    their rows as fast as they come or slowly."""
    stopping = threading.Event()

    def read():
        client = Client(server)
        while not stopping.is_set():
            if not slowly:
                client.run(statement)
                continue
            client.connection.request("POST", "/", statement)
            response = client.connection.getresponse()
            while not stopping.is_set() and response.read(16384):
                time.sleep(0.1)
            client.connection.close()

    readers = [threading.Thread(target=read, daemon=True) for _ in range(8 if statement else 0)]
    for reader in readers:
        reader.start()
    if readers:
        time.sleep(1)
    client = Client(server)
    times = []
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        number += 1
        times += milliseconds(
            lambda: client.run(f"INSERT INTO bench.big (id, v) VALUES ({number % 1000}, 1)"), 1)
        time.sleep(0.02)
    stopping.set()
    for reader in readers:
        reader.join()
    return sorted(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--seconds", type=float, default=15)
    arguments = parser.parse_args()
    server = Server()
    try:
        server.start()
        client = Client(server)
        client.run("CREATE DATABASE bench")
        for number in range(TABLES):
            client.run(f"CREATE TABLE bench.t{number} (id UInt64, v UInt64) "
                       "ENGINE = MutableMergeTree ORDER BY id")
        columns = "(id UInt64, v UInt64)"
        client.run(f"CREATE TABLE bench.big {columns} ENGINE = MutableMergeTree ORDER BY id")
        client.run(f"CREATE TABLE bench.plain {columns} ENGINE = MergeTree ORDER BY id")
        for table in ("big", "plain"):
            client.run(f"INSERT INTO bench.{table} SELECT number, number FROM "
                       f"numbers({arguments.rows})")
        client.run("OPTIMIZE TABLE bench.plain FINAL")
        client.run("OPTIMIZE TABLE bench.big FINAL")
        pinning(client)

        print("a query on one row (medians of 300, in turn)")
        snapshot = client.call("snapshots/open")["id"]
        text = "SELECT v FROM bench.{} WHERE id = 4711"
        plain, mutable, at = alternating(
            [lambda: client.run(text.format("plain")), lambda: client.run(text.format("big")),
             lambda: client.run(text.format("big"), f"magic_snapshot={snapshot}")], 300)
        print(f"  plain table {plain:.2f} ms; mutable table {mutable:.2f} ms: its commit point costs "
              f"{mutable - plain:.2f} ms (aim 2)")
        print(f"  at a snapshot {at:.2f} ms")
        client.run("INSERT INTO bench.big (id, v) VALUES (1, 5)")
        time.sleep(5)
        client.call("snapshots/release", snapshot=snapshot)
        pinned = []
        for number in range(8):
            pinned.append(client.call("snapshots/open")["id"])
            client.run(f"INSERT INTO bench.big (id, v) VALUES ({number}, 6)")
            time.sleep(3)
        with_pins, plain = alternating(
            [lambda: client.run(text.format("big")), lambda: client.run(text.format("plain"))],
            300)
        scan = "SELECT sum(v) FROM bench.{}"
        scan_pins, scan_plain = alternating(
            [lambda: client.run(scan.format("big")), lambda: client.run(scan.format("plain"))], 20)
        past = statistics.median(milliseconds(
            lambda: client.run(text.format("big"), f"magic_snapshot={pinned[0]}"), 100))
        print(f"  with 8 snapshots of other states: {with_pins:.2f} ms, plain {plain:.2f} ms; "
              f"a full aggregate {scan_pins / scan_plain:.2f} of plain")
        print(f"  at the oldest of them: {past:.2f} ms")
        for name in pinned:
            client.call("snapshots/release", snapshot=name)

        print("a writer of one row at a time, 50 a second (median, 99 %, longest)")
        busy = "SELECT sum(sipHash64(v, id)), uniqExact(v) FROM bench.big SETTINGS max_threads = 1"
        for name, statement, slowly in [
                ("no readers", None, False),
                ("8 long readers, who take their rows slowly", "SELECT * FROM bench.big", True),
                ("8 long readers, who keep all cores busy", busy, False),
                ("no readers", None, False)]:
            times = pauses(server, arguments.seconds, statement, slowly)
            print(f"  {name}: {statistics.median(times):.1f} ms, "
                  f"{times[int(len(times) * 0.99)]:.1f} ms, {times[-1]:.1f} ms")
    finally:
        server.stop()


if __name__ == "__main__":
    main()

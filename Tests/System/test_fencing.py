"""Latches of a server and its engine together: a fencing token that is stale changes nothing, through
any interface, and appends to a list under a latch are never lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import pyarrow.flight

from harness import MAGIC, free_port, spawn, wait_until
from protocol import action, command, unpacked
from serving import REFUSED, SEED, SOAK, Service
from test_adbc_so import DRIVER

SECONDS = 60 if SOAK else 24
WORKERS = 4
STALE = "is stale"


def latch(port, *arguments):
    return subprocess.run(
        [str(MAGIC), "latch", arguments[0], "--connect", f"127.0.0.1:{port}", *arguments[1:]],
        capture_output=True, text=True, timeout=60)


def acquire(port, *arguments):
    """A token and its session, or None."""
    result = latch(port, "acquire", *arguments, "--json")
    if result.returncode:
        return None
    grant = json.loads(result.stdout)
    return grant["token"], grant["session"]


def http(port, statement, **parameters):
    url = f"http://127.0.0.1:{port}/?" + urllib.parse.urlencode(
        {"default_format": "TSV", **parameters})
    try:
        with urllib.request.urlopen(url, statement.encode(), timeout=30) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read().decode()) from error


def work(number, latch_port, http_port, fenced):
    """A process that appends to a list, one element after another, and prints those that it was told
    are there."""
    choose = random.Random(number)
    element = 0
    while True:
        name = f"{number}:{element}"
        try:
            held = acquire(latch_port, "default.list:X", "--ttl", "1500ms", "--wait", "20s")
            if held is None:
                time.sleep(0.1)
                continue
            token, session = held
            items = http(http_port, "SELECT items FROM list WHERE id = 1").strip()
            if name not in items.split(","):
                time.sleep(choose.uniform(0, 0.12))
                parameters = {"magic_fencing_token": token} if fenced else {}
                http(http_port, f"INSERT INTO list VALUES (1, '{items},{name}')", **parameters)
            print(name, flush=True)
            element += 1
            latch(latch_port, "release", "--session", session)
        except (RuntimeError, OSError):
            time.sleep(0.05)


class FencingTests(unittest.TestCase):
    def start(self):
        service = Service()
        self.addCleanup(service.stop)
        self.ports = flight, http_port, latch_port = free_port(), free_port(), free_port()
        self.launch(service)
        return service

    def launch(self, service):
        flight, http_port, latch_port = self.ports
        service.flight, service.http_port = flight, http_port
        service.process = spawn(
            [MAGIC, "serve", "--data", service.data, "--flight", f"127.0.0.1:{flight}",
             "--http", f"127.0.0.1:{http_port}", "--latch", f"127.0.0.1:{latch_port}"],
            service.log)
        wait_until(service.answers_ping, 60, "the start of magic serve", interval=0.01)

    def append(self, fenced, kills):
        """What was appended according to the workers, and what is there."""
        service = self.start()
        http(self.ports[1], "CREATE TABLE list (id UInt8, items String) "
             "ENGINE = MutableMergeTree ORDER BY id")
        http(self.ports[1], "INSERT INTO list VALUES (1, 'start')")
        choose = random.Random(SEED)
        workers = [
            subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B", __file__, str(number),
                 str(self.ports[2]), str(self.ports[1]), str(int(fenced))],
                stdout=subprocess.PIPE, text=True, env=os.environ)
            for number in range(WORKERS)]
        try:
            stops = 0
            deadline = time.monotonic() + SECONDS
            next_kill = time.monotonic() + SECONDS / 3
            while time.monotonic() < deadline:
                time.sleep(choose.uniform(0.1, 0.8))
                stopped = choose.sample(workers, WORKERS // 2)
                for worker in stopped:
                    worker.send_signal(signal.SIGSTOP)
                # Longer than a lease.
                time.sleep(1.8)
                for worker in stopped:
                    worker.send_signal(signal.SIGCONT)
                stops += len(stopped)
                if kills and time.monotonic() > next_kill:
                    service.kill()
                    self.launch(service)
                    next_kill = time.monotonic() + SECONDS / 3
            time.sleep(1)
        finally:
            for worker in workers:
                worker.kill()
        acknowledged = [
            line for worker in workers for line in worker.communicate()[0].split()]
        items = http(self.ports[1], "SELECT items FROM list WHERE id = 1").strip().split(",")
        return acknowledged, items, stops

    def test_appends_under_a_latch_are_never_lost(self):
        acknowledged, items, stops = self.append(fenced=True, kills=True)
        print(f"           {len(acknowledged)} appends, {stops} stops beyond a lease")
        self.assertGreater(len(acknowledged), 2)
        self.assertEqual(sorted(set(acknowledged) - set(items)), [])
        self.assertEqual(len(items), len(set(items)))

    def test_without_the_check_some_are_lost(self):
        """The same without fencing tokens, to show that the test above tests something."""
        acknowledged, items, stops = self.append(fenced=False, kills=False)
        lost = set(acknowledged) - set(items)
        print(f"           {len(acknowledged)} appends, {stops} stops, {len(lost)} lost")
        self.assertGreater(len(lost), 0)

    def test_a_stale_token_changes_nothing_through_any_interface(self):
        service = self.start()
        flight_port, http_port, latch_port = self.ports
        run = lambda statement, **parameters: http(http_port, statement, **parameters)
        run("CREATE DATABASE shop")
        run("CREATE TABLE shop.m (id UInt64, v String) ENGINE = MutableMergeTree ORDER BY id")
        run("CREATE TABLE shop.p (id UInt64, v String) ENGINE = MergeTree ORDER BY id")
        run("INSERT INTO shop.m VALUES (1, 'a')")
        run("INSERT INTO shop.p VALUES (1, 'a')")
        held, session = acquire(latch_port, "shop:X", "--ttl", "60s")
        stale, gone = acquire(latch_port, "other:X", "--ttl", "60s")
        self.assertEqual(latch(latch_port, "release", "--session", gone).returncode, 0)
        ingested = pa.table({"id": pa.array([7], pa.uint64()), "v": ["x"]})

        def flight_client(token):
            client = pyarrow.flight.connect(f"grpc://127.0.0.1:{flight_port}")
            self.addCleanup(client.close)
            return client, pyarrow.flight.FlightCallOptions(
                headers=[(b"x-magic-fencing-token", str(token).encode())], timeout=60)

        def flight_update(token, statement, transaction=None):
            client, options = flight_client(token)
            writer, reader = client.do_put(
                command("CommandStatementUpdate", (1, statement), (2, transaction)),
                pa.schema([]), options)
            reader.read()
            writer.close()

        def flight_write(token):
            client, options = flight_client(token)
            text = json.dumps({"write": {"table": {"database": "shop", "table": "m"}}})
            writer, _ = client.do_put(
                pyarrow.flight.FlightDescriptor.for_command(text.encode()), ingested.schema,
                options)
            writer.write_table(ingested)
            writer.close()

        def flight_commit(token):
            client, options = flight_client(token)
            plain = pyarrow.flight.FlightCallOptions(timeout=60)
            [result] = client.do_action(action("BeginTransaction"), plain)
            transaction = unpacked(result)[1]
            writer, reader = client.do_put(
                command("CommandStatementUpdate", (1, "INSERT INTO shop.m (id, v) VALUES (8, 'y')"),
                        (2, transaction)), pa.schema([]), plain)
            reader.read()
            writer.close()
            list(client.do_action(action("EndTransaction", (1, transaction), (2, 1)), options))

        def driver(token, body):
            with dbapi.connect(
                    driver=str(DRIVER), db_kwargs={"uri": str(service.data)},
                    conn_kwargs={"magic.fencing_token": str(token)}, autocommit=True) as one:
                with one.cursor() as cursor:
                    body(cursor)

        def magic_write(token):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, ingested.schema) as writer:
                writer.write_table(ingested)
            url = f"http://127.0.0.1:{http_port}/magic/v1/write?" + urllib.parse.urlencode(
                {"database": "shop", "table": "m", "fencingToken": token})
            try:
                urllib.request.urlopen(url, sink.getvalue().to_pybytes(), timeout=30).close()
            except urllib.error.HTTPError as error:
                raise RuntimeError(error.read().decode()) from error

        def magic_sql(token):
            service.run("sql", "--data", service.data, "--fencing-token", token, "-e",
                        "INSERT INTO shop.m (id, v) VALUES (4, 'd')")

        statements = [
            "INSERT INTO shop.m VALUES (2, 'b')", "UPDATE shop.m SET v = 'z' WHERE id = 1",
            "DELETE FROM shop.m WHERE id = 2", "INSERT INTO shop.p VALUES (2, 'b')",
            "INSERT INTO shop.m SELECT number, 'n' FROM numbers(300000)",
            "ALTER TABLE shop.m ADD COLUMN x UInt8", "ALTER TABLE shop.p ADD COLUMN x UInt8",
            "CREATE TABLE shop.c (id UInt64) ENGINE = MutableMergeTree ORDER BY id",
            "RENAME TABLE shop.p TO shop.q", "RENAME TABLE shop.q TO shop.p",
            "TRUNCATE TABLE shop.m", "DROP TABLE shop.c",
        ]
        ways = {statement: lambda token, text=statement: run(text, magic_fencing_token=token)
                for statement in statements}
        ways |= {
            "Flight update": lambda token: flight_update(
                token, "INSERT INTO shop.m (id, v) VALUES (3, 'c')"),
            "Flight write": flight_write, "Flight commit": flight_commit,
            "driver statement": lambda token: driver(
                token, lambda cursor: cursor.execute("INSERT INTO shop.m (id, v) VALUES (5, 'e')")),
            "driver ingestion": lambda token: driver(
                token, lambda cursor: cursor.adbc_ingest(
                    "m", ingested, mode="append", db_schema_name="shop")),
            "HTTP write": magic_write, "magic sql": magic_sql,
        }
        state = ("SELECT (SELECT groupArray((id, v)) FROM (SELECT id, v FROM shop.m ORDER BY id "
                 "LIMIT 100)), (SELECT groupArray((name, total_rows)) FROM (SELECT name, total_rows "
                 "FROM system.tables WHERE database = 'shop' ORDER BY ALL)), (SELECT groupArray((table, name)) "
                 "FROM (SELECT table, name FROM system.columns WHERE database = 'shop' "
                 "ORDER BY ALL))")
        for name, way in ways.items():
            with self.subTest(way=name):
                before = run(state)
                with self.assertRaises(Exception) as caught:
                    way(stale)
                self.assertIn(STALE, str(caught.exception))
                self.assertEqual(run(state), before)
                way(held)
        with self.assertRaisesRegex(RuntimeError, "does not allow to change default.t"):
            run("CREATE TABLE t (id UInt64) ENGINE = MutableMergeTree ORDER BY id",
                magic_fencing_token=held)
        self.check_coverage(run, latch_port, held, stale)
        self.assertEqual(latch(latch_port, "release", "--session", session).returncode, 0)
        with self.assertRaisesRegex(RuntimeError, STALE):
            run("INSERT INTO shop.m (id, v) VALUES (9, 'z')", magic_fencing_token=held)

    def check_coverage(self, run, latch_port, held, stale):
        """What a token is for, and what it is not for."""
        part, session = acquire(latch_port, "k.t[a..b]:X", "k.u/1:X", "--ttl", "60s")
        run("CREATE DATABASE k")
        for name in ("t", "u"):
            run(f"CREATE TABLE k.{name} (id UInt64) ENGINE = MutableMergeTree ORDER BY id")
        run("INSERT INTO k.t VALUES (1)", magic_fencing_token=part)
        refused = "does not allow to change"
        for statement in ("TRUNCATE TABLE k.t", "DROP TABLE k.t", "DROP DATABASE k",
                          "ALTER TABLE k.u ADD COLUMN x UInt8", "RENAME TABLE k.t TO k.v"):
            with self.subTest(statement=statement):
                with self.assertRaisesRegex(RuntimeError, refused):
                    run(statement, magic_fencing_token=part)
        # The database of a request comes before that of its session.
        run("USE k", session_id="z")
        with self.assertRaisesRegex(RuntimeError, refused):
            run("INSERT INTO m (id, v) SELECT 1, 'x'", session_id="z", database="shop",
                magic_fencing_token=part)
        run("INSERT INTO t SELECT 2", session_id="z", magic_fencing_token=part)
        with self.assertRaisesRegex(RuntimeError, STALE):
            run("CREATE TABLE k.w AS k.t", magic_fencing_token=stale)
        for statement in ("INSERT INTO FUNCTION null('x UInt8') SELECT 1", "SYSTEM STOP MERGES k.t",
                          "DETACH TABLE shop.p"):
            with self.subTest(statement=statement):
                with self.assertRaisesRegex(RuntimeError, "no fencing token can be checked"):
                    run(statement, magic_fencing_token=held)
        self.assertEqual(run("SELECT groupArray(id) FROM (SELECT id FROM k.t ORDER BY id)"),
                         "[1,2]\n")
        latch(latch_port, "release", "--session", session)


if __name__ == "__main__":
    work(*(int(argument) for argument in sys.argv[1:5]))

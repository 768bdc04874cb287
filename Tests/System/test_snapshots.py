"""Snapshots: what they read stays byte for byte what it was, whatever happens to the tables."""

import json
import random
import signal
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from harness import MAGIC, MariaDB, Magic, free_port, wait_until
from protocol import command
from serving import REFUSED, SEED, SOAK, Service, new_database

SECONDS = 60 if SOAK else 12


class Client:
    """Snapshots and statements over HTTP."""

    def __init__(self, service):
        self.service = service

    def call(self, route, **members):
        request = urllib.request.Request(
            self.service.url(f"/magic/v1/{route}"), json.dumps(members).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error

    def read(self, statement, **parameters):
        parameters = {"default_format": "RowBinaryWithNamesAndTypes", **parameters}
        url = self.service.url("/?" + urllib.parse.urlencode(parameters))
        try:
            with urllib.request.urlopen(url, statement.encode(), timeout=60) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error
        if b"__exception__" in body:
            raise RuntimeError(body[-1000:].decode(errors="replace"))
        return body

    def text(self, statement, **parameters):
        return self.read(statement, default_format="TSV", **parameters).decode()


class Snapshot:
    """A snapshot, and what it gave first."""

    def __init__(self, test, client, database, statements, **members):
        self.client = client
        self.id = client.call("snapshots/open", **members)["id"]
        test.addCleanup(self.release)
        self.statements = [statement.replace("{}", database) for statement in statements]
        self.first = [self.read(statement) for statement in self.statements]
        self.reads = self.after = 0

    def read(self, statement):
        return self.client.read(statement, magic_snapshot=self.id)

    def check(self, test):
        for statement, first in zip(self.statements, self.first):
            test.assertEqual(self.read(statement), first, statement)
            self.reads += 1

    def release(self):
        self.client.call("snapshots/release", snapshot=self.id)


STATEMENTS = [
    "SELECT * FROM {}.one ORDER BY id",
    "SELECT count(), sum(n), groupArray(s) FROM (SELECT * FROM {}.two ORDER BY id)",
    "SELECT one.id, {}.two.s FROM {}.one JOIN {}.two ON one.id = two.id WHERE one.id IN "
    "(SELECT id FROM {}.three) ORDER BY 1",
    "WITH x AS (SELECT * FROM {}.three) SELECT a.*, b.n FROM x AS a, {}.one b "
    "WHERE a.id = b.id ORDER BY a.id",
    "SELECT * FROM {}.joined ORDER BY ALL",
    "SELECT * FROM {}.one LIMIT 0",
]


class SnapshotTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()
        cls.client = Client(cls.service)

    def setUp(self):
        self.database = new_database(self.service)
        # Clean-ups run last to first: snapshots are released before these.
        self.addCleanup(self.wait_until_clean)
        self.addCleanup(self.run_sql, "DROP DATABASE IF EXISTS {}")
        for name in ("one", "two", "three"):
            self.make(name)
        self.run_sql(
            "CREATE VIEW {}.joined AS SELECT a.id AS id, a.n AS n, b.s AS s FROM {}.one AS a "
            "JOIN {}.two AS b ON a.id = b.id")

    def run_sql(self, statement):
        return self.client.text(statement.replace("{}", self.database))

    def make(self, name, rows=500):
        self.run_sql(
            f"CREATE TABLE {{}}.{name} (id UInt64, n UInt64, s String) "
            "ENGINE = MutableMergeTree ORDER BY id")
        self.run_sql(
            f"INSERT INTO {{}}.{name} SELECT number, number * 3, toString(number) "
            f"FROM numbers({rows})")

    def databases(self):
        return self.client.text(
            "SELECT count() FROM system.databases WHERE startsWith(name, '_magic_past_')")

    def wait_until_clean(self):
        """Waits until nothing is kept for anybody any more."""
        wait_until(lambda: self.databases() == "0\n", 10, "the end of past views")
        wait_until(
            lambda: self.client.text(
                "SELECT count() FROM (SELECT splitByChar('_', name)[1] AS owner FROM "
                "system.tables WHERE database = '_magic' AND name LIKE 'u%\\_s%' "
                "GROUP BY owner HAVING count() > 1)") == "0\n",
            10, "the end of old generations")

    def test_reads_are_equal_whatever_is_done_to_the_tables(self):
        choose = random.Random(SEED)
        snapshots = [Snapshot(self, self.client, self.database, STATEMENTS)]
        deadline = time.monotonic() + SECONDS
        rounds, done = 0, []
        column = 0
        while time.monotonic() < deadline:
            name = choose.choice(["one", "two", "three"])
            what = choose.randrange(9)
            if what <= 2:
                self.run_sql(
                    f"UPDATE {{}}.{name} SET n = n + 1, s = '{rounds}' WHERE id % 3 = {what}")
            elif what == 3:
                self.run_sql(f"DELETE FROM {{}}.{name} WHERE id % 7 = {rounds % 7}")
            elif what == 4:
                self.run_sql(f"OPTIMIZE TABLE {{}}.{name} FINAL")
            elif what == 5:
                column += 1
                self.run_sql(
                    f"ALTER TABLE {{}}.{name} ADD COLUMN c{column} UInt32 DEFAULT {column}")
            elif what == 6:
                self.run_sql(f"TRUNCATE TABLE {{}}.{name}")
                self.run_sql(
                    f"INSERT INTO {{}}.{name} (id, n, s) SELECT number, {rounds}, 'new' "
                    "FROM numbers(300)")
            elif what == 7:
                self.run_sql(f"DROP TABLE {{}}.{name}")
                self.make(name, rows=choose.randint(1, 400))
            else:
                other = choose.choice([n for n in ("one", "two", "three") if n != name])
                self.run_sql(f"EXCHANGE TABLES {{}}.{name} AND {{}}.{other}")
            rounds += 1
            done.append((what, name, other if what == 8 else column))
            for snapshot in snapshots:
                with self.subTest(changes=done, snapshot_after=snapshot.after):
                    snapshot.check(self)
            if rounds % 3 == 0 and len(snapshots) < 8:
                snapshots.append(Snapshot(self, self.client, self.database, STATEMENTS))
                snapshots[-1].after = rounds
            elif rounds % 7 == 0 and len(snapshots) > 2:
                snapshots.pop(choose.randrange(len(snapshots))).release()
        # What reads the newest state does not plan with all that.
        views = self.client.text(
            "SELECT max(length(splitByString('UNION ALL', as_select))) FROM system.tables "
            f"WHERE database = '{self.database}'")
        self.assertLess(int(views), 12)
        for snapshot in snapshots:
            snapshot.check(self)
            snapshot.release()
        print(f"           {rounds} changes, {sum(s.reads for s in snapshots)} reads at the last "
              f"{len(snapshots)} snapshots")

    def test_reads_beside_a_storm_of_updates_and_drops(self):
        """Many connections read one snapshot while updates never rest and the tables go."""
        snapshot = Snapshot(self, self.client, self.database, STATEMENTS)
        stopping, faults = threading.Event(), []

        def read():
            client = Client(self.service)
            while not stopping.is_set():
                for statement, first in zip(snapshot.statements, snapshot.first):
                    try:
                        if client.read(statement, magic_snapshot=snapshot.id) != first:
                            faults.append(statement)
                    except RuntimeError as error:
                        faults.append(str(error))

        threads = [threading.Thread(target=read, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(SECONDS * 2):
                for name in ("one", "two", "three"):
                    self.run_sql(
                        f"INSERT INTO {{}}.{name} (id, n, s) SELECT number, {number}, 'x' "
                        "FROM numbers(200)")
                if number % 4 == 1:
                    self.run_sql("ALTER TABLE {}.two DROP COLUMN IF EXISTS gone, "
                                 "ADD COLUMN gone UInt8")
                if number % 4 == 3:
                    self.run_sql("DROP TABLE {}.one")
                    self.make("one")
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        self.assertEqual(faults, [])
        snapshot.release()

    def test_a_snapshot_of_some_tables(self):
        one, two = ({"database": self.database, "table": name} for name in ("one", "two"))
        snapshot = Snapshot(
            self, self.client, self.database, [STATEMENTS[1], STATEMENTS[4]], tables=[one, two])
        self.run_sql("DELETE FROM {}.two WHERE id < 100")
        snapshot.check(self)
        with self.assertRaisesRegex(RuntimeError, "the snapshot is not of .*three"):
            snapshot.read(f"SELECT * FROM {self.database}.three")
        with self.assertRaisesRegex(RuntimeError, "no mutable table"):
            self.client.call(
                "snapshots/open", tables=[{"database": self.database, "table": "nothing"}])
        self.run_sql("DROP TABLE {}.one")
        snapshot.check(self)
        [listed] = [entry for entry in self.client.call("snapshots/list")["snapshots"]
                    if entry["id"] == snapshot.id]
        self.assertEqual(
            sorted(entry["table"] for entry in listed["tables"]), ["one", "two"])
        snapshot.release()

    def test_snapshots_end(self):
        short = Snapshot(self, self.client, self.database, STATEMENTS[:1], lifetime=1.5)
        for _ in range(4):
            time.sleep(0.7)
            short.check(self)  # a read renews it
        renewed = self.client.call("snapshots/renew", snapshot=short.id)
        self.assertGreater(renewed["expires"], time.time())
        time.sleep(3.5)
        with self.assertRaisesRegex(RuntimeError, "there is no snapshot .*: it ended"):
            short.read("SELECT 1")
        with self.assertRaisesRegex(RuntimeError, "there is no snapshot"):
            self.client.call("snapshots/renew", snapshot=short.id)
        with self.assertRaisesRegex(RuntimeError, "can change nothing|only read"):
            other = Snapshot(self, self.client, self.database, STATEMENTS[:1])
            other.read(f"INSERT INTO {self.database}.one (id) VALUES (1)")
        other.release()

    def test_every_interface_reads_it(self):
        snapshot = Snapshot(self, self.client, self.database, STATEMENTS[:1])
        statement = f"SELECT count(), sum(n) FROM {self.database}.one"
        first = self.client.text(statement, magic_snapshot=snapshot.id).split()
        self.run_sql("DELETE FROM {}.one WHERE id % 2 = 0")
        self.run_sql("ALTER TABLE {}.one RENAME COLUMN n TO m")
        # Flight SQL: by a header, and by a session option.
        client, options = self.service.arrow_flight()
        self.addCleanup(client.close)
        import pyarrow.flight
        options = pyarrow.flight.FlightCallOptions(
            headers=[(b"x-magic-snapshot", snapshot.id.encode())], timeout=60)
        info = client.get_flight_info(command("CommandStatementQuery", (1, statement)), options)
        [row] = client.do_get(info.endpoints[0].ticket).read_all().to_pylist()
        self.assertEqual([str(value) for value in row.values()], first)
        # ADBC over Flight.
        name = "adbc.flight.sql.rpc.call_header.x-magic-snapshot"
        with self.service.adbc(**{name: snapshot.id}) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                self.assertEqual([str(value) for value in cursor.fetchone()], first)
        # The driver.
        import adbc_driver_manager.dbapi as dbapi
        from test_adbc_so import DRIVER
        with dbapi.connect(
                driver=str(DRIVER), db_kwargs={"uri": str(self.service.data)},
                conn_kwargs={"magic.snapshot": snapshot.id}, autocommit=True) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                self.assertEqual([str(value) for value in cursor.fetchone()], first)
        # The command line.
        output = self.service.run(
            "sql", "--data", self.service.data, "--snapshot", snapshot.id, "-e", statement).stdout
        self.assertEqual(output.split("\n")[-2].split("\t"), first)
        listed = self.service.run("snapshot", "list", "--data", self.service.data).stdout
        self.assertIn(snapshot.id, listed)
        self.service.run("snapshot", "release", "--data", self.service.data, snapshot.id)
        with self.assertRaisesRegex(RuntimeError, "there is no snapshot"):
            snapshot.read("SELECT 1")
        made = self.service.run(
            "snapshot", "create", "--data", self.service.data, "--lifetime", "5s",
            "--table", f"{self.database}.one").stdout.strip()
        self.assertEqual(
            self.client.text("SELECT 1", magic_snapshot=made), "1\n")
        self.service.run("snapshot", "renew", "--data", self.service.data, made)
        self.service.run("snapshot", "release", "--data", self.service.data, made)

    def test_a_long_query_stops_nobody(self):
        """Writers and settling go on beside a statement that never ends."""
        long = threading.Thread(
            target=lambda: self.client.read(
                f"SELECT sum(n), sum(sleepEachRow(0.02)) FROM {self.database}.three "
                "SETTINGS max_block_size = 50, function_sleep_max_microseconds_per_block = 0"),
            daemon=True)
        long.start()
        slowest = 0
        for number in range(40):
            start = time.monotonic()
            self.run_sql(f"INSERT INTO {{}}.three (id, n, s) VALUES ({number}, 1, 'a')")
            slowest = max(slowest, time.monotonic() - start)
        self.assertLess(slowest, 2)
        long.join()


class CrashTests(unittest.TestCase):
    def test_a_crash_leaks_nothing(self):
        service = Service()
        self.addCleanup(service.stop)
        service.start()
        client = Client(service)
        for name in ("a", "b"):
            client.text(f"CREATE TABLE {name} (id UInt64, s String) ENGINE = MutableMergeTree "
                        "ORDER BY id")
            client.text(f"INSERT INTO {name} SELECT number, 'x' FROM numbers(1000)")
        for number in range(3):
            client.call("snapshots/open")
            client.text(f"UPDATE a SET s = '{number}' WHERE 1")
            client.text("OPTIMIZE TABLE a")
            client.text(f"ALTER TABLE a ADD COLUMN c{number} UInt8")
        client.text("DROP TABLE b")
        self.assertNotEqual(client.text(
            "SELECT count() FROM system.databases WHERE startsWith(name, '_magic_past_')"), "0\n")
        service.kill()
        service.start()
        client = Client(service)
        self.assertEqual(client.text(
            "SELECT count() FROM system.databases WHERE startsWith(name, '_magic_past_')"), "0\n")
        self.assertEqual(client.text("SELECT count(), uniq(s), any(s) FROM a"), "1000\t1\t2\n")
        tables = client.text(
            "SELECT toString(uuid) FROM system.tables WHERE uuid != "
            "toUUID('00000000-0000-0000-0000-000000000000')").split()
        # What the engine has of tables on disk is of tables that there are.
        store = Path(service.data) / "engine" / "store"
        known = set(tables)
        wait_until(
            lambda: {folder.name for folder in store.glob("*/*")
                     if (folder / "format_version.txt").exists()} <= known,
            20, "the end of what no table has")
        self.assertLessEqual(len([t for t in client.text(
            "SELECT name FROM system.tables WHERE database = '_magic'").split()
            if t.startswith("u")]), 4)


class SourceTests(unittest.TestCase):
    """Reads of a replicated copy: at least at a GTID, and at snapshots while tables are dropped."""

    def test_your_own_writes_at_the_source(self):
        with MariaDB() as source:
            source.create_database("shop", "CREATE TABLE orders (id INT PRIMARY KEY, n INT)")
            service = Service("--source", source.url(), "--include", "shop.*")
            self.addCleanup(service.stop)
            service.start()
            client = Client(service)
            # A table that is being copied is not there yet, whatever the copy has.
            wait_until(lambda: client.text("EXISTS shop.orders") == "1\n", 60, "the table's copy")
            statement = "SELECT count(), max(id) FROM shop.orders"
            with source.connect(database="shop") as connection, connection.cursor() as cursor:
                flight, _ = service.arrow_flight()
                self.addCleanup(flight.close)
                import pyarrow.flight
                for number in range(1, 31):
                    cursor.execute("INSERT INTO orders VALUES (%s, 1)", (number,))
                    cursor.execute("SELECT @@last_gtid")
                    gtid = cursor.fetchone()[0]
                    if number % 3 == 0:
                        self.assertEqual(
                            client.text(statement, magic_at_least=gtid), f"{number}\t{number}\n")
                    elif number % 3 == 1:
                        options = pyarrow.flight.FlightCallOptions(
                            headers=[(b"x-magic-at-least", gtid.encode())], timeout=60)
                        info = flight.get_flight_info(
                            command("CommandStatementQuery", (1, statement)), options)
                        [row] = flight.do_get(info.endpoints[0].ticket).read_all().to_pylist()
                        self.assertEqual(list(row.values()), [number, number])
                    else:
                        opened = client.call("snapshots/open", atLeast=gtid)
                        self.assertEqual(
                            client.text(statement, magic_snapshot=opened["id"]),
                            f"{number}\t{number}\n")
                        self.assertEqual(opened["gtids"], gtid)
                output = service.run(
                    "sql", "--data", service.data, "--at-least", gtid, "-e", statement).stdout
                self.assertEqual(output.split("\n")[-2], "30\t30")
                self.assertEqual(
                    client.call("commitpoint", atLeast=gtid)["gtids"], gtid)
            start = time.monotonic()
            with self.assertRaisesRegex(RuntimeError, "the copy does not have 0-1-999999 yet"):
                client.text(statement, magic_at_least="0-1-999999", magic_timeout="0.5")
            self.assertLess(time.monotonic() - start, 5)
            with self.assertRaisesRegex(RuntimeError, "is no GTIDs"):
                client.text(statement, magic_at_least="yesterday")
            # A table that the source drops stays readable at a snapshot.
            opened = client.call("snapshots/open")
            first = client.read("SELECT * FROM shop.orders ORDER BY id",
                                magic_snapshot=opened["id"])
            source.execute("DROP TABLE shop.orders",
                           "CREATE TABLE shop.orders (id INT PRIMARY KEY, x INT)",
                           "INSERT INTO shop.orders VALUES (7, 7)")

            def has_new_table():
                try:
                    return client.text("SELECT x FROM shop.orders") == "7\n"
                except RuntimeError:
                    return False
            wait_until(has_new_table, 30, "the new table")
            self.assertEqual(
                client.read("SELECT * FROM shop.orders ORDER BY id",
                            magic_snapshot=opened["id"]), first)


class LastingTests(unittest.TestCase):
    """Snapshots of single tables that are there when the server is started again."""

    def setUp(self):
        self.service = Service("--http", f"127.0.0.1:{free_port()}")
        self.addCleanup(self.service.stop)
        self.service.start()
        self.client = Client(self.service)
        self.database = new_database(self.service)

    def run_sql(self, statement):
        return self.client.text(statement.replace("{}", self.database))

    def restart(self, how):
        self.service.end(how)
        self.service.start()

    def open(self, table, **members):
        return self.client.call(
            "snapshots/open", tables=[{"database": self.database, "table": table}], lasting=True, **members)

    def kept(self):
        return int(self.run_sql("SELECT count() FROM system.tables WHERE database = '_magic' AND name LIKE 'k%'"))

    def test_states_outlive_the_server(self):
        self.run_sql("CREATE TABLE {}.one (id UInt64, n UInt64, s String) ENGINE = MutableMergeTree ORDER BY id COMMENT 'it'")
        self.run_sql("CREATE TABLE {}.bag (v Int64) ENGINE = MutableMergeTree")
        self.run_sql("CREATE VIEW {}.doubled AS SELECT id, n * 2 AS n FROM {}.one")
        self.run_sql("INSERT INTO {}.one SELECT number, number * 3, toString(number) FROM numbers(100000)")
        self.run_sql("INSERT INTO {}.bag SELECT number % 5 FROM numbers(20)")
        self.run_sql("OPTIMIZE TABLE {}.one")
        self.run_sql("UPDATE {}.one SET s = 'changed' WHERE id % 1000 = 1")
        self.run_sql("DELETE FROM {}.one WHERE id % 1000 = 2")
        self.run_sql("DELETE FROM {}.bag WHERE v = 3")
        opened = [self.open("one"), self.open("bag")]
        self.assertEqual([each["lasting"] for each in opened], [True, True])
        reads = [
            (opened[0]["id"], "SELECT * FROM {}.one ORDER BY id"),
            (opened[0]["id"], "SELECT * FROM {}.doubled ORDER BY id"),
            (opened[0]["id"], "SELECT a.s, b.n FROM {}.one a JOIN {}.doubled b ON a.id = b.id WHERE a.id % 500 = 1 ORDER BY a.id"),
            (opened[1]["id"], "SELECT * FROM {}.bag ORDER BY v")]

        def read():
            return [self.client.read(text.replace("{}", self.database), magic_snapshot=name) for name, text in reads]
        first = read()
        expected = "".join(
            f"{number}\t{number * 3}\t{'changed' if number % 1000 == 1 else number}\n"
            for number in range(100000) if number % 1000 != 2)
        self.assertEqual(self.client.text(reads[0][1].replace("{}", self.database), magic_snapshot=reads[0][0]), expected)
        later = self.client.call("snapshots/open")["id"]
        for change in [
                ["UPDATE {}.one SET n = 0 WHERE id % 7 = 0", "INSERT INTO {}.bag VALUES (3)"],
                ["ALTER TABLE {}.one ADD COLUMN more Int32 DEFAULT 5", "INSERT INTO {}.one (id) SELECT number + 50000 FROM numbers(300000)"],
                ["DROP TABLE {}.one", "CREATE TABLE {}.one (id String) ENGINE = MutableMergeTree ORDER BY id",
                 "INSERT INTO {}.one VALUES ('another')", "RENAME TABLE {}.bag TO {}.other", "OPTIMIZE TABLE {}.other"]]:
            for statement in change:
                self.run_sql(statement)
            self.assertEqual(read(), first)
            self.restart(random.choice([signal.SIGKILL, signal.SIGTERM]))
            self.assertEqual(read(), first)
            names = {each["id"]: each for each in self.client.call("snapshots/list")["snapshots"]}
            self.assertEqual(set(names), {each["id"] for each in opened})
            for each in opened:
                self.assertEqual(names[each["id"]] | {"expires": 0}, each | {"expires": 0})
        with self.assertRaisesRegex(RuntimeError, "there is no snapshot"):
            self.client.read("SELECT 1", magic_snapshot=later)
        self.assertEqual(self.run_sql("SELECT * FROM {}.one"), "another\n")
        with self.assertRaisesRegex(RuntimeError, "the snapshot is not of"):
            self.client.read(f"SELECT * FROM {self.database}.other", magic_snapshot=opened[0]["id"])
        # It is read in parts, as others are.
        split = self.client.call(
            "split", table={"database": self.database, "table": "one"}, count=4, snapshot=opened[0]["id"])["ranges"]
        self.assertEqual(len(split), 4)
        counts = []
        for part in split:
            bounds = [f"id {sign} {part[name][0]}" for name, sign in (("lower", ">="), ("upper", "<")) if name in part]
            counts.append(int(self.client.text(
                f"SELECT count() FROM {self.database}.one WHERE {' AND '.join(bounds)}", magic_snapshot=opened[0]["id"])))
        self.assertEqual(sum(counts), 99900)
        # What is released is gone, and stays so.
        self.assertEqual(self.kept(), 2)
        self.client.call("snapshots/release", snapshot=opened[0]["id"])
        wait_until(lambda: self.kept() == 1, 10, "the end of a state")
        self.client.call("snapshots/release", snapshot=opened[1]["id"])
        self.restart(signal.SIGKILL)
        self.assertEqual(self.kept(), 0)
        self.assertEqual(self.client.call("snapshots/list")["snapshots"], [])

    def test_states_end(self):
        self.run_sql("CREATE TABLE {}.one (id UInt64) ENGINE = MutableMergeTree ORDER BY id")
        self.run_sql("INSERT INTO {}.one VALUES (1)")
        name = self.open("one", lifetime=2)["id"]
        self.restart(signal.SIGKILL)
        self.assertEqual(self.client.text(f"SELECT * FROM {self.database}.one", magic_snapshot=name), "1\n")
        wait_until(lambda: self.kept() == 0, 15, "the end of a state")
        with self.assertRaisesRegex(RuntimeError, "there is no snapshot"):
            self.client.read("SELECT 1", magic_snapshot=name)
        for members in ({}, {"tables": []}, {"tables": [{"database": self.database, "table": name} for name in ("one", "two")]}):
            with self.assertRaisesRegex(RuntimeError, "a lasting snapshot is of one table"):
                self.client.call("snapshots/open", lasting=True, **members)
        with self.assertRaisesRegex(RuntimeError, "is no mutable table"):
            self.open("missing")
        create = [MAGIC, "snapshot", "create", "--data", self.service.data, "--lasting"]
        refused = subprocess.run(create, capture_output=True, text=True)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("give one --table", refused.stderr)
        made = subprocess.run([*create, "--table", f"{self.database}.one"], capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        shown = subprocess.run(
            [MAGIC, "snapshot", "list", "--data", self.service.data], capture_output=True, text=True, check=True)
        self.assertRegex(shown.stdout, f"{made.stdout.strip()}.*lasting")
        refused = subprocess.run(
            [MAGIC, "sql", "--data", self.service.data, "--snapshot", made.stdout.strip(),
             f"INSERT INTO {self.database}.one VALUES (2)"], capture_output=True, text=True)
        self.assertNotEqual(refused.returncode, 0)

    def test_states_amid_changes(self):
        """Money moves between accounts while states are kept, and the server is killed."""
        self.run_sql("CREATE TABLE {}.accounts (id UInt32, amount Int64) ENGINE = MutableMergeTree ORDER BY id")
        self.run_sql("INSERT INTO {}.accounts SELECT number, 100 FROM numbers(1000)")
        choose = random.Random(SEED)
        kept = {}
        stop = threading.Event()

        def transfer():
            while not stop.is_set():
                one, other = random.sample(range(1000), 2)
                try:
                    self.run_sql(f"UPDATE {{}}.accounts SET amount = amount + if(id = {one}, -1, 1) WHERE id IN ({one}, {other})")
                except (RuntimeError, OSError):
                    time.sleep(0.05)

        def content(name):
            rows = self.client.text(f"SELECT * FROM {self.database}.accounts ORDER BY id", magic_snapshot=name)
            self.assertEqual(sum(int(line.split("\t")[1]) for line in rows.splitlines()), 100_000)
            return rows
        workers = [threading.Thread(target=transfer) for _ in range(3)]
        for worker in workers:
            worker.start()
        try:
            for _ in range(12 if SOAK else 3):
                for _ in range(2):
                    time.sleep(choose.uniform(0, 0.7))
                    snapshot = self.open("accounts")
                    kept[snapshot["id"]] = content(snapshot["id"])
                self.restart(signal.SIGKILL)
                for name, rows in kept.items():
                    self.assertEqual(content(name), rows)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        self.assertGreater(len(set(kept.values())), 2)
        self.assertEqual(self.kept(), len(kept))


if __name__ == "__main__":
    unittest.main()

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import unittest
from pathlib import Path

import samples
import test_types
from harness import MAGIC, MariaDB, Magic, spawn, temporary_folder, wait_until
from mutable import Server
from serving import Service

INCLUDE = ("--include", "bank.*", "--include", "types.*")
ACCOUNTS, BALANCE = 500, 1000
CONTENT = "SELECT count(), sum(cityHash64(tuple(*))), sum(sipHash64(tuple(*))) FROM "


def content(magic, table, snapshot=None):
    """What tells a table's rows from all others, whatever their order."""
    options = ("--snapshot", snapshot) if snapshot else ()
    return magic.run("sql", "--data", magic.data, *options, "--format", "tsv",
                     "-e", CONTENT + table).stdout


class Transfers(threading.Thread):
    """Changes the source all the while; in every committed state the balances sum up to the same, and
    the log is as long as the count."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source, self.choose = source, random.Random(int(os.environ["MAGIC_SEED"]))
        self.stopping = threading.Event()

    def run(self):
        with self.source.connect(database="bank", autocommit=False) as connection, \
                connection.cursor() as cursor:
            while not self.stopping.wait(0.002):
                giver, taker = self.choose.sample(range(1, ACCOUNTS + 1), 2)
                change = "UPDATE accounts SET balance = balance + %s WHERE id = %s"
                cursor.execute(change, (-1, giver))
                cursor.execute(change, (1, taker))
                cursor.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
                cursor.execute("INSERT INTO log SELECT n, 'x' FROM counter")
                connection.commit()

    def stop(self):
        self.stopping.set()
        self.join()


def make_source():
    source = MariaDB("--sql-mode=")
    source.create_database(
        "bank",
        "CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
        "CREATE TABLE counter (id INT PRIMARY KEY, n BIGINT NOT NULL)",
        "CREATE TABLE log (id BIGINT PRIMARY KEY, note VARCHAR(20))",
        "CREATE TABLE gone (id INT PRIMARY KEY)", "INSERT INTO gone VALUES (1), (2)",
        f"INSERT INTO accounts SELECT seq, {BALANCE} FROM seq_1_to_{ACCOUNTS}",
        "INSERT INTO counter VALUES (1, 0)")
    source.execute("CREATE DATABASE types")
    source.execute(test_types.definition("everything"), *test_types.insertions("everything"),
                   database="types")
    return source


USER_TABLES = """
CREATE DATABASE shop;
CREATE TABLE shop.stock (id UInt64, name String DEFAULT 'none' COMMENT 'what it is', n Int32,
    INDEX numbers n TYPE minmax) ENGINE = MutableMergeTree ORDER BY id COMMENT 'it''s stock';
INSERT INTO shop.stock SELECT number, toString(number), number FROM numbers(300000);
UPDATE shop.stock SET n = -1 WHERE id % 1000 = 1;
DELETE FROM shop.stock WHERE id % 1000 = 2;
CREATE TABLE shop.old (id UInt32, a String) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO shop.old VALUES (1, 'as'), (2, 'it was');
ALTER TABLE shop.old ADD CONSTRAINT later CHECK id > 1;
CREATE TABLE shop.renamed (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO shop.renamed VALUES (1), (2), (3);
CREATE TABLE shop.dropped (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO shop.dropped VALUES (7);
CREATE TABLE shop.keyless (a Int32, b Nullable(String)) ENGINE = MutableMergeTree;
INSERT INTO shop.keyless VALUES (1, 'a'), (1, 'a'), (2, NULL);
CREATE TABLE shop.parts (id UInt64, day Date, v Array(Tuple(a UInt8, b String)))
    ENGINE = MutableMergeTree PARTITION BY toYYYYMM(day) ORDER BY (id, day)
    TTL day + INTERVAL 100 YEAR;
INSERT INTO shop.parts SELECT number, toDate('2020-01-01') + number % 90, [(1, 'x')]
    FROM numbers(1000);
CREATE TABLE plain (a Int32, at DateTime64(6) MATERIALIZED now64(6), d Int32 ALIAS a + 1)
    ENGINE = ReplacingMergeTree ORDER BY a SETTINGS index_granularity = 1024;
SYSTEM STOP MERGES plain;
INSERT INTO plain SELECT number FROM numbers(1000);
INSERT INTO plain SELECT number FROM numbers(1000);
CREATE FUNCTION twice AS (x) -> x * 2;
CREATE VIEW v2 AS SELECT twice(n) AS n FROM shop.stock;
CREATE VIEW a_view AS SELECT n + 1 AS n FROM v2;
CREATE MATERIALIZED VIEW a_sum ENGINE = SummingMergeTree ORDER BY k
    AS SELECT a % 10 AS k, count() AS c FROM plain GROUP BY k;
INSERT INTO plain SELECT number FROM numbers(10);
"""
MUTABLE = ["shop.stock", "shop.old", "shop.renamed", "shop.dropped", "shop.keyless", "shop.parts",
           "samples", "bank.accounts", "bank.counter", "bank.log", "types.everything"]
PLAIN = ["plain", "a_view", "v2", "a_sum"]
DECLARED = ["shop.stock", "shop.keyless", "shop.parts", "plain", "a_view", "a_sum", "samples"]


class BackupTests(unittest.TestCase):
    def setUp(self):
        self.folder = temporary_folder("backup")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def restored(self, backup, name="restored"):
        magic = Magic(self.folder / name)
        self.addCleanup(magic.stop)
        magic.run("restore", backup, "--data", magic.data)
        return magic

    def refused(self, *arguments, stdin=None):
        """What `magic` says when it fails."""
        result = subprocess.run(
            [MAGIC, *map(str, arguments)], stdin=stdin or subprocess.DEVNULL, capture_output=True,
            timeout=60)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        return result.stderr.decode()

    def test_backup_while_everything_runs_goes_on_replicating(self):
        with make_source() as source, Service(
                "--source", source.url(), *INCLUDE) as service:
            wait_until(lambda: service.status()["phase"] == "streaming", 60, "the copy")
            service.catch_up(source, "bank")
            service.run("sql", "--data", service.data, "-q", "-e", USER_TABLES)
            service.run("sql", "--data", service.data, "-q", "-e",
                        samples.declaration("samples") + ";" + samples.insertion("samples"))
            transfers = Transfers(source)
            transfers.start()
            self.addCleanup(transfers.stop)
            time.sleep(0.5)
            snapshot = service.run("snapshot", "create", "--data", service.data).stdout.strip()
            expected = {table: content(service, table, snapshot) for table in MUTABLE}
            expected |= {table: content(service, table) for table in PLAIN}
            declared = {table: service.sql(f"SHOW CREATE TABLE {table}") for table in DECLARED}
            old = service.sql("SHOW CREATE TABLE shop.old")
            # What happens now does not change what is backed up.
            service.run("sql", "--data", service.data, "-q", "-e", """
                ALTER TABLE shop.old ADD COLUMN b String DEFAULT 'new'; INSERT INTO shop.old VALUES (3, 'x', 'y');
                RENAME TABLE shop.renamed TO shop.other; DROP TABLE shop.dropped;
                CREATE TABLE shop.late (id UInt8) ENGINE = MutableMergeTree ORDER BY id;
                UPDATE shop.stock SET n = 0 WHERE id < 100000""")
            source.execute("CREATE TABLE later (id INT PRIMARY KEY)", "INSERT INTO later VALUES (5)",
                           "DROP TABLE gone", database="bank")
            service.catch_up(source, "bank")
            archive = self.folder / "b.tar"
            service.run("backup", "--data", service.data, archive, "--snapshot", snapshot)
            # It still is there; the one of the program's own is not.
            service.run("snapshot", "release", "--data", service.data, snapshot)
            newest = self.folder / "newest"
            running = spawn([MAGIC, "backup", "--connect", f"http://127.0.0.1:{service.http_port}",
                             newest], self.folder / "log")
            for number in range(3):
                source.execute(f"CREATE TABLE new{number} (id INT PRIMARY KEY)",
                               f"INSERT INTO new{number} VALUES (1)",
                               "CREATE OR REPLACE TABLE again (id INT PRIMARY KEY)",
                               f"INSERT INTO again VALUES ({number})", database="bank")
                time.sleep(0.1)
            self.assertEqual(running.wait(60), 0, (self.folder / "log").read_text())
            self.assertEqual(
                service.run("snapshot", "list", "--data", service.data).stdout, "")
            transfers.stop()

            copy = self.restored(archive)
            for table, rows in expected.items():
                self.assertEqual(content(copy, table), rows, table)
            for table, statement in declared.items():
                self.assertEqual(copy.sql(f"SHOW CREATE TABLE {table}"), statement, table)
            self.assertEqual(copy.sql("SHOW CREATE TABLE shop.old"), old)
            tables = copy.sql("SELECT name FROM system.tables WHERE database IN ('bank', 'shop')")
            self.assertNotIn([b"late"], tables)
            self.assertNotIn([b"other"], tables)
            self.assertNotIn([b"later"], tables)
            self.assertIn([b"gone"], tables)
            # User tables can be written, and keep what they are.
            self.assertIn("later", self.refused(
                "sql", "--data", copy.data, "-e", "INSERT INTO shop.old VALUES (0, '')"))
            copy.sql("INSERT INTO shop.keyless VALUES (1, 'a'); UPDATE shop.stock SET n = 4 WHERE id = 5")
            self.assertEqual(copy.sql("SELECT count() FROM shop.keyless"), [[b"4"]])

            for magic in (copy, self.restored(newest, "second")):
                self.goes_on(source, magic)

    def goes_on(self, source, magic):
        """Replicates on a restored copy, and compares it with the source."""
        [[count, log, balance]] = magic.sql(
            "SELECT (SELECT n FROM bank.counter), (SELECT count() FROM bank.log), "
            "(SELECT sum(balance) FROM bank.accounts)")
        self.assertEqual(count, log)
        self.assertEqual(int(balance), ACCOUNTS * BALANCE)
        before = magic.status()["position"]
        magic.start_replicate(source.url(), *INCLUDE)
        transfers = Transfers(source)
        transfers.start()
        wait_until(magic.is_answering, 60, "the start of magic replicate")
        time.sleep(0.5)
        transfers.stop()
        magic.catch_up(source, "bank")
        self.assertNotEqual(magic.status()["position"], before)
        verify = ("verify", "--data", magic.data, "--source", source.url(), "--json")
        result = magic.run(*verify, *INCLUDE, "--exclude", "bank.gone")
        reports = [json.loads(line) for line in result.stdout.splitlines()]
        for name in ("accounts", "counter", "log", "later", "again", "new0", "new1", "new2"):
            self.assertIn(name, [each["table"]["name"]["table"] for each in reports])
        self.assertEqual([each["differenceCount"] for each in reports], [0] * len(reports))
        self.assertEqual(magic.end(), 0, magic.output())

    def test_kills_leave_nothing_that_looks_whole(self):
        with Server() as server:
            server.run("sql", "--data", server.data, "-q", "-e", """
                CREATE TABLE t (id UInt64, s String) ENGINE = MutableMergeTree ORDER BY id;
                INSERT INTO t SELECT number, randomPrintableASCII(40) FROM numbers(2000000)""")
            expected = content(server, "t")
            for target in (self.folder / "f", self.folder / "f.tar"):
                for delay in (0.3, 1.0):
                    process = spawn([MAGIC, "backup", "--data", server.data, target],
                                    self.folder / "log")
                    time.sleep(delay)
                    process.send_signal(signal.SIGKILL)
                    if process.wait() == 0:
                        continue
                    partial = Path(f"{target}.partial")
                    self.assertFalse(target.exists())
                    if partial.exists():
                        self.assertIn("remove it", self.refused(
                            "backup", "--data", server.data, target))
                        self.refused("restore", partial, "--data", self.folder / "x")
                        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
                        shutil.rmtree(self.folder / "x", ignore_errors=True)
                shutil.rmtree(target, ignore_errors=True)
                if not target.exists():
                    server.run("backup", "--data", server.data, target)
            # Several parts, and the server still answers.
            parts = list((self.folder / "f" / "data").iterdir())
            self.assertGreater(len(parts), 1)
        data = self.folder / "killed"
        for delay in (0.2, 0.6, 1.2):
            process = spawn([MAGIC, "restore", self.folder / "f", "--data", data],
                            self.folder / "log")
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            if data.exists():
                self.assertIn("remove the folder", self.refused(
                    "sql", "--data", data, "-e", "SELECT 1"))
                self.assertIn("not empty", self.refused(
                    "restore", self.folder / "f", "--data", data))
                shutil.rmtree(data)
        for name in ("f", "f.tar"):
            copy = self.restored(self.folder / name, "whole-" + name)
            self.assertEqual(content(copy, "t"), expected)

    def test_damage_is_refused(self):
        with Server() as server:
            server.run("sql", "--data", server.data, "-q", "-e", """
                CREATE TABLE t (id UInt64) ENGINE = MutableMergeTree ORDER BY id;
                INSERT INTO t SELECT number FROM numbers(100000);
                CREATE TABLE u (id UInt64) ENGINE = MutableMergeTree ORDER BY id""")
            whole = self.folder / "whole"
            server.run("backup", "--data", server.data, whole)
            server.run("backup", "--data", server.data, f"{whole}.tar")
            piped = subprocess.run([MAGIC, "backup", "--data", server.data, "-"],
                                   capture_output=True, check=True).stdout
            self.assertIn("no table", self.refused(
                "backup", "--data", server.data, self.folder / "y", "--table", "missing"))
            self.assertFalse((self.folder / "y.partial").exists())
            self.assertIn("exists already", self.refused("backup", "--data", server.data, whole))
            server.run("backup", "--data", server.data, self.folder / "one", "--table", "u")
            server.end()
            # Without a process that serves it, the folder is opened.
            server.run("backup", "--data", server.data, self.folder / "offline")
        one = self.restored(self.folder / "one", "of-one")
        self.assertEqual(one.sql("SHOW TABLES"), [[b"u"]])
        offline = self.restored(self.folder / "offline", "of-offline")
        self.assertEqual(offline.sql("SELECT count() FROM t"), [[b"100000"]])
        self.damaged_folders(whole)
        archive = Path(f"{whole}.tar").read_bytes()
        (self.folder / "piped.tar").write_bytes(piped)
        self.restored(self.folder / "piped.tar", "of-pipe")
        for length in (0, 511, 512, 5000, len(archive) // 2, len(archive) - 3000):
            self.refuses(archive[:length], "ends too early")
        for _ in range(20):
            place = random.randrange(len(archive) - 1024)
            flipped = bytearray(archive)
            flipped[place] ^= 1 << random.randrange(8)
            status = self.restore_status(bytes(flipped))
            # The bytes between files, and those of a header that nobody reads, may differ.
            if status == 0:
                copy = Magic(self.folder / "flipped")
                self.assertEqual(copy.sql("SELECT sum(id) FROM t"), [[b"4999950000"]])
            shutil.rmtree(self.folder / "flipped", ignore_errors=True)
        # An archive without its manifest ends as an archive does.
        out = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(
                fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as new:
            for member in old:
                if member.name != "manifest.json":
                    new.addfile(member, old.extractfile(member))
        self.refuses(out.getvalue(), "manifest.json")

    def restore_status(self, archive):
        path = self.folder / "flipped.tar"
        path.write_bytes(archive)
        return subprocess.run([MAGIC, "restore", path, "--data", self.folder / "flipped"],
                              capture_output=True, timeout=60).returncode

    def refuses(self, archive, reason):
        path = self.folder / "bad.tar"
        path.write_bytes(archive)
        self.assertIn(reason, self.refused("restore", path, "--data", self.folder / "bad"))
        self.assert_closed(self.folder / "bad")

    def assert_closed(self, data):
        """That nothing is left of a restore that failed."""
        if data.exists():
            self.assertEqual(list(data.iterdir()), [])
            data.rmdir()

    def damaged_folders(self, whole):
        def damage(change, reason):
            bad = self.folder / "bad-folder"
            shutil.copytree(whole, bad)
            change(bad)
            self.assertIn(reason, self.refused("restore", bad, "--data", self.folder / "bad"))
            self.assert_closed(self.folder / "bad")
            shutil.rmtree(bad)

        def edit(name, change):
            def edited(folder):
                manifest = json.loads((folder / name).read_text())
                change(manifest)
                (folder / name).write_text(json.dumps(manifest))
            return edited

        def flip(folder):
            path = max((folder / "data").iterdir(), key=lambda each: each.stat().st_size)
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)

        def newer(manifest):
            manifest["formatVersion"] = 99
            manifest["tables"] = "of another form"

        def count(manifest):
            for table in manifest["tables"]:
                if table["declared"]["name"]["table"] == "t":
                    table["rowCount"] -= 1

        def outside(manifest):
            manifest["tables"][0]["files"][0]["name"] = "../../etc/passwd"

        damage(flip, "damaged")
        damage(lambda folder: (folder / "manifest.json").unlink(), "no manifest.json")
        damage(lambda folder: shutil.rmtree(folder / "data"), "No such file")
        damage(edit("manifest.json", newer), "format version 99")
        damage(edit("manifest.json", count), "100000 rows, and 99999 in the backup")
        damage(edit("manifest.json", outside), "../../etc/passwd")

    def test_full_disk(self):
        with Server() as server:
            server.run("sql", "--data", server.data, "-q", "-e", """
                CREATE TABLE t (id UInt64, s String) ENGINE = MutableMergeTree ORDER BY id;
                INSERT INTO t SELECT number, randomPrintableASCII(40) FROM numbers(500000)""")
            small = self.folder / "small"
            small.mkdir()
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", small],
                              capture_output=True).returncode != 0:
                self.skipTest("file systems cannot be mounted here")
            self.addCleanup(subprocess.run, ["umount", "-l", str(small)])
            self.assertIn("No space left", self.refused("backup", "--data", server.data, small / "b"))
            self.assertEqual(list(small.iterdir()), [])
            server.run("backup", "--data", server.data, self.folder / "b.tar")
            self.refused("restore", self.folder / "b.tar", "--data", small / "data")
            self.assert_closed(small / "data")

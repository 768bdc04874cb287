"""Every cause of failure: replication ends with a message of its own and a status that is not 0,
and goes on once the cause is gone."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

from compare import assert_equal_tables
from harness import MariaDB, Magic, free_port, wait_until

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, note VARCHAR(100))"
INCLUDE = ("--include", "d.*")


class ErrorTestCase(unittest.TestCase):
    def new_source(self, *options):
        source = self.enterContext(MariaDB(*options))
        source.create_database("d", TABLE, "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000")
        return source

    def new_magic(self, data=None):
        return self.enterContext(Magic(data))

    def assert_refused(self, magic, source_url, *words, seconds=60):
        """`magic replicate` ends by itself with one line on stderr that has every one of `words`,
        and does not show the password."""
        result = magic.run(
            "replicate", "--source", source_url, "--data", magic.data, *INCLUDE,
            check=False, timeout=seconds)
        self.assert_message(result.returncode, result.stderr, *words)

    def assert_message(self, status, output, *words):
        self.assertGreater(status, 0, output)
        message = output.strip().split("\n")[-1]
        for word in words:
            self.assertIn(word.lower(), message.lower())
        self.assertNotIn("s3cret", output)
        self.assertNotIn("Fatal error", output)

    def assert_continues(self, magic, source):
        magic.start_replicate(source.url(), *INCLUDE)
        magic.catch_up(source, "d")
        assert_equal_tables(self, source, magic, "d", "t", "id, note", "id")
        self.assertEqual(magic.end(), 0, magic.output())


class SourceErrorTests(ErrorTestCase):
    def test_source_that_cannot_be_reached(self):
        source, magic = self.new_source(), self.new_magic()
        self.assert_refused(magic, source.url(password="wrong"), "access denied", "magic")
        self.assert_refused(magic, source.url(host="nowhere.invalid"), "nowhere.invalid")
        port = free_port()
        self.assert_refused(magic, source.url(port=port), "127.0.0.1", str(port))
        self.assert_refused(magic, "mysq://x", "mysql://")
        self.assert_continues(magic, source)

    def test_binlog_off(self):
        source, magic = self.new_source(), self.new_magic()
        source.stop_process()
        source.start("--skip-log-bin")
        self.assert_refused(magic, source.url(), "log_bin")
        source.stop_process()
        source.start()
        self.assert_continues(magic, source)

    def test_settings_that_lose_changes(self):
        source, magic = self.new_source(), self.new_magic()
        for wrong in ["STATEMENT", "MIXED"]:
            with self.subTest(wrong):
                source.execute(f"SET GLOBAL binlog_format = {wrong}")
                self.assert_refused(magic, source.url(), "binlog_format", "ROW")
                source.execute("SET GLOBAL binlog_format = ROW")
        self.assert_continues(magic, source)

    def test_settings_that_could_be_better(self):
        source, magic = self.new_source(), self.new_magic()
        source.execute("SET GLOBAL binlog_row_image = MINIMAL", "SET GLOBAL binlog_row_metadata = NO_LOG")
        self.assert_continues(magic, source)
        for name in ["binlog_row_image", "binlog_row_metadata"]:
            self.assertRegex(magic.output(), f"warning .*{name}.*FULL")

    def test_purged_position(self):
        source, magic = self.new_source(), self.new_magic()
        self.assert_continues(magic, source)
        for _ in range(2):
            source.execute("INSERT INTO d.t SELECT max(id) + 1, 'lost' FROM d.t",
                           "FLUSH BINARY LOGS")

        def is_purged():
            # The server keeps a file as long as it believes that somebody reads it.
            logs = source.rows("SHOW BINARY LOGS")
            source.execute(f"PURGE BINARY LOGS TO '{logs[-1][0]}'")
            return len(logs) == 1

        wait_until(is_purged, 60, "the purge")
        self.assert_refused(magic, source.url(), "binlog.000001", "make a new copy")

    def test_statement_event_in_the_stream(self):
        source, magic = self.new_source(), self.new_magic()
        self.assert_continues(magic, source)
        source.execute("SET SESSION binlog_format = STATEMENT",
                       "INSERT INTO d.t VALUES (5000, 'as a statement')")
        self.assert_refused(magic, source.url(), "statement")


class FolderErrorTests(ErrorTestCase):
    def test_second_owner(self):
        source, magic = self.new_source(), self.new_magic()
        magic.start_replicate(source.url(), *INCLUDE)
        magic.catch_up(source, "d")
        self.assert_refused(magic, source.url(), "in use", str(magic.process.pid))
        self.assertEqual(magic.end(), 0, magic.output())

    def test_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("mounting a small file system takes root")
        source, magic = self.new_source(), self.new_magic()
        magic.data.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(magic.data)],
            capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(magic.data)])
        source.execute(
            "INSERT INTO d.t SELECT seq, CONCAT(SHA2(seq, 256), '-', MD5(seq)) "
            "FROM d.seq_10000_to_500000")
        self.assert_refused(magic, source.url(), "space", seconds=120)
        subprocess.run(["mount", "-o", "remount,size=1g", str(magic.data)], check=True)
        self.assert_continues(magic, source)

    def test_sigterm_amid_the_load(self):
        choose = random.Random(int(os.environ["MAGIC_SEED"]))
        source, magic = self.new_source(), self.new_magic()
        source.execute("INSERT INTO d.t SELECT seq, seq FROM d.seq_10000_to_100000")
        stopping = threading.Event()

        def write():
            while not stopping.is_set():
                source.execute("UPDATE d.t SET note = SHA2(note, 256) WHERE id % 97 = 5")

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        try:
            for _ in range(4):
                magic.start_replicate(source.url(), *INCLUDE)
                pause = choose.uniform(0.3, 3)
                time.sleep(pause)
                status = magic.end(signal.SIGTERM, seconds=20)
                # A process that has hardly begun knows of no signals yet.
                self.assertIn(status, (0, -signal.SIGTERM) if pause < 1 else (0,), magic.output())
        finally:
            stopping.set()
            writer.join()
        self.assert_continues(magic, source)


class LoadErrorTests(ErrorTestCase):
    def test_corrupt_binlog_file(self):
        source, magic = self.new_source("--binlog-checksum=CRC32"), self.new_magic()
        source.execute("UPDATE d.t SET note = REPEAT('x', 50)", "FLUSH BINARY LOGS")
        name = source.rows("SHOW BINARY LOGS")[0][0]
        whole = magic.folder / name
        shutil.copy(source.data / name, whole)
        damaged = magic.folder / "damaged.000001"
        content = bytearray(whole.read_bytes())
        content[len(content) // 2] ^= 0x10
        damaged.write_bytes(content)

        result = magic.run("load", "--data", magic.data, damaged, check=False)
        self.assert_message(result.returncode, result.stderr, "damaged.000001", "checksum")
        shutil.rmtree(magic.data, ignore_errors=True)
        magic.run("load", "--data", magic.data, whole)
        assert_equal_tables(self, source, magic, "d", "t", "id, note", "id")

import os
import subprocess
import unittest

from compare import assert_equal_tables
from harness import MariaDB, Magic, find_program, spawn

TABLES, ROWS = 4, 100_000
SECONDS = 120 if os.environ.get("MAGIC_SOAK") else 20


def sysbench(source, *arguments, rows=ROWS):
    return [
        find_program("sysbench"), "oltp_read_write", "--db-driver=mysql", "--mysql-user=root",
        f"--mysql-socket={source.socket}", "--mysql-db=sbtest", f"--tables={TABLES}",
        f"--table-size={rows}", "--threads=4", f"--rand-seed={os.environ['MAGIC_SEED']}",
        *arguments]


class SysbenchTests(unittest.TestCase):
    def test_copy_and_stream_under_load(self):
        with MariaDB() as source, Magic() as magic:
            source.create_database("sbtest")
            subprocess.run(
                sysbench(source, "prepare"), check=True, stdout=subprocess.DEVNULL)
            load = spawn(
                sysbench(source, f"--time={SECONDS}", "run"), source.folder / "sysbench.log")
            magic.start_replicate(source.url(), "--include", "sbtest.*")
            self.assertEqual(load.wait(), 0, (source.folder / "sysbench.log").read_text())
            magic.catch_up(source, "sbtest")

            verified = magic.run("verify", "--data", magic.data, "--source", source.url())
            self.assertEqual(verified.stderr, "")
            for number in range(1, TABLES + 1):
                assert_equal_tables(
                    self, source, magic, "sbtest", f"sbtest{number}", "id, k, c, pad", "id")
            self.assertEqual(magic.end(), 0, magic.output())

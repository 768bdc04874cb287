"""Transactions far larger than memory should be: they arrive whole, or not at all, within a bound."""

import signal
import time
import unittest

from harness import MariaDB, Magic, wait_until
from writer import SOAK, Background, assert_equal, memory_peak, reading

ROWS = 6_000_000 if SOAK else 2_000_000
LIMIT = 1 << 30
PARTS = [ROWS // 2, ROWS // 4, ROWS - ROWS // 2 - ROWS // 4]
TABLES = ["first", "second", "third"]
COUNTS = "SELECT " + ", ".join(f"(SELECT count() FROM d.{table})" for table in TABLES)
SUMS = "SELECT " + ", ".join(f"(SELECT sum(n) FROM d.{table})" for table in TABLES)


class Reader(Background):
    """Reads all tables in one statement, again and again, and keeps each state that it sees."""

    def __init__(self, magic, statement):
        super().__init__()
        self.magic, self.statement = magic, statement
        self.states, self.reads = [], 0

    def run(self):
        while not self.stopping.wait(0.05):
            found = reading(self.magic, self.statement)
            if found is not None:
                self.reads += 1
                state = tuple(int(field) for field in found[0])
                if not self.states or self.states[-1] != state:
                    self.states.append(state)


class LargeTransactionTests(unittest.TestCase):
    def setUp(self):
        # The largest transactions take some disk at the source: each row is there three times.
        self.source = self.enterContext(MariaDB("--innodb-buffer-pool-size=512M", "--innodb-log-file-size=1G"))
        self.magic = self.enterContext(Magic())
        self.source.create_database(
            "d", *[f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT, v VARCHAR(60))" for table in TABLES],
            "CREATE TABLE keyless (n INT, v VARCHAR(20))", *[f"INSERT INTO {table} VALUES (0, 1, 'first')" for table in TABLES])
        self.magic.start_replicate(self.source.url(), "--include", "d.*")
        self.magic.catch_up(self.source, "d")

    def transaction(self, *statements):
        self.source.execute("BEGIN", *statements, "COMMIT", database="d")

    def wait_for(self, statement, state):
        wanted = [[str(value).encode() for value in state]]

        def arrived():
            self.assertIsNone(self.magic.process.poll(), self.magic.output()[-3000:])
            return reading(self.magic, statement) == wanted
        wait_until(arrived, 400, f"{state}", 0.2)

    def assert_equal_contents(self):
        sums = "SELECT COUNT(*), SUM(n), SUM(CRC32(CONCAT(id, '/', n, '/', v))) FROM d.{}"
        for table in TABLES:
            expected = [[str(value).encode() for value in self.source.rows(sums.format(table))[0]]]
            self.assertEqual(self.magic.http(sums.format(table)), expected, table)

    def assert_memory(self, peak):
        print(f"           at most {peak >> 20} MiB were resident", flush=True)
        self.assertLess(peak, LIMIT)

    def test_arrives_whole_within_a_gibibyte(self):
        whole = tuple(part + 1 for part in PARTS)
        with Reader(self.magic, COUNTS) as reader:
            # Rows of the tables alternate, so that none of them is finished before another.
            inserts = []
            for start in range(4):
                for table, part in zip(TABLES, PARTS):
                    low, high = part * start // 4 + 1, part * (start + 1) // 4
                    inserts.append(f"INSERT INTO {table} SELECT seq, 1, CONCAT('row ', seq, ' of a large transaction') "
                                   f"FROM seq_{low}_to_{high}")
            self.transaction(*inserts)
            self.wait_for(COUNTS, whole)
        self.assertEqual(reader.states, [(1, 1, 1), whole], f"{reader.reads} reads")

        # Every row of it changes, and half of them go, in one more transaction.
        total = [part + 1 for part in PARTS]
        with Reader(self.magic, SUMS) as reader:
            self.transaction(
                *[f"UPDATE {table} SET n = n + 2" for table in TABLES], *[f"DELETE FROM {table} WHERE id % 2 = 1" for table in TABLES])
            expected = tuple(int(self.source.rows(f"SELECT SUM(n) FROM d.{table}")[0][0]) for table in TABLES)
            self.wait_for(SUMS, expected)
        self.assertEqual(reader.states, [tuple(total), expected], f"{reader.reads} reads")
        peak = memory_peak(self.magic.process)
        # Comparing reads everything at once, which is no matter of the writer's.
        self.assert_equal_contents()
        self.assert_memory(peak)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    @unittest.skipUnless(SOAK, "it is run in the soak only")
    def test_rows_without_a_key(self):
        self.transaction(f"INSERT INTO keyless SELECT seq % 1000, 'x' FROM seq_1_to_{ROWS}")
        self.wait_for("SELECT count() FROM d.keyless", [ROWS])
        self.transaction("DELETE FROM keyless WHERE n % 2 = 1", "UPDATE keyless SET v = 'y' WHERE n % 3 = 0")
        [[count, changed]] = self.source.rows("SELECT COUNT(*), SUM(v = 'y') FROM d.keyless")
        self.wait_for("SELECT count(), countIf(v = 'y') FROM d.keyless", [count, changed])
        self.assert_memory(memory_peak(self.magic.process))
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])

    @unittest.skipUnless(SOAK, "it is run in the soak only")
    def test_killed_in_the_middle(self):
        for number in range(3):
            self.transaction(*[f"INSERT INTO {table} SELECT seq + {number} * 10000000 + 1, 1, 'x' FROM seq_1_to_400000" for table in TABLES])
            time.sleep(0.5 * number)
            self.assertEqual(self.magic.end(signal.SIGKILL), -signal.SIGKILL)
            self.magic.start_replicate(self.source.url(), "--include", "d.*")
            self.wait_for(COUNTS, [1 + 400000 * (number + 1)] * 3)
        self.transaction(*[f"DELETE FROM {table} WHERE id > 5000000" for table in TABLES])
        assert_equal(self, self.source, self.magic, ["d"], database="d", seconds=300)
        self.assertEqual(self.magic.end(), 0, self.magic.output()[-3000:])


if __name__ == "__main__":
    unittest.main()

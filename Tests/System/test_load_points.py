"""`magic load` to a moment: the copy is as the source was after each of its transactions, whether the
moment is named by position, by GTID or by time, in one load or in many."""

import gzip
import random
import shutil
import time
import unittest

from harness import MariaDB, Magic
from writer import SEED, SOAK

STEPS = 120 if SOAK else 40


class Moment:
    """What the source was like after a transaction."""

    def __init__(self, source):
        [[self.file, self.offset, *_]] = source.rows("SHOW MASTER STATUS")
        [[self.gtid]] = source.rows("SELECT @@gtid_binlog_pos")
        self.rows = sorted(source.rows("SELECT id, n FROM d.t"))
        self.others = sorted(source.rows("SELECT n FROM d.keyless")) if source.rows("SHOW TABLES IN d LIKE 'keyless'") else None

    @property
    def position(self):
        return f"{self.file}:{self.offset}"

    @property
    def last_gtid(self):
        """That of the transaction itself: there is one domain."""
        return self.gtid


class PointTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.choose = random.Random(SEED)
        cls.source = MariaDB()
        try:
            cls.prepare()
        except BaseException:
            cls.source.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.source.stop()

    @classmethod
    def prepare(cls):
        """A history of transactions, each in a second of its own by the clock of its session."""
        source, choose = cls.source, cls.choose
        start = int(time.time()) - 100_000
        source.execute(f"SET timestamp = {start}", "CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, n INT)",
                       "CREATE TABLE d.keyless (n INT)")
        cls.moments, cls.times = [Moment(source)], [start]
        for step in range(1, STEPS + 1):
            key = choose.randint(1, 30)
            statements = choose.choice([
                [f"INSERT IGNORE INTO d.t VALUES ({key + step * 100}, {step})"],
                [f"INSERT INTO d.t VALUES ({key + step * 100}, {step})", f"UPDATE d.t SET n = {step} WHERE id % 7 = 1",
                 "INSERT INTO d.keyless SELECT n FROM d.t LIMIT 3"],
                [f"INSERT INTO d.t SELECT seq, {step} FROM d.seq_{step * 100 + 40}_to_{step * 100 + 60}"],
                [f"INSERT INTO d.t VALUES ({key + step * 100}, {step})", f"DELETE FROM d.t WHERE id % 5 = {step % 5}"],
                [f"INSERT INTO d.keyless VALUES ({step}), ({step})", "DELETE FROM d.keyless LIMIT 1"]])
            source.execute(f"SET timestamp = {start + step * 10}", "BEGIN", *statements, "COMMIT")
            if choose.random() < 0.3:
                source.execute("FLUSH BINARY LOGS")
            cls.moments.append(Moment(source))
            cls.times.append(start + step * 10)
        source.execute("FLUSH BINARY LOGS")
        cls.files = [source.data / row[0] for row in source.rows("SHOW BINARY LOGS")]

    def new_magic(self):
        return self.enterContext(Magic())

    def load(self, magic, *options, files=None, check=True):
        return magic.run("load", "--data", magic.data, *options, *(files or self.files), check=check)

    def assert_at(self, magic, moment, message=None):
        found = sorted((int(row[0]), int(row[1])) for row in magic.sql("SELECT id, n FROM d.t"))
        self.assertEqual(found, [tuple(row) for row in moment.rows], message)
        keyless = sorted(int(row[0]) for row in magic.sql("SELECT n FROM d.keyless"))
        self.assertEqual(keyless, [row[0] for row in moment.others], message)

    @staticmethod
    def utc(seconds):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))

    def changing(self, low=1):
        """A transaction that left something in the binlog."""
        number = self.choose.randint(low, STEPS)
        while self.moments[number].gtid == self.moments[number - 1].gtid:
            number = self.choose.randint(low, STEPS)
        return number

    def test_to_a_position(self):
        for number in (self.changing(), STEPS):
            with self.subTest(number):
                magic = self.new_magic()
                self.load(magic, "--to", self.moments[number].position)
                self.assert_at(magic, self.moments[number])

    def test_to_a_gtid(self):
        for number in (self.changing(), self.changing()):
            with self.subTest(number):
                magic = self.new_magic()
                self.load(magic, "--to", self.moments[number].last_gtid)
                self.assert_at(magic, self.moments[number])
                self.assertEqual(magic.sql("SELECT magicGTID()"), [[self.moments[number].gtid.encode()]])

    def test_to_a_time(self):
        number = self.changing()
        for text in (self.utc(self.times[number]), self.utc(self.times[number] + 9), self.utc(self.times[number] + 5).replace(" ", "T") + "Z"):
            with self.subTest(text):
                magic = self.new_magic()
                self.load(magic, "--to", text)
                self.assert_at(magic, self.moments[number])

    def schema(self, magic):
        path = magic.folder / "schema.sql"
        path.write_text("CREATE DATABASE d; USE d;\nCREATE TABLE t (id INT PRIMARY KEY, n INT);\nCREATE TABLE keyless (n INT);\n")
        return path

    def test_step_by_step(self):
        """Many loads into one folder are as one; what is loaded twice changes nothing."""
        magic, number = self.new_magic(), 0
        while number < STEPS:
            number = min(STEPS, number + self.choose.randint(1, 12))
            moment = self.moments[number]
            self.load(magic, "--to", self.choose.choice([moment.position, moment.last_gtid]))
            self.assert_at(magic, moment, f"transaction {number}")
            if self.choose.random() < 0.4:
                self.load(magic, "--to", moment.position)
                self.assert_at(magic, moment, f"transaction {number} again")
        self.load(magic)
        self.assert_at(magic, self.moments[-1])

    def test_from_where_a_copy_of_the_tables_was_made(self):
        """A folder that begins in the middle holds what changed since then."""
        number = self.changing(low=STEPS // 2)
        moment = self.moments[number]
        for bound in (moment.position, moment.last_gtid):
            with self.subTest(bound):
                magic = self.new_magic()
                self.load(magic, "--from", bound, "--schema", self.schema(magic), "--include", "d.t")
                before = dict(moment.rows)
                expected = [(key, n) for key, n in self.moments[-1].rows if before.get(key) != n]
                found = sorted((int(row[0]), int(row[1])) for row in magic.sql("SELECT id, n FROM d.t"))
                self.assertTrue(set(expected) <= set(found), (set(expected) - set(found)))
                self.assertTrue(set(found) <= set(self.moments[-1].rows), set(found) - set(self.moments[-1].rows))

    def test_compressed_files(self):
        magic = self.new_magic()
        files = []
        for path in self.files:
            files.append(magic.folder / (path.name + ".gz"))
            with open(path, "rb") as plain, gzip.open(files[-1], "wb") as packed:
                shutil.copyfileobj(plain, packed)
        number = self.changing()
        self.load(magic, "--to", self.moments[number].position, files=files)
        self.assert_at(magic, self.moments[number])
        self.load(magic, files=files)
        self.assert_at(magic, self.moments[-1])

    def test_bounds_that_cannot_be(self):
        for options in (["--to", "0-1-999999"], ["--to", "nonsense"], ["--from", "2999-01-01 00:00:00"], ["--from", "0-9-9"],
                        ["--from", self.moments[-1].position], ["--to", "2020-13-45"]):
            with self.subTest(options):
                magic = self.new_magic()
                self.load(magic, "--to", self.moments[STEPS // 2].position)
                result = self.load(magic, *options, check=False)
                self.assertGreater(result.returncode, 0, result.stderr)
                self.assertNotIn("Fatal error", result.stderr)
                # It has done no harm.
                self.assert_at(magic, self.moments[STEPS // 2])
                self.load(magic)
                self.assert_at(magic, self.moments[-1])

    def test_beside_a_live_source(self):
        """What was loaded to some point goes on from the server, if it still has the rest."""
        magic = self.new_magic()
        number = self.changing()
        self.load(magic, "--to", self.moments[number].position)
        magic.run("replicate", "--source", self.source.url(), "--data", magic.data, "--include", "d.*", "--until-caught-up")
        self.assert_at(magic, self.moments[-1])


if __name__ == "__main__":
    unittest.main()

"""The same workload under every form that the binlog can have: the copy is equal under each of them,
also when the writer and the source start anew in the middle."""

import random
import shutil
import signal
import unittest
from pathlib import Path

from harness import MariaDB, Magic, temporary_folder, wait_until
from writer import SEED, SOAK, assert_equal, table_states

TABLES = [
    "CREATE TABLE keyed (id INT PRIMARY KEY, n BIGINT UNSIGNED, v VARCHAR(300) CHARACTER SET latin1, "
    "d DECIMAL(20,6), t DATETIME(3), e ENUM('a','é'), s SET('x','y'), b BLOB, j JSON, m LONGTEXT)",
    "CREATE TABLE composite (a VARCHAR(20) COLLATE utf8mb4_bin, b INT UNSIGNED, x DOUBLE, y TIMESTAMP(6) NULL, "
    "z VARBINARY(40) NOT NULL DEFAULT '', PRIMARY KEY (a, b)) CHARACTER SET utf8mb4",
    "CREATE TABLE keyless (n INT, v VARCHAR(50), b BLOB)",
    "CREATE TABLE uniquely (u BIGINT NOT NULL, v TEXT, UNIQUE KEY (u))",
    "CREATE TABLE plain (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b INT, c INT, d INT NOT NULL DEFAULT 7)",
    "CREATE TABLE implicit (id INT AUTO_INCREMENT PRIMARY KEY, a INT, n INT NOT NULL, f FLOAT NOT NULL, d DECIMAL(5,2) NOT NULL, "
    "s VARCHAR(5) NOT NULL, e ENUM('x','y') NOT NULL, l SET('x','y') NOT NULL, t TIME(2) NOT NULL, z DATE NOT NULL, "
    "b BINARY(3) NOT NULL, v BIT(9) NOT NULL, u UUID NOT NULL, y YEAR NOT NULL)",
    # Each of its unique keys has a hidden column in the row images, though only that of w needs it.
    "CREATE TABLE hashed (id INT AUTO_INCREMENT PRIMARY KEY, a INT, t TEXT, p POLYGON, UNIQUE u (a) USING HASH, "
    "UNIQUE v USING HASH (t(4)), UNIQUE w (p))",
]
SAMPLE = ("INSERT INTO keyed SELECT seq, seq * 1000003, CONCAT('é', seq), seq / 7, '2024-02-29 12:00:00.125', "
          "1 + seq % 2, seq % 4, REPEAT('b', seq % 300), JSON_OBJECT('k', seq), REPEAT('lang ', seq % 200) "
          "FROM seq_1_to_400")


class Workload:
    """Changes of every kind, half of them by random keys."""

    def __init__(self, source):
        self.source, self.choose, self.round = source, random.Random(SEED), 0

    def run(self):
        self.round += 1
        base, choose = self.round * 1000, self.choose
        with self.source.connect(database="d") as connection, connection.cursor() as cursor:
            def run(*statements):
                for statement in statements:
                    cursor.execute(statement)

            run(f"INSERT INTO plain (a, b) SELECT seq, seq FROM seq_{base}_to_{base + 300}",
                f"INSERT INTO keyless SELECT seq % 50, CONCAT('v', seq % 7), NULL FROM seq_{base}_to_{base + 200}",
                f"INSERT INTO uniquely SELECT seq, REPEAT('u', seq % 90) FROM seq_{base}_to_{base + 100}",
                f"INSERT INTO composite SELECT CONCAT('k', seq % 9), seq, seq / 3, NOW(6), x'00ff00' "
                f"FROM seq_{base}_to_{base + 200}",
                # The other columns get what their types have without a default.
                "INSERT IGNORE INTO implicit (a) VALUES (1), (2)", "UPDATE implicit SET n = n + 1 WHERE a = 1",
                f"INSERT INTO hashed (a, t) VALUES ({base}, LPAD({self.round}, 4, 'x')), (NULL, NULL)",
                f"UPDATE hashed SET a = a + 1, t = CONCAT(t, 'y') WHERE a < {base}",
                "CREATE UNIQUE INDEX IF NOT EXISTS later ON hashed (t, p, a)")
            for _ in range(40):
                key = choose.randint(1, 400)
                run(choose.choice([
                    f"UPDATE keyed SET v = 'ü{key}' WHERE id = {key}", f"UPDATE keyed SET b = NULL WHERE id = {key}",
                    f"UPDATE keyed SET m = REPEAT('z', {key}), j = '[{key}]' WHERE id BETWEEN {key} AND {key + 5}",
                    f"DELETE FROM keyed WHERE id = {key}",
                    # All columns: with minimal row images the server does not log which ones REPLACE leaves out.
                    f"REPLACE INTO keyed VALUES ({key}, NULL, NULL, NULL, NULL, 'é', NULL, NULL, NULL, NULL)",
                    f"UPDATE IGNORE keyed SET id = id + 10000 WHERE id = {key}",
                    f"UPDATE composite SET a = 'moved', x = NULL WHERE b = {base + key % 200}",
                    f"UPDATE plain SET c = {key} WHERE a % 17 = {key % 17}",
                    f"INSERT INTO plain (c) VALUES ({key})",
                    f"UPDATE keyless SET v = 'changed' WHERE n = {key % 50} LIMIT 3",
                    f"DELETE FROM keyless WHERE n = {key % 50} LIMIT 2",
                    f"UPDATE uniquely SET v = NULL WHERE u % 13 = {key % 13}",
                    f"UPDATE uniquely SET u = u + 1000000 WHERE u = {base + key % 100}"]))
            # One transaction of many statements, one that is rolled back, one with a savepoint.
            run("BEGIN", f"UPDATE plain SET b = b + 1, d = {self.round}", "DELETE FROM composite WHERE b % 10 = 3",
                "INSERT INTO keyless SELECT * FROM keyless LIMIT 20", "COMMIT",
                "BEGIN", "DELETE FROM plain", "ROLLBACK",
                "BEGIN", "UPDATE keyed SET n = 1 WHERE id < 50", "SAVEPOINT s", "DELETE FROM keyed", "ROLLBACK TO s",
                "COMMIT")
            # What an incomplete row image says depends on what the row has become since.
            run("BEGIN", f"INSERT INTO plain (id, a) VALUES ({base + 900000}, 1)",
                f"UPDATE plain SET b = 2 WHERE id = {base + 900000}", f"UPDATE plain SET c = 3 WHERE id = {base + 900000}",
                f"UPDATE plain SET id = id + 1 WHERE id = {base + 900000}",
                f"DELETE FROM plain WHERE id = {base + 900001}", f"INSERT INTO plain (id) VALUES ({base + 900001})",
                f"UPDATE plain SET a = 4 WHERE id = {base + 900001}", "COMMIT")
            xid = f"'option{self.round}'"
            run(f"XA START {xid}", f"INSERT INTO plain (a) VALUES ({base})", f"XA END {xid}", f"XA PREPARE {xid}",
                f"XA COMMIT {xid}")

    def alter(self):
        """What a table is like changes too."""
        self.source.execute(
            "ALTER TABLE plain ADD COLUMN e VARCHAR(10) NOT NULL DEFAULT 'new' AFTER a", "ALTER TABLE plain DROP COLUMN c, "
            "ADD COLUMN c BIGINT", "ALTER TABLE keyless ADD COLUMN extra INT DEFAULT 5",
            "ALTER TABLE composite RENAME COLUMN x TO `x y`", "CREATE TABLE late LIKE keyed",
            "INSERT INTO late SELECT * FROM keyed", database="d")


class OptionTests(unittest.TestCase):
    """Each form is a list of the server's options."""

    def check(self, *options, rounds=2):
        with MariaDB(*options) as source, Magic() as magic:
            source.create_database("d", *TABLES, SAMPLE)
            workload = Workload(source)
            workload.run()
            self.start(magic, source)
            workload.run()
            assert_equal(self, source, magic, ["d"], database="d", verify=False)
            workload.run()
            self.assertEqual(magic.end(signal.SIGKILL), -signal.SIGKILL, magic.output())
            workload.run()
            self.start(magic, source)
            wait_until(magic.is_answering, 60, "the start")
            workload.alter()
            self.assertEqual(magic.end(signal.SIGTERM), 0, magic.output())
            source.stop_process(signal.SIGKILL)
            source.start()
            workload.source.execute("ALTER TABLE plain CHANGE c c BIGINT, ALGORITHM=INPLACE", database="d")
            self.start(magic, source)
            for _ in range(rounds):
                workload.source.execute("FLUSH BINARY LOGS")
                self.after_alter(source)
            assert_equal(self, source, magic, ["d"], database="d")
            self.assertEqual(set(table_states(magic).values()), {"live"})
            self.assertEqual(magic.end(), 0, magic.output())

    @staticmethod
    def start(magic, source):
        magic.start_replicate(source.url(), "--include", "d.*")

    @staticmethod
    def after_alter(source):
        source.execute(
            "UPDATE plain SET e = 'set', c = 12 WHERE id % 3 = 0", "DELETE FROM plain WHERE id % 7 = 0",
            "UPDATE keyless SET extra = 6 WHERE n < 10", "DELETE FROM keyless WHERE n = 11 LIMIT 5",
            "UPDATE late SET m = 'm' WHERE id % 5 = 0", "DELETE FROM late WHERE id % 11 = 0",
            "UPDATE composite SET `x y` = 2.5 WHERE b % 4 = 1", database="d")

    def test_row_image_minimal(self):
        self.check("--binlog-row-image=MINIMAL")

    def test_row_image_noblob(self):
        self.check("--binlog-row-image=NOBLOB")

    def test_row_metadata_minimal(self):
        self.check("--binlog-row-metadata=MINIMAL")

    def test_row_metadata_none_and_image_minimal(self):
        self.check("--binlog-row-metadata=NO_LOG", "--binlog-row-image=MINIMAL")

    def test_checksum_none(self):
        self.check("--binlog-checksum=NONE", "--binlog-annotate-row-events=OFF")

    def test_checksum_crc32_verified_and_annotated(self):
        self.check("--binlog-checksum=CRC32", "--master-verify-checksum=ON", "--binlog-annotate-row-events=ON")

    def test_compressed(self):
        self.check("--log-bin-compress=ON", "--log-bin-compress-min-len=10")

    def test_gtid_strict(self):
        self.check("--gtid-strict-mode=ON", "--gtid-domain-id=3", "--server-id=77", "--log-slave-updates=ON")

    def test_small_row_events(self):
        # Every row is an event of its own, and files are short.
        self.check("--binlog-row-event-max-size=256", "--max-binlog-size=8192")

    def test_small_caches(self):
        # Every transaction goes through a file before it is logged.
        self.check("--binlog-cache-size=4096", "--binlog-stmt-cache-size=4096", "--sync-binlog=1")

    def test_alter_two_phase(self):
        # ALTER TABLE is logged when it starts and once more when it ends.
        self.check("--binlog-alter-two-phase=ON")

    def test_lower_case_table_names(self):
        self.check("--lower-case-table-names=1")

    @staticmethod
    def encryption():
        """The options of a server that encrypts its binlog, and the folder of its keys."""
        plugin = Path("/usr/lib/mysql/plugin/file_key_management.so")
        if not plugin.exists():
            raise unittest.SkipTest("this MariaDB has no file_key_management")
        folder = temporary_folder("keys")
        keys = folder / "keys"
        keys.write_text("1;" + "0123456789abcdef" * 4 + "\n")
        keys.chmod(0o644)
        folder.chmod(0o755)
        return folder, [
            "--plugin-load-add=file_key_management", f"--file-key-management-filename={keys}", "--encrypt-binlog=ON"]

    def with_encryption(self, *options):
        folder, encryption = self.encryption()
        self.addCleanup(shutil.rmtree, folder, True)
        self.check(*encryption, *options)

    def test_encrypted(self):
        self.with_encryption()

    @unittest.skipUnless(SOAK, "it is run in the soak only")
    def test_encrypted_and_compressed(self):
        self.with_encryption("--log-bin-compress=ON", "--log-bin-compress-min-len=10", "--binlog-row-image=MINIMAL")

    @unittest.skipUnless(SOAK, "it is run in the soak only")
    def test_encrypted_without_checksum(self):
        self.with_encryption("--binlog-checksum=NONE", "--file-key-management-encryption-algorithm=AES_CBC")

    @unittest.skipUnless(SOAK, "it is run in the soak only")
    def test_combinations(self):
        choose = random.Random(SEED)
        for number in range(12):
            options = [
                f"--binlog-row-image={choose.choice(['FULL', 'MINIMAL', 'NOBLOB'])}",
                f"--binlog-row-metadata={choose.choice(['FULL', 'MINIMAL', 'NO_LOG'])}",
                f"--binlog-checksum={choose.choice(['CRC32', 'NONE'])}",
                f"--log-bin-compress={choose.choice(['ON', 'OFF'])}", "--log-bin-compress-min-len=10",
                f"--gtid-strict-mode={choose.choice(['ON', 'OFF'])}",
                f"--binlog-row-event-max-size={choose.choice([256, 8192])}",
                f"--binlog-alter-two-phase={choose.choice(['ON', 'OFF'])}"]
            with self.subTest(" ".join(options), number=number):
                self.check(*options, rounds=1)

    def test_changed_while_it_runs(self):
        """Every form that a session or the running server can choose, one after another."""
        with MariaDB() as source, Magic() as magic:
            source.create_database("d", *TABLES, SAMPLE)
            self.start(magic, source)
            workload = Workload(source)
            for settings in [
                    ["binlog_row_image = 'MINIMAL'"], ["binlog_row_metadata = 'MINIMAL'"],
                    ["log_bin_compress = ON", "log_bin_compress_min_len = 10"], ["binlog_checksum = NONE"],
                    ["binlog_row_image = 'NOBLOB'", "binlog_annotate_row_events = OFF"], ["gtid_domain_id = 9"],
                    ["binlog_checksum = CRC32", "log_bin_compress = OFF", "binlog_row_metadata = 'NO_LOG'"],
                    ["binlog_row_image = 'FULL'", "binlog_row_metadata = 'FULL'"]]:
                source.execute(*[f"SET GLOBAL {setting}" for setting in settings])
                workload.run()
            assert_equal(self, source, magic, ["d"], database="d")
            self.assertEqual(magic.end(), 0, magic.output())

"""Random statements at a source, with the writer, the source and what lies between them killed and cut
off at random. Whenever the source rests the copy equals it, table by table.

The seed that is printed makes the same statements again (--seed); how far the writer has got when
something is killed differs from run to run."""

import random
import re
import signal
import time
import unittest

import pymysql

from compare import mysql_name
from harness import MariaDB, Magic, wait_until
from randomsql import DATABASES, RandomSource
from writer import (
    SEED, SOAK, Proxy, assert_equal, kill_binlog_dump, knows_writer_commands, purge_what_is_stored, settle,
    stopped_tables, writer_command)

SECONDS = 300 if SOAK else 60
STEPS_BETWEEN_COMPARISONS = 600 if SOAK else 400
# Why a table may stop: its key holds a value that no other may become equal to, or only parts of values;
# that key is of floating-point numbers and the rest is not logged; the source computes a column and does not
# log it; it leaves out a JSON or spatial column without a default, which
# becomes something else on every server; or the table has to be copied anew and has no transactions.
LEGITIMATE = re.compile(
    r"zero or partial date in a key|invalid .* in a key|by a key of floating-point numbers|covers only a prefix|lack the generated column|"
    "the image of an inserted row lacks the column|has no consistent snapshots", re.IGNORECASE)
# The server's file of a table's partitions is lost (ER_FAILED_READ_FROM_PAR_FILE).
UNREADABLE = 1696
INTERRUPTIONS = [
    (5, "kill_writer"), (3, "stop_writer"), (2, "kill_source"), (1, "stop_source"), (3, "kill_dump"), (3, "drop_connections"),
    (1, "stall_connections"), (3, "flush_and_purge"), (2, "writer_commands"), (2, "pause_to_catch_up")]


class RandomTest(unittest.TestCase):
    engines = ("InnoDB",)
    source_options = ("--innodb-print-all-deadlocks=0",)

    def setUp(self):
        # Statements and interruptions draw from generators of their own: what is interrupted then
        # has no influence on what statements are like.
        self.choose, self.interrupting = random.Random(SEED), random.Random(SEED + 1)
        self.source = self.enterContext(MariaDB(*self.source_options))
        self.magic = self.enterContext(Magic())
        self.proxy = self.enterContext(Proxy(self.source.port))
        self.source.create_database("ctl")
        self.statements = RandomSource(self.source, self.choose, self.engines)
        self.addCleanup(self.statements.disconnect)
        self.has_commands = knows_writer_commands(self.magic)
        self.interruptions = []
        self.ignored = set()

    def context(self, *words):
        """What a failure is reported with."""
        statements = self.statements
        lines = statements.relevant_log(*words) if words else []
        log = self.magic.folder.parent / f"magic-random-{SEED}.log"
        log.write_text("\n".join(statements.log), errors="surrogateescape")
        log.with_suffix(".writer.log").write_text(self.magic.output())
        return (f"\n\nseed {SEED}; all statements are in {log}; interruptions: {self.interruptions[-12:]}\n"
                + "of the tables:\n  " + "\n  ".join(lines)
                + "\nthe last statements:\n  " + "\n  ".join(list(statements.log)[-25:])
                + "\nthe writer:\n" + self.magic.output()[-3000:])

    def start(self):
        choose = self.interrupting
        self.magic.start_replicate(
            self.source.url(port=self.proxy.port), "--include", "ctl.*",
            *[part for name in DATABASES for part in ("--include", self.pattern(name) + ".*")],
            "--flush-interval", choose.choice(["10ms", "100ms", "200ms", "1s"]),
            *(["--chunk-rows", choose.choice(["100", "100", "100000"]), "--copy-workers", choose.choice(["1", "2", "4"])]
              if self.has_commands else []))

    @staticmethod
    def pattern(name):
        return name.replace(".", "?")

    def wait_until_answering(self):
        try:
            wait_until(self.magic.is_answering, 60, "the writer's start")
        except TimeoutError as error:
            try:
                answer = self.magic.http("SELECT 1")
            except Exception as cause:
                answer = repr(cause)
            raise TimeoutError(f"{error}: {answer}")

    # What happens.

    def kill_writer(self):
        self.magic.end(signal.SIGKILL)
        self.start()
        if self.interrupting.random() < 0.4:
            time.sleep(self.interrupting.uniform(0, 0.6))
            self.magic.end(signal.SIGKILL)
            self.start()

    def stop_writer(self):
        # A process that has hardly begun knows of no signals yet.
        status = self.magic.end(signal.SIGTERM, 60)
        self.assertIn(status, (0, -signal.SIGTERM), self.magic.output()[-3000:])
        self.run_statements(self.interrupting.choice([0, 30, 150]))
        self.start()

    def restart_source(self, how):
        self.source.stop_process(how)
        self.statements.disconnect()
        self.source.start()

    def kill_source(self):
        self.restart_source(signal.SIGKILL)

    def stop_source(self):
        self.restart_source(signal.SIGTERM)

    def kill_dump(self):
        kill_binlog_dump(self.source)

    def drop_connections(self):
        for _ in range(self.interrupting.choice([1, 1, 4])):
            self.proxy.drop()
            time.sleep(self.interrupting.uniform(0, 0.3))

    def stall_connections(self):
        self.proxy.is_stalled = True
        self.run_statements(60)
        self.proxy.is_stalled = False
        if self.interrupting.random() < 0.5:
            self.proxy.drop()

    def flush_and_purge(self):
        self.source.execute("FLUSH BINARY LOGS")
        if self.magic.is_answering():
            purge_what_is_stored(self.source, self.magic)

    def writer_commands(self):
        if not self.has_commands:
            return
        self.wait_until_answering()
        choose = self.interrupting
        tables = self.statements.tables()
        if choose.random() < 0.5:
            writer_command(self.magic, "pause")
            self.run_statements(choose.choice([5, 80]))
            writer_command(self.magic, "resume")
        elif choose.random() < 0.5:
            writer_command(self.magic, "interval", choose.choice(["5ms", "300ms"]))
        elif tables:
            # It may have another name by now, or none.
            writer_command(self.magic, "recopy", ".".join(choose.choice(tables)), check=False)

    def pause_to_catch_up(self):
        """The interruptions that follow meet a writer that has nothing to do, or just a little."""
        self.wait_until_answering()
        settle(self.magic, self.source)
        self.run_statements(3)

    def run_statements(self, count):
        for _ in range(count):
            self.statements.step()

    # What must be.

    def compare(self):
        statements, magic = self.statements, self.magic
        statements.settle()
        if magic.process.poll() is not None:
            self.fail(f"the writer ended by itself with {magic.process.returncode}" + self.context())
        # Reading wakes tables in memory, of which the source logs then that they are empty.
        for names in statements.tables():
            self.read_or_drop(names)
        try:
            self.wait_until_answering()
            settle(magic, self.source, seconds=90)
        except Exception as error:
            self.fail(f"the copy does not catch up: {error}" + self.context())
        self.drop_what_may_stop()
        try:
            assert_equal(self, self.source, magic, DATABASES, self.ignored, seconds=90)
        except AssertionError as error:
            tables = [names[1] for names in self.statements.tables() + list(self.ignored)
                      if repr(names[1]) in str(error)]
            self.fail(str(error) + self.context(*tables))

    def read_or_drop(self, names):
        """Servers lose the partitions of tables with odd names that were renamed; such a table goes."""
        try:
            self.source.rows(f"SELECT 1 FROM {mysql_name(*names)} LIMIT 1")
        except pymysql.err.MySQLError as error:
            if error.args[0] != UNREADABLE:
                raise
            self.ignored.add(tuple(names))
            try:
                self.source.execute(f"DROP TABLE IF EXISTS {mysql_name(*names)}")
            except pymysql.err.MySQLError:
                pass
            self.statements.forget()

    def drop_what_may_stop(self):
        """Tables that stopped for a good reason go, so that the others go on to be compared."""
        for names, reason in stopped_tables(self.magic).items():
            if names in self.ignored:
                continue
            if not LEGITIMATE.search(reason):
                self.fail(f"{names} stopped: {reason}" + self.context(names[1]))
            self.stopped += 1
            print(f"           {names} stopped: {reason[:150]}", flush=True)
            try:
                self.source.execute("SET foreign_key_checks = 0", f"DROP TABLE IF EXISTS {mysql_name(*names)}")
            except pymysql.err.OperationalError:
                # A prepared transaction that a restart left behind has rows of it.
                self.ignored.add(tuple(names))
            self.statements.forget()
        settle(self.magic, self.source, seconds=60)

    def test_the_copy_stays_equal(self):
        try:
            self.check()
        except AssertionError:
            raise
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}" + self.context())

    def check(self):
        self.stopped = 0
        self.run_statements(300)
        self.start()
        end = time.monotonic() + SECONDS
        comparisons, started = 0, time.monotonic()
        while time.monotonic() < end:
            for _ in range(STEPS_BETWEEN_COMPARISONS // 40):
                self.run_statements(40)
                if self.interrupting.random() < 0.45 and time.monotonic() < end:
                    weights = [weight for weight, _ in INTERRUPTIONS]
                    name = self.interrupting.choices([name for _, name in INTERRUPTIONS], weights)[0]
                    self.interruptions.append(name)
                    getattr(self, name)()
                if self.magic.process.poll() is not None:
                    self.fail(f"the writer ended by itself with {self.magic.process.returncode}" + self.context())
            self.compare()
            comparisons += 1
        # What a start finds is what the last run left.
        self.assertEqual(self.magic.end(signal.SIGTERM), 0, self.magic.output()[-3000:])
        self.start()
        self.compare()
        accepted = self.statements.accepted
        changes = sum(count for kind, count in accepted.items()
                      if kind.startswith(("alter", "create", "rename", "drop", "index", "truncate")))
        print(f"           seed {SEED}: {accepted.total()} statements, {changes} of definitions, "
              f"{len(self.interruptions)} interruptions, {comparisons} comparisons, {self.stopped} tables stopped, "
              f"{len(self.statements.unlogged)} statements done but refused, "
              f"{time.monotonic() - started:.0f} s", flush=True)
        self.assertGreater(changes, 50)
        # A slow machine gets through a few only.
        self.assertGreater(len(self.interruptions), 2)


class RandomEnginesTest(RandomTest):
    """Tables of all engines; what has no transactions does not survive a kill of the source."""

    engines = ("InnoDB", "InnoDB", "MyISAM", "Aria", "MEMORY")

    def kill_source(self):
        self.restart_source(signal.SIGTERM)

    @unittest.skipUnless(SOAK, "it is run in the soak only")
    def test_the_copy_stays_equal(self):
        super().test_the_copy_stays_equal()


if __name__ == "__main__":
    unittest.main()

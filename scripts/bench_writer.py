"""The writer beside its peers, each part in one run of its own source: the first copy of a table beside the
engine's mysql() and mariadb-dump; freshness while sysbench writes at full speed, and what that costs the
source; catching up with a prepared binlog; and decoding that binlog beside decoders from PyPI. Set MAGIC to
a release build. A look in two minutes: bench_writer.py --rows 500000 --seconds 10 --megabytes 100"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from bench import MAGIC_BENCH, MEGABYTE, mariadb_binlog, measure, sysbench, sysbench_command  # noqa: E402
from harness import PASSWORD, USER, MariaDB, Magic, UnixConnection, find_program  # noqa: E402

ENGINE_FOLDER = str(Path(os.environ["MAGIC_ENGINE_LIBRARY"]).parents[1])
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
INCLUDE = ("--include", "sbtest.*", "--include", "bench.*")
# Equal for equal rows, whatever their order.
CONTENT = "SELECT count(), sum(cityHash64(id, k, c, pad)) FROM {}"


def cpu_seconds(process, thread=None):
    """What a process, or one of its threads, has computed so far."""
    path = f"/proc/{process.pid}/task/{thread}/stat" if thread else f"/proc/{process.pid}/stat"
    fields = Path(path).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def goal(text, is_met):
    print(f"  {'met' if is_met else 'MISSED':<7} {text}", flush=True)


# The first copy.

def copy(rows, runs):
    print(f"first copy of a sysbench table of {rows:,} rows (medians of {runs}, in turn)", flush=True)
    with MariaDB("--innodb-buffer-pool-size=2G", "--skip-log-bin") as source:
        # The writer wants a binlog, the making of the table does not.
        source.execute("CREATE DATABASE sbtest")
        sysbench(source, "--tables=1", f"--table-size={rows}", "prepare")
        source.stop_process()
        source.options = ("--innodb-buffer-pool-size=2G",)
        source.start()
        source.execute("ANALYZE TABLE sbtest.sbtest1")
        size = source.rows("SELECT SUM(DATA_LENGTH) FROM information_schema.TABLES WHERE TABLE_NAME = 'sbtest1'")[0][0]
        measured = {"magic replicate": [], "mysql() into MergeTree": [], "mariadb-dump into MergeTree": []}
        methods = [copy_with_magic, copy_with_table_function, copy_with_dump]
        contents = set()
        for _ in range(runs):
            for name, method in zip(measured, methods):
                before = cpu_seconds(source.process)
                seconds, content = method(source)
                measured[name].append((seconds, cpu_seconds(source.process) - before))
                contents.add(content)
        if len(contents) != 1:
            sys.exit(f"bench: the copies differ: {contents}")
    print(f"  {'':<30}{'seconds':>9}{'rows/s':>12}{'MB/s':>8}{'CPU at the source':>20}")
    medians = {}
    for name, results in measured.items():
        medians[name] = statistics.median(seconds for seconds, _ in results)
        cpu = statistics.median(seconds for _, seconds in results)
        print(f"  {name:<30}{medians[name]:>9.1f}{rows / medians[name]:>12,.0f}"
              f"{int(size) / medians[name] / MEGABYTE:>8,.0f}{cpu:>18.1f} s")
    ours, *peers = medians.values()
    goal(f"the copy takes {ours / min(peers):.2f} of the fastest peer's time, goal 1", ours <= min(peers))


def copy_with_magic(source):
    with Magic() as magic:
        start = time.monotonic()
        magic.run("replicate", "--source", source.url(), "--data", magic.data, *INCLUDE, "--until-caught-up", timeout=3600)
        seconds = time.monotonic() - start
        return seconds, tuple(value.decode() for value in magic.sql(CONTENT.format("sbtest.sbtest1"))[0])


ENGINE = """
import sys
from chdb.session import Session
session = Session(sys.argv[1])
for statement in sys.argv[2:]:
    print(session.query(statement, "TSV"), end="")
session.close()
"""


def engine_alone(folder, *statements, rows=None):
    """What statements print that the engine runs in a process of its own, without Magic."""
    return subprocess.run(
        [sys.executable, "-B", "-c", ENGINE, folder, *statements], env={**os.environ, "PYTHONPATH": ENGINE_FOLDER},
        stdin=rows, check=True, capture_output=True, text=True, timeout=3600).stdout


def into_plain_table(statement, rows=None):
    """How long the engine takes to fill a plain table, from the start of its process to its end, and the content."""
    with tempfile.TemporaryDirectory(prefix="magic-bench-") as folder:
        start = time.monotonic()
        engine_alone(
            folder, "CREATE DATABASE sbtest ENGINE = Atomic",
            "CREATE TABLE sbtest.plain (id Int32, k Int32, c String, pad String) ENGINE = MergeTree ORDER BY id", statement,
            rows=rows)
        seconds = time.monotonic() - start
        return seconds, tuple(engine_alone(folder, CONTENT.format("sbtest.plain")).split())


def copy_with_table_function(source):
    return into_plain_table(
        f"INSERT INTO sbtest.plain SELECT id, k, c, pad FROM mysql('127.0.0.1:{source.port}', 'sbtest', 'sbtest1', "
        f"'{USER}', '{PASSWORD}')")


def copy_with_dump(source):
    dump = subprocess.Popen(
        [find_program("mariadb-dump"), "--no-defaults", f"--socket={source.socket}", "--user=root",
         "--single-transaction", "--quick", "--no-create-info", "sbtest", "sbtest1"], stdout=subprocess.PIPE)
    with dump:
        return into_plain_table(
            "INSERT INTO sbtest.plain SELECT * FROM file('/proc/self/fd/0', 'MySQLDump', "
            "'id Int32, k Int32, c String, pad String')", dump.stdout)


# Streaming.

class Freshness(threading.Thread):
    """Commits a row every 20 ms, and notes when each is seen in the copy."""

    def __init__(self, source, magic):
        super().__init__(daemon=True)
        self.source, self.magic = source, magic
        self.stopping, self.committed, self.seen = threading.Event(), {}, {}
        self.reader = threading.Thread(target=self.read, daemon=True)

    def run(self):
        with self.source.connect(database="bench") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT COALESCE(MAX(id), 0) FROM beats")
            number = cursor.fetchone()[0]
            while not self.stopping.wait(0.02):
                number += 1
                cursor.execute(f"INSERT INTO beats VALUES ({number})")
                self.committed[number] = time.monotonic()

    def read(self):
        connection = UnixConnection(self.magic.data / "magic.sock")
        newest = None
        while not self.stopping.is_set() or newest < max(self.committed, default=0):
            connection.request("POST", "/", "SELECT max(id) FROM bench.beats")
            found = int(connection.getresponse().read())
            now = time.monotonic()
            for number in range(found if newest is None else newest, found):
                self.seen[number + 1] = now
            newest = found
            time.sleep(0.01)

    def __enter__(self):
        self.reader.start()
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()
        self.reader.join(120)

    def delays(self):
        return [self.seen[number] - when for number, when in self.committed.items() if number in self.seen]


def transactions(source, seconds):
    """What sysbench commits in a time at full speed, and the source's CPU seconds for it."""
    before = cpu_seconds(source.process)
    output = subprocess.run(
        sysbench_command(source, f"--time={seconds}", "run"), check=True, capture_output=True, text=True).stdout
    return int(re.search(r"transactions:\s+(\d+)", output)[1]), cpu_seconds(source.process) - before


def dump_thread(source):
    """The thread of the source that sends the binlog."""
    return source.rows("SELECT TID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")[0][0]


def stream(seconds, rounds=2):
    print(f"streaming beside sysbench write-only at full speed, {rounds} times {seconds} s each", flush=True)
    with MariaDB("--max-binlog-size=256M") as source, Magic() as magic:
        source.execute("CREATE DATABASE sbtest")
        source.create_database("bench", "CREATE TABLE beats (id BIGINT PRIMARY KEY)")
        sysbench(source, "prepare")
        delays, changes, alone, beside, dumping = [], 0, [], [], []
        for _ in range(rounds):
            alone.append(transactions(source, seconds))
            magic.start_replicate(source.url(), *INCLUDE)
            magic.catch_up(source, "bench", 600)
            before, thread = magic.status()["counters"]["rowChanges"], dump_thread(source)
            dumped = cpu_seconds(source.process, thread)
            with Freshness(source, magic) as freshness:
                beside.append(transactions(source, seconds))
            magic.catch_up(source, "bench", 600)
            dumping.append(cpu_seconds(source.process, thread) - dumped)
            delays += freshness.delays()
            changes += magic.status()["counters"]["rowChanges"] - before
            if len(freshness.delays()) != len(freshness.committed):
                sys.exit("bench: commits were not seen")
            if magic.end() != 0:
                sys.exit(magic.output())
    count, cpu = (sum(part) for part in zip(*beside))
    count_alone, cpu_alone = (sum(part) for part in zip(*alone))
    print(f"  {count / rounds / seconds:,.0f} transactions/s beside the writer, {count_alone / rounds / seconds:,.0f} without; "
          f"{changes / rounds / seconds:,.0f} row changes/s")
    print(f"  from commit to visible: median {statistics.median(delays) * 1000:.0f} ms, 99 % "
          f"{percentile(delays, 0.99) * 1000:.0f} ms, longest {max(delays) * 1000:.0f} ms, of {len(delays)} commits")
    print(f"  CPU at the source: {cpu / count * 1e6:,.0f} µs a transaction beside the writer, {cpu_alone / count_alone * 1e6:,.0f} "
          f"without; the thread that sends the binlog takes {sum(dumping) / rounds / seconds * 100:.1f} % of a core")
    goal(f"median freshness {statistics.median(delays) * 1000:.0f} ms, goal 300", statistics.median(delays) < 0.3)
    goal(f"99 % of commits within {percentile(delays, 0.99) * 1000:.0f} ms, goal 1,000", percentile(delays, 0.99) < 1)


# An outage, and decoders.

def catch_up(megabytes):
    print(f"catching up with {megabytes:,} MB of binlog", flush=True)
    with MariaDB("--max-binlog-size=1G", "--innodb-buffer-pool-size=1G") as source, Magic() as magic:
        source.execute("CREATE DATABASE sbtest")
        sysbench(source, "prepare")
        arguments = ("replicate", "--source", source.url(), "--data", magic.data, *INCLUDE, "--until-caught-up")
        magic.run(*arguments)
        before = magic.status()["counters"]["rowChanges"]
        source.execute("FLUSH BINARY LOGS")
        first = source.rows("SHOW MASTER STATUS")[0][0]
        files = lambda: [file for file in sorted(source.data.glob("binlog.0*")) if file.name >= first]  # noqa: E731
        while sum(file.stat().st_size for file in files()) < megabytes * MEGABYTE:
            sysbench(source, "--time=5", "run")
        # A file that is still written to says so in its head, which some decoders take for damage.
        closed = files()
        source.execute("FLUSH BINARY LOGS")
        start = time.monotonic()
        magic.run(*arguments, timeout=3600)
        seconds = time.monotonic() - start
        changes = magic.status()["counters"]["rowChanges"] - before
        peer, _ = measure(mariadb_binlog(closed))
        print(f"  {changes:,} row changes in {seconds:.1f} s, start and end of the process included: "
              f"{changes / seconds:,.0f} row changes/s; mariadb-binlog -v only reads them in {peer:.1f} s")
        goal(f"catching up at {changes / seconds:,.0f} row changes/s, goal 300,000", changes / seconds >= 300_000)
        decode(source, closed, changes)


def decode(source, files, changes):
    print("decoding that binlog alone", flush=True)
    schema = source.folder / "schema.sql"
    with open(schema, "w") as output:
        subprocess.run(
            [find_program("mariadb-dump"), "--no-defaults", f"--socket={source.socket}", "--user=root", "--no-data",
             "--skip-comments", "--databases", "sbtest"], check=True, stdout=output)
    this = [sys.executable, "-B", __file__, "--decode"]
    decoders = {
        "magic-bench decode": [MAGIC_BENCH, "decode", "--schema", schema, *files],
        "mariadb-binlog -v": mariadb_binlog(files),
        "mysql-event-stream": [*this, "mysql-event-stream", *files],
        "mysql-replication": [*this, "mysql-replication", source.port, files[0].name, changes]}
    ours = None
    print(f"  {'':<22}{'seconds':>9}{'rows/s':>12}{'peak MB':>9}{'ratio':>8}")
    for name, command in decoders.items():
        counted = source.folder / "counted"
        with open(counted, "w") as output:
            seconds, memory = measure(command, output if "mariadb" not in name else subprocess.DEVNULL)
        if found := re.match(r"(\d+) row changes", counted.read_text()):
            if int(found[1]) != changes:
                sys.exit(f"bench: {name} finds {found[1]} row changes of {changes}")
        ours = ours or seconds
        print(f"  {name:<22}{seconds:>9.1f}{changes / seconds:>12,.0f}{memory / MEGABYTE:>9,.0f}{seconds / ours:>8.1f}",
              flush=True)


def decode_with_event_stream(files):
    from mysql_event_stream import CdcEngine
    count = 0
    for file in files:
        with CdcEngine() as engine, open(file, "rb") as log:
            log.seek(4)
            rest = b""
            while piece := log.read(1 << 20):
                rest += piece
                while True:
                    rest = rest[engine.feed(rest):]
                    if not engine.has_events():
                        break
                    while engine.next_event() is not None:
                        count += 1
    return count


def decode_with_mysql_replication(port, file, changes):
    from pymysqlreplication import BinLogStreamReader
    from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent
    reader = BinLogStreamReader(
        connection_settings=dict(host="127.0.0.1", port=int(port), user=USER, passwd=PASSWORD), server_id=4711,
        log_file=file, log_pos=4, resume_stream=True, is_mariadb=True, only_schemas=["sbtest"],
        only_events=[DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent])
    count = 0
    for event in reader:
        count += len(event.rows)
        # At the end of the binlog it would connect again and again.
        if count >= int(changes):
            break
    reader.close()
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="copy, stream or catch-up; all by default")
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the table that is copied")
    parser.add_argument("--runs", type=int, default=3, help="how often it is copied")
    parser.add_argument("--seconds", type=int, default=60, help="how long the stream is watched, twice")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the binlog to catch up with")
    parser.add_argument("--decode", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.decode:
        name, *rest = arguments.decode
        decoders = {"mysql-event-stream": lambda: decode_with_event_stream(rest),
                    "mysql-replication": lambda: decode_with_mysql_replication(*rest)}
        print(f"{decoders[name]()} row changes")
        return
    parts = {"copy": lambda: copy(arguments.rows, arguments.runs), "stream": lambda: stream(arguments.seconds),
             "catch-up": lambda: catch_up(arguments.megabytes)}
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(parts)}")
    for name in arguments.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()

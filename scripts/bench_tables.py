"""Compares reading a mutable table with reading a table that never changes, and with FINAL, while
rows are updated and just afterwards; then measures upserts as fast as they go. `magic serve` runs
on a temporary folder. Set MAGIC to a release build. A look in half a minute:

  bench_tables.py --rows 200000 --rounds 2 --update-seconds 3 --sustained-seconds 3
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from harness import MAGIC, UnixConnection, spawn, temporary_folder, wait_until  # noqa: E402

COLUMNS = "id UInt64, k UInt32, v Int64, s String, d DateTime64(6, 'UTC')"
TABLES = {  # engine and further columns
    "plain": ("MergeTree", ""),
    "mutable": ("MutableMergeTree", ""),
    "replacing": ("ReplacingMergeTree(version)", ", version UInt64"),
}
SOURCES = {  # how a query names each table, and all of its columns
    "plain": ("bench.plain", "*"),
    "mutable": ("bench.mutable", "*"),
    "replacing": ("bench.replacing FINAL", "* EXCEPT (version)"),
}
QUERIES = {
    "full aggregate": "SELECT sum(v), max(d), count() FROM {table}",
    "group by k": "SELECT k, sum(v), count() FROM {table} GROUP BY k",
    "filtered aggregate": "SELECT sum(v), max(d), count() FROM {table} WHERE k = 77",
    "count()": "SELECT count() FROM {table}",
    "range on id, 10 %": "SELECT sum(v), count() FROM {table} WHERE id >= {low} AND id < {high}",
    "point lookup": "SELECT {columns} FROM {table} WHERE id = {id}",
    "top 10 by v": "SELECT {columns} FROM {table} ORDER BY v DESC LIMIT 10",
    "top 10 by id": "SELECT {columns} FROM {table} ORDER BY id DESC LIMIT 10",
}
# Percent of the rows that are updated, and the aim for mutable/plain.
STATES = {"clean": (0, 1.1), "1": (1, 2), "5": (5, 2), "20": (20, 2.5), "newest": (5, 1.5)}
POINT_AIM = 3
SUSTAINED_AIM = 200_000  # rows/s
SUSTAINED_BATCH = 5_000
REPEATS, REPEAT_SECONDS = 5, 0.1  # a round repeats a short query until one of these is reached
INTERVAL = 0.2  # seconds between two batches of updates
PRIME = 2_654_435_761  # scatters consecutive numbers over a range that it does not divide
STARTED = time.monotonic()


def say(text):
    print(f"bench: {time.monotonic() - STARTED:6.1f} s  {text}", file=sys.stderr, flush=True)


# The server


class Client:
    """One connection. A statement's result comes back as sorted lines."""

    def __init__(self, server):
        self.connection = UnixConnection(server.data / "magic.sock")
        self.connection.timeout = 1800

    def run(self, statement):
        self.connection.request("POST", "/", statement)
        response = self.connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            raise RuntimeError(f"{response.status} for {statement}\n{body}")
        return sorted(body.splitlines())

    def timed(self, statement):
        """Seconds until the whole result is here, and the result."""
        start = time.perf_counter()
        lines = self.run(statement)
        return time.perf_counter() - start, lines


class Server:
    """`magic serve` on a temporary folder."""

    def __enter__(self):
        self.folder = temporary_folder("tables")
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.process = spawn([MAGIC, "serve", "--data", self.data, "--latch", "none"], self.log)
        try:
            wait_until(self._is_ready, 60, "the start of magic serve")
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"magic serve ended with {self.process.returncode}")
        connection = UnixConnection(self.data / "magic.sock")
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
            say(f"magic serve ended with {status}")
        except subprocess.TimeoutExpired:
            say("magic serve did not end within 60 s of SIGTERM")
            self.process.kill()
            self.process.wait()
        if kind is not None and self.log.exists():
            print(self.log.read_text(errors="replace")[-4000:], file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)


# Rows


def rows_select(keys, further=""):
    """The rows for `keys`, a SELECT of (id, version), and `further` columns. A row depends on
    nothing but its key and version, so writing the same ones again gives the same table."""
    return (
        "SELECT id, toUInt32(h % 1000) AS k, toInt64(bitShiftRight(h, 28)) AS v,"
        " 'text-' || leftPad(toString(bitShiftRight(h, 12) % 100000), 5, '0') AS s,"
        " fromUnixTimestamp64Micro(toInt64(1700000000000000 + version * 200000 + id * 1000"
        f" + h % 1000), 'UTC') AS d{further}"
        f" FROM (SELECT id, version, cityHash64(id, version) AS h FROM ({keys}))")


def spread_keys(first, step, count, batch, batches):
    """The keys of one of `batches` batches, which together take one random key out of each of
    `count` steps from `first` on, in a scattered order: each key once, exactly `count` of them."""
    start, end = batch * count // batches, (batch + 1) * count // batches
    return (
        f"SELECT toUInt64({first} + slot * {step} + cityHash64(slot) % {step}) AS id,"
        f" toUInt64({batch + 1}) AS version"
        f" FROM (SELECT number * {PRIME} % {count} AS slot"
        f" FROM numbers({start}, {end - start}))")


def random_keys(version, row, source, rows, connection, connections):
    """Random keys of a connection's own class, so that the order between connections does not
    matter; `version` and `row` are expressions over `source`."""
    return (
        f"SELECT toUInt64(cityHash64({version}, {row}) % {rows // connections} * {connections}"
        f" + {connection}) AS id, toUInt64({version}) AS version FROM {source}")


def write(table, keys):
    """The statement that writes `keys` to one of the two changing tables."""
    if table == "mutable":
        return f"UPSERT INTO bench.mutable {rows_select(keys)}"
    return f"INSERT INTO bench.replacing {rows_select(keys, ', version')}"


def create(client, table):
    engine, further = TABLES[table]
    client.run(f"DROP TABLE IF EXISTS bench.{table}")
    client.run(f"CREATE TABLE bench.{table} ({COLUMNS}{further}) ENGINE = {engine} ORDER BY id")


def load_plain(client, rows):
    say(f"making the plain table of {rows:,} rows")
    create(client, "plain")
    keys = f"SELECT number AS id, toUInt64(0) AS version FROM numbers({rows})"
    client.run(f"INSERT INTO bench.plain {rows_select(keys)}")
    client.run("OPTIMIZE TABLE bench.plain FINAL")


def load_changing(client):
    for table, columns in [("mutable", "*"), ("replacing", "*, 0")]:
        say(f"loading the {table} table")
        create(client, table)
        client.run(f"INSERT INTO bench.{table} SELECT {columns} FROM bench.plain")
        client.run(f"OPTIMIZE TABLE bench.{table} FINAL")


def count_parts(client, condition):
    [count] = client.run(f"SELECT count() FROM system.parts WHERE active AND {condition}")
    return int(count)


def storage_parts(client):
    return count_parts(client, "database = '_magic'")


def has_same_content(client, tables=("mutable", "replacing")):
    say("comparing the content of the tables")
    sums = {}
    for table in tables:
        source, columns = SOURCES[table]
        [sums[table]] = client.run(f"SELECT count(), sum(cityHash64({columns})) FROM {source}")
    if len(set(sums.values())) == 1:
        print(f"content equal: {', '.join(tables)}")
        return True
    print(f"CONTENT DIFFERS: {sums}")
    return False


# Queries beside one another


def random_values(chance, rows):
    low = chance.randrange(rows - rows // 10)
    return {"id": chance.randrange(rows), "low": low, "high": low + rows // 10}


def query_text(query, table, values):
    source, columns = SOURCES[table]
    return QUERIES[query].format(table=source, columns=columns, **values)


class Measured:
    """Seconds of each query on each table, run by run; the runs of the tables belong together."""

    def __init__(self):
        self.seconds = {query: {table: [] for table in TABLES} for query in QUERIES}
        self.differing = set()

    def round(self, client, number, rows, is_over=lambda: False, equal=()):
        """Runs every query on every table, until `is_over`. The tables in `equal` must give the
        same result."""
        chance = random.Random(number)
        for query in QUERIES:
            values, start = random_values(chance, rows), time.monotonic()
            for _ in range(REPEATS):
                if is_over():
                    return
                self._run(client, query, values, equal)
                if time.monotonic() - start > REPEAT_SECONDS:
                    break

    def _run(self, client, query, values, equal):
        """Runs a query once on every table, each time beginning with another one."""
        runs, results = self.seconds[query], {}
        first = len(runs["plain"]) % len(TABLES)
        for table in [*TABLES][first:] + [*TABLES][:first]:
            seconds, results[table] = client.timed(query_text(query, table, values))
            runs[table].append(seconds)
        if any(results[table] != results[equal[0]] for table in equal):
            self.differing.add(query)

    def ratio(self, query, table):
        """The median over the rounds of a table's time divided by the plain table's."""
        runs = self.seconds[query]
        return statistics.median(a / b for a, b in zip(runs[table], runs["plain"]))

    def is_aim_met(self, query, aim):
        return self.ratio(query, "mutable") <= aim

    def line(self, query, label, aim):
        plain = self.seconds[query]["plain"]
        if not plain:
            return f"{label:<24}{'not run':>10}"
        mark = "met" if self.is_aim_met(query, aim) else "MISSED"
        return (
            f"{label:<24}{statistics.median(plain) * 1000:>10.1f}"
            f"{self.ratio(query, 'mutable'):>10.2f}{self.ratio(query, 'replacing'):>10.2f}"
            f"{aim:>7.1f}  {mark:<8}{len(plain):>4}")


def aim_for(state, query):
    return POINT_AIM if query == "point lookup" else STATES[state][1]


def update_batches(state, rows, seconds):
    """The keys of each batch of a state's updates, and the number of rows updated in all."""
    percent, _ = STATES[state]
    count = rows * percent // 100
    if count == 0:
        return [], 0
    batches = max(1, round(seconds / INTERVAL))
    first, step = (rows - count, 1) if state == "newest" else (0, rows // count)
    return [spread_keys(first, step, count, batch, batches) for batch in range(batches)], count


def write_on_time(server, table, batches, start):
    """Writes a batch every INTERVAL; gives the seconds that each took and how late the latest
    one began."""
    client, taken, late = Client(server), [], 0
    for number, keys in enumerate(batches):
        due = start + number * INTERVAL
        time.sleep(max(0, due - time.monotonic()))
        late = max(late, time.monotonic() - due)
        taken.append(client.timed(write(table, keys))[0])
    return taken, late


def update_and_measure(server, client, batches, arguments):
    """Writes the batches to both changing tables at the same times and, in the last third of that
    time, runs the queries. Gives what was measured and a line about the writing."""
    measured = Measured()
    start = time.monotonic() + 0.1
    with ThreadPoolExecutor() as pool:
        writers = {
            table: pool.submit(write_on_time, server, table, batches, start)
            for table in ("mutable", "replacing")}

        def is_over():
            return all(writer.done() for writer in writers.values())

        third = start + arguments.update_seconds * 2 / 3
        while time.monotonic() < third and not is_over():
            done = max(0, time.monotonic() - start) / arguments.update_seconds
            say(f"updating, {done:.0%}")
            time.sleep(min(5, max(0, third - time.monotonic())))
        say("querying while updating")
        number = 0
        while not is_over():
            measured.round(client, number, arguments.rows, is_over)
            number += 1
        return measured, [describe_writes(table, *writer.result())
                          for table, writer in writers.items()]


def describe_writes(table, taken, late):
    middle, high = percentiles(taken)
    return (
        f"{len(taken)} batches to {table}: median {middle * 1000:.0f} ms, "
        f"99 % {high * 1000:.0f} ms, at most {late * 1000:.0f} ms late")


def percentiles(values):
    values = sorted(values)
    return statistics.median(values), values[min(len(values) - 1, len(values) * 99 // 100)]


def run_state(state, server, client, arguments):
    """Measures and prints one state; gives the number of aims met and missed, and whether all
    results were right."""
    load_changing(client)
    batches, count = update_batches(state, arguments.rows, arguments.update_seconds)
    updating, writes = None, []
    if batches:
        say(f"state {state}: updating {count:,} rows in {len(batches)} batches")
        updating, writes = update_and_measure(server, client, batches, arguments)
    else:
        Measured().round(client, 0, arguments.rows)  # warms up
    parts = (f"mutable {storage_parts(client)}, replacing "
             + str(count_parts(client, "database = 'bench' AND table = 'replacing'")))
    equal = ("mutable", "replacing") if batches else tuple(TABLES)
    measured = Measured()
    for number in range(arguments.rounds):
        say(f"state {state}: round {number + 1} of {arguments.rounds}")
        measured.round(client, number, arguments.rows, equal=equal)
    title = {"clean": "clean", "newest": "newest 5 % updated"}.get(state, f"{state} % updated")
    print(f"\n{title}: {count:,} of {arguments.rows:,} rows"
          + (f" in {arguments.update_seconds:g} s" if batches else "") + f"; parts: {parts}")
    for line in writes:
        print(line)
    show_state(state, measured, updating)
    is_right = has_same_content(client, equal) and not measured.differing
    for query in sorted(measured.differing):
        print(f"RESULTS DIFFER: {query}")
    met = sum(measured.is_aim_met(query, aim_for(state, query)) for query in QUERIES)
    return met, len(QUERIES) - met, is_right


def show_state(state, measured, updating):
    print(f"{'':<24}{'plain ms':>10}{'mutable':>10}{'FINAL':>10}{'aim':>7}  {'':<8}{'runs':>4}")
    for query in QUERIES:
        aim = aim_for(state, query)
        print(measured.line(query, query, aim))
        if updating is not None:
            print(updating.line(query, "  while updating", aim))


# Upserts as fast as they go


def upsert_until(server, connection, connections, rows, deadline):
    """Upserts batch after batch; gives for each when it ended and the seconds that it took. The
    batches of this connection have the versions connection + 1 + n * connections."""
    client, batches = Client(server), []
    while time.monotonic() < deadline:
        version = connection + 1 + len(batches) * connections
        keys = random_keys(f"toUInt64({version})", "number", f"numbers({SUSTAINED_BATCH})", rows,
                           connection, connections)
        seconds, _ = client.timed(write("mutable", keys))
        batches.append((time.monotonic(), seconds))
    return batches


def query_until(server, rows, is_over):
    """Runs the queries on the mutable table in a loop; gives the seconds of each."""
    client, chance = Client(server), random.Random(0)
    taken = {query: [] for query in QUERIES}
    while not is_over():
        for query in QUERIES:
            if is_over():
                break
            text = query_text(query, "mutable", random_values(chance, rows))
            taken[query].append(client.timed(text)[0])
    return taken


def watch_parts(server, is_over):
    """The largest number of parts in storage, looked at twice a second."""
    client, most = Client(server), 0
    while not is_over():
        most = max(most, storage_parts(client))
        time.sleep(0.5)
    return most


def repeat_on_replacing(client, batches, arguments):
    """Writes the rows of all upserts to the ReplacingMergeTree, each connection's in one
    statement."""
    for connection, done in enumerate(batches):
        say(f"repeating {len(done)} batches on the replacing table")
        version = (f"toUInt64({connection + 1} + intDiv(number, {SUSTAINED_BATCH})"
                   f" * {arguments.connections})")
        keys = random_keys(version, f"number % {SUSTAINED_BATCH}",
                           f"numbers({len(done) * SUSTAINED_BATCH})", arguments.rows, connection,
                           arguments.connections)
        client.run(write("replacing", keys))


def run_sustained(server, client, arguments):
    """Measures and prints upserts as fast as they go beside queries; gives aims met and missed,
    and whether the content was right."""
    load_changing(client)
    say(f"upserting for {arguments.sustained_seconds:g} s on {arguments.connections} connections")
    over = threading.Event()
    start = time.monotonic()
    with ThreadPoolExecutor(arguments.connections + 2) as pool:
        try:
            writers = [
                pool.submit(upsert_until, server, connection, arguments.connections,
                            arguments.rows, start + arguments.sustained_seconds)
                for connection in range(arguments.connections)]
            queries = pool.submit(query_until, server, arguments.rows, over.is_set)
            parts = pool.submit(watch_parts, server, over.is_set)
            batches = [writer.result() for writer in writers]
        finally:
            over.set()
        is_met = show_sustained(start, batches, queries.result(), parts.result(), arguments)
    repeat_on_replacing(client, batches, arguments)
    return int(is_met), int(not is_met), has_same_content(client)


def show_sustained(start, batches, queries, parts, arguments):
    ended = sorted(end for done in batches for end, _ in done)
    span = ended[-1] - start
    rate = len(ended) * SUSTAINED_BATCH / span
    thirds = [
        sum(third <= (end - start) / span * 3 < third + 1 for end in ended[:-1])
        * SUSTAINED_BATCH / span * 3 for third in range(3)]
    middle, high = percentiles([seconds for done in batches for _, seconds in done])
    is_met = rate >= SUSTAINED_AIM
    print(f"\nsustained: {len(ended):,} upserts of {SUSTAINED_BATCH:,} rows on "
          f"{arguments.connections} connections in {span:.1f} s")
    print(f"{rate:,.0f} rows/s, aim {SUSTAINED_AIM:,}: {'met' if is_met else 'MISSED'} "
          f"(in the thirds of the time {', '.join(f'{third:,.0f}' for third in thirds)})")
    print(f"a batch takes {middle * 1000:.0f} ms (median), {high * 1000:.0f} ms (99 %); "
          f"at most {parts} parts in storage")
    print(f"{'queries beside it':<24}{'runs':>8}{'median ms':>12}{'max ms':>10}")
    for query, taken in queries.items():
        if taken:
            print(f"{query:<24}{len(taken):>8}{statistics.median(taken) * 1000:>12.1f}"
                  f"{max(taken) * 1000:>10.1f}")
    return is_met


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="a multiple of 100")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each query; medians count")
    parser.add_argument("--update-seconds", type=float, default=60, help="how long a state's "
                        "updates take, a batch every 200 ms")
    parser.add_argument("--sustained-seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=4, help="that upsert at once")
    parser.add_argument("--states", default=",".join([*STATES, "sustained"]),
                        help="which to measure, by commas (default %(default)s)")
    arguments = parser.parse_args()
    arguments.states = arguments.states.split(",")
    for state in arguments.states:
        if state not in [*STATES, "sustained"]:
            parser.error(f"there is no state {state}")
    if arguments.rows < 1000 or arguments.rows % 100 != 0:
        parser.error("--rows is a multiple of 100, 1000 or more")
    if "MAGIC" not in os.environ:
        parser.error("set MAGIC to a release build of magic")
    return arguments


def main():
    arguments = parse_arguments()
    totals = []
    with Server() as server:
        client = Client(server)
        client.run("CREATE DATABASE IF NOT EXISTS bench")
        load_plain(client, arguments.rows)
        for state in arguments.states:
            if state == "sustained":
                totals.append(run_sustained(server, client, arguments))
            else:
                totals.append(run_state(state, server, client, arguments))
            sys.stdout.flush()
    met, missed, right = zip(*totals)
    print(f"\naims met: {sum(met)}, missed: {sum(missed)}; contents and results "
          + ("right" if all(right) else "WRONG"))
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())

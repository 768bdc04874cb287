"""Decodes and loads a sysbench binlog, and reads the same files with mariadb-binlog in the same
run. The files are made once and kept in .deps/bench. Run it with `make bench`."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from harness import MAGIC, ROOT, MariaDB, find_program, temporary_folder  # noqa: E402

MAGIC_BENCH = MAGIC.with_name("magic-bench")
TABLES, ROWS = 4, 100_000
MEGABYTE = 1_000_000


class Workload:
    """Binlog files, the number of row changes in them, and the tables' CREATE statements."""

    def __init__(self, name, megabytes):
        self.folder = ROOT / ".deps/bench" / name
        if not (self.folder / "rows").exists():
            self._make(name, megabytes * MEGABYTE)
        self.files = sorted(self.folder.glob("binlog.0*"))
        self.schema = self.folder / "schema.sql"
        self.rows = int((self.folder / "rows").read_text())
        self.bytes = sum(file.stat().st_size for file in self.files)

    def _make(self, name, size):
        print(f"bench: making the {name} binlog, {size // MEGABYTE} MB (once)", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with MariaDB("--max-binlog-size=1G") as source:
            source.execute("CREATE DATABASE sbtest")
            sysbench(source, "prepare")
            if name == "small":
                self._transactions(source, size)
            else:
                self._whole_tables(source, size)
            with open(self.folder / "schema.sql", "w") as output:
                subprocess.run(
                    [find_program("mariadb-dump"), "--no-defaults", f"--socket={source.socket}",
                     "--user=root", "--no-data", "--skip-comments", "--databases", "sbtest"],
                    check=True, stdout=output)
            source.stop_process()
            for file in self._binlogs(source):
                shutil.move(file, self.folder)
        count = 0
        for file in sorted(self.folder.glob("binlog.0*")):
            with subprocess.Popen(mariadb_binlog([file]), stdout=subprocess.PIPE) as reading:
                count += sum(
                    line.startswith((b"### INSERT", b"### UPDATE", b"### DELETE"))
                    for line in reading.stdout)
        (self.folder / "rows").write_text(str(count))

    @staticmethod
    def _binlogs(source):
        return sorted(source.data.glob("binlog.0*"))

    def _size(self, source):
        return sum(file.stat().st_size for file in self._binlogs(source))

    def _transactions(self, source, size):
        """sysbench's small writing transactions, the costliest kind for a reader."""
        while self._size(source) < size:
            sysbench(source, "--time=5", "run")

    def _whole_tables(self, source, size):
        """Updates of whole tables: transactions of 40 MB."""
        while self._size(source) < size:
            for table in range(1, TABLES + 1):
                source.execute(f"UPDATE sbtest.sbtest{table} SET k = k + 1, c = REVERSE(c)")


def sysbench(source, *arguments):
    """Small writing transactions on tables that `prepare` makes in the database sbtest."""
    subprocess.run(sysbench_command(source, *arguments), check=True, stdout=subprocess.DEVNULL)


def sysbench_command(source, *arguments):
    return [
        find_program("sysbench"), "oltp_write_only", "--db-driver=mysql", "--mysql-user=root",
        f"--mysql-socket={source.socket}", "--mysql-db=sbtest", f"--tables={TABLES}",
        f"--table-size={ROWS}", "--threads=4", "--rand-seed=1", *arguments]


def mariadb_binlog(files):
    return [find_program("mariadb-binlog"), "--no-defaults", "-v", *map(str, files)]


def measure(command, output=subprocess.DEVNULL):
    """Seconds and peak memory in bytes of one run of a program, which must succeed."""
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=output, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {command[0]} ended with {process.returncode}")
    return seconds, usage.ru_maxrss * 1024


def run(workload, runs):
    folder = temporary_folder("bench")
    try:
        data = folder / "data"
        commands = {
            "mariadb-binlog -v": mariadb_binlog(workload.files),
            "magic-bench decode": [
                MAGIC_BENCH, "decode", "--schema", workload.schema, *workload.files],
            "magic load": [MAGIC, "load", "--data", data, *workload.files],
        }
        measured = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                shutil.rmtree(data, ignore_errors=True)
                measured[name].append(measure(command))
        return {
            name: (statistics.median(seconds for seconds, _ in results),
                   max(memory for _, memory in results))
            for name, results in measured.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(workload, results):
    print(f"\n{workload.bytes / MEGABYTE:,.0f} MB of binlog, {workload.rows:,} row changes")
    print(f"{'':<20}{'seconds':>9}{'rows/s':>12}{'MB/s':>8}{'peak MB':>9}{'ratio':>8}")
    peer = results["mariadb-binlog -v"][0]
    for name, (seconds, memory) in results.items():
        print(f"{name:<20}{seconds:>9.2f}{workload.rows / seconds:>12,.0f}"
              f"{workload.bytes / seconds / MEGABYTE:>8,.0f}{memory / MEGABYTE:>9,.0f}"
              f"{peer / seconds:>8.1f}")


def show_goals(workload, results):
    decode = results["mariadb-binlog -v"][0] / results["magic-bench decode"][0]
    load = workload.rows / results["magic load"][0]
    memory = max(results[name][1] for name in ("magic-bench decode", "magic load"))
    for text, met in [
            (f"decoding {decode:.1f} times as fast as mariadb-binlog, goal 8", decode >= 8),
            (f"loading {load:,.0f} row changes/s, goal 300,000", load >= 300_000),
            (f"peak memory {memory / 2**20:,.0f} MiB, goal 1,024", memory <= 2**30)]:
        print(f"{'met' if met else 'MISSED':<7} {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also ten times as much, 4 GB")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    arguments = parser.parse_args()
    workloads = [("small", 400, arguments.runs)] + [("large", 4000, 1)] * arguments.large
    for name, megabytes, runs in workloads:
        workload = Workload(name, megabytes)
        results = run(workload, runs)
        show(workload, results)
        show_goals(workload, results)


if __name__ == "__main__":
    main()

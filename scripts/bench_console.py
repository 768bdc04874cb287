"""What the web console costs: how fast replication catches up while ten browsers show the overview, and while nobody
looks, in turn. The browsers run at the lowest priority: at a user's they are on other machines. Set MAGIC to a
release build."""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from bench_writer import cpu_seconds, goal  # noqa: E402
from browser import browser, expect, hook, sign_in  # noqa: E402
from harness import MariaDB, wait_until  # noqa: E402
from serving import Service  # noqa: E402
from writer import writer_command  # noqa: E402


# How often each row changes while nobody applies it.
PASSES = 5


def status(service):
    with urllib.request.urlopen(service.url("/magic/v1/status")) as answer:
        return json.load(answer)


def catch_up(source, service, rows):
    """How many row changes a second are applied of those that waited."""
    writer_command(service, "pause")
    wait_until(lambda: status(service)["phase"] == "paused", 30, "the pause")
    for _ in range(PASSES):
        for low in range(0, rows, 20_000):
            source.execute(f"UPDATE t SET n = n + 1 WHERE id BETWEEN {low + 1} AND {low + 20_000}", database="d")
    before = status(service)["counters"]["rowChanges"]
    writer_command(service, "resume")
    start = time.monotonic()
    wait_until(lambda: status(service)["counters"]["rowChanges"] == before + rows * PASSES, 600, "the end", interval=0.02)
    seconds = time.monotonic() - start
    # What was stored is put in order before the next measurement.
    with service.connect() as connection:
        connection.run("OPTIMIZE TABLE d.t FINAL")
    return rows * PASSES / seconds


def share_of_core(service, seconds=10):
    """What the server computes in this time."""
    used = cpu_seconds(service.process)
    time.sleep(seconds)
    return (cpu_seconds(service.process) - used) / seconds


def open_pages(chromium, service, count):
    for _ in range(count):
        page = chromium.new_context().new_page()
        sign_in(page, service.url())
        expect(hook(page, "phase")).to_be_visible()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="rows that change five times in each run")
    parser.add_argument("--runs", type=int, default=5, help="how often with and without browsers")
    parser.add_argument("--browsers", type=int, default=10)
    arguments = parser.parse_args()
    with MariaDB("--innodb-buffer-pool-size=1G") as source, tempfile.TemporaryDirectory() as folder:
        nice = Path(folder, "chromium")
        nice.write_text('#!/bin/sh\nexec nice -n 19 chromium "$@"\n')
        nice.chmod(0o755)
        source.create_database(
            "d", "CREATE TABLE t (id INT PRIMARY KEY, n INT, text VARCHAR(40))",
            f"INSERT INTO t SELECT seq, 0, CONCAT('row ', seq) FROM seq_1_to_{arguments.rows}")
        service = Service("--source", source.url(), "--include", "d.*")
        service.start()
        try:
            wait_until(lambda: status(service)["phase"] == "streaming", 120, "the copy")
            time.sleep(10)
            quiet = share_of_core(service)
            with browser(nice) as chromium:
                open_pages(chromium, service, arguments.browsers)
                shown = share_of_core(service)
            print(f"at rest the server takes {quiet:.1%} of a core, with {arguments.browsers} browsers {shown:.1%}", flush=True)
            alone, watched = [], []
            for _ in range(arguments.runs):
                alone.append(catch_up(source, service, arguments.rows))
                with browser(nice) as chromium:
                    open_pages(chromium, service, arguments.browsers)
                    watched.append(catch_up(source, service, arguments.rows))
            print(f"row changes a second, nobody looking: {', '.join(f'{rate:,.0f}' for rate in alone)}")
            print(f"with {arguments.browsers} browsers: {', '.join(f'{rate:,.0f}' for rate in watched)}")
            ratio = statistics.median(watched) / statistics.median(alone)
            goal(f"with {arguments.browsers} browsers replication is {ratio:.2f} times as fast as without (medians)", ratio > 0.95)
        finally:
            service.stop()


if __name__ == "__main__":
    main()

"""Measures latches beside etcd's own locks, in one run on one disk: clients that acquire and release as
fast as they go. `magic latch serve` keeps its file and etcd its data in the same folder."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from harness import temporary_folder  # noqa: E402
from latches import BENCH, Etcd, Node  # noqa: E402

CASES = [
    ("one client", {"clients": 1}),
    ("8 clients, a latch each", {"clients": 8, "resources": 0}),
    ("8 clients, one latch", {"clients": 8, "resources": 1}),
    ("8 readers, one latch", {"clients": 8, "resources": 1, "mode": "S"}),
]


def measure(command, **settings):
    words = [f"{key}={value}" for key, value in settings.items()]
    result = subprocess.run([BENCH, command, *words], capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)["rate"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--folder", help="where files go (default: the system's temporary folder)")
    arguments = parser.parse_args()
    folder = temporary_folder("bench-latches")
    if arguments.folder:
        shutil.rmtree(folder)
        folder = Path(arguments.folder) / f"bench-latches-{time.time_ns()}"
        folder.mkdir()
    seconds = arguments.seconds
    etcd = Etcd(folder, count=1)
    over_file = Node(folder, "file", "--data", folder / "file").start()
    over_etcd = Node(folder, "etcd", "--store", etcd.url).start()
    time.sleep(1)
    (folder / "node").mkdir()
    try:
        print("acquired and released, per second")
        print(f"{'':26}{'etcd':>9}{'file':>9}{'':>8}{'in process':>12}{'':>8}{'over etcd':>11}")
        for name, case in CASES:
            reads = case.get("mode") == "S"
            # etcd's locks are exclusive only.
            peer = None if reads else measure("etcd-lock", port=etcd.ports[0][0], seconds=seconds, **case)
            file = measure("latch-load", connect=over_file.address, seconds=seconds, **case)
            node = measure("latch-node", folder=folder / "node", seconds=seconds, **case)
            replicated = measure("latch-load", connect=over_etcd.address, seconds=seconds, **case)

            def ratio(rate):
                return "" if peer is None else f"x {rate / max(peer, 1):.1f}"
            print(
                f"{name:26}{peer if peer is not None else '-':>9}{file:>9}{ratio(file):>8}{node:>12}"
                f"{ratio(node):>8}{replicated:>11} {ratio(replicated)}", flush=True)
    finally:
        over_file.kill()
        over_etcd.kill()
        etcd.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()

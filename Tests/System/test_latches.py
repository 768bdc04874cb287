"""The latch service with real processes: what is promised holds when clients stop, connections break,
servers are killed, disks are full, and members of the store or nodes go away."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
import unittest

from harness import MAGIC, Magic, spawn, temporary_folder, wait_until
from latches import Etcd, Node, Proxy, history, latch, load, overview, problems

SOAK = bool(os.environ.get("MAGIC_SOAK"))
SEED = int(os.environ.get("MAGIC_SEED", "0"))
SECONDS = 120 if SOAK else 12


class LatchCase(unittest.TestCase):
    def setUp(self):
        self.folder = temporary_folder("latches")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.random = random.Random(SEED)

    def node(self, name="node", *options, **settings):
        node = Node(self.folder, name, *(options or ("--data", self.folder / "data")), **settings)
        self.addCleanup(node.kill)
        return node

    def clients(self, name, connect, **settings):
        process = load(self.folder, name, connect, history=self.folder / "history", **settings)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def check(self, count):
        records = history(self.folder / "history")
        self.assertEqual(problems(records), [])
        self.assertGreater(len(records), count)


class FileStoreTests(LatchCase):
    def test_a_killed_server_neither_loses_nor_resets_leases(self):
        node = self.node().start()
        connect = [node.address]
        token, session = latch(
            "acquire", "d.t:X", "--ttl", "6s", connect=connect).stdout.split()
        start = time.monotonic()
        latch("acquire", "d.u:S", "--ttl", "60s", connect=connect)
        for _ in range(3):
            node.kill()
            node.start()
            found = {one["session"]: one for one in overview(connect)["sessions"]}
            elapsed = time.monotonic() - start
            self.assertAlmostEqual(
                found[session]["remaining_ms"] / 1000, 6 - elapsed, delta=1)
        self.assertEqual(
            latch("acquire", "d.t:S", connect=connect, check=False).returncode, 69)
        # The lease ends when it would have.
        result = latch("acquire", "d.t:S", "--wait", "20s", connect=connect).stdout
        self.assertAlmostEqual(time.monotonic() - start, 6, delta=1.5)
        self.assertGreater(int(result.split()[0]), int(token) + 1)
        self.assertEqual(len(overview(connect)["grants"]), 2)

    def test_a_holder_that_stands_still_is_no_holder(self):
        node = self.node().start()
        connect = [node.address]
        mark = self.folder / "mark"
        holder = spawn(
            [MAGIC, "latch", "run", "d:X", "--ttl", "1500ms", "--connect", node.address, "--", "sh", "-c",
             f"touch {mark}; exec sleep 60"], self.folder / "holder.log")
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        wait_until(mark.exists, 20, "the command")
        holder.send_signal(signal.SIGSTOP)
        latch("acquire", "d:X", "--wait", "20s", connect=connect)
        holder.send_signal(signal.SIGCONT)
        self.assertEqual(holder.wait(20), 75)
        self.assertIn("lost", (self.folder / "holder.log").read_text())

    def test_a_revoked_command_is_ended(self):
        node = self.node().start()
        connect = [node.address]
        holder = spawn(
            [MAGIC, "latch", "run", "d:X", "--connect", node.address, "--kill-after", "500ms", "--", "sh",
             "-c", "trap '' TERM; while :; do sleep 0.1; done"], self.folder / "holder.log")
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        session = wait_until(lambda: overview(connect)["grants"], 20, "the grant")[0]["session"]
        latch("revoke", session, connect=connect)
        self.assertEqual(holder.wait(20), 75)
        for command, status in (("exit 7", 7), ("kill -9 $$", 137), ("echo $MAGIC_LATCH_TOKEN", 0)):
            result = latch("run", "d:X", "--", "sh", "-c", command, connect=connect, check=False)
            self.assertEqual(result.returncode, status)

    def test_a_history_of_kills_and_broken_connections(self):
        node = self.node().start()
        proxy = Proxy(("127.0.0.1", node.port))
        self.addCleanup(proxy.close)
        loads = [
            self.clients("one", [proxy.address], clients=3, seconds=SECONDS, resources=2, hold=20, ttl=1500,
                         wait=2000),
            self.clients("two", [node.address], clients=3, seconds=SECONDS, resources=2, hold=20, ttl=1500,
                         wait=2000),
            self.clients("three", [proxy.address], clients=3, seconds=SECONDS, resources=3, hold=20,
                         ttl=1500, wait=2000, mode="any"),
        ]
        end = time.monotonic() + SECONDS - 2
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0.2, 0.8))
            match self.random.randrange(5):
                case 0:
                    node.kill()
                    node.start()
                case 1:
                    stopped = self.random.choice(loads)
                    stopped.send_signal(signal.SIGSTOP)
                    time.sleep(self.random.uniform(0.1, 2.5))
                    stopped.send_signal(signal.SIGCONT)
                case 2:
                    # Calls arrive, and their answers do not.
                    proxy.swallows = True
                    time.sleep(0.2)
                    proxy.swallows = False
                case _:
                    proxy.cut()
        for process in loads:
            self.assertEqual(process.wait(60), 0)
        self.check(100)

    def test_a_full_disk_grants_nothing_that_is_not_stored(self):
        def bounded():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        node = self.node(preexec_fn=bounded).start()
        connect = [node.address]
        session = latch("acquire", "d.t:X", "--ttl", "5m", connect=connect).stdout.split()[1]
        known = set()
        for number in range(500):
            result = latch(
                "acquire", f"d.{'x' * 200}{number}:X", "--session", session, "--request-id", number,
                "--patience", "200ms", connect=connect, check=False)
            if result.returncode != 0:
                self.assertIn("cannot be written", result.stderr)
                break
            known.add(int(result.stdout.split()[0]))
        else:
            self.fail("the disk is never full")
        node.kill()
        node.spawning = {}
        node.start()
        tokens = {grant["token"] for grant in overview(connect)["grants"]}
        self.assertLessEqual(known, tokens)
        token = int(latch("acquire", "e:X", connect=connect).stdout.split()[0])
        self.assertGreater(token, max(tokens))

    def test_magic_serve_serves_latches_and_locks_its_file(self):
        magic = Magic()
        self.addCleanup(magic.stop)
        node = self.node()
        magic.process = spawn(
            [MAGIC, "serve", "--data", magic.data, "--http", "none", "--flight", "none", "--latch",
             node.address], magic.log)
        wait_until(lambda: "Latches on" in magic.output(), 60, "the latches of magic serve")
        latch("acquire", "d:X", connect=[node.address])
        result = latch("serve", "--listen", "127.0.0.1:0", "--data", magic.data, connect=[], check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("locked", result.stderr)
        self.assertEqual(magic.end(), 0)


class EtcdStoreTests(LatchCase):
    def setUp(self):
        super().setUp()
        self.etcd = Etcd(self.folder)
        self.addCleanup(self.etcd.stop)
        self.nodes = [self.node(f"node{index}", "--store", self.etcd.url).start() for index in (1, 2)]
        self.connect = [node.address for node in self.nodes]

    def serving(self):
        try:
            name = overview(self.connect)["node"]
        except AssertionError:
            return None
        return next(node for node in self.nodes if node.address == name)

    def test_failover_loses_nothing(self):
        token, session = latch(
            "acquire", "d.t:X", "--ttl", "30s", connect=self.connect).stdout.split()
        for how in (signal.SIGKILL, signal.SIGTERM, "etcd"):
            node = self.serving()
            if how == "etcd":
                leader = self.etcd.leader()
                self.etcd.processes[leader].kill()
                self.etcd.processes[leader].wait()
            else:
                node.kill(how)
            found = wait_until(lambda: self.serving(), 60, "a node that serves")
            state = overview(self.connect)
            self.assertEqual([grant["token"] for grant in state["grants"]], [int(token)])
            self.assertEqual([one["session"] for one in state["sessions"]], [session])
            if how == "etcd":
                self.etcd.start(leader)
            else:
                self.assertIsNot(found, node)
                node.start()
        other = latch("acquire", "d.u:X", "--wait", "1s", connect=self.connect).stdout.split()
        self.assertGreater(int(other[0]), int(token))

    def test_a_history_with_failovers(self):
        seconds = 3 * SECONDS
        proxies = [Proxy(("127.0.0.1", node.port)) for node in self.nodes]
        for proxy in proxies:
            self.addCleanup(proxy.close)
        loads = [
            self.clients("one", self.connect, clients=3, seconds=seconds, resources=2, hold=20, ttl=3000,
                         wait=5000),
            self.clients("two", [proxy.address for proxy in proxies], clients=3, seconds=seconds,
                         resources=2, hold=20, ttl=3000, wait=5000),
        ]
        end = time.monotonic() + seconds - 8
        step = 0
        while time.monotonic() < end:
            time.sleep(self.random.uniform(1, 3))
            node = self.nodes[step // 2 % 2]
            match step % 5:
                case 0:
                    node.kill()
                    time.sleep(self.random.uniform(0, 2))
                    node.start()
                case 1:
                    for proxy in proxies:
                        proxy.cut()
                case 2:
                    # Longer than its lease of etcd: another node serves when it goes on.
                    node.process.send_signal(signal.SIGSTOP)
                    time.sleep(7)
                    node.process.send_signal(signal.SIGCONT)
                case 3:
                    leader = self.etcd.leader()
                    if leader is not None:
                        self.etcd.processes[leader].kill()
                        self.etcd.processes[leader].wait()
                        time.sleep(1)
                        self.etcd.start(leader)
                case _:
                    node.kill(signal.SIGTERM)
                    node.start()
            step += 1
        for process in loads:
            self.assertEqual(process.wait(90), 0)
        self.check(50)

"""Latch services, clients, connections that break, and what of a history must hold."""

import json
import os
import re
import signal
import shutil
import socket
import subprocess
import threading

from harness import MAGIC, ROOT, find_program, free_port, spawn, temporary_folder, wait_until

BENCH = MAGIC.parent / "magic-bench"


class Node:
    """One `magic latch serve`."""

    def __init__(self, folder, name, *options, port=None, **spawning):
        self.port = port or free_port()
        self.log = folder / f"{name}.log"
        self.options, self.spawning = options, spawning
        self.process = None

    def start(self, waits=True):
        earlier = len(self.output())
        self.process = spawn(
            [MAGIC, "latch", "serve", "--listen", f"127.0.0.1:{self.port}", *self.options],
            self.log, **self.spawning)
        if waits:
            wait_until(lambda: self.has_started(earlier), 30, "the start of magic latch serve")
        return self

    def has_started(self, earlier):
        if self.process.poll() is not None:
            raise RuntimeError(self.output()[-2000:])
        return "Latches on" in self.output()[earlier:]

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


def latch(*arguments, connect, check=True, timeout=60, **options):
    """The result of `magic latch …` at some nodes."""
    where = [part for address in connect for part in ("--connect", address)]
    if "--" in arguments:
        place = arguments.index("--")
        words = [*arguments[:place], *where, *arguments[place:]]
    else:
        words = [*arguments, *where]
    result = subprocess.run(
        [MAGIC, "latch", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
        timeout=timeout, text=True, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{words}: {result.returncode} {result.stderr}")
    return result


def overview(connect):
    return json.loads(latch("list", "--json", connect=connect).stdout)


def load(folder, name, connect, **settings):
    """Starts clients that acquire and release and write down what happened."""
    words = [f"{key}={value}" for key, value in settings.items()]
    return spawn(
        [BENCH, "latch-load", "connect=" + ",".join(connect), *words], folder / f"{name}.log")


def history(path):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def problems(records):
    """What is wrong with a history: what two held at a time of which one had it exclusive; and, for what
    is only held exclusive, whether it is that of an atomic lock (linearizable).

    The service says in which order a lock was given, by its tokens. So there is but one order in which
    its operations can have happened, and the history is linearizable just when a moment can be found for
    each, between its call and its answer, in that order: the earliest that is possible is the best.
    """
    found = []
    tokens = [record["token"] for record in records]
    if len(set(tokens)) != len(tokens):
        found.append("a token was given twice")
    for resource in {record["resource"] for record in records}:
        own = sorted(
            (record for record in records if record["resource"] == resource),
            key=lambda record: record["token"])
        for index, one in enumerate(own):
            for other in own[index + 1:]:
                if "X" not in (one["mode"], other["mode"]):
                    continue
                if (one["acquire"][1] < other["sure"] and other["acquire"][1] < one["sure"]):
                    found.append(f"held at a time: {one} {other}")
        if any(record["mode"] != "X" for record in own):
            continue
        moment = 0
        for record in own:
            moment = max(moment, record["acquire"][0])
            if moment > record["acquire"][1]:
                found.append(f"not linearizable: {record} was given before it was free")
            # What was lost, or given up without an answer, became free some time after it was held last.
            begun, ended = record.get("release") or (record["sure"], float("inf"))
            moment = max(moment, begun)
            if moment > ended:
                found.append(f"not linearizable: {record} was given up after it had been")
    return found


class Proxy:
    """Passes connections on, until it is told to break them."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.sockets, self.closed, self.swallows = set(), False, False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                if self.closed:
                    return
                near.close()
                continue
            self.sockets |= {near, far}
            for source, sink, is_answer in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._pump, args=(source, sink, is_answer), daemon=True).start()

    def _pump(self, source, sink, is_answer):
        try:
            while data := source.recv(1 << 16):
                if is_answer and self.swallows:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.sockets.discard(one)

    def cut(self):
        """Breaks all connections."""
        for one in list(self.sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.closed = True
        self.listener.close()
        self.cut()


class Etcd:
    """An etcd cluster in a folder."""

    def __init__(self, folder, count=3):
        self.folder = folder
        self.ports = [(free_port(), free_port()) for _ in range(count)]
        self.processes = [None] * count
        for index in range(count):
            self.start(index)
        wait_until(lambda: self.leader() is not None, 60, "a leader of etcd", interval=0.2)

    def start(self, index):
        client, peer = self.ports[index]
        cluster = ",".join(
            f"m{other}=http://127.0.0.1:{port}" for other, (_, port) in enumerate(self.ports))
        self.processes[index] = spawn(
            [find_program("etcd"), "--name", f"m{index}", "--data-dir", self.folder / f"m{index}",
             "--listen-client-urls", f"http://127.0.0.1:{client}",
             "--advertise-client-urls", f"http://127.0.0.1:{client}",
             "--listen-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-cluster", cluster, "--initial-cluster-state", "new"],
            self.folder / f"m{index}.log")

    @property
    def url(self):
        return "etcd://" + ",".join(f"127.0.0.1:{client}" for client, _ in self.ports)

    def leader(self):
        for index, (client, _) in enumerate(self.ports):
            if self.processes[index].poll() is not None:
                continue
            result = subprocess.run(
                [find_program("etcdctl"), "--endpoints", f"127.0.0.1:{client}",
                 "--command-timeout=2s", "endpoint", "status", "-w", "json"],
                capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"})
            if result.returncode == 0:
                status = json.loads(result.stdout)[0]["Status"]
                if status["leader"] == status["header"]["member_id"]:
                    return index
        return None

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

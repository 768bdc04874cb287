"""What the tests of the writer share: a connection that breaks, waiting for the copy, its commands
and its memory."""

import os
import re
import select
import socket
import threading
import time

from compare import assert_equal_databases, stopped_tables
from harness import CommandFailed, wait_until

SOAK = bool(os.environ.get("MAGIC_SOAK"))
SEED = int(os.environ.get("MAGIC_SEED", 0))


class Proxy:
    """Stands between writer and source on a port of its own. `drop()` breaks all connections;
    while `is_stalled` nothing passes, and the connections look alive."""

    def __init__(self, port):
        self.target = port
        self.is_stalled, self.is_refusing = False, False
        self.pairs, self.lock = [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.is_refusing:
                    raise OSError("refused")
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            pair = [client, server]
            with self.lock:
                self.pairs.append(pair)
            threading.Thread(target=self._carry, args=(pair,), daemon=True).start()

    def _carry(self, pair):
        other = {pair[0]: pair[1], pair[1]: pair[0]}
        for each in pair:
            each.settimeout(30)
        try:
            while True:
                readable, _, _ = select.select(pair, [], [], 0.5)
                while self.is_stalled:
                    time.sleep(0.05)
                for each in readable:
                    piece = each.recv(256 << 10)
                    if not piece:
                        return
                    other[each].sendall(piece)
        except (OSError, ValueError):
            pass
        finally:
            self._close(pair)

    def _close(self, pair):
        for each in pair:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)

    def drop(self):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self._close(pair)

    def stop(self):
        self.listener.close()
        self.is_stalled = False
        self.drop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Background(threading.Thread):
    """What runs beside a test, until its block ends or `stopping` is set."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()


def table_states(magic):
    """The state of each table. One that is being copied anew counts as being copied, though what it was
    before stays readable."""
    states = {}
    for table in magic.status()["tables"]:
        states.setdefault((table["name"]["database"], table["name"]["table"]), set()).add(table["state"])
    return {names: next(state for state in ("copying", "live", "stopped") if state in found)
            for names, found in states.items()}


def settle(magic, source, database="ctl", seconds=60):
    """Waits until the copy has everything that the source has committed, and copies no table any
    more."""
    deadline = time.monotonic() + seconds
    while True:
        magic.catch_up(source, database, max(1, deadline - time.monotonic()))
        states = table_states(magic)
        if "copying" not in states.values():
            return
        if time.monotonic() > deadline:
            copying = [names for names, state in states.items() if state == "copying"]
            raise TimeoutError(f"still being copied after {seconds} s: {copying}\n" + magic.output()[-3000:])
        time.sleep(0.1)


def assert_equal(test, source, magic, databases, ignored=(), context="", database="ctl", seconds=60,
                 verify=True):
    """The copy has everything, no table stopped but those of `ignored`, and what it has equals the
    source by content, as compare.py reads it and as `magic verify` does."""
    settle(magic, source, database, seconds)
    stopped = {names: reason for names, reason in stopped_tables(magic).items() if names not in ignored}
    test.assertEqual(stopped, {}, f"tables stopped{context}")
    assert_equal_databases(test, source, magic, databases, ignored, context)
    if verify:
        includes = [part for name in databases for part in ("--include", f"{name}.*")] \
            if all(re.fullmatch(r"\w+", name) for name in databases) else []
        result = magic.run(
            "verify", "--data", magic.data, "--source", source.url(), *includes, check=False)
        if not ignored:
            test.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout[-3000:] + context)


def writer_command(magic, *arguments, check=True):
    """`magic writer …` on the running process."""
    return magic.run("writer", *arguments, "--data", magic.data, check=check, timeout=120)


def knows_writer_commands(magic):
    return magic.run("writer", "--help", check=False).returncode == 0


def memory_peak(process):
    """The most memory that a process had resident so far, in bytes."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) << 10


def kill_binlog_dump(source):
    """Ends the source's threads that send the binlog; how many there were."""
    threads = source.rows(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
    for (number,) in threads:
        try:
            source.execute(f"KILL {number}")
        except Exception as error:  # it has just ended by itself
            if "Unknown thread" not in str(error):
                raise
    return len(threads)


def purge_what_is_stored(source, magic):
    """Purges the binlog files that the copy needs no more."""
    position = magic.status().get("position")
    if position:
        source.execute(f"PURGE BINARY LOGS TO '{position['file']}'")


def reading(magic, statement):
    """The rows of a statement, or None while the process does not answer or lacks the table."""
    try:
        return magic.http(statement)
    except (CommandFailed, OSError):
        return None


def progress(magic, database, table):
    """How many rows of a table that is being copied are in the copy, or None when it is not being
    copied."""
    for each in magic.status()["tables"]:
        if each["name"] == {"database": database, "table": table} and each["state"] == "copying":
            return each.get("copiedRows") or 0
    return None


def wait_for_progress(magic, database, table, rows, seconds=120):
    """Waits until at least `rows` rows of a table are copied, and gives how many are."""
    def reached():
        if not magic.is_answering():
            return None
        copied = progress(magic, database, table)
        return copied if copied is not None and copied >= rows else None
    return wait_until(reached, seconds, f"{rows} rows of {database}.{table} being copied", 0.02)


def rows_sent(source):
    """How many rows the source has sent to the writer's user since `userstat` was set."""
    rows = source.rows(
        "SELECT ROWS_SENT FROM information_schema.USER_STATISTICS WHERE USER = 'magic'")
    return int(rows[0][0]) if rows else 0

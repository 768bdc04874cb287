"""`magic serve` with all its interfaces, and connections of real clients to it."""

import atexit
import os
import re
import signal
import subprocess
import threading
import uuid

import adbc_driver_flightsql.dbapi
import clickhouse_connect
import flightsql
import pyarrow
import pyarrow.flight

from harness import MAGIC, find_program, spawn, wait_until
from mutable import Server

SOAK = bool(os.environ.get("MAGIC_SOAK"))
SEED = int(os.environ.get("MAGIC_SEED", "0"))
# What pyarrow raises when a Flight server refuses.
REFUSED = (pyarrow.flight.FlightError, pyarrow.ArrowException)


class Service(Server):
    """`magic serve` on loopback ports of the system's choice."""

    def __init__(self, *options, environment=None):
        super().__init__()
        self.options = options
        self.environment = {**os.environ, **(environment or {})}
        self.flight = self.http_port = None

    def start(self):
        earlier = len(self.output())
        self.process = spawn(
            [MAGIC, "serve", "--data", self.data, "--flight", "127.0.0.1:0",
             "--http", "127.0.0.1:0", "--latch", "127.0.0.1:0", *self.options],
            self.log, env=self.environment)
        self.flight = self._port("Flight SQL", earlier)
        self.http_port = self._port("HTTP", earlier)
        wait_until(self.answers_ping, 60, "the start of magic serve", interval=0.01)

    def _port(self, name, earlier):
        """The port in the line `NAME on ADDRESS:PORT` that is logged at the start."""
        def find():
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"magic serve ended with {self.process.returncode}:\n" + self.output()[-4000:])
            return re.search(name + r" on [\d.]+:(\d+)\b", self.output()[earlier:])
        return int(wait_until(find, 60, f"the port of {name}", interval=0.01)[1])

    def resident_bytes(self):
        """How much memory the process has now."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])

    def running(self, part):
        """How many statements run in the engine whose text has `part`."""
        with self.connect() as connection:
            return connection.value(
                "SELECT count() FROM system.processes WHERE position(query, "
                f"'{part[:1]}' || '{part[1:]}') > 0")

    def wait_gone(self, part, seconds=1.5):
        wait_until(lambda: self.running(part) == 0, seconds, f"the end of {part}")

    def arrow_flight(self, user=None, password=None):
        """A client of pyarrow, and the options that its calls take."""
        client = pyarrow.flight.connect(f"grpc://127.0.0.1:{self.flight}")
        headers = [client.authenticate_basic_token(user, password)] if user else []
        return client, pyarrow.flight.FlightCallOptions(headers=headers, timeout=60)

    def adbc(self, user=None, password=None, autocommit=True, **options):
        """A DBAPI connection of the ADBC driver for Flight SQL."""
        if user:
            options |= {"username": user, "password": password}
        return adbc_driver_flightsql.dbapi.connect(
            f"grpc://127.0.0.1:{self.flight}", db_kwargs=options, autocommit=autocommit)

    def flightsql(self, user=None, password=None):
        return flightsql.FlightSQLClient(
            host="127.0.0.1", port=self.flight, user=user, password=password, insecure=True)

    def clickhouse(self, user="default", password="", **options):
        return clickhouse_connect.get_client(
            host="127.0.0.1", port=self.http_port, username=user, password=password,
            **{"send_receive_timeout": 60, **options})

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.http_port}{path}"

    def stop_cleanly(self):
        """Ends the process as an operator would; it must say that all went well."""
        status = self.end(signal.SIGTERM)
        if status != 0:
            raise RuntimeError(f"magic serve ended with {status}:\n" + self.output()[-4000:])


def hashed(password):
    """A hash as crypt(3) makes it."""
    result = subprocess.run(
        [find_program("openssl"), "passwd", "-6", "-stdin"], input=password, text=True,
        capture_output=True, check=True)
    return result.stdout.strip()


_shared = None
_lock = threading.Lock()


def shared():
    """A service that many tests use, each in a database of its own."""
    global _shared
    with _lock:
        if _shared is None:
            service = Service()
            atexit.register(service.stop)
            service.start()
            _shared = service
        elif _shared.process.poll() is not None:
            raise RuntimeError(
                f"magic serve ended with {_shared.process.returncode}:\n"
                + _shared.output()[-4000:])
        return _shared


def new_database(service, *statements):
    """A database of its own; `{}` in the statements stands for its name."""
    name = "d" + uuid.uuid4().hex[:10]
    with service.connect() as connection:
        connection.run(f"CREATE DATABASE {name}")
        for statement in statements:
            connection.run(statement.replace("{}", name))
    return name

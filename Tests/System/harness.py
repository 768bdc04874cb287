"""Real processes for the system tests, the demo and the benchmarks: a MariaDB in a temporary
folder, and the magic program. Every process ends with its owner, also when that one is killed."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pymysql
import pymysql.cursors

ROOT = Path(__file__).resolve().parents[2]
MAGIC = Path(os.environ.get("MAGIC", ROOT / ".build/debug/magic"))
USER, PASSWORD = "magic", "s3cret/:@%"


def find_program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: run scripts/setup")
    return path


def temporary_folder(name):
    """A new folder with a short path: Unix socket paths end at 107 bytes."""
    return Path(tempfile.mkdtemp(prefix=f"magic-{name}-"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def spawn(command, log, **options):
    """Starts a process that the kernel ends together with this one; its output goes to `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)


def wait_until(condition, seconds, what, interval=0.05):
    """Polls until `condition()` gives something true and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(interval)


class MariaDB:
    """A MariaDB server of our own on a loopback port, with a row binlog unless told otherwise."""

    DEFAULTS = [
        "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-image=FULL",
        "--binlog-row-metadata=FULL", "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M", "--skip-name-resolve",
        "--character-set-server=utf8mb4", "--max-allowed-packet=256M", "--skip-slave-start",
    ]

    def __init__(self, *options):
        self.folder = temporary_folder("mariadb")
        self.data = self.folder / "data"
        self.socket = self.folder / "s"
        self.log = self.folder / "mariadb.log"
        self.options = options
        self.port = free_port()
        self.process = None
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.stop()
            raise

    def _initialise(self):
        """Copies a data folder that was initialised once for this server version."""
        server = find_program("mariadbd")
        version = subprocess.run([server, "--version"], capture_output=True, text=True, check=True)
        name = version.stdout.split(" Ver ")[1].split()[0]
        cache = ROOT / ".deps" / f"mariadb-{name}"
        cache.parent.mkdir(exist_ok=True)
        with open(cache.parent / f"{cache.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not cache.exists():
                unfinished = cache.parent / f"{cache.name}.new"
                shutil.rmtree(unfinished, ignore_errors=True)
                temporary = self._temporary()
                subprocess.run(
                    [find_program("mariadb-install-db"), "--no-defaults", "--skip-test-db",
                     "--auth-root-authentication-method=normal", f"--datadir={unfinished}",
                     f"--tmpdir={temporary}", *self._user()],
                    check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                unfinished.rename(cache)
        subprocess.run(["cp", "-r", "--reflink=auto", str(cache), str(self.data)], check=True)

    def _temporary(self):
        """The server's own tmpdir: a starting server removes the temporary tables that it finds there."""
        folder = self.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    @staticmethod
    def _user():
        return ["--user=root"] if os.geteuid() == 0 else []

    def start(self, *options):
        """Starts the server on its data folder; `options` come after those it was made with."""
        self.process = spawn(
            [find_program("mariadbd"), "--no-defaults", *self._user(), f"--datadir={self.data}",
             f"--tmpdir={self._temporary()}", f"--socket={self.socket}", "--bind-address=127.0.0.1", f"--port={self.port}",
             f"--pid-file={self.folder / 'pid'}", *self.DEFAULTS, *self.options, *options],
            self.log)
        wait_until(self._is_ready, 60, "MariaDB's start")
        self.execute(
            "SET SESSION sql_log_bin = 0",
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%'")

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("MariaDB ended:\n" + self.log.read_text(errors="replace")[-2000:])
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def connect(self, **options):
        # Over its socket nothing is encrypted; loading the certificates would take 20 ms each time.
        defaults = dict(
            ssl_disabled=True, unix_socket=str(self.socket), user="root", charset="utf8mb4", autocommit=True,
            init_command="SET time_zone = '+00:00'")
        return pymysql.connect(**{**defaults, **options})

    def execute(self, *statements, **options):
        with self.connect(**options) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def create_database(self, name, *statements):
        """A database with the table that Magic.catch_up marks progress in, and what `statements`
        make in it."""
        self.execute(f"CREATE DATABASE {name}")
        self.execute(
            "CREATE TABLE marker (id BIGINT PRIMARY KEY, n BIGINT)", *statements, database=name)

    def rows(self, statement, **options):
        with self.connect(**options) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def url(self, password=PASSWORD, host="127.0.0.1", port=None):
        return f"mysql://{USER}:{quote(password, safe='')}@{host}:{port or self.port}"

    def stop_process(self, how=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.stop_process(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class CommandFailed(Exception):
    def __init__(self, command, status, errors):
        super().__init__(f"{' '.join(command)} ended with {status}: {errors}")
        self.status, self.errors = status, errors


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Magic:
    """The magic program on one data folder, and at most one running `magic replicate`."""

    def __init__(self, data=None):
        self.folder = temporary_folder("data")
        self.data = Path(data) if data else self.folder / "data"
        self.log = self.folder / "replicate.log"
        self.process = None

    def run(self, *arguments, check=True, timeout=300, text=True):
        command = [str(MAGIC), *map(str, arguments)]
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
            env={**os.environ, "NO_COLOR": "1"})
        if text:
            result.stdout = result.stdout.decode()
        result.stderr = result.stderr.decode(errors="replace")
        if check and result.returncode != 0:
            raise CommandFailed(command, result.returncode, result.stderr)
        return result

    def sql(self, statement, **options):
        """The rows of a statement through `magic sql`, each a list of its fields as bytes with
        ClickHouse's TSV escapes; NULL is b'\\\\N'."""
        output = self.run(
            "sql", "--data", self.data, "-e", statement, "--format", "TabSeparated",
            text=False, **options).stdout
        return [line.split(b"\t") for line in output.split(b"\n")[:-1]]

    def http(self, statement):
        """The same over the running process's socket: quicker, for polling."""
        connection = UnixConnection(self.data / "magic.sock")
        try:
            connection.request(
                "POST", "/?" + urlencode({"default_format": "TabSeparated"}), statement.encode())
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise CommandFailed([statement], response.status, body.decode())
            return [line.split(b"\t") for line in body.split(b"\n")[:-1]]
        finally:
            connection.close()

    def status(self):
        return json.loads(self.run("status", "--data", self.data, "--json").stdout)

    def start_replicate(self, source, *options):
        assert self.process is None or self.process.poll() is not None
        self.process = spawn(
            [MAGIC, "replicate", "--source", source, "--data", self.data, *options], self.log)

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_exit(self, seconds=60):
        """The exit status of the running `magic replicate`; raises when it goes on running."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"magic replicate still runs after {seconds} s:\n" + self.output())

    def end(self, how=signal.SIGTERM, seconds=60):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait_exit(seconds)

    def is_answering(self):
        """Whether the running `magic replicate` takes statements; raises when it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(
                f"magic replicate ended with {self.process.returncode}:\n" + self.output()[-4000:])
        try:
            return self.http("SELECT 1") == [[b"1"]]
        except (CommandFailed, OSError, http.client.HTTPException):
            return False

    def catch_up(self, source, database, seconds=120):
        """Waits until everything that the source has committed so far is visible in the copy: a
        marker row written now comes after it."""
        number = time.monotonic_ns()
        source.execute(f"REPLACE INTO {database}.marker VALUES (1, {number})")
        wanted = [[str(number).encode()]]
        wait_until(
            lambda: self.is_answering() and self._shows(database, wanted), seconds, "catching up")

    def _shows(self, database, wanted):
        try:
            return self.http(f"SELECT n FROM {database}.marker WHERE id = 1") == wanted and self._is_copied()
        except (CommandFailed, OSError):
            return False  # the table is not there yet, or the process has just ended

    def _is_copied(self):
        """Whether every table is there: each is seen as soon as its own rows are copied."""
        connection = UnixConnection(self.data / "magic.sock")
        try:
            connection.request("GET", "/magic/v1/status")
            status = json.loads(connection.getresponse().read())
            return all(table["state"] != "copying" for table in status["tables"])
        finally:
            connection.close()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

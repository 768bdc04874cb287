"""How `magic serve` is run: where it listens, TLS, limits, logs, and how it stops."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import clickhouse_connect
import pyarrow.flight as flight
from clickhouse_connect.driver.exceptions import DatabaseError

from harness import MAGIC, Magic, find_program, temporary_folder, wait_until
from protocol import command
from serving import Service, new_database
from test_http_curl import curl


class Certificates:
    """An authority of our own and certificates for localhost."""

    def __init__(self):
        self.folder = temporary_folder("tls")
        self.authority = self.folder / "authority.pem"
        self.certificate, self.key = self.folder / "chain.pem", self.folder / "key.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", "authority.key", "-out", "authority.pem", "-days", "2",
                      "-subj", "/CN=authority")
        (self.folder / "extension").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")

    def _openssl(self, *arguments):
        subprocess.run(
            [find_program("openssl"), *arguments], cwd=self.folder, check=True,
            capture_output=True)

    def issue(self, serial):
        """Puts a new certificate in place of the old one, as an operator's tool would."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", "new.key", "-out", "new.csr", "-subj", "/CN=localhost")
        self._openssl("x509", "-req", "-in", "new.csr", "-CA", "authority.pem", "-CAkey",
                      "authority.key", "-set_serial", str(serial), "-days", "2", "-extfile",
                      "extension", "-out", "new.pem")
        (self.folder / "new.key").rename(self.key)
        (self.folder / "new.pem").rename(self.certificate)

    def serial(self, port, protocols=()):
        """The number of the certificate that a server shows."""
        context = ssl.create_default_context(cafile=self.authority)
        if protocols:
            context.set_alpn_protocols(protocols)
        with socket.create_connection(("127.0.0.1", port), 10) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as encrypted:
            return int(encrypted.getpeercert()["serialNumber"], 16)


class TLSTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.addClassCleanup(shutil.rmtree, cls.certificates.folder)
        cls.certificates.issue(1001)
        cls.service = Service(
            "--tls-certificate", cls.certificates.certificate,
            "--tls-key", cls.certificates.key)
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()

    def arrow_flight(self):
        return flight.connect(
            f"grpc+tls://localhost:{self.service.flight}",
            tls_root_certs=self.certificates.authority.read_bytes())

    def test_clients_over_tls(self):
        with self.arrow_flight() as client:
            self.assertTrue(list(client.list_actions()))
        with clickhouse_connect.get_client(
                interface="https", host="localhost", port=self.service.http_port, username="default",
                ca_cert=str(self.certificates.authority)) as client:
            self.assertEqual(client.command("SELECT 1"), 1)
        answer = curl(
            f"https://localhost:{self.service.http_port}/?query=SELECT+1",
            "--cacert", str(self.certificates.authority))
        self.assertEqual(answer.text, "1\n")
        address = f"https://localhost:{self.service.http_port}"
        command = [MAGIC, "sql", "--connect", address, "-e", "SELECT 1"]
        result = subprocess.run(
            [*command, "--ca", self.certificates.authority], capture_output=True, text=True)
        self.assertEqual((result.stdout, result.returncode), ("1\n1\n", 0), result.stderr)
        result = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("--ca", result.stderr)

    def test_without_tls_there_is_no_answer(self):
        answer = curl(self.service.url("/?query=SELECT+1"))
        self.assertNotEqual(answer.status, 200)
        client = flight.connect(f"grpc://127.0.0.1:{self.service.flight}")
        with client, self.assertRaises(Exception):
            list(client.list_actions(flight.FlightCallOptions(timeout=5)))

    def test_certificates_are_renewed_while_it_runs(self):
        ports = (self.service.http_port, self.service.flight)
        with self.arrow_flight() as client:
            list(client.list_actions())
            for serial, hang_up in ((1002, False), (1003, True)):
                self.certificates.issue(serial)
                if hang_up:
                    self.service.process.send_signal(signal.SIGHUP)
                for port in ports:
                    wait_until(lambda: self.certificates.serial(port, ["h2", "http/1.1"]) == serial,
                               30, "the new certificate")
            # Broken ones are not taken.
            self.certificates.certificate.write_text("nonsense")
            self.service.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "certificate" in self.service.output(), 30, "a complaint")
            for port in ports:
                self.assertEqual(self.certificates.serial(port, ["h2", "http/1.1"]), 1003)
            list(client.list_actions())  # the connection is still there
        self.certificates.issue(1004)


class AddressTests(unittest.TestCase):
    def refused(self, *options, environment=None):
        service = Magic()
        self.addCleanup(service.stop)
        result = service.run(
            "serve", "--data", service.data, "--latch", "none", *options, check=False, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        return result.stderr

    def test_a_public_address_needs_users(self):
        for option in ("--http", "--flight"):
            other = {"--http": "--flight", "--flight": "--http"}[option]
            for address in ("0.0.0.0:0", "[::]:0"):
                errors = self.refused(option, address, other, "none")
                self.assertIn("users", errors)

    def test_a_taken_address(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for option in ("--http", "--flight"):
                other = {"--http": "--flight", "--flight": "--http"}[option]
                self.assertIn(address, self.refused(option, address, other, "none"))

    def test_wrong_files(self):
        errors = self.refused(
            "--http", "127.0.0.1:0", "--flight", "none", "--tls-certificate", "/nonexistent.pem",
            "--tls-key", "/nonexistent.key")
        self.assertIn("nonexistent", errors)
        errors = self.refused(
            "--http", "127.0.0.1:0", "--flight", "none", "--users", "/nonexistent.json")
        self.assertIn("nonexistent", errors)


class LimitTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service(
            "--statement-memory", "200MiB", "--memory-limit", "400MiB", "--statement-timeout", "2s",
            "--max-result-rows", "100000", "--max-statements", "3", "--log-format", "json",
            "--log-level", "debug")
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()
        cls.client = cls.service.clickhouse()
        cls.addClassCleanup(cls.client.close)

    def refusal(self, statement, **options):
        with self.assertRaises(DatabaseError) as caught:
            self.client.query(statement, **options)
        return str(caught.exception)

    def test_memory(self):
        hungry = "SELECT length(groupArray(repeat('x', 1000))) FROM numbers(1000000)"
        self.assertRegex(self.refusal(hungry), "(?i)memory")
        # Asking for more does not help.
        self.assertRegex(
            self.refusal(hungry, settings={"max_memory_usage": 10 << 30}), "(?i)memory")
        self.assertRegex(
            self.refusal(hungry + " SETTINGS max_memory_usage = 10000000000"), "(?i)memory|setting")
        client, options = self.service.arrow_flight()
        with client, self.assertRaisesRegex(Exception, "(?i)memory"):
            info = client.get_flight_info(command("CommandStatementQuery", (1, hungry)), options)
            client.do_get(info.endpoints[0].ticket, options).read_all()
        self.assertEqual(self.client.command("SELECT 1"), 1)

    def test_time(self):
        start = time.monotonic()
        text = self.refusal("SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(number)")
        self.assertRegex(text, "(?i)159|time")
        self.assertLess(time.monotonic() - start, 6)

    def test_rows(self):
        self.assertRegex(self.refusal("SELECT number FROM numbers(100001)"), "(?i)396|rows")
        self.assertEqual(
            len(self.client.query("SELECT number FROM numbers(100000)").result_rows), 100_000)

    def test_statements_at_a_time(self):
        """Those beyond wait, and all have their turn."""
        errors = []

        def one():
            try:
                with self.service.clickhouse() as client:
                    client.command("SELECT sleep(0.3)")
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=one) for _ in range(9)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in threads):
            most = max(most, self.service.running("sleep(0.3)"))
            time.sleep(0.05)
        self.assertEqual(errors, [])
        self.assertLessEqual(most, 3)
        self.assertGreaterEqual(time.monotonic() - start, 0.85)

    def test_log_lines_are_json(self):
        self.client.command("SELECT 1")
        lines = self.service.output().splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict)


class DiskTests(unittest.TestCase):
    def test_a_full_disk_stops_writes_cleanly(self):
        with Service("--disk-reserve", "1000TiB") as service:
            with service.clickhouse() as client:
                with self.assertRaisesRegex(DatabaseError, "(?i)disk"):
                    client.command("CREATE TABLE t (id UInt8) ENGINE = MutableMergeTree ORDER BY id")
                self.assertEqual(client.command("SELECT 1"), 1)

    def test_a_write_that_fills_the_disk_is_ended(self):
        def free(folder):
            status = os.statvfs(folder)
            return status.f_bavail * status.f_frsize

        before = free("/tmp")
        with Service("--disk-reserve", str(before - (200 << 20))) as service:
            database = new_database(
                service, "CREATE TABLE {}.t (id UInt64, s String) ENGINE = MergeTree ORDER BY id")
            with service.clickhouse() as client:
                with self.assertRaisesRegex(DatabaseError, "reserve"):
                    client.command(
                        f"INSERT INTO {database}.t SELECT number, randomString(1000) "
                        "FROM numbers(3000000)")
                self.assertGreater(free(service.data), before - (1 << 30))
                client.command(f"DROP DATABASE {database}")


class StoppingTests(unittest.TestCase):
    def test_what_runs_is_finished(self):
        with Service() as service:
            database = new_database(
                service, "CREATE TABLE {}.t (id UInt64) ENGINE = MutableMergeTree ORDER BY id")
            results = []

            def slow_insert():
                with service.clickhouse() as client:
                    results.append(client.command(
                        f"INSERT INTO {database}.t SELECT number + sleepEachRow(0.01) * 0 "
                        "FROM numbers(200) SETTINGS max_block_size = 10"))

            thread = threading.Thread(target=slow_insert)
            thread.start()
            wait_until(lambda: service.running("sleepEachRow"), 10, "the statement")
            service.process.send_signal(signal.SIGTERM)
            self.assertEqual(service.wait_exit(30), 0)
            thread.join(30)
            self.assertEqual(len(results), 1, "the statement was cut off")
            service.start()
            with service.connect() as connection:
                self.assertEqual(connection.value(f"SELECT count() FROM {database}.t"), 200)

    def test_what_runs_too_long_is_ended(self):
        with Service("--shutdown-grace", "1s") as service:
            with service.clickhouse() as client:
                stream = client.raw_stream("SELECT number FROM system.numbers", fmt="Native")
                stream.read(1000)
                client_flight, options = service.arrow_flight()
                start = time.monotonic()
                service.process.send_signal(signal.SIGTERM)
                self.assertEqual(service.wait_exit(20), 0)
                self.assertLess(time.monotonic() - start, 10)
                client_flight.close()


if __name__ == "__main__":
    unittest.main()

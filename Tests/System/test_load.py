"""Many clients at once, half of them slow or gone: the others notice nothing."""

import contextlib
import http.client
import os
import random
import socket
import threading
import time
import unittest
from urllib.parse import quote

import pyarrow as pa
import pyarrow.flight as flight

from harness import wait_until
from protocol import command
from serving import SEED, SOAK, Service, new_database

SECONDS = 60 if SOAK else 10
CLIENTS = 64
STATEMENT = 100 << 20  # what one may take: some blocks of 65,000 rows of 200 bytes, twice


class LoadTests(unittest.TestCase):
    def setUp(self):
        self.service = Service()
        self.addCleanup(self.service.stop)
        self.service.start()
        self.database = new_database(
            self.service,
            "CREATE TABLE {}.fixed (id UInt64, s String) ENGINE = MergeTree ORDER BY id",
            "INSERT INTO {}.fixed SELECT number, toString(number) FROM numbers(200000)",
            "CREATE TABLE {}.written (id UInt64, n UInt64) ENGINE = MutableMergeTree ORDER BY id")
        self.errors, self.done, self.written = [], 0, []
        self.lock = threading.Lock()

    def on_and_on(self, number, work):
        """Does the work until the time is over; what goes wrong is noted."""
        chance = random.Random(SEED + number)
        while time.monotonic() < self.end:
            try:
                work(number, chance)
                with self.lock:
                    self.done += 1
            except Exception as error:
                with self.lock:
                    self.errors.append(f"{work.__name__}: {type(error).__name__}: {error}")
                time.sleep(0.1)

    # The well-behaved.

    def reads_by_flight(self, number, chance):
        client, options = self.service.arrow_flight()
        with client:
            info = client.get_flight_info(
                flight.FlightDescriptor.for_path(self.database, "fixed"), options)
            rows = [client.do_get(endpoint.ticket, options).read_all()
                    for endpoint in info.endpoints]
            table = pa.concat_tables(rows)
            assert table.num_rows == 200_000, table.num_rows
            assert sum(table["id"].to_pylist()) == sum(range(200_000))

    def writes_by_flight(self, number, chance):
        base = chance.randrange(1 << 40) * 100
        table = pa.table({
            "id": pa.array(range(base, base + 100), pa.uint64()),
            "n": pa.array([number] * 100, pa.uint64())})
        client, options = self.service.arrow_flight()
        with client:
            writer, _ = client.do_put(
                flight.FlightDescriptor.for_path(self.database, "written"), table.schema, options)
            writer.write_table(table)
            writer.close()
        with self.lock:
            self.written.append(base)

    def request(self, statement, method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.http_port, timeout=60)
        try:
            connection.request(method, "/", statement)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body[:300]
            return body
        finally:
            connection.close()

    def reads_by_http(self, number, chance):
        body = self.request(f"SELECT sum(id), count() FROM {self.database}.fixed WHERE id < 100000")
        assert body == b"4999950000\t100000\n", body

    def writes_by_http(self, number, chance):
        base = chance.randrange(1 << 40) * 100
        rows = ", ".join(f"({base + each}, {number})" for each in range(100))
        self.request(f"INSERT INTO {self.database}.written VALUES {rows}")
        with self.lock:
            self.written.append(base)

    # The others; their own errors are nobody's.

    ENDLESS = "SELECT number, 'vanished_load', repeat('x', 200) FROM system.numbers"

    def reads_slowly(self, number, chance):
        with socket.create_connection(("127.0.0.1", self.service.http_port), 10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(
                f"GET /?query={quote(self.ENDLESS)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            leave = time.monotonic() + chance.uniform(1, 5)
            while time.monotonic() < min(leave, self.end):
                connection.recv(1000)
                time.sleep(0.1)

    def reads_slowly_by_flight(self, number, chance):
        client, options = self.service.arrow_flight()
        with client:
            info = client.get_flight_info(command("CommandStatementQuery", (1, self.ENDLESS)), options)
            stream = client.do_get(info.endpoints[0].ticket, options)
            leave = time.monotonic() + chance.uniform(1, 5)
            while time.monotonic() < min(leave, self.end):
                stream.read_chunk()
                time.sleep(0.3)
            stream.cancel()

    def vanishes(self, number, chance):
        with socket.create_connection(("127.0.0.1", self.service.http_port), 10) as connection:
            if chance.random() < 0.5:
                connection.sendall(
                    f"GET /?query={quote(self.ENDLESS)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            else:
                statement = f"INSERT INTO {self.database}.written FORMAT TSV"
                connection.sendall(
                    f"POST /?query={quote(statement)} HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n4\r\n7\t7\n\r\n".encode())
            time.sleep(chance.uniform(0, 0.5))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def vanishes_from_flight(self, number, chance):
        client, options = self.service.arrow_flight()
        info = client.get_flight_info(command("CommandStatementQuery", (1, self.ENDLESS)), options)
        stream = client.do_get(info.endpoints[0].ticket, options)
        stream.read_chunk()
        time.sleep(chance.uniform(0, 0.5))
        client.close()

    def test_the_well_behaved_notice_nothing(self):
        good = (self.reads_by_flight, self.writes_by_flight, self.reads_by_http,
                self.writes_by_http)
        bad = (self.reads_slowly, self.reads_slowly_by_flight, self.vanishes,
               self.vanishes_from_flight)
        before, taken = self.service.resident_bytes(), []
        self.end = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=self.on_and_on, args=(number, (good, bad)[number % 2][
                number // 2 % 4])) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while time.monotonic() < self.end:
            taken.append(self.service.resident_bytes() - before)
            time.sleep(0.1)
        for thread in threads:
            thread.join(60)
        self.assertFalse([thread for thread in threads if thread.is_alive()], "a client hangs")
        names = {work.__name__ for work in good}
        complaints = [error for error in self.errors if error.split(":")[0] in names]
        self.assertEqual(complaints[:5], [], f"{len(complaints)} errors of the well-behaved")
        self.assertGreater(self.done, 2 * CLIENTS)
        third = len(taken) // 3
        self.assertLess(max(taken), CLIENTS // 2 * STATEMENT, f"{max(taken) >> 20} MiB")
        self.assertLess(max(taken[2 * third:]), 1.5 * max(taken[:2 * third]), "memory grows")
        wait_until(lambda: self.service.running("vanished_load") == 0, 3,
                   "the end of what nobody reads")
        with self.service.connect() as connection:
            self.assertEqual(
                connection.value(f"SELECT count() FROM {self.database}.written"),
                100 * len(self.written))
            self.assertEqual(
                connection.value(f"SELECT count() FROM {self.database}.written WHERE id = 7"), 0)
        # Nothing is kept open for clients that are gone.
        def connections():
            folder = f"/proc/{self.service.process.pid}/fd"
            count = 0
            for each in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    count += os.readlink(f"{folder}/{each}").startswith(("socket:", "pipe:"))
            return count
        wait_until(lambda: connections() < 30, 10, "the end of the connections")


if __name__ == "__main__":
    unittest.main()

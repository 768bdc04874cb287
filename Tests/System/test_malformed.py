"""What makes no sense, on every interface: it is answered with an error, and the server stays up."""

import io
import random
import socket
import struct
import time
import unittest
from urllib.parse import quote

import pyarrow as pa
import pyarrow.flight as flight

import rawgrpc
from protocol import any_message, message, number
from serving import SEED, SOAK, Service, new_database

SECONDS = 60 if SOAK else 2


def mutated(chance, data):
    """The same bytes with a few faults: flipped, cut, doubled, or with an extreme number."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        if not data:
            break
        place = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            data[place:place] = data[place:place + chance.randrange(1, 64)]
        elif kind == 3:
            extreme = chance.choice((0, -1, -2 ** 31, 2 ** 31 - 1, 1 << 20))
            data[place:place + 4] = struct.pack("<i", extreme)
        else:
            extreme = chance.choice((0, -1, -2 ** 63, 2 ** 63 - 1, 2 ** 62, 1 << 40))
            data[place:place + 8] = struct.pack("<q", extreme)
    return bytes(data)


class MalformedTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()
        cls.database = new_database(
            cls.service,
            "CREATE TABLE {}.t (id UInt32, s Nullable(String), l Array(Int32)) "
            "ENGINE = MutableMergeTree ORDER BY id")
        cls.process = cls.service.process.pid
        cls.batch = pa.record_batch({
            "id": pa.array(range(100), pa.uint32()),
            "s": pa.array([str(n) if n % 7 else None for n in range(100)]),
            "l": pa.array([[n] * (n % 4) for n in range(100)], pa.list_(pa.int32()))})

    def setUp(self):
        self.chance = random.Random(SEED)
        self.memory = self.service.resident_bytes()

    def tearDown(self):
        """Whatever came, it is the same process, it answers, and it has not grown much."""
        self.assertIsNone(
            self.service.process.poll(), "the server ended:\n" + self.service.output()[-4000:])
        self.assertEqual(self.service.process.pid, self.process)
        with self.service.connect() as connection:
            self.assertEqual(connection.value("SELECT 1"), 1)
        client, options = self.service.arrow_flight()
        with client:
            info = client.get_flight_info(
                flight.FlightDescriptor.for_path(self.database, "t"), options)
            self.assertEqual(info.schema.names, ["id", "s", "l"])
        self.assertLess(self.service.resident_bytes() - self.memory, 600 << 20)

    def until(self, seconds=SECONDS):
        """Counts until the time is over."""
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            yield count
            count += 1

    # Flight

    def test_tickets_commands_and_actions_of_noise(self):
        client, _ = self.service.arrow_flight()
        self.addCleanup(client.close)
        options = flight.FlightCallOptions(timeout=20)
        good = any_message("CommandGetTables", message((2, "d%"), (3, "t%"), (5, 1)))
        ticket = client.get_flight_info(
            flight.FlightDescriptor.for_path(self.database, "t"), options
        ).endpoints[0].ticket.ticket
        names = ["CreatePreparedStatement", "ClosePreparedStatement", "BeginTransaction",
                 "EndTransaction", "CancelFlightInfo", "RenewFlightEndpoint", "SetSessionOptions",
                 "GetSessionOptions", "CloseSession", "CancelQuery", "", "x" * 10_000]
        answered = 0
        for count in self.until():
            noise = self.chance.randbytes(self.chance.randrange(200)) if count % 3 == 0 else None
            command = noise or mutated(self.chance, good)
            for attempt in (
                    lambda: client.get_flight_info(
                        flight.FlightDescriptor.for_command(command), options),
                    lambda: client.get_schema(
                        flight.FlightDescriptor.for_command(command), options),
                    lambda: client.do_get(flight.Ticket(
                        noise or mutated(self.chance, ticket)), options).read_all(),
                    lambda: list(client.do_action(flight.Action(
                        self.chance.choice(names), noise or mutated(self.chance, good)), options))):
                try:
                    attempt()
                except flight.FlightTimedOutError as error:
                    self.fail(f"no answer: {error}")
                except (pa.ArrowException, OSError):
                    answered += 1
        self.assertGreater(answered, 10)

    def flight_data(self):
        """Protobuf fields of a put's messages: (descriptor, schema), (header, body)."""
        descriptor = message((1, 1), (3, self.database), (3, "t"))
        schema = self.batch.schema.serialize().to_pybytes()[8:]
        serialized = self.batch.serialize().to_pybytes()
        length = int.from_bytes(serialized[4:8], "little")
        return descriptor, schema, serialized[8:8 + length], serialized[8 + length:]

    def test_a_right_put_by_hand_works(self):
        """Or else the wrong ones prove nothing."""
        descriptor, schema, header, body = self.flight_data()
        rawgrpc.call(self.service.flight, "DoPut", [
            message((1, descriptor), (2, schema)), message((2, header), (1000, body))])
        with self.service.connect() as connection:
            self.assertEqual(connection.value(f"SELECT count() FROM {self.database}.t"), 100)

    def test_a_put_that_breaks_off_leaves_nothing(self):
        with self.service.connect() as connection:
            connection.run(f"CREATE TABLE {self.database}.broken AS {self.database}.t")
        descriptor = message((1, 1), (3, self.database), (3, "broken"))
        _, schema, header, body = self.flight_data()
        for ends, rows in ((False, 0), (True, 100)):
            rawgrpc.call(self.service.flight, "DoPut", [
                message((1, descriptor), (2, schema)), message((2, header), (1000, body))], ends=ends)
            time.sleep(0.3)
            with self.service.connect() as connection:
                self.assertEqual(
                    connection.value(f"SELECT count() FROM {self.database}.broken"), rows)

    def test_puts_with_faults(self):
        descriptor, schema, header, body = self.flight_data()
        for _ in self.until():
            parts = {"schema": schema, "header": header, "body": body, "descriptor": descriptor}
            name = self.chance.choice(list(parts))
            parts[name] = mutated(self.chance, parts[name])
            messages = [
                message((1, parts["descriptor"]), (2, parts["schema"])),
                message((2, parts["header"]), (1000, parts["body"]))]
            if self.chance.random() < 0.2:
                messages = [mutated(self.chance, each) for each in messages]
            if self.chance.random() < 0.1:
                messages.reverse()
            rawgrpc.call(self.service.flight, "DoPut", messages)

    def test_huge_counts(self):
        """Lengths that promise more than there is, or than memory holds."""
        descriptor, schema, header, body = self.flight_data()
        hundred = struct.pack("<q", 100)
        self.assertIn(hundred, header)
        for count in (-1, 101, 1 << 31, 1 << 62, -(1 << 63)):
            changed = header.replace(hundred, struct.pack("<q", count))
            rawgrpc.call(self.service.flight, "DoPut", [
                message((1, descriptor), (2, schema)), message((2, changed), (1000, body))])
        for length in (1 << 31, 0xFFFFFFFF, 1 << 20):
            rawgrpc.call(
                self.service.flight, "DoPut", rawgrpc.message(b"x", length=length), raw=True)
        rawgrpc.call(
            self.service.flight, "DoPut", rawgrpc.message(descriptor, compressed=1), raw=True)
        nested = message((1, "x"))
        for _ in range(5000):
            nested = message((1, nested))
        rawgrpc.call(self.service.flight, "GetFlightInfo", [nested])
        rawgrpc.call(self.service.flight, "GetFlightInfo", [number(1 << 70)])

    def test_offsets_out_of_range(self):
        descriptor, schema, header, body = self.flight_data()
        for place in range(0, len(body) - 4, 4):
            for value in (-1, 2 ** 31 - 1, 101):
                changed = body[:place] + struct.pack("<i", value) + body[place + 4:]
                if self.chance.random() < (1 if SOAK else 0.08):
                    rawgrpc.call(self.service.flight, "DoPut", [
                        message((1, descriptor), (2, schema)),
                        message((2, header), (1000, changed))])

    def test_protobuf_with_faults_in_every_call(self):
        good = message((1, 2), (2, any_message("CommandGetCatalogs", b"")))
        methods = ("Handshake", "ListFlights", "GetFlightInfo", "PollFlightInfo", "GetSchema", "DoGet",
                   "DoPut", "DoExchange", "DoAction", "ListActions", "NoSuchMethod")
        for _ in self.until():
            rawgrpc.call(self.service.flight, self.chance.choice(methods), [
                mutated(self.chance, good) for _ in range(self.chance.randrange(4))])

    def test_frames_of_noise(self):
        for count in self.until():
            with socket.create_connection(("127.0.0.1", self.service.flight), 10) as connection:
                connection.settimeout(0.05)
                try:
                    if count % 2:
                        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                        connection.sendall(rawgrpc.frame(
                            self.chance.randrange(12), self.chance.randrange(256),
                            self.chance.randrange(4),
                            self.chance.randbytes(self.chance.randrange(100))))
                    connection.sendall(self.chance.randbytes(self.chance.randrange(300)))
                    connection.recv(1000)
                except OSError:
                    pass

    # HTTP

    def talk(self, data, seconds=10, breaks_off=True):
        """What the server answers to bytes, up to the end of the connection; the client breaks off
        after them, unless it waits for an answer."""
        with socket.create_connection(("127.0.0.1", self.service.http_port), seconds) as connection:
            received = b""
            try:
                connection.sendall(data)
                if breaks_off:
                    connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(1 << 16):
                    received += more
            except ConnectionError:
                pass
            return received

    def test_requests_of_noise(self):
        good = (b"POST /?query=SELECT%201&param_a=5 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
                b"X-ClickHouse-Format: CSV\r\nConnection: close\r\n\r\n, 2+3")
        self.assertIn(b"200", self.talk(good, breaks_off=False).split(b"\r\n")[0])
        for count in self.until():
            self.talk(mutated(self.chance, good) if count % 4 else self.chance.randbytes(200))

    def test_wrong_requests_are_refused(self):
        line = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
        for request in (
                line + b"Content-Length: -1\r\n\r\nSELECT 1",
                line + b"Content-Length: 99999999999999999999\r\n\r\nSELECT 1",
                line + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nSELECT 1\r\n0\r\n\r\n",
                line + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nSELECT 1",
                b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                line + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(5000)) + b"\r\n",
                b"\0" * 10_000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200):
            answer = self.talk(request)
            self.assertNotIn(b"HTTP/1.1 200", answer, request[:80])

    def post(self, target, body=b"", headers=b""):
        answer = self.talk(
            b"POST " + target.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers
            + b"Content-Length: %d\r\n\r\n" % len(body) + body, seconds=60, breaks_off=False)
        return int(answer.split()[1]) if answer else None

    def test_a_body_that_breaks_off_is_not_inserted(self):
        target = f"/?query={quote(f'INSERT INTO {self.database}.cut FORMAT TSV')}"
        with self.service.connect() as connection:
            connection.run(f"CREATE TABLE {self.database}.cut (id UInt32) "
                           "ENGINE = MutableMergeTree ORDER BY id")
        rows = b"".join(b"%d\n" % n for n in range(10_000))
        for head, body in (
                (b"Content-Length: %d\r\n\r\n" % (len(rows) + 10), rows),
                (b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (len(rows), rows))):
            answer = self.talk(b"POST " + target.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + head + body)
            self.assertNotIn(b"HTTP/1.1 200", answer)
        time.sleep(0.3)
        with self.service.connect() as connection:
            self.assertEqual(connection.value(f"SELECT count() FROM {self.database}.cut"), 0)

    def test_inserts_with_faults(self):
        stream, file = io.BytesIO(), io.BytesIO()
        with pa.ipc.new_stream(stream, self.batch.schema) as writer:
            writer.write_batch(self.batch)
        with pa.ipc.new_file(file, self.batch.schema) as writer:
            writer.write_batch(self.batch)
        with self.service.clickhouse(database=self.database, compress=False) as client:
            client.command("CREATE TABLE faults AS t")
            native = client.raw_query("SELECT number AS id, toNullable(toString(number)) AS s, "
                                      "[toInt32(number)] AS l FROM numbers(100)", fmt="Native")
        forms = {"ArrowStream": stream.getvalue(), "Arrow": file.getvalue(), "Native": native,
                 "TSV": b"1\tx\t[1,2]\n" * 20, "JSONEachRow": b'{"id":1,"s":"x","l":[1]}\n' * 20}
        for form, body in forms.items():
            target = f"/?query={quote(f'INSERT INTO {self.database}.faults FORMAT {form}')}"
            self.assertEqual(self.post(target, body), 200, form)
            for _ in self.until(SECONDS / len(forms)):
                self.assertIn(self.post(target, mutated(self.chance, body)),
                              (200, 400, 404, 413, 500, 501), form)

    def test_compressed_bodies_with_faults(self):
        target = f"/?query={quote(f'INSERT INTO {self.database}.t FORMAT TSV')}"
        for codec in ("gzip", "zstd", "lz4"):
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, codec) as out:
                out.write(b"1\tx\t[1,2]\n" * 1000)
            good = sink.getvalue().to_pybytes()
            head = f"Content-Encoding: {codec}\r\n".encode()
            self.assertEqual(self.post(target, good, head), 200, codec)
            for _ in self.until(SECONDS / 3):
                self.assertIsNotNone(self.post(target, mutated(self.chance, good), head), codec)
        # A kilobyte that becomes a gigabyte is read piece by piece.
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            for _ in range(256):
                out.write(b"x" * (1 << 22))
        self.assertGreaterEqual(self.post("/", sink.getvalue().to_pybytes(),
                                          b"Content-Encoding: zstd\r\n"), 400)

    # SQL

    def test_statements_of_noise(self):
        good = [
            f"SELECT id, s FROM {self.database}.t WHERE id IN (1, 2) ORDER BY s LIMIT 3",
            f"INSERT INTO {self.database}.t (id, s) VALUES (1, 'x\\'y'), (2, NULL)",
            f"UPDATE {self.database}.t SET s = concat(s, 'x') WHERE id > 3 AND s LIKE '%1%'",
            f"DELETE FROM {self.database}.t WHERE id = 99",
            "WITH x AS (SELECT 1 AS a) SELECT $1, ?, {p:Int32}, `a b`, \"c\" FROM x -- note",
            "CREATE TABLE IF NOT EXISTS nope.t (a Int8) ENGINE = MutableMergeTree ORDER BY a"]
        for _ in self.until():
            statement = mutated(self.chance, self.chance.choice(good).encode())
            status = self.post("/?param_p=5", statement)
            self.assertIsNotNone(status, statement)

    def test_statements_without_measure(self):
        for statement in (
                b"SELECT " + b"(" * 100_000, b"SELECT " + b"1+" * 200_000 + b"1",
                b"SELECT '" + b"x" * 3_000_000, b"/*" * 100_000, b"SELECT " + b"\xff\xfe" * 1000,
                b"SELECT " + b"[" * 5000 + b"]" * 5000, b";" * 100_000, b"", b"\0",
                b"SELECT * FROM " + b"(SELECT * FROM " * 5000 + b"t" + b")" * 5000):
            status = self.post("/", statement)
            self.assertTrue(status == 200 or status >= 400, statement[:40])
        for name in ("param_", "max_threads", "session_timeout", "wait_end_of_query", "nothing"):
            for value in ("", "-1", "x" * 1000, "%00", "99999999999999999999"):
                self.assertIsNotNone(self.post(f"/?query=SELECT%201&{name}={value}"))


if __name__ == "__main__":
    unittest.main()

"""gRPC calls with whatever bytes, right or wrong: HTTP/2 frames on a socket."""

import socket
import struct
import time

DATA, HEADERS, RESET, SETTINGS, PING, GO_AWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def text(value):
    return bytes([127]) + integer(len(value) - 127) + value if len(value) >= 127 else (
        bytes([len(value)]) + value)


def integer(value):
    parts = bytearray()
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes(parts + bytes([value]))


def head(method, **extra):
    """HPACK's literal form, without tables."""
    fields = {
        ":method": "POST", ":scheme": "http", ":authority": "localhost",
        ":path": f"/arrow.flight.protocol.FlightService/{method}", "te": "trailers",
        "content-type": "application/grpc", **extra}
    return b"".join(
        b"\0" + text(name.encode()) + text(value.encode()) for name, value in fields.items())


def message(body, length=None, compressed=0):
    return bytes([compressed]) + struct.pack(">I", len(body) if length is None else length) + body


def call(port, method, messages, raw=False, ends=True, timeout=20, **extra):
    """Sends messages (or, if raw, the bytes that stand for them), ends the stream, and waits until
    the server has ended it too. Gives what it sent, or raises TimeoutError. A call that does not end
    its stream breaks off the connection instead."""
    data = messages if raw else b"".join(map(message, messages))
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        frames = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(SETTINGS, 0, 0),
                  frame(HEADERS, END_HEADERS, 1, head(method, **extra))]
        for start in range(0, len(data), 16384):
            frames.append(frame(DATA, 0, 1, data[start:start + 16384]))
        if ends:
            frames.append(frame(DATA, END_STREAM, 1))
        try:
            connection.sendall(b"".join(frames))
            if not ends:
                time.sleep(0.2)
                return b""
            return answer(connection)
        except (ConnectionError, BrokenPipeError):
            return b""


def answer(connection):
    """Everything up to the end of stream 1 or of the connection."""
    received, buffer = b"", b""
    while True:
        while len(buffer) >= 9:
            length = int.from_bytes(buffer[:3], "big")
            if len(buffer) < 9 + length:
                break
            kind, flags = buffer[3], buffer[4]
            stream = int.from_bytes(buffer[5:9], "big")
            payload, buffer = buffer[9:9 + length], buffer[9 + length:]
            received += payload
            if kind == PING and not flags & 1:
                connection.sendall(frame(PING, 1, 0, payload))
            if kind == DATA and payload:
                grant = struct.pack(">I", len(payload))
                connection.sendall(frame(WINDOW, 0, 0, grant) + frame(WINDOW, 0, 1, grant))
            if kind == GO_AWAY or stream == 1 and (kind == RESET or flags & END_STREAM
                                                  and kind in (DATA, HEADERS)):
                return received
        more = connection.recv(1 << 16)
        if not more:
            return received
        buffer += more

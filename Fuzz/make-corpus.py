#!/usr/bin/env python3
"""Writes Fuzz/Corpus: small inputs of every kind that the fuzz targets begin with.

MySQL's events are put together here, byte by byte; MariaDB's come from a server that runs in a
temporary folder; Arrow's by pyarrow. Run it with .deps/python/bin/python again when a target learns a
new kind of input.
"""

import ctypes
import pathlib
import struct
import subprocess
import tempfile
import sys
import time

import pyarrow as pa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests/System"))
from protocol import message  # noqa: E402

CORPUS = pathlib.Path(__file__).parent / "Corpus"
MAGIC = b"\xfebin"
UUID = bytes(range(16))


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def packed(n):
    """An integer in MySQL's length-encoded form."""
    if n < 251:
        return bytes([n])
    return b"\xfc" + struct.pack("<H", n) if n < 1 << 16 else b"\xfe" + struct.pack("<Q", n)


def varlen(n):
    """An integer in the form of mysql::serialization, here of at most four bytes."""
    for count in range(1, 5):
        if n < 1 << 7 * count:
            return (n << count | (1 << count - 1) - 1).to_bytes(count, "little")
    raise ValueError(n)


# Binlog events of MySQL


def event(code, body, flags=0):
    return struct.pack("<IBIIIH", 1_700_000_000, code, 1, 19 + len(body), 0, flags) + body


POST_HEADERS = bytes(
    [0, 13, 0, 8, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 98, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0, 0]
    + [10, 10, 10, 42, 42, 0, 18, 52, 0, 10, 0, 0, 0]
)


def format_description(version=b"8.4.3"):
    body = struct.pack("<H50sIB", 4, version, 0, 19) + POST_HEADERS + b"\0" + bytes(4)
    return event(15, body)


def query(text, database=b"d", status=b"\x04\x21\0\x21\0\xff\0\x01\0\0\0\0\0\0\0\0"):
    head = struct.pack("<IIBHH", 1, 0, len(database), 0, len(status))
    return event(2, head + status + database + b"\0" + text)


def gtid(number):
    times = (1).to_bytes(7, "little") + packed(300) + struct.pack("<I", 80403)
    return event(33, b"\0" + UUID + struct.pack("<Q", number) + b"\2" + struct.pack("<QQ", 0, 1) + times)


def tagged_gtid(number):
    identifier = b"".join(varlen(byte) for byte in UUID)
    body = varlen(0) + varlen(1) + varlen(1) + identifier + varlen(2) + varlen(number << 1)
    body += varlen(3) + varlen(3) + b"tag" + varlen(4) + varlen(0) + varlen(5) + varlen(2)
    body += varlen(6) + varlen(1_000_000)
    size = len(body) + 3
    return event(42, varlen(1) + varlen(size) + varlen(6) + body)


def table_map(types, metadata, nullable, names):
    count = len(types)
    bits = sum(1 << i for i, yes in enumerate(nullable) if yes).to_bytes((count + 7) // 8, "little")
    lists = b"".join(packed(len(name)) + name for name in names)
    optional = b"\4" + packed(len(lists)) + lists + b"\1\1\x80" + b"\2\1\x21" + b"\x08\1\0"
    body = struct.pack("<IHH", 7, 0, 1) + b"\1d\0\1t\0" + packed(count) + bytes(types)
    return event(19, body + packed(len(metadata)) + metadata + bits + optional)


def rows(code, images, count, update=False):
    present = bytes([(1 << count) - 1]) * (2 if update else 1)
    return event(code, struct.pack("<IHHH", 7, 0, 1, 2) + packed(count) + present + images)


def transaction():
    """INT, VARCHAR(20), DECIMAL(10,2), DATETIME(6), JSON: two inserts, an update and a delete."""
    types = [3, 15, 246, 18, 245]
    metadata = struct.pack("<H", 80) + b"\x0a\x02" + b"\x06" + b"\x04"
    names = [b"id", b"name", b"price", b"made", b"doc"]
    kind, value = container(0, [b"a"], [(5, b"\3\0")])
    document = bytes([kind]) + value
    image = b"\0" + struct.pack("<i", 1) + b"\3abc" + b"\x80\0\0\x0c\x22" + bytes.fromhex("99b3a2d3c0000102")
    full = image + struct.pack("<I", len(document)) + document
    change = b"\0" + packed(3) + b"$.a" + packed(3) + b"\5\7\0"
    sparse = b"\x16" + struct.pack("<i", 2) + bytes.fromhex("99b3a2d3c0000102")
    short = b"\x1e" + struct.pack("<i", 3)
    return [
        query(b"BEGIN"),
        event(29, b"\x0finsert into t .."),
        table_map(types, metadata, [0, 1, 1, 1, 1], names),
        rows(30, full + short, 5),
        rows(31, short + full, 5, update=True),
        rows(32, full, 5),
        rows(39, full + b"\1\1" + image + struct.pack("<I", len(change)) + change, 5, update=True),
        event(16, struct.pack("<Q", 9)),
    ]


def payload(events, compress):
    plain = b"".join(events)
    content = plain
    if compress:
        zstd = ctypes.CDLL("libzstd.so.1")
        zstd.ZSTD_compressBound.restype = zstd.ZSTD_compress.restype = ctypes.c_size_t
        room = ctypes.create_string_buffer(len(plain) + 1024)
        size = zstd.ZSTD_compress(room, ctypes.c_size_t(len(room)), plain, ctypes.c_size_t(len(plain)), 3)
        content = room.raw[:size]
    kind = b"\0" if compress else b"\xfc\xff\0"
    fields = [(2, kind), (3, packed(len(plain))), (1, packed(len(content)))]
    head = b"".join(packed(tag) + packed(len(value)) + value for tag, value in fields)
    return event(40, head + b"\0" + content)


def binlogs():
    start = MAGIC + format_description()
    previous = event(35, struct.pack("<Q", 1) + UUID + struct.pack("<Qqq", 1, 1, 5))
    yield "mysql-rows", start + previous + gtid(6) + b"".join(transaction())
    yield "mysql-tagged", start + tagged_gtid(7) + query(b"CREATE TABLE t (a int)")
    yield "mysql-zstd", start + gtid(8) + payload(transaction(), compress=True)
    yield "mysql-payload", start + gtid(9) + payload(transaction(), compress=False)
    yield "mysql-others", start + b"".join([
        event(4, struct.pack("<Q", 4) + b"binlog.000002"),
        event(26, struct.pack("<H", 1) + b"\4lost"),
        event(38, b"\1" + struct.pack("<iii", 1, 1, 1) + b"gb"),
        event(27, b"binlog.000001"), event(5, b"\1" + bytes(8)), event(13, bytes(16)),
        event(99, b"?", flags=0x80), event(3, b""),
    ])


STATEMENTS = """
create table d.t (id int primary key, a tinyint unsigned, b bigint, c decimal(65,30), f float,
  g double, h bit(10), i year, j date, k time(3), l datetime(6), m timestamp(2) null, n char(5),
  o varchar(300) character set latin1, p text, q binary(4), r varbinary(9), s blob,
  t enum('x','y'), u set('p','q'), v point, w inet6, x uuid, y json, z text compressed);
insert into d.t values (1, 255, -5, 1.5, 1.5, -2.5, 5, 2020, '2020-02-03', '-838:59:59.5',
  '2020-02-03 04:05:06.789', '2020-02-03 04:05:06.7', 'é', 'ü', 'long', 'b', 'v', 'blob', 'y', 'p,q',
  point(1, 2), '::1', '123e4567-e89b-12d3-a456-426655440000', '{"a": [1, null]}', repeat('z', 200));
insert into d.t (id) values (2), (3);
update d.t set o = 'new', t = 'x' where id = 1;
delete from d.t;
alter table d.t add column aa int, drop column z;
xa start 'x'; insert into d.t (id) values (9); xa end 'x'; xa prepare 'x'; xa rollback 'x';
"""


def mariadb(options):
    """The first binlog file of a fresh server that ran the statements."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data",
             "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        server = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/data",
             f"--socket={folder}/s", "--skip-networking", f"--log-bin={folder}/b", "--server-id=1",
             "--binlog-format=ROW", *options], stderr=subprocess.DEVNULL)
        try:
            client = ["mariadb", "--no-defaults", "-uroot", f"--socket={folder}/s"]
            for _ in range(100):
                if subprocess.run([*client, "-e", "create database d"], capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)
            subprocess.run(client, input=STATEMENTS.encode(), check=True)
        finally:
            server.terminate()
            server.wait()
        return (folder / "b.000001").read_bytes()


def write_events():
    files = dict(binlogs())
    files["mariadb"] = mariadb(["--binlog-row-metadata=FULL", "--binlog-checksum=NONE"])
    files["mariadb-minimal"] = mariadb(["--binlog-row-image=MINIMAL", "--binlog-checksum=NONE"])
    files["mariadb-compressed"] = mariadb(
        ["--log-bin-compress=1", "--log-bin-compress-min-len=10", "--binlog-checksum=CRC32"])
    for name, data in files.items():
        write("event", name, data)
    for name in ["mysql-rows", "mysql-zstd", "mariadb", "mariadb-minimal", "mariadb-compressed"]:
        write("rowimage", name, files[name])


# Binary JSON


def container(kind, keys, values):
    """A small object (0) or array (2); a value is (type, bytes), inlined when it is two bytes."""
    head = 4 + len(keys) * 4 + len(values) * 3
    names, table, data, entries = b"".join(keys), b"", b"", b""
    for key in keys:
        table += struct.pack("<HH", head + sum(map(len, keys[: keys.index(key)])), len(key))
    for code, value in values:
        if code in (4, 5, 6) and len(value) == 2:
            entries += bytes([code]) + value
        else:
            entries += struct.pack("<BH", code, head + len(names) + len(data))
            data += value
    body = table + entries + names + data
    return kind, struct.pack("<HH", len(values), 4 + len(body)) + body


def text(value):
    return 12, bytes([len(value)]) + value


def opaque(code, value):
    return 15, bytes([code, len(value)]) + value


def write_json():
    scalars = [
        (4, b"\0\0"), (4, b"\1\0"), (5, struct.pack("<h", -7)), (6, struct.pack("<H", 9)),
        (7, struct.pack("<i", -70000)), (8, struct.pack("<I", 70000)), (9, struct.pack("<q", -1 << 40)),
        (10, struct.pack("<Q", 1 << 63)), (11, struct.pack("<d", 1.5e300)), text('é"\\\n'.encode()),
        opaque(246, b"\4\2\x8c\x22\x22"), opaque(10, bytes.fromhex("000000000003b219")[::-1]),
        opaque(11, struct.pack("<q", 0x01_E2_40_00_00_01)), opaque(12, struct.pack("<q", 0x19B3A2D3C0_000000)),
        opaque(16, b"\5"), opaque(252, b"blob"),
    ]
    for index, (code, value) in enumerate(scalars):
        write("json", f"scalar-{index:02}", bytes([code]) + value)
    nested = container(2, [], [container(0, [b"k"], [container(2, [], scalars[:4])])])
    samples = [
        container(2, [], scalars), container(0, [b"a", b"bb"], [text(b"x"), (5, b"\1\0")]), nested,
        container(0, [], []), container(2, [], []),
    ]
    for index, (code, value) in enumerate(samples):
        write("json", f"container-{index}", bytes([code]) + value)
    large = struct.pack("<II", 1, 13) + b"\x05" + struct.pack("<i", 3)
    write("json", "large-array", b"\3" + large)


def write_json_diffs():
    number, word = b"\5\7\0", b"\x0c\1x"
    changes = [
        (b'{"a": 1, "bb": [1, {"c": null}]}', [(0, b"$.a", number), (1, b"$.bb[1].d", word), (2, b"$.bb[0]")]),
        (b'[1, "x, [", [2]]', [(1, b"$[0]", word), (0, b"$[3]", number), (2, b"$[1]")]),
        (b'{"\\u00e9\\n": {}}', [(1, b'$."\\u00e9\\n"."q \\""', number)]),
    ]
    for index, (document, diffs) in enumerate(changes):
        cell = b""
        for code, path, *value in diffs:
            cell += bytes([code]) + packed(len(path)) + path
            cell += b"".join(packed(len(v)) + v for v in value)
        write("jsondiff", f"{index}", bytes([len(document)]) + document + cell)


# GTID sets


def write_gtids():
    text = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    sets = [
        text + ":1", text + ":1-5:11-18", text.upper() + ":2 ,\n" + text[::-1].replace("-", "", 0)[:36] + ":7",
        text + ":tag:1-3:other_2:9", "0-1-5", "0-1-5,1-2-18446744073709551615", "",
    ]
    for index, value in enumerate(sets):
        write("gtid", f"text-{index}", value.encode())
    plain = struct.pack("<Q", 1) + UUID + struct.pack("<Qqqqq", 2, 1, 6, 11, 19)
    tagged = struct.pack("<Q", 1 << 56 | 1 << 8 | 1) + UUID + b"\x06tag" + struct.pack("<Qqq", 1, 1, 6)
    write("gtid", "binary-plain", plain)
    write("gtid", "binary-tagged", tagged)


# Statements; the first byte is the text mode


def write_statements():
    statements = [
        "CREATE TABLE `a``b`.t (a int(10) unsigned NOT NULL DEFAULT '1' COMMENT 'x''y\\'', PRIMARY KEY (a(3) DESC))",
        "CREATE TABLE t (c ENUM('a',x'4142',_latin1'c') CHARACTER SET gbk, s set('p') collate utf8mb4_bin)",
        "CREATE TABLE t (g point SRID 4 /*!80023 INVISIBLE */, v vector(3), u uuid, i inet6, b bit(3))",
        "CREATE TABLE t (a decimal(10,2) AS (1+(2)) STORED, j longtext CHECK (json_valid(`j`))) ENGINE=InnoDB",
        "CREATE TABLE t (s date, e date, PERIOD FOR p (s,e), PRIMARY KEY (p WITHOUT OVERLAPS)) WITH SYSTEM VERSIONING",
        "CREATE TABLE t (a char(4) byte, b national varchar(3), c long varchar, d float(30), e double precision)",
        "CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS t (a int) AS SELECT 1",
        "CREATE TABLE t LIKE u",
        "ALTER TABLE a.b ADD COLUMN (x int, KEY (x)), CHANGE y z text FIRST, RENAME TO c.d, DROP PARTITION p",
        "ALTER TABLE t DROP PRIMARY KEY, ADD CONSTRAINT PRIMARY KEY (a), CONVERT TO CHARACTER SET utf8 COLLATE utf8_bin",
        "ALTER TABLE t MODIFY a int AFTER b, RENAME COLUMN c TO d, ALTER e SET INVISIBLE, ENGINE=Aria, ORDER BY a",
        "RENAME TABLE a TO b, c TO d", "DROP TABLE IF EXISTS 1a.2, `b`; -- c", "TRUNCATE TABLE t # x",
        "CREATE DATABASE d /*!40100 CHARACTER SET utf8 */", "CREATE UNIQUE INDEX i ON t (a)", "DROP INDEX `PRIMARY` ON t",
        "SET STATEMENT a=1 FOR CREATE DEFINER=`x`@`y` VIEW v AS SELECT 0x41, b'01', 1.5e+3, .5, N'x'",
        "enum('a','b''c')", "decimal(10,2) unsigned zerofill",
        "USE `d`;\nCREATE TABLE t (a int, b text);\nINSERT INTO t VALUES ('a;\\'');\nDELIMITER ;;\nDROP TABLE t;;\n"
        "DELIMITER ;\nALTER TABLE t ADD c int FIRST;\nRENAME TABLE t TO u;\nCREATE TABLE v LIKE u;",
    ]  # fmt: skip
    for index, text in enumerate(statements):
        write("ddl", f"{index:02}", bytes([index % 4 if index < 4 else 0]) + text.encode())


# Requests over HTTP


def write_http():
    values = [
        b"query=SELECT+1&param_a=%C3%A9&x=%2B", b"a&b=&=c", b"INSERT INTO t (a, `b`) FORMAT CSV\n1,2\n",
        b"-- c\n/* d */ UPSERT INTO d.t SETTINGS x = 'FORMAT \\' y' VALUES (1)",
        b"INSERT INTO FUNCTION file('x') SELECT 1 FORMAT Native", b"multipart/form-data; boundary=\"B\"",
        b'--B\r\nContent-Disposition: form-data; name="q"\r\n\r\nSELECT 1\r\n--B\r\nContent-Disposition: '
        b'form-data; name="t"; filename="t.csv"\r\n\r\n1,2\r\n--B--\r\n',
        bytes.fromhex(
            "069bb38bd55e410efbba43517f8d23e2821c000000250000006f68656c6c6f20"
            "060004802c20626c6f636b73"),
        b"--B\r\n--B\r\nContent\r\n--B--\r\n",
    ]
    for index, value in enumerate(values):
        write("http", f"{index:02}", value)


# Arrow's streams, and Flight's messages; the first byte of the latter tells their kind


def arrow_batches():
    """Record batches of every family of types, with nulls."""
    words = pa.array(["x", None, "longer than twelve bytes", ""])
    yield pa.record_batch({
        "i": pa.array([1, None, -3, 4], pa.int32()), "f": pa.array([0.5, None, 2, 3], pa.float64()),
        "b": pa.array([True, None, False, True]), "s": words, "big": words.cast(pa.large_string()),
        "bytes": words.cast(pa.binary()), "fixed": pa.array([b"ab", None, b"cd", b"ef"], pa.binary(2))})
    yield pa.record_batch({
        "list": pa.array([[1], None, [], [2, 3]], pa.list_(pa.int8())),
        "big": pa.array([["a"], None, [], ["b", None]], pa.large_list(pa.string())),
        "fixed": pa.array([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int16(), 2)),
        "map": pa.array([[("k", 1)], None, [], []], pa.map_(pa.string(), pa.uint64())),
        "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": 2}, {}])})
    yield pa.record_batch({
        "dictionary": words.dictionary_encode(),
        "view": words.cast(pa.string_view()), "null": pa.nulls(4),
        "date": pa.array([1, None, 2, 3], pa.int32()).cast(pa.date32()),
        "time": pa.array([1, None, 2, 3], pa.timestamp("us", "UTC")),
        "duration": pa.array([1, None, 2, 3], pa.duration("ms")),
        "decimal": pa.array([1, None, 2, 3]).cast(pa.decimal128(22, 2))})
    values = [pa.array([1, 2, 3]), pa.array(["a"])]
    kinds, places = pa.array([0, 1, 0, 0], pa.int8()), pa.array([0, 0, 1, 2], pa.int32())
    yield pa.record_batch({"union": pa.UnionArray.from_dense(kinds, places, values)})


def write_arrow():
    for index, batch in enumerate(arrow_batches()):
        for compression in (None, "lz4", "zstd"):
            sink = pa.BufferOutputStream()
            options = pa.ipc.IpcWriteOptions(compression=compression)
            with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
                writer.write_batch(batch)
                writer.write_batch(batch.slice(1, 2))
            stream = sink.getvalue()
            write("arrow", f"{index}-{compression}", stream.to_pybytes())
            if compression:
                continue
            parts = [b"\x00"]
            for each in pa.ipc.MessageReader.open_stream(stream):
                body = each.body.to_pybytes() if each.body is not None else b""
                data = message((2, each.metadata.to_pybytes()), (1000, body))
                parts += [struct.pack(">H", len(data)), data]
            write("flight", f"rows-{index}", b"".join(parts))
    commands = [("CommandStatementQuery", (1, "SELECT 1"), (2, b"t")), ("CommandGetCatalogs",),
                ("CommandStatementUpdate", (1, "INSERT INTO t VALUES (1)")),
                ("CommandGetDbSchemas", (1, ""), (2, "d%")),
                ("CommandGetTables", (1, ""), (2, "d_"), (3, "t%"), (4, "TABLE"), (5, 1)),
                ("CommandGetSqlInfo", (1, b"\x01\x02")), ("CommandGetXdbcTypeInfo", (1, 4)),
                ("CommandGetPrimaryKeys", (1, ""), (2, "d"), (3, "t")),
                ("CommandGetCrossReference", (3, "a"), (6, "b")),
                ("CommandPreparedStatementQuery", (1, b"handle")),
                ("CommandStatementIngest", (1, message((1, 1), (2, 3))), (2, "t"), (3, "d"), (5, 1)),
                ("TicketStatementQuery", (1, message((1, "SELECT ?"), (2, b"rows"))))]
    for index, (name, *fields) in enumerate(commands):
        packed = message((1, f"type.googleapis.com/arrow.flight.protocol.sql.{name}"),
                         (2, message(*fields)))
        write("flight", f"command-{index:02}", b"\x01" + packed)
    for index, text in enumerate([
        b"USE d", b"SET x = 1, y = 'a'", b"SELECT * FROM `a`.`b`", b"SELECT a, b FROM t WHERE c = 1"]):
        write("flight", f"statement-{index}", b"\x02" + text)


write_events()
write_json()
write_json_diffs()
write_gtids()
write_statements()
write_http()
write_arrow()

"""Every type of the mapping with its extreme values: copied and streamed bytes are equal to each
other and to what is written here (docs/type-mapping.md says why)."""

import unittest

from harness import MariaDB, Magic

# Column definition -> (SQL literal, the field as ClickHouse writes it in TSV) for each row.
# Every column also gets a row of NULL, which is [NULL] where ClickHouse has an array.
COLUMNS = {
    "TINYINT": [("-128", "-128"), ("127", "127")],
    "TINYINT UNSIGNED": [("255", "255"), ("0", "0")],
    "SMALLINT": [("-32768", "-32768"), ("32767", "32767")],
    "SMALLINT UNSIGNED": [("65535", "65535")],
    "MEDIUMINT": [("-8388608", "-8388608"), ("8388607", "8388607")],
    "MEDIUMINT UNSIGNED": [("16777215", "16777215")],
    "INT": [("-2147483648", "-2147483648"), ("2147483647", "2147483647")],
    "INT UNSIGNED": [("4294967295", "4294967295")],
    "INT(5) ZEROFILL": [("42", "42")],
    "BIGINT": [("-9223372036854775808",) * 2, ("9223372036854775807",) * 2],
    "BIGINT UNSIGNED": [("18446744073709551615",) * 2],
    "FLOAT": [("1.5", "1.5"), ("-3.4028234663852886e38", "-3.4028235e38"), ("0.1", "0.1")],
    "DOUBLE": [("1.7976931348623157e308", "1.7976931348623157e308"),
               ("2.2250738585072014e-308", "2.2250738585072014e-308"), ("0.1", "0.1")],
    "DECIMAL(65,30)": [
        ("9" * 35 + "." + "9" * 30,) * 2, ("-" + "9" * 35 + "." + "9" * 30,) * 2,
        ("-0." + "0" * 29 + "1",) * 2],
    "DECIMAL(38,0)": [("-" + "9" * 38,) * 2],
    "DECIMAL(9,2)": [("-9999999.99",) * 2, ("0.10", "0.1")],
    "DECIMAL(1,0)": [("-9", "-9")],
    "BIT(1)": [("b'1'", "1")],
    "BIT(9)": [("b'100000001'", "257")],
    "BIT(64)": [("0xFFFFFFFFFFFFFFFF", "18446744073709551615"), ("1", "1")],
    "DATE": [("'1900-01-01'", "1900-01-01"), ("'2299-12-31'", "2299-12-31"),
             ("'0000-00-00'", "\\N"), ("'2024-00-00'", "\\N")],
    "DATETIME": [("'1900-01-01 00:00:00'", "1900-01-01 00:00:00"),
                 ("'2299-12-31 23:59:59'", "2299-12-31 23:59:59"),
                 ("'0000-00-00 00:00:00'", "\\N"), ("'2024-02-00 10:00:00'", "\\N")],
    "DATETIME(3)": [("'1969-12-31 23:59:59.999'", "1969-12-31 23:59:59.999")],
    "DATETIME(6)": [("'2262-04-11 23:47:16.854775'", "2262-04-11 23:47:16.854775"),
                    ("'1900-01-01 00:00:00.000001'", "1900-01-01 00:00:00.000001")],
    "TIMESTAMP NULL": [("'1970-01-01 00:00:01'", "1970-01-01 00:00:01"),
                       ("'2038-01-19 03:14:07'", "2038-01-19 03:14:07"),
                       ("'0000-00-00 00:00:00'", "\\N")],
    "TIMESTAMP(6) NULL": [("'2038-01-19 03:14:07.999999'", "2038-01-19 03:14:07.999999")],
    "TIME": [("'-838:59:59'", "-3020399000000"), ("'838:59:59'", "3020399000000")],
    "TIME(6)": [("'-00:00:00.000001'", "-1"), ("'838:59:59.999999'", "3020399999999"),
                ("'-838:59:59.999999'", "-3020399999999")],
    "TIME(2)": [("'-01:00:00.25'", "-3600250000")],
    "YEAR": [("1901", "1901"), ("2155", "2155"), ("0", "0")],
    "CHAR(4) CHARACTER SET latin1": [("'é€ü'", "é€ü"), ("'a  '", "a")],
    "VARCHAR(20) CHARACTER SET latin1": [("'é€ü  '", "é€ü  ")],
    "TEXT CHARACTER SET latin1": [("'ÿ'", "ÿ")],
    "VARCHAR(20) CHARACTER SET gbk": [("'中文'", "中文")],
    "CHAR(4) CHARACTER SET gbk": [("'中文'", "中文")],
    "VARCHAR(20) CHARACTER SET big5": [("'中文'", "中文")],
    "VARCHAR(20) CHARACTER SET sjis": [("'日本ﾆ'", "日本ﾆ")],
    "VARCHAR(20) CHARACTER SET ucs2": [("'Ωж'", "Ωж")],
    "VARCHAR(20) CHARACTER SET utf16": [("'😀ж'", "😀ж")],
    "VARCHAR(20) CHARACTER SET utf8mb3": [("'Ωж中'", "Ωж中")],
    "VARCHAR(20) CHARACTER SET cp1251": [("'жЯ'", "жЯ")],
    "CHAR(255) CHARACTER SET utf8mb4": [("'😀'", "😀"), ("REPEAT('😀', 255)", "😀" * 255)],
    "VARCHAR(9000) CHARACTER SET utf8mb4": [
        ("''", ""), ("'tab\\tline\\nback\\\\slash\\0'", "tab\\tline\\nback\\\\slash\\0"),
        ("REPEAT('é', 9000)", "é" * 9000)],
    "TINYTEXT": [("'short'", "short")],
    "MEDIUMTEXT": [("REPEAT('long', 20000)", "long" * 20000)],
    "LONGTEXT": [("'😀'", "😀")],
    "BINARY(5)": [("'a'", "a\\0\\0\\0\\0"), ("x'6100000000'", "a\\0\\0\\0\\0"), ("'a   '", "a   \\0")],
    "VARBINARY(300)": [("x'00'", "\\0"), ("x'FF00FE'", b"\xff\\0\xfe"),
                       ("REPEAT('z', 300)", "z" * 300)],
    "TINYBLOB": [("x'80'", b"\x80")],
    "BLOB": [("x'C328'", b"\xc3("), ("''", "")],
    "LONGBLOB": [("REPEAT('b', 100000)", "b" * 100000)],
    "ENUM('a','é','中文')": [("'é'", "é"), ("'中文'", "中文"), ("0", "")],
    "ENUM('é','ü') CHARACTER SET latin1": [("'ü'", "ü")],
    "SET('x','é','中')": [("'x,中'", "['x','中']"), ("''", "[]")],
    "JSON": [("'{\"a\": [1, 2.50, \"é\"]}'", '{"a": [1, 2.50, "é"]}')],
    "UUID": [("'123e4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
             ("'ffffffff-ffff-ffff-ffff-ffffffffffff'", "ffffffff-ffff-ffff-ffff-ffffffffffff")],
    "INET6": [("'2001:db8::ff00:42:8329'", "2001:db8::ff00:42:8329"),
              ("'::ffff:192.0.2.128'", "::ffff:192.0.2.128"), ("'::'", "::")],
    "INET4": [("'192.0.2.255'", "192.0.2.255"), ("'0.0.0.0'", "0.0.0.0")],
    "POINT": [("ST_GeomFromText('POINT(1 -2)')",
               b"\x01\x01" + b"\\0" * 9 + b"\xf0?" + b"\\0" * 7 + b"\xc0")],
    "INT INVISIBLE": [("7", "7")],
}
NAMES = [f"c{number}" for number in range(len(COLUMNS))]
ROWS = max(len(values) for values in COLUMNS.values())


def definition(table):
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(NAMES, COLUMNS))
    return (f"CREATE TABLE {table} (id INT PRIMARY KEY, {columns}, "
            "stored INT AS (id * 2) STORED, computed VARCHAR(20) AS (CONCAT('n', id)) VIRTUAL) "
            "CHARACTER SET utf8mb4")


def value(values, row):
    """The last value of a column stands for the rows that it has no value for."""
    return values[min(row, len(values) - 1)]


def insertions(table):
    statements = []
    for row in range(ROWS):
        literals = ", ".join(value(values, row)[0] for values in COLUMNS.values())
        statements.append(f"INSERT INTO {table} (id, {', '.join(NAMES)}) VALUES ({row}, {literals})")
    statements.append(f"INSERT INTO {table} (id) VALUES ({ROWS})")
    return statements


def expected_rows():
    rows = []
    for row in range(ROWS):
        fields = [value(values, row)[1] for values in COLUMNS.values()]
        rows.append([str(row), *fields, str(row * 2), f"n{row}"])
    nulls = ["[NULL]" if kind.startswith("SET") else "\\N" for kind in COLUMNS]
    rows.append([str(ROWS), *nulls, str(ROWS * 2), f"n{ROWS}"])
    return [[f if isinstance(f, bytes) else f.encode() for f in fields] for fields in rows]


class TypeTests(unittest.TestCase):
    def test_copy_and_stream_give_the_same_bytes(self):
        with MariaDB("--sql-mode=") as source, Magic() as magic:
            source.create_database(
                "d", definition("copied"), definition("streamed"), *insertions("copied"))
            magic.start_replicate(source.url(), "--include", "d.*")
            magic.catch_up(source, "d")
            source.execute(*insertions("streamed"), database="d")
            # An update that changes nothing but the generated columns' base, and back.
            source.execute("UPDATE streamed SET id = id + 100", "UPDATE streamed SET id = id - 100",
                           database="d")
            magic.catch_up(source, "d")

            columns = ", ".join(["id", *NAMES, "stored", "computed"])
            kinds = ["id", *COLUMNS, "stored", "computed"]
            for table in ["copied", "streamed"]:
                found = magic.sql(f"SELECT {columns} FROM d.{table} ORDER BY id")
                self.assertEqual(len(found), ROWS + 1, table)
                for row, expected in zip(found, expected_rows()):
                    for kind, field, wanted in zip(kinds, row, expected):
                        with self.subTest(f"{table} {kind}", row=row[0].decode()):
                            self.assertEqual(field[:200], wanted[:200])
                            self.assertEqual(field, wanted)
            self.assertEqual(magic.sql("SELECT * FROM d.copied ORDER BY id"),
                             magic.sql("SELECT * FROM d.streamed ORDER BY id"))
            verified = magic.run("verify", "--data", magic.data, "--source", source.url())
            self.assertEqual(verified.returncode, 0)
            self.assertEqual(magic.end(), 0, magic.output())

"""Values of every type of docs/type-mapping.md, as ClickHouse, Arrow and Python have them."""

import ipaddress
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa

UTC = timezone.utc


class Sample:
    """A column: its ClickHouse type, the Arrow type that it is written in, the one that results
    have, and values as Arrow gives them to Python."""

    def __init__(self, name, clickhouse, arrow, values, result=None, metadata=None):
        self.name, self.clickhouse, self.arrow = name, clickhouse, arrow
        self.result = result or arrow
        self.values = values
        self.metadata = metadata

    def can_be_null(self):
        return not self.clickhouse.startswith("Array")

    def nullable_type(self):
        if self.clickhouse.startswith("LowCardinality("):
            return "LowCardinality(Nullable(String))"
        return f"Nullable({self.clickhouse})"

    def field(self, nullable=False):
        name = f"n_{self.name}" if nullable else self.name
        return pa.field(name, self.arrow, nullable, self.metadata)

    def array(self, values):
        if isinstance(self.arrow, pa.DictionaryType):
            return pa.array(values, self.arrow.value_type).dictionary_encode()
        if self.clickhouse.startswith("Array(LowCardinality"):
            items = pa.array([each for value in values for each in value], pa.utf8())
            offsets = [0]
            for value in values:
                offsets.append(offsets[-1] + len(value))
            return pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()), items.dictionary_encode(), type=self.arrow)
        if self.name == "uuid":
            return pa.array([value and value.bytes for value in values], pa.binary(16)).cast(
                pa.uuid())
        return pa.array(values, self.arrow)


def _integers(bits):
    top = 1 << (bits - 1)
    return [
        Sample(f"i{bits}", f"Int{bits}", getattr(pa, f"int{bits}")(), [-top, top - 1, 0]),
        Sample(f"u{bits}", f"UInt{bits}", getattr(pa, f"uint{bits}")(), [0, 2 * top - 1, top]),
    ]


def _moments(digits, unit, step):
    first = datetime(1900, 1, 1, tzinfo=UTC)
    last = datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC) + step
    return Sample(
        f"t{digits}", f"DateTime64({digits}, 'UTC')", pa.timestamp(unit, "UTC"),
        [first, last, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC) + step],
        metadata={"magic.precision": str(digits)})


MEMBERS = pa.dictionary(pa.int32(), pa.utf8())
TEXTS = ["", "tab\tquote'\\line\n\r", "žluťoučký 🐎 \u0301 한국어"]

SAMPLES = [
    *[sample for bits in (8, 16, 32, 64) for sample in _integers(bits)],
    Sample("f32", "Float32", pa.float32(), [-3.4028234663852886e38, 1.401298464324817e-45, 0.5]),
    Sample("f64", "Float64", pa.float64(), [-1.7976931348623157e308, 5e-324, float("inf")]),
    Sample("d9", "Decimal(9, 2)", pa.decimal128(9, 2),
           [Decimal("-9999999.99"), Decimal("9999999.99"), Decimal("0.01")]),
    Sample("d38", "Decimal(38, 10)", pa.decimal128(38, 10),
           [Decimal("-" + "9" * 28 + "." + "9" * 10), Decimal("9" * 28 + "." + "9" * 10),
            Decimal("0.0000000001")]),
    Sample("d65", "Decimal(65, 30)", pa.decimal256(65, 30),
           [Decimal("-" + "9" * 35 + "." + "9" * 30), Decimal("9" * 35 + "." + "9" * 30),
            Decimal("1E-30")]),
    Sample("day", "Date32", pa.date32(), [date(1900, 1, 1), date(2299, 12, 31), date(1969, 12, 31)]),
    _moments(0, "s", timedelta(0)),
    _moments(3, "ms", timedelta(milliseconds=999)),
    _moments(6, "us", timedelta(microseconds=999_999)),
    Sample("s", "String", pa.utf8(), TEXTS),
    Sample("bin", "String", pa.binary(), [b"", bytes(range(128)), b"\0a\0"], result=pa.utf8()),
    Sample("member", "LowCardinality(String)", MEMBERS, ["", "small", "🐎"], result=pa.utf8()),
    Sample("members", "Array(LowCardinality(String))", pa.list_(pa.field("item", MEMBERS, False)),
           [[], ["a"], ["a", "ž", ""]], result=pa.list_(pa.field("item", pa.utf8(), False))),
    Sample("uuid", "UUID", pa.uuid(),
           [uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1),
            uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")]),
    Sample("v4", "IPv4", pa.uint32(),
           [0, 0xFFFFFFFF, int(ipaddress.IPv4Address("192.0.2.1"))],
           metadata={"ARROW:extension:name": "magic.ipv4", "ARROW:extension:metadata": ""}),
    Sample("v6", "IPv6", pa.binary(16),
           [bytes(16), b"\xff" * 16, ipaddress.IPv6Address("2001:db8::1").packed],
           metadata={"ARROW:extension:name": "magic.ipv6", "ARROW:extension:metadata": ""}),
    Sample("vector", "Array(Float32)", pa.list_(pa.field("item", pa.float32(), False)),
           [[], [0.5], [-1.5, 0.25, 3.0]]),
]
NULLABLE = [sample for sample in SAMPLES if sample.can_be_null()]
ROWS = len(SAMPLES[0].values) + 1  # the last is of nulls


def columns():
    """(name, ClickHouse type) of every column, the key first."""
    return [
        ("id", "UInt32"), *[(each.name, each.clickhouse) for each in SAMPLES],
        *[(f"n_{each.name}", each.nullable_type()) for each in NULLABLE]]


def declaration(table, engine="MutableMergeTree"):
    listed = ", ".join(f"{name} {kind}" for name, kind in columns())
    return f"CREATE TABLE {table} ({listed}) ENGINE = {engine} ORDER BY id"


def _value(sample, row):
    return sample.values[row % len(sample.values)]


def rows():
    """The rows as Arrow gives them to Python, in key order."""
    result = []
    for number in range(ROWS):
        row = {"id": number}
        row |= {each.name: _value(each, number) for each in SAMPLES}
        row |= {
            f"n_{each.name}": _value(each, number) if number < ROWS - 1 else None
            for each in NULLABLE}
        result.append(row)
    return result


def arrow_table():
    """The rows in the types that they are written in."""
    numbers = range(ROWS)
    fields = [pa.field("id", pa.uint32(), False)]
    arrays = [pa.array(numbers, pa.uint32())]
    for each in SAMPLES:
        fields.append(each.field())
        arrays.append(each.array([_value(each, number) for number in numbers]))
    for each in NULLABLE:
        fields.append(each.field(nullable=True))
        arrays.append(each.array([_value(each, number) for number in numbers[:-1]] + [None]))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def result_schema():
    """The columns of `SELECT *`, without metadata."""
    return pa.schema(
        [pa.field("id", pa.uint32(), False)]
        + [pa.field(each.name, each.result, False) for each in SAMPLES]
        + [pa.field(f"n_{each.name}", each.result, True) for each in NULLABLE])


def plain(rows):
    """Rows with the bytes of ASCII text as text, as columns of String are read."""
    def value(each):
        return each.decode() if isinstance(each, bytes) and len(each) != 16 else each
    return [{name: value(each) for name, each in row.items()} for row in rows]


def literal(sample, value):
    """A value as it is written in a statement."""
    kind = sample.clickhouse
    if value is None:
        return "NULL"
    if isinstance(value, list):
        items = ", ".join(repr(each) for each in value)
        return f"[{items}]::{kind}"
    if isinstance(value, float):
        return "inf" if value == float("inf") else repr(value)
    if isinstance(value, int) and kind == "IPv4":
        return f"'{ipaddress.IPv4Address(value)}'"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"'{value:f}'::{kind}"
    if isinstance(value, datetime):
        text = value.isoformat(" ", "microseconds" if "6" in kind else "milliseconds")
        return f"'{text.removesuffix('+00:00')}'::{kind}"
    if isinstance(value, bytes):
        if kind == "IPv6":
            return f"'{ipaddress.IPv6Address(value)}'"
        return f"unhex('{value.hex()}')"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"'{value}'"


def insertion(table):
    """An INSERT of the rows with literals."""
    kinds = {"id": SAMPLES[6]} | {each.name: each for each in SAMPLES}
    kinds |= {f"n_{each.name}": each for each in NULLABLE}
    listed = ", ".join(
        "(" + ", ".join(literal(kinds[name], value) for name, value in row.items()) + ")"
        for row in rows())
    return f"INSERT INTO {table} VALUES {listed}"

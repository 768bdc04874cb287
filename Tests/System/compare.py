"""Compares source and copy by content, with nothing of Magic's own but the text it prints."""

import ipaddress
import re
import struct
import time
from collections import Counter
from decimal import Decimal

import pymysql.cursors

ESCAPES = {b"\\": b"\\\\", b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r", b"\0": b"\\0",
           b"\b": b"\\b", b"\f": b"\\f", b"'": b"\\'"}
UNESCAPES = {code[1:]: plain for plain, code in ESCAPES.items()}
NULL = b"\\N"


def escaped(value):
    """A value of the source the way ClickHouse writes it into a TSV field."""
    if value is None:
        return b"\\N"
    text = value if isinstance(value, bytes) else str(value).encode()
    return b"".join(ESCAPES.get(bytes([c]), bytes([c])) for c in text)


def unescaped(field):
    if b"\\" not in field:
        return field
    return re.sub(rb"\\(.)", lambda match: UNESCAPES.get(match[1], match[1]), field, flags=re.DOTALL)


def assert_equal_tables(test, source, magic, database, table, columns, key):
    """Fails `test` at the first row that is only on one side or differs."""
    statement = f"SELECT {columns} FROM {database}.{table} ORDER BY {key}"
    found = magic.sql(statement)
    count = 0
    with source.connect(cursorclass=pymysql.cursors.SSCursor) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            for count, row in enumerate(cursor, start=1):
                expected = [escaped(value) for value in row]
                if count > len(found) or found[count - 1] != expected:
                    copied = found[count - 1] if count <= len(found) else "no row"
                    test.fail(f"{table}, row {count}: source {expected}, copy {copied}")
    test.assertEqual(len(found), count, f"{table}: the copy has rows that the source lacks")


# What follows compares whole databases, whatever their tables are like: names, columns, types and
# rows, these as multisets. Both sides' texts become the same Python values.

INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 32, "int": 32, "bigint": 64}
GEOMETRIES = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
              "multipolygon", "geometrycollection"}
DATES = {"date", "datetime", "timestamp"}


def mysql_name(*parts):
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def clickhouse_name(*parts):
    return ".".join("`" + part.replace("\\", "\\\\").replace("`", "\\`") + "`" for part in parts)


def _is_day(text):
    """Whether a calendar has the date that `text` begins with."""
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (0, 31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= 12 and 1 <= day <= lengths[month] and year > 0


def _microseconds(text):
    sign = -1 if text.startswith(b"-") else 1
    hours, minutes, seconds = text.lstrip(b"-").split(b":")
    whole, _, fraction = seconds.partition(b".")
    total = (int(hours) * 60 + int(minutes)) * 60 + int(whole)
    return sign * (total * 1_000_000 + int(fraction.ljust(6, b"0") or 0))


def _float32(text):
    # Adding 0 makes a zero of the negative one.
    return struct.pack("<f", float(text) + 0.0)


def _float64(text):
    return struct.pack("<d", float(text) + 0.0)


def _array(field):
    return tuple(None if written == b"NULL" else unescaped(item)
                 for written, item in re.findall(rb"('((?:[^'\\]|\\.)*)'|NULL)", field, re.DOTALL))


class Column:
    """A column of the source, and how the values of both sides become comparable."""

    def __init__(self, name, kind, declared, nullable, precision, scale, fraction):
        self.name, self.kind, self.declared, self.nullable = name, kind, declared, nullable
        self.precision, self.scale, self.fraction = precision, scale, fraction or 0

    @property
    def expression(self):
        """Selects the value; a FLOAT printed as such has six digits."""
        name = mysql_name(self.name)
        return f"{name} * 1e0" if self.kind == "float" else name

    @property
    def clickhouse_type(self):
        """The type in the copy (docs/type-mapping.md). Dates are compared without Nullable."""
        unsigned = "U" if "unsigned" in self.declared else ""
        if self.kind in ("enum", "set"):
            text = "LowCardinality(Nullable(String))" if self.nullable else "LowCardinality(String)"
            return text if self.kind == "enum" else f"Array({text})"
        if self.kind in INTEGERS:
            plain = f"{unsigned}Int{INTEGERS[self.kind]}"
        elif self.kind == "decimal":
            plain = f"Decimal({self.precision}, {self.scale})"
        elif self.kind in ("datetime", "timestamp"):
            return f"DateTime64({self.fraction}, 'UTC')"
        elif self.kind == "date":
            return "Date32"
        else:
            plain = {"float": "Float32", "double": "Float64", "bit": "UInt64", "time": "Int64",
                     "year": "UInt16", "uuid": "UUID", "inet4": "IPv4", "inet6": "IPv6",
                     }.get(self.kind, "String")
        return f"Nullable({plain})" if self.nullable else plain

    def of_source(self, value):
        if value is None:
            return (None,) if self.kind == "set" else None
        kind = self.kind
        if kind in INTEGERS or kind == "year":
            return int(value)
        if kind == "float":
            return _float32(value)
        if kind == "double":
            return _float64(value)
        if kind == "decimal":
            return Decimal(value.decode())
        if kind == "bit":
            return int.from_bytes(value, "big")
        if kind in DATES:
            return value if _is_day(value) else None
        if kind == "time":
            return _microseconds(value)
        if kind == "set":
            # An empty member prints as nothing, as the empty set does.
            return tuple(member for member in value.split(b",") if member)
        if kind in GEOMETRIES:
            return value[4:]
        if kind in ("inet4", "inet6"):
            return ipaddress.ip_address(value.decode())
        return self.without_invalid(value)

    def of_copy(self, field):
        kind = self.kind
        if kind == "set":
            members = _array(field)
            return members if members == (None,) else tuple(member for member in members if member)
        if field == NULL:
            return None
        if kind in INTEGERS or kind in ("year", "bit", "time"):
            return int(field)
        if kind == "float":
            return _float32(field)
        if kind == "double":
            return _float64(field)
        if kind == "decimal":
            return Decimal(field.decode())
        if kind in ("inet4", "inet6"):
            return ipaddress.ip_address(field.decode())
        return self.without_invalid(unescaped(field))

    def without_invalid(self, value):
        """Bytes that are no character of the column's charset are U+FFFD in the copy, and question
        marks where the server converts them, not always as many. MariaDB prints halves of surrogates
        as if they were characters of UTF-8."""
        if self.kind in ("binary", "varbinary") or "blob" in self.kind:
            return value
        return re.sub(rb"(?:\?|\xef\xbf\xbd|\xed[\xa0-\xbf][\x80-\xbf])+", b"?", value)


def source_tables(source, databases=None):
    """The source's tables: (database, table) -> columns in their order."""
    chosen = "TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
    if databases is not None:
        chosen = "TABLE_SCHEMA IN (%s)" % ", ".join(
            "'" + name.replace("\\", "\\\\").replace("'", "''") + "'" for name in databases)
    tables = {
        names: [] for names in source.rows(
            f"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
            f"WHERE TABLE_TYPE = 'BASE TABLE' AND {chosen}")}
    for database, table, *column, nullable, precision, scale, fraction in source.rows(
            "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, "
            f"NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION FROM information_schema.COLUMNS "
            f"WHERE {chosen} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"):
        if (database, table) in tables:
            tables[database, table].append(
                Column(*column, nullable == "YES", precision, scale, fraction))
    return tables


def copied_tables(magic, databases=None):
    """The copy's tables: (database, table) -> [(column, type)] in their order."""
    tables = {}
    for row in magic.http(
            "SELECT database, table, name, type FROM system.columns WHERE database NOT IN "
            "('_magic', 'system', 'default', 'INFORMATION_SCHEMA', 'information_schema') "
            "ORDER BY database, table, position"):
        database, table, name, kind = (unescaped(field).decode() for field in row)
        if databases is None or database in databases:
            tables.setdefault((database, table), []).append((name, kind))
    return tables


def _shortened(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:200]}… ({len(text)} characters)"


def _without_nullable(kind):
    return re.fullmatch(r"(?:Nullable\()?(.*?)\)?", kind)[1] if kind.startswith("Nullable(") else kind


def table_differences(source, magic, database, table, columns, copied):
    """What differs in one table, in sentences; empty when nothing does."""
    names = [column.name for column in columns]
    if names != [name for name, _ in copied]:
        return [f"columns {names}, in the copy {[name for name, _ in copied]}"]
    differences = []
    for column, (_, kind) in zip(columns, copied):
        wanted = column.clickhouse_type
        if (_without_nullable(kind) if column.kind in DATES else kind) != wanted:
            differences.append(
                f"column {column.name} {column.declared} has type {kind} and not {wanted}")
    expressions = ", ".join(column.expression for column in columns)
    expected, found = Counter(), Counter()
    with source.connect(use_unicode=False, conv={}, autocommit=None, cursorclass=pymysql.cursors.SSCursor) as reader:
        with reader.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = ''")
            cursor.execute(f"SELECT {expressions} FROM {mysql_name(database, table)}")
            for row in cursor:
                expected[tuple(c.of_source(value) for c, value in zip(columns, row))] += 1
    for row in magic.http(f"SELECT * FROM {clickhouse_name(database, table)}"):
        found[tuple(c.of_copy(field) for c, field in zip(columns, row))] += 1
    if expected != found:
        missing, surplus = expected - found, found - expected
        differences.append(
            f"{expected.total()} rows, {found.total()} in the copy; {missing.total()} are only in "
            f"the source, {surplus.total()} only in the copy")
        differences += [f"only in the source: {_shortened(row)}" for row in list(missing)[:3]]
        differences += [f"only in the copy:   {_shortened(row)}" for row in list(surplus)[:3]]
    return differences


def database_differences(source, magic, databases=None, ignored=()):
    """What differs between the source's databases and the copy, in sentences that begin with the
    table's name. Tables in `ignored` are passed over."""
    wanted, copied = source_tables(source, databases), copied_tables(magic, databases)
    differences = []
    for names in sorted((wanted.keys() | copied.keys()) - set(ignored)):
        if names not in copied:
            differences.append(f"{names}: the copy lacks the table")
        elif names not in wanted:
            differences.append(f"{names}: the source has no such table")
        else:
            differences += [f"{names}: {text}" for text in table_differences(
                source, magic, *names, wanted[names], copied[names])]
    return differences


def stopped_tables(magic):
    """The tables that stopped and are not being copied anew: (database, table) -> reason."""
    states = [((table["name"]["database"], table["name"]["table"]), table) for table in magic.status()["tables"]]
    others = {names for names, table in states if table["state"] != "stopped"}
    return {names: table.get("reason") or "" for names, table in states
            if table["state"] == "stopped" and names not in others}


def assert_equal_databases(test, source, magic, databases=None, ignored=(), context=""):
    differences = database_differences(source, magic, databases, ignored)
    deadline = time.monotonic() + 5
    # Names are shown a moment after the status has told of it.
    while any(text.endswith("the copy lacks the table") for text in differences) and time.monotonic() < deadline:
        time.sleep(0.2)
        differences = database_differences(source, magic, databases, ignored)
    if differences:
        test.fail("the copy differs from the source:\n  " + "\n  ".join(differences) + context)

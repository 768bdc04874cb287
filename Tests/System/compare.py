"""Compares source and copy by content, with nothing of Magic's own but the text it prints."""

import pymysql.cursors

ESCAPES = {b"\\": b"\\\\", b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r", b"\0": b"\\0",
           b"\b": b"\\b", b"\f": b"\\f", b"'": b"\\'"}


def escaped(value):
    """A value of the source the way ClickHouse writes it into a TSV field."""
    if value is None:
        return b"\\N"
    text = value if isinstance(value, bytes) else str(value).encode()
    return b"".join(ESCAPES.get(bytes([c]), bytes([c])) for c in text)


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

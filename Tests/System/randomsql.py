"""Random statements of every kind that change a MariaDB's tables, their definitions and the form of
its binlog, in several sessions at once. The same seed on an equal server gives the same statements;
what the server refuses is passed over. It knows nothing of Magic."""

import collections
import re
import string

import pymysql

from compare import mysql_name

DATABASES = ["rnd", "rnd.two words", "Rnd`3-ü"]
TABLES = ["t1", "t2", "T1", "select", "two words", "dot.ted", "tick`ed", "it's", 'double"d',
          "back\\slash", "sla/sh", "semi;colon", "--dashes", "ünïcödé", "表", "%_", "1e5", "#sql",
          "n" * 64, "view$"]
COLUMNS = ["id", "a", "b", "c", "d", "e", "f", "g", "key", "two words", "dot.ted", "tick`ed",
           "it's", 'double"d', "back\\slash", "Ünï", "表", "1", "m" * 64, "semi;", "/*c*/", "?"]
JSON_COLUMNS = ["j1", "j2"]
INDEXES = ["i1", "i2", "i 3", "u1", "u2", "order"]
# Every charset that the sessions and columns use; a statement that one cannot write is passed over.
CHARSETS = ["utf8mb4", "utf8mb4", "utf8mb3", "latin1", "latin2", "ascii", "ucs2", "utf16", "utf32",
            "gbk", "sjis", "cp1251", "koi8r", "euckr", "big5", "binary"]
COLLATIONS = ["utf8mb4_bin", "utf8mb4_unicode_ci", "utf8mb4_general_ci", "utf8mb4_nopad_bin",
              "latin1_swedish_ci", "latin1_german2_ci", "latin1_bin", "utf8mb3_unicode_ci",
              "utf8mb4_uca1400_ai_ci", "cp1251_general_ci", "gbk_chinese_ci"]
TEXTS = ["", "a", "A", "a ", " a", "á", "ß", "ss", "é", "Ω", "中文", "日本", "жЯ", "😀", "x\ty", "l\ni",
         "nul\0l", "\\", "\\N", "'", '"', "`", "%", "NULL", "0", "-1", "1.5", "2020-02-29",
         "11:22:33", "\x7f", "\r\n", "e\u0301", "ﬁ", "İ", "x" * 70, "true", "{}", "[1]", "ab,cd"]
MODES = ["", "", "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE",
         "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "ALLOW_INVALID_DATES",
         "NO_AUTO_VALUE_ON_ZERO", "TRADITIONAL", "REAL_AS_FLOAT", "PIPES_AS_CONCAT,IGNORE_SPACE",
         "PAD_CHAR_TO_FULL_LENGTH", "NO_UNSIGNED_SUBTRACTION"]
SESSION_SETTINGS = [
    ("binlog_row_image", ["FULL", "FULL", "MINIMAL", "NOBLOB"]),
    ("binlog_annotate_row_events", ["ON", "OFF"]),
    ("gtid_domain_id", ["0", "0", "1", "7"]),
    ("time_zone", ["'+00:00'", "'+05:30'", "'-11:00'"]),
    ("timestamp", ["DEFAULT", "DEFAULT", "1000000000", "1600000000.123456"]),
    # Without unique_checks, too, MariaDB logs rows of INSERT IGNORE into an empty table that it does not keep.
    ("foreign_key_checks", ["0", "1"]),
    ("auto_increment_increment", ["1", "3"]), ("sql_quote_show_create", ["0", "1"]),
    ("explicit_defaults_for_timestamp", ["ON", "OFF"]),
    # One of the engines that the source is to have.
    ("default_storage_engine", None),
    ("alter_algorithm", ["DEFAULT", "COPY", "INPLACE", "NOCOPY"]),
    ("tx_isolation", ["'REPEATABLE-READ'", "'READ-COMMITTED'", "'SERIALIZABLE'"]),
    ("character_set_connection", ["utf8mb4", "latin1", "cp1251"]),
    ("check_constraint_checks", ["ON", "OFF"]), ("binlog_alter_two_phase", ["ON", "OFF"]),
    ("binlog_direct_non_transactional_updates", ["ON", "OFF"]),
]
GLOBAL_SETTINGS = [
    ("binlog_row_metadata", ["FULL", "FULL", "MINIMAL", "NO_LOG"]),
    ("binlog_checksum", ["CRC32", "NONE"]), ("log_bin_compress", ["ON", "OFF"]),
    ("log_bin_compress_min_len", ["10", "256"]),
    ("gtid_strict_mode", ["ON", "OFF"]),
]
LOST = {2003, 2006, 2013, 2014, 2055, 1927, 1053, 0}
# ER_ERROR_DURING_COMMIT
FAILED_COMMIT = 1180


class ColumnInfo:
    """What a statement has to know of a column to give it values."""

    def __init__(self, name, kind, declared, nullable, length, precision, scale, extra):
        self.name, self.kind, self.declared = name, kind, declared
        self.nullable = nullable == "YES"
        self.length, self.precision, self.scale = length or 0, precision or 0, scale or 0
        self.is_generated = "GENERATED" in extra
        self.members = len(re.findall(r"'(?:[^']|'')*'", declared)) if kind in ("enum", "set") else 0


class Table:
    def __init__(self, columns, keys):
        self.columns, self.keys = columns, keys

    @property
    def stored(self):
        return [column for column in self.columns if not column.is_generated]


class Session:
    """A connection with a charset of its own, and the modes that decide how text is written."""

    def __init__(self, name, charset):
        self.name, self.charset = name, charset
        self.connection, self.mode, self.settings, self.database = None, "", [], DATABASES[0]

    def connect(self, server):
        self.close()
        # Waiting for locks of another session of this process would be in vain; the writer's own
        # reads hold the definitions of tables for a moment.
        self.connection = server.connect(
            charset=self.charset, init_command=(
                "SET innodb_lock_wait_timeout = 0, lock_wait_timeout = 1, max_statement_time = 10, "
                f"sql_mode = '{self.mode}'"))
        for statement in [f"USE {mysql_name(self.database)}", *self.settings]:
            with self.connection.cursor() as cursor:
                cursor.execute(statement)

    @property
    def is_in_transaction(self):
        return self.connection is not None and self.connection.server_status & 1 != 0

    def close(self):
        if self.connection is not None:
            try:
                self.connection.close()
            except pymysql.err.Error:
                pass
            self.connection = None


class RandomSource:
    """Changes `server` at random: `step()` runs one statement or a few. `log` has the last statements,
    `accepted` and `refused` count them by kind; `unlogged` are statements that were refused and yet had
    an effect."""

    def __init__(self, server, choose, engines=("InnoDB",), remembered=4000):
        self.server, self.choose, self.engines = server, choose, engines
        self.log = collections.deque(maxlen=remembered)
        self.accepted, self.refused = collections.Counter(), collections.Counter()
        self.errors = collections.Counter()
        self.prepared, self.numbers = [], 0
        self.unlogged = []
        self.known = {}
        self.sessions = [Session("A", "utf8mb4"), Session("B", "utf8mb4"), Session("C", "latin1"),
                         Session("D", "cp1251")]
        for name in DATABASES:
            server.execute(f"CREATE DATABASE IF NOT EXISTS {mysql_name(name)}")

    # Running.

    def step(self):
        kinds = self.KINDS
        kind = self.choose.choices([name for _, name in kinds], [weight for weight, _ in kinds])[0]
        session = self.choose.choices(self.sessions, [5, 3, 2, 1])[0]
        getattr(self, kind)(session)

    def run(self, session, statement, kind):
        """Whether the server accepted it. A lost connection is made anew by the next statement."""
        note = f"{session.name}: {statement}"
        try:
            if session.connection is None:
                session.connect(self.server)
            with session.connection.cursor() as cursor:
                cursor.execute(statement)
            self.accepted[kind] += 1
            self.log.append(note)
            return True
        except UnicodeEncodeError:
            return False
        except (pymysql.err.Error, OSError) as error:
            code = error.args[0] if error.args else 0
            self.refused[kind] += 1
            self.errors[kind, code] += 1
            self.log.append(f"{note}\n    refused: {str(error.args)[:120]}")
            # After a commit that failed, a session of MariaDB logs what its engine does not keep.
            if isinstance(error, (pymysql.err.InterfaceError, OSError)) or code in LOST or code == FAILED_COMMIT:
                session.close()
            return False

    def disconnect(self):
        """Ends all sessions, as a restart of the server does."""
        for session in self.sessions:
            session.close()
        self.known.clear()

    def settle(self):
        """Ends open transactions, so that what the sources's tables show is what is committed.
        Prepared XA transactions stay."""
        for session in self.sessions:
            if session.is_in_transaction:
                self.run(session, self.choose.choice(["COMMIT", "ROLLBACK"]), "end")

    def relevant_log(self, *words, last=40):
        return [line for line in self.log if any(word in line for word in words)][-last:]

    # What there is.

    def tables(self):
        """The names of all tables, in an order that does not depend on chance."""
        if None not in self.known:
            names = self.server.rows(
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE "
                "TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA IN %s ORDER BY BINARY TABLE_SCHEMA, "
                "BINARY TABLE_NAME" % self._database_list())
            self.known[None] = [tuple(name) for name in names]
        return self.known[None]

    @staticmethod
    def _database_list():
        return "(" + ", ".join("'" + name.replace("'", "''") + "'" for name in DATABASES) + ")"

    def table(self, names):
        if names not in self.known:
            with self.server.connect() as connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, "
                    "CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, EXTRA "
                    "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s "
                    "ORDER BY ORDINAL_POSITION", names)
                columns = [ColumnInfo(*row) for row in cursor.fetchall()]
                cursor.execute(
                    "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS WHERE "
                    "TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY INDEX_NAME", names)
                self.known[names] = Table(columns, [row[0] for row in cursor.fetchall()])
        return self.known[names]

    def forget(self):
        self.known.clear()

    def any_table(self):
        names = self.tables()
        return self.choose.choice(names) if names else None

    def new_table_name(self):
        return (self.choose.choice(DATABASES), self.choose.choice(TABLES))

    # Words.

    def name(self, session, *parts):
        """A name, written in one of the ways that the session allows."""
        ansi = "ANSI" in session.mode
        written = []
        if len(parts) == 2 and parts[0] == session.database and self.choose.random() < 0.5:
            parts = parts[1:]
        for part in parts:
            if ansi and self.choose.random() < 0.5:
                written.append('"' + part.replace('"', '""') + '"')
            elif re.fullmatch(r"[a-z][a-z0-9]*", part) and part not in ("select", "key", "order") \
                    and self.choose.random() < 0.5:
                written.append(part)
            else:
                written.append(mysql_name(part))
        return self.choose.choice([".", ".", ".", " . "]).join(written)

    def text(self, session, value):
        """A string literal, written in one of several ways."""
        form = self.choose.random()
        if form < 0.1:
            return f"X'{value.encode().hex()}'"
        if form < 0.15:
            return f"_utf8mb4 X'{value.encode().hex()}'"
        body = value.replace("'", "''")
        if "NO_BACKSLASH_ESCAPES" not in session.mode:
            body = body.replace("\\", "\\\\").replace("\0", "\\0")
        if form < 0.25 and "ANSI" not in session.mode and '"' not in body and "'" not in body:
            return f'"{body}"'
        if form < 0.3 and len(value) > 1 and "\\" not in value:
            middle = value.replace("'", "''").replace("\0", "\\0")
            return f"'{middle[:1]}' '{middle[1:]}'" if "'" not in middle else f"'{body}'"
        return f"'{body}'"

    def spaces(self):
        return self.choose.choice([" "] * 6 + ["\n  ", "\t", " /* c ; ' */ ", " -- remark\n", " # r\n"])

    def type(self):
        choose = self.choose
        unsigned = choose.choice(["", "", " UNSIGNED", " UNSIGNED ZEROFILL"])
        fraction = choose.choice(["", "(1)", "(3)", "(6)"])
        members = choose.choice(
            ["'a','b','c'", "'a','b'", "'a','b','c','d'", "'c','b','a'", "'é','ü','中'", "'it''s','x','1'",
             "'','x'", "'A b','c)d'"])
        return choose.choice([
            lambda: choose.choice(["TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "INT(5)", "INTEGER"])
            + unsigned,
            lambda: choose.choice(["INT", "BIGINT", "BOOLEAN", "INT8", "INT UNSIGNED", "BIGINT UNSIGNED"]),
            lambda: choose.choice(["DECIMAL(10,2)", "DECIMAL(65,30)", "NUMERIC(5)", "DECIMAL(20,10)", "DEC(1,1)",
                                   "DECIMAL", "DECIMAL(38,4)", "FIXED(12,3) UNSIGNED"]),
            lambda: choose.choice(["FLOAT", "DOUBLE", "REAL", "DOUBLE PRECISION", "FLOAT(7,3)", "FLOAT(53)",
                                   "DOUBLE(12,4) UNSIGNED"]),
            lambda: f"BIT({choose.choice([1, 5, 8, 33, 64])})",
            lambda: "DATE", lambda: "DATETIME" + fraction, lambda: "DATETIME" + fraction,
            lambda: f"TIMESTAMP{fraction} NULL", lambda: "TIME" + fraction, lambda: "YEAR",
            lambda: self._text_type(), lambda: self._text_type(), lambda: self._text_type(),
            lambda: choose.choice(["BINARY(5)", "VARBINARY(30)", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB",
                                   "BINARY(16)", "VARBINARY(300)", "BINARY"]),
            lambda: f"ENUM({members})" + choose.choice(["", " CHARACTER SET latin1", " CHARSET utf8mb4"]),
            lambda: f"SET({members})",
            lambda: choose.choice(["UUID", "INET6", "INET4"]),
            lambda: choose.choice(["POINT", "GEOMETRY", "POLYGON", "LINESTRING"]),
        ])()

    def _text_type(self):
        choose = self.choose
        kind = choose.choice(["CHAR(5)", "CHAR(60)", "VARCHAR(20)", "VARCHAR(200)", "VARCHAR(3000)", "TINYTEXT",
                              "TEXT", "MEDIUMTEXT", "LONGTEXT", "CHARACTER VARYING(40)", "NCHAR(9)",
                              "VARCHAR(1)", "TEXT(70000)", "CHAR(0)", "LONG VARCHAR"])
        more = choose.random()
        if kind[0] == "N" or more < 0.35:
            return kind
        if more < 0.7:
            charset = choose.choice(CHARSETS)
            return f"{kind} {choose.choice(['CHARACTER SET', 'CHARSET'])} {charset}"
        if more < 0.9:
            return f"{kind} COLLATE {choose.choice(COLLATIONS)}"
        return f"{kind} COMPRESSED" if kind.startswith(("VARCHAR", "TEXT", "LONGT")) else kind

    def default(self, session, kind):
        """A DEFAULT clause that mostly suits the type."""
        choose, kind = self.choose, kind.upper()
        if choose.random() < 0.12:
            return choose.choice([" DEFAULT NULL", " DEFAULT (1 + 1)", " DEFAULT (UUID())",
                                  " DEFAULT CURRENT_TIMESTAMP", " DEFAULT (CONCAT('a', 'b'))"])
        if kind.startswith(("TINY", "SMALL", "MEDIUM", "INT", "BIGINT", "BOOL", "YEAR")) and "TEXT" not in kind \
                and "BLOB" not in kind and not kind.startswith("INET"):
            return " DEFAULT " + choose.choice(["0", "1", "-1", "'7'", "TRUE", "0x10", "b'11'", "1e1", "99", "2001"])
        if kind.startswith(("DEC", "NUM", "FIX", "FLOAT", "DOUBLE", "REAL")):
            return " DEFAULT " + choose.choice(["0", "1.5", "-0.25", "'2.75'", "1e-3", ".5", "12345.678"])
        if kind.startswith("BIT"):
            return " DEFAULT " + choose.choice(["b'1'", "1", "0x01", "b'0'"])
        if kind.startswith("DATE") or kind.startswith("TIMESTAMP"):
            return " DEFAULT " + choose.choice(
                ["'2020-01-02'", "'2021-03-04 05:06:07'", "'1999-12-31 23:59:59.987654'", "0", "20200101",
                 "TIMESTAMP'2020-05-05 10:00:00'", "'0000-00-00 00:00:00'", "CURRENT_TIMESTAMP"])
        if kind.startswith("TIME"):
            return " DEFAULT " + choose.choice(["'10:11:12'", "'-838:59:59'", "101112", "'1 10:00:00.5'", "0"])
        if kind.startswith("ENUM") or kind.startswith("SET"):
            return " DEFAULT " + choose.choice(["'a'", "'b'", "'é'", "'x'", "''", "'b,a'", "'c'", "2"])
        if kind.startswith("UUID"):
            return " DEFAULT '123e4567-e89b-12d3-a456-426655440000'"
        if kind.startswith("INET"):
            return " DEFAULT " + choose.choice(["'10.0.0.1'", "'::1'"])
        if kind.startswith(("BINARY", "VARB", "BLOB", "LONGBLOB", "MEDIUMBLOB", "TINYBLOB")):
            return " DEFAULT " + choose.choice(["'x'", "x'00ff'", "''", "0x616263", "b'0110'"])
        return " DEFAULT " + self.text(session, choose.choice(TEXTS))

    def column(self, session, name=None):
        """A column's definition with its name."""
        choose = self.choose
        if name is None:
            name = choose.choice(COLUMNS)
            if choose.random() < 0.06:
                name = choose.choice(JSON_COLUMNS)
        kind = "JSON" if name in JSON_COLUMNS else self.type()
        written = self.name(session, name) + self.spaces() + kind
        if choose.random() < 0.07:
            expression = choose.choice([
                "1 + 1", "CONCAT('g', {0})", "{0}", "UPPER({0})", "{0} * 2", "LENGTH({0})", "COALESCE({0}, 0)"])
            base = mysql_name(choose.choice(COLUMNS[:6]))
            kind = choose.choice(["VARCHAR(100)", "INT", "BIGINT", "TEXT", "DOUBLE"])
            storing = choose.choice(["VIRTUAL", "STORED", "PERSISTENT", ""])
            return (f"{self.name(session, name)} {kind} "
                    f"{choose.choice(['GENERATED ALWAYS ', ''])}AS ({expression.format(base)}) {storing}")
        if "TIMESTAMP" not in kind and choose.random() < 0.35:
            written += " NOT NULL"
        if choose.random() < 0.35:
            written += self.default(session, kind)
        if choose.random() < 0.04:
            written += " INVISIBLE"
        if choose.random() < 0.06:
            written += choose.choice([" COMMENT 'it''s; a, (comment)'", " COMMENT 'DROP COLUMN'", " COMMENT ''"])
        if choose.random() < 0.03:
            written += choose.choice([" UNIQUE", " UNIQUE KEY", " CHECK (1)", " KEY"])
        return written

    def key_columns(self, session, names, most=3):
        chosen = self.choose.sample(names, min(len(names), self.choose.choice([1, 1, 2, most])))
        return ", ".join(
            self.name(session, name) + self.choice_of(*[""] * 9, "(3)", " DESC", " ASC") for name in chosen)

    def choice_of(self, *values):
        return self.choose.choice(values)

    def value(self, session, column):
        """A literal for a column: most fit, some do not."""
        choose, kind = self.choose, column.kind
        chance = choose.random()
        if column.nullable and chance < 0.1:
            return "NULL"
        if chance < 0.14:
            return "DEFAULT"
        if column.name in JSON_COLUMNS:
            return choose.choice([
                "'{}'", "'[]'", "'{\"a\": [1, 2.50, \"x\"], \"b\": null}'", "'\"text\"'", "'12'", "'true'",
                "'{\"k\":   \"spaced\"}'", "JSON_ARRAY(1, 2, 'z')", "JSON_OBJECT('k', 1.0)"])
        if kind in ("tinyint", "smallint", "mediumint", "int", "bigint"):
            bits = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}[kind]
            low, high = (0, (1 << bits) - 1) if "unsigned" in column.declared else (
                -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            return str(choose.choice([
                low, high, 0, 1, choose.randint(low, high), choose.randint(-200, 200), choose.randint(0, 9999),
                choose.randint(1, 60), choose.randint(1, 60), high + choose.choice([0, 0, 0, 1])]))
        if kind == "decimal":
            digits = "".join(choose.choices(string.digits, k=choose.randint(1, column.precision)))
            fraction = digits[-column.scale:] if column.scale else ""
            whole = digits[:max(0, len(digits) - column.scale)] or "0"
            return choose.choice(["", "-"]) + whole + ("." + fraction if fraction else "")
        if kind in ("float", "double"):
            return choose.choice([
                "0", "-0.0", "1.5", "0.1", "-3.25e10", "3.4e38", "1e-40", "1.7976931348623157e308", "123456789.125",
                repr(choose.uniform(-1000, 1000)), repr(choose.uniform(-1, 1) * 10 ** choose.randint(-30, 30))])
        if kind == "bit":
            return "b'" + "".join(choose.choices("01", k=choose.randint(1, max(1, column.precision)))) + "'"
        if kind in ("date", "datetime", "timestamp"):
            year = choose.choice([1971, 1999, 2020, 2024, 2037, choose.randint(1971, 2037)])
            if kind != "timestamp" and choose.random() < 0.3:
                year = choose.choice([1, 99, 1000, 1582, 1899, 1900, 2299, 2300, 9999])
            if choose.random() < 0.04:
                return choose.choice(["'0000-00-00'", "'2024-00-10'", "'2024-02-31'", "0"])
            text = f"{year:04}-{choose.randint(1, 12):02}-{choose.randint(1, 28):02}"
            if choose.random() < 0.8:
                text += f" {choose.randint(0, 23):02}:{choose.randint(0, 59):02}:{choose.randint(0, 59):02}"
                text += choose.choice(["", ".5", ".999999", ".000001", ".123"])
            return f"'{text}'"
        if kind == "time":
            return "'" + choose.choice(["-838:59:59", "838:59:59", "00:00:00", "-00:00:00.000001", "12:34:56.789",
                                        f"{choose.randint(-800, 800)}:{choose.randint(0, 59):02}:01.25"]) + "'"
        if kind == "year":
            return str(choose.choice([0, 1901, 2155, 2024, choose.randint(1901, 2155)]))
        if kind in ("enum", "set"):
            top = column.members if kind == "enum" else (1 << min(column.members, 6)) - 1
            return str(choose.randint(0 if kind == "set" or choose.random() < 0.05 else 1, max(1, top)))
        if kind == "uuid":
            return f"'{choose.getrandbits(32):08x}-{choose.getrandbits(16):04x}-11ec-8000-0242ac130003'"
        if kind == "inet4":
            return f"'{choose.randint(0, 255)}.0.{choose.randint(0, 255)}.255'"
        if kind == "inet6":
            return choose.choice(["'::'", "'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.128'",
                                  f"'fe80::{choose.getrandbits(16):x}'", "'::1.2.3.4'"])
        if kind in ("binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob"):
            if choose.random() < 0.03 and kind in ("mediumblob", "longblob"):
                return f"REPEAT(x'{choose.getrandbits(32):08x}', {choose.choice([70000, 300000])})"
            return "x'" + choose.randbytes(choose.choice([0, 1, 4, 5, 5, 16, 30])).hex() + choose.choice(
                ["", "", "00", "2020", "000000"]) + "'"
        if kind in ("point", "geometry", "linestring", "polygon"):
            shape = {"point": "POINT({0} -2.5)", "linestring": "LINESTRING(0 0, {0} 1)",
                     "polygon": "POLYGON((0 0, 1 0, 1 {0}, 0 0))", "geometry": "MULTIPOINT(0 0, {0} 9)"}[kind]
            return f"ST_GeomFromText('{shape.format(choose.randint(1, 99))}'{choose.choice(['', ', 4326'])})"
        if choose.random() < 0.02 and column.length > 60000:
            return f"REPEAT({self.text(session, 'é')}, {choose.choice([300, 20000, 40000])})"
        if choose.random() < 0.5:
            return f"'{choose.choice('abcdexyz')}{choose.randint(0, 9999)}'"
        return self.text(session, choose.choice(TEXTS))

    def predicate(self, session, table):
        choose = self.choose
        column = choose.choice(table.columns)
        name = self.name(session, column.name)
        value = self.value(session, column)
        value = "NULL" if value == "DEFAULT" else value
        return choose.choice([
            lambda: f"{name} = {value}", lambda: f"{name} > {value}", lambda: f"{name} < {value}",
            lambda: f"{name} <=> {value}",
            lambda: f"{name} IS NOT NULL", lambda: f"{name} IS NULL",
            lambda: f"CRC32({name}) % {choose.choice([2, 3, 5, 11])} = {choose.randint(0, 1)}",
            lambda: "RAND(7) < 0.3", lambda: "1"])()

    # Changes of rows.

    def target(self, session):
        names = self.any_table()
        if names is None:
            self.create(session)
            return None, None
        table = self.table(names)
        return (names, table) if table.stored else (None, None)

    def insert(self, session):
        names, table = self.target(session)
        if names is None:
            return
        choose = self.choose
        columns = table.stored
        verb = choose.choice(["INSERT INTO", "INSERT INTO", "INSERT IGNORE INTO", "INSERT IGNORE INTO", "REPLACE INTO"])
        # With minimal row images the server does not log which columns REPLACE gave their defaults.
        if choose.random() < 0.2 and verb != "REPLACE INTO":
            columns = choose.sample(columns, choose.randint(1, len(columns)))
        count = choose.choice([1, 1, 2, 3, 5, 20, 60])
        rows = ", ".join(
            "(" + ", ".join(self.value(session, column) for column in columns) + ")" for _ in range(count))
        listed = ", ".join(self.name(session, column.name) for column in columns)
        statement = f"{verb} {self.name(session, *names)} ({listed}) VALUES {rows}"
        if verb == "INSERT INTO" and choose.random() < 0.3:
            changed = choose.choice(columns)
            statement += (f" ON DUPLICATE KEY UPDATE {self.name(session, changed.name)} = "
                          + self.value(session, changed))
        self.run(session, statement, "insert")

    def insert_many(self, session):
        """Many rows by one statement, of the table itself or of a sequence."""
        names, table = self.target(session)
        if names is None:
            return
        choose = self.choose
        written = self.name(session, *names)
        columns = table.stored
        listed = ", ".join(self.name(session, column.name) for column in columns)
        count = choose.choice([50, 300, 300, 2000])
        if choose.random() < 0.5:
            values = ", ".join(
                "seq" if column.kind in ("int", "bigint", "mediumint", "varchar", "decimal", "double", "char")
                else self.value(session, column).replace("DEFAULT", "NULL") for column in columns)
            start = choose.randint(1, 100000)
            source = f"SELECT {values} FROM {mysql_name(DATABASES[0])}.seq_{start}_to_{start + count}"
        else:
            source = f"SELECT {listed} FROM {written} LIMIT {count}"
        self.run(session, f"INSERT IGNORE INTO {written} ({listed}) {source}", "insert many")
        if self.accepted["insert many"] % 8 == 0:
            self.run(session, f"DELETE FROM {written} ORDER BY 1 LIMIT 3000", "delete")

    def update(self, session):
        names, table = self.target(session)
        if names is None:
            return
        choose = self.choose
        changed = choose.sample(table.stored, min(len(table.stored), choose.choice([1, 1, 2, 4])))
        settings = ", ".join(
            f"{self.name(session, column.name)} = " + choose.choice([
                self.value(session, column), self.value(session, column),
                mysql_name(choose.choice(table.columns).name),
                f"{mysql_name(column.name)} + 1" if column.kind in ("int", "bigint") else self.value(session, column)])
            for column in changed)
        statement = (f"UPDATE {choose.choice(['', '', 'IGNORE '])}{self.name(session, *names)} SET {settings} "
                     f"WHERE {self.predicate(session, table)}")
        if choose.random() < 0.3:
            statement += f" ORDER BY {mysql_name(choose.choice(table.columns).name)} LIMIT {choose.choice([1, 5, 100])}"
        self.run(session, statement, "update")

    def delete(self, session):
        names, table = self.target(session)
        if names is None:
            return
        statement = f"DELETE FROM {self.name(session, *names)} WHERE {self.predicate(session, table)}"
        if self.choose.random() < 0.7:
            statement += f" LIMIT {self.choose.choice([1, 1, 3, 10, 200])}"
        self.run(session, statement, "delete")

    def change_two_tables(self, session):
        first, second = self.any_table(), self.any_table()
        if first is None or first == second:
            return
        one, other = self.table(first), self.table(second)
        if not one.stored or not other.stored:
            return
        column, another = self.choose.choice(one.stored), self.choose.choice(other.stored)
        tables = f"{mysql_name(*first)} AS x JOIN {mysql_name(*second)} AS y ON x.{mysql_name(column.name)} = " \
                 f"y.{mysql_name(another.name)}"
        if self.choose.random() < 0.6:
            statement = (f"UPDATE IGNORE {tables} SET x.{mysql_name(column.name)} = {self.value(session, column)}, "
                         f"y.{mysql_name(another.name)} = {self.value(session, another)}")
        else:
            statement = f"DELETE x, y FROM {tables}"
        self.run(session, statement, "two tables")

    # Transactions.

    def begin(self, session):
        self.run(session, self.choice_of("BEGIN", "START TRANSACTION", "SET autocommit = 0",
                                         "START TRANSACTION WITH CONSISTENT SNAPSHOT"), "begin")

    def end(self, session):
        self.run(session, self.choice_of("COMMIT", "COMMIT", "ROLLBACK", "SET autocommit = 1"), "end")

    def whole_transaction(self, session):
        """A transaction with savepoints; most are committed."""
        choose = self.choose
        self.run(session, "BEGIN", "begin")
        saved = []
        for _ in range(choose.choice([2, 5, 12, 30])):
            chance = choose.random()
            if chance < 0.12:
                saved.append(choose.choice(["s1", "s2", "`sp 3`"]))
                self.run(session, f"SAVEPOINT {saved[-1]}", "savepoint")
            elif chance < 0.2 and saved:
                self.run(session, f"ROLLBACK TO SAVEPOINT {choose.choice(saved)}", "savepoint")
            elif chance < 0.23 and saved:
                self.run(session, f"RELEASE SAVEPOINT {choose.choice(saved)}", "savepoint")
            elif chance < 0.26:
                self.temporary(session)
            else:
                getattr(self, choose.choices(
                    ["insert", "update", "delete", "insert_many", "change_two_tables"], [6, 5, 3, 1, 1])[0])(session)
        self.end(session)

    def xa(self, session):
        """An XA transaction, ended in its session or left prepared for another one."""
        choose = self.choose
        if len(self.prepared) >= 2:
            return self.end_prepared(session)
        self.numbers += 1
        xid = choose.choice([f"'x{self.numbers}'", f"'x{self.numbers}','branch'", f"X'00FF{self.numbers:04x}','b''q',42"])
        branch = Session(f"XA{self.numbers}", "utf8mb4")
        if not self.run(branch, f"XA START {xid}", "xa"):
            branch.close()
            return
        for _ in range(choose.choice([0, 1, 3, 10])):
            getattr(self, choose.choice(["insert", "insert", "update", "delete"]))(branch)
        self.run(branch, f"XA END {xid}", "xa")
        how = choose.random()
        if how < 0.15:
            self.run(branch, f"XA COMMIT {xid} ONE PHASE", "xa")
        elif how < 0.25:
            self.run(branch, f"XA ROLLBACK {xid}", "xa")
        elif self.run(branch, f"XA PREPARE {xid}", "xa"):
            if how < 0.5:
                self.run(branch, f"XA {choose.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} {xid}", "xa")
            else:
                self.prepared.append(xid)
        branch.close()

    def end_prepared(self, session):
        if self.prepared:
            if session.is_in_transaction:
                self.end(session)
            xid = self.prepared[0]
            if self.run(session, f"XA {self.choice_of('COMMIT', 'COMMIT', 'ROLLBACK')} {xid}", "xa end") \
                    or "(1397" in self.log[-1] or "(1402" in self.log[-1]:
                # Committed, or nobody knows it: it had changed nothing when its session ended.
                self.prepared.pop(0)

    # Changes of definitions.

    def definition(self, session, statement, kind, names=None):
        """Runs a statement that changes definitions, of the table `names` only if it is given. The
        transactions of other sessions would only make it wait, so they mostly end before."""
        if self.choose.random() < 0.97:
            for other in self.sessions:
                if other is not session and other.is_in_transaction:
                    self.run(other, self.choice_of("COMMIT", "COMMIT", "ROLLBACK"), "end")
        if self.choose.random() < 0.05:
            form = self.choice_of("/* app */ {0}", "\n\t {0}", "/*!40101 {0} */", "/*M!100100 {0} */", "# r\n{0}")
            statement = form.replace("{0}", statement) if "*/" not in statement else statement
        elif self.choose.random() < 0.05:
            statement += self.choice_of(" ", " -- the end", "\n", " /* end */", ";")
        before = self.layout(names)
        accepted = self.run(session, statement, kind)
        self.forget()
        if not accepted and names and session.connection and self.layout(names) != before:
            # MariaDB has done what it refuses, and logs nothing of it: instant changes of a table whose
            # rows then turn out to have no default, replaced tables whose new rows are duplicates.
            self.log.append(f"the source has {names} in another form now, and did not say so: {self.layout(names)}")
            self.unlogged.append((names, statement))
            self.run(session, f"DROP TABLE IF EXISTS {mysql_name(*names)}", "drop")
            self.forget()
        return accepted

    def layout(self, names):
        """The columns of a table; None when there is no such table."""
        if names is None or names not in self.tables():
            return None
        return [(column.name, column.declared) for column in self.table(names).columns]

    def create(self, session):
        choose = self.choose
        names = self.new_table_name()
        verb = choose.choice(["CREATE TABLE"] * 4 + ["CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE"])
        written = self.name(session, *names)
        if choose.random() < 0.1 and self.tables():
            like = self.name(session, *self.any_table())
            self.definition(session, f"{verb} {written} {choose.choice(['LIKE {0}', '(LIKE {0})'])}".format(like), "create like",
                            names)
            return
        if choose.random() < 0.12 and self.tables():
            source = self.any_table()
            head = choose.choice(["", "", " (id INT AUTO_INCREMENT PRIMARY KEY)", " (extra VARCHAR(10) DEFAULT 'x')"])
            # With a key and IGNORE, MariaDB keeps other rows than it logs.
            verbs = ["", "AS ", "REPLACE "] if "PRIMARY" in head else ["", "AS ", "IGNORE ", "REPLACE "]
            what = choose.choice(["*", "*", "'x' AS a, 1.5 AS b, NOW(3) AS c, NULL AS d", "COUNT(*) AS n, MAX(1) AS m"])
            self.definition(
                session, f"{verb} {written}{head} {choose.choice(verbs)}SELECT {what} "
                f"FROM {self.name(session, *source)}", "create select", names)
            return
        columns = choose.sample(COLUMNS, choose.choice([1, 2, 3, 4, 5, 8, 12]))
        parts = [self.column(session, name) for name in columns]
        if choose.random() < 0.1:
            parts.append(self.column(session, choose.choice(JSON_COLUMNS)))
        kind = choose.random()
        if kind < 0.35:
            column = self.name(session, columns[0])
            parts[0] = f"{column} {choose.choice(['INT', 'BIGINT UNSIGNED', 'SMALLINT UNSIGNED', 'INT UNSIGNED'])} " + choose.choice(
                ["PRIMARY KEY", "NOT NULL AUTO_INCREMENT PRIMARY KEY", "NOT NULL PRIMARY KEY", "AUTO_INCREMENT UNIQUE"])
        elif kind < 0.65:
            parts.append(f"{choose.choice(['', 'CONSTRAINT '])}PRIMARY KEY{choose.choice(['', ' USING BTREE'])} "
                         f"({self.key_columns(session, columns)})")
        elif kind < 0.8:
            parts.append(f"UNIQUE {choose.choice(['', 'KEY', 'INDEX'])} {self.name(session, choose.choice(INDEXES))} "
                         f"({self.key_columns(session, columns)})")
        if choose.random() < 0.3:
            parts.append(f"{choose.choice(['KEY', 'INDEX', 'UNIQUE'])} {self.name(session, choose.choice(INDEXES))} "
                         f"({self.key_columns(session, columns)})")
        options = [
            choose.choice(["", "", "", "CHARACTER SET " + choose.choice(CHARSETS), "DEFAULT CHARSET=latin1",
                           "COLLATE = " + choose.choice(COLLATIONS)]),
            choose.choice([""] + [f"ENGINE={engine}" for engine in self.engines]),
            choose.choice(["", "", "COMMENT='a, (b) ; c'", "ROW_FORMAT=COMPRESSED", "ROW_FORMAT=DYNAMIC", "AUTO_INCREMENT=1000",
                           "PAGE_COMPRESSED=1", "STATS_PERSISTENT=0"])]
        if choose.random() < 0.08:
            column = self.name(session, columns[0])
            options.append(choose.choice([
                f"PARTITION BY HASH({column}) PARTITIONS 3", f"PARTITION BY KEY({column}) PARTITIONS 2",
                f"PARTITION BY RANGE({column}) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (50), "
                "PARTITION p2 VALUES LESS THAN MAXVALUE)"]))
        body = choose.choice([", ", ",\n  "]).join(parts)
        self.definition(session, f"{verb} {written} ({body}) {' '.join(filter(None, options))}", "create", names)

    def clause(self, session, table, unchanged):
        """One change of ALTER TABLE; what it changes leaves `unchanged`, so that others leave it alone."""
        choose = self.choose
        columns = [column.name for column in table.columns]
        old = choose.choice(unchanged or columns)
        if_exists = choose.choice(["", "", "", "IF EXISTS "])
        if_not = choose.choice(["", "", "", "IF NOT EXISTS "])
        word = choose.choice(["COLUMN ", ""])
        place = choose.choice(["", "", "", " FIRST", f" AFTER {self.name(session, choose.choice(columns))}"])
        free = [name for name in COLUMNS if name.lower() not in [column.lower() for column in columns]] or ["spare"]
        keys = [key for key in table.keys if key != "PRIMARY"] or INDEXES
        key = self.name(session, choose.choice(keys))
        clauses = {
            "add": (16, lambda: f"ADD {word}{if_not}{self.column(session, choose.choice(free))}{place}"),
            "add several": (2, lambda: f"ADD {word}({self.column(session, choose.choice(free))}, "
                                       f"{self.column(session)})"),
            "drop": (9, lambda: f"DROP {word}{if_exists}{self.name(session, old)}"
                                + choose.choice(["", "", "", " RESTRICT"])),
            "modify": (12, lambda: f"MODIFY {word}{if_exists}{self.column(session, old)}{place}"),
            "widen": (5, lambda: f"MODIFY {word}{self.name(session, old)} " + choose.choice(
                ["BIGINT", "DOUBLE", "LONGTEXT", "VARCHAR(500)", "DECIMAL(60,30)", "DATETIME(6) NULL", "LONGBLOB",
                 "BIGINT NOT NULL", "VARCHAR(400) CHARSET utf8mb4 NOT NULL", "TEXT CHARSET utf8mb4"]) + place),
            "change": (7, lambda: f"CHANGE {word}{if_exists}{self.name(session, old)} "
                                  f"{self.column(session, choose.choice(free + [old]))}{place}"),
            "rename column": (5, lambda: f"RENAME COLUMN {if_exists}{self.name(session, old)} TO "
                                         f"{self.name(session, choose.choice(free))}"),
            "set default": (3, lambda: f"ALTER {word}{self.name(session, old)} SET"
                                       + self.default(session, choose.choice(["INT", "VARCHAR", "DATE"]))),
            "drop default": (2, lambda: f"ALTER {word}{self.name(session, old)} DROP DEFAULT"),
            "add key": (5, lambda: f"ADD {choose.choice(['INDEX', 'KEY', 'UNIQUE', 'UNIQUE KEY', 'UNIQUE INDEX'])} {if_not}"
                                   f"{self.name(session, choose.choice(INDEXES))} ({self.key_columns(session, columns)})"),
            "add primary": (4, lambda: f"ADD {choose.choice(['', 'CONSTRAINT pk '])}PRIMARY KEY "
                                       f"({self.key_columns(session, columns)})"),
            "drop primary": (3, lambda: "DROP PRIMARY KEY"),
            "drop key": (4, lambda: f"DROP {choose.choice(['INDEX', 'KEY'])} {if_exists}{key}"),
            "rename key": (2, lambda: f"RENAME {choose.choice(['INDEX', 'KEY'])} {key} TO "
                                      f"{self.name(session, choose.choice(INDEXES))}"),
            "convert": (3, lambda: "CONVERT TO " + choose.choice(
                ["CHARACTER SET utf8mb4", "CHARSET latin1", "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "CHARACTER SET binary",
                 "CHARACTER SET cp1251"])),
            "charset": (2, lambda: choose.choice(["DEFAULT CHARACTER SET latin1", "CHARSET=utf8mb4",
                                                  "COLLATE utf8mb4_bin"])),
            "options": (4, lambda: choose.choice(
                ["COMMENT 'new, comment'", "FORCE", "AUTO_INCREMENT = 5000", f"ORDER BY {self.name(session, old)}",
                 "ROW_FORMAT=COMPACT", "ADD CONSTRAINT ck CHECK (1 = 1)", "DROP CONSTRAINT ck", "DISABLE KEYS",
                 "ENABLE KEYS", "STATS_PERSISTENT=1"])),
            "engine": (2, lambda: f"ENGINE = {choose.choice(self.engines)}"),
            "rename": (2, lambda: f"RENAME {choose.choice(['TO ', 'AS ', ''])}{self.name(session, *self.new_table_name())}"),
            "partition": (2, lambda: choose.choice(
                [f"PARTITION BY HASH({self.name(session, old)}) PARTITIONS 2", "REMOVE PARTITIONING",
                 "DROP PARTITION p0", "TRUNCATE PARTITION p1", "COALESCE PARTITION 1", "ADD PARTITION PARTITIONS 1",
                 "REBUILD PARTITION ALL",
                 "REORGANIZE PARTITION p0, p1 INTO (PARTITION p0 VALUES LESS THAN (50))"])),
            "invisible": (1, lambda: f"MODIFY {self.name(session, old)} INT INVISIBLE DEFAULT 3"),
            "auto increment": (1, lambda: f"ADD {word}{self.name(session, choose.choice(free))} BIGINT NOT NULL AUTO_INCREMENT "
                                          f"{choose.choice(['PRIMARY KEY', 'UNIQUE', 'UNIQUE KEY'])}{place}"),
        }
        kind = choose.choices(list(clauses), [weight for weight, _ in clauses.values()])[0]
        text = clauses[kind][1]()
        if old in unchanged:
            unchanged.remove(old)
        return kind, text

    def alter(self, session):
        names = self.any_table()
        if names is None:
            return self.create(session)
        table = self.table(names)
        if not table.columns:
            return
        choose = self.choose
        unchanged = [column.name for column in table.columns]
        clauses = [self.clause(session, table, unchanged) for _ in range(choose.choice([1, 1, 1, 1, 2, 2, 3, 5]))]
        if choose.random() < 0.12:
            clauses.append(("algorithm", choose.choice(
                ["ALGORITHM=COPY", "ALGORITHM = INPLACE", "LOCK=NONE", "ALGORITHM=INSTANT", "LOCK DEFAULT", "LOCK=SHARED"])))
        head = choose.choice(["ALTER TABLE"] * 6 + ["ALTER ONLINE TABLE", "ALTER IGNORE TABLE", "ALTER TABLE IF EXISTS"])
        wait = choose.choice([""] * 9 + [" WAIT 1", " NOWAIT"])
        # Most changes of partitions stand alone. So do renames: with another clause beside one that leads
        # into another database, MariaDB keeps the old table, too, when its name is an odd one.
        clauses = [each for each in clauses if each[0] in ("partition", "rename")][:1] or clauses
        kind = "alter: " + (clauses[0][0] if len(clauses) == 1 else "several")
        self.definition(
            session, f"{head}{self.spaces()}{self.name(session, *names)}{wait}{self.spaces()}"
            + choose.choice([", ", ",", ",\n"]).join(text for _, text in clauses), kind, names)

    def index(self, session):
        names = self.any_table()
        if names is None:
            return
        columns = [column.name for column in self.table(names).columns]
        choose = self.choose
        index, written = self.name(session, choose.choice(INDEXES)), self.name(session, *names)
        if columns and choose.random() < 0.65:
            statement = (f"CREATE {choose.choice(['', 'UNIQUE ', 'UNIQUE ', 'OR REPLACE ', 'OR REPLACE UNIQUE '])}INDEX "
                         f"{choose.choice(['', 'IF NOT EXISTS '])}{index} ON {written} ({self.key_columns(session, columns)})")
        else:
            statement = f"DROP INDEX {choose.choice(['', 'IF EXISTS '])}{index} ON {written}"
        self.definition(session, statement, "index")

    def rename(self, session):
        names = self.any_table()
        if names is None:
            return
        choose = self.choose
        other = self.any_table()
        if choose.random() < 0.5 and other != names:
            free = (choose.choice(DATABASES), f"swap{choose.randint(1, 9)}")
            pairs = [(names, free), (other, names), (free, other)]
            kind = "rename: swap"
        else:
            pairs = [(names, self.new_table_name())]
            if choose.random() < 0.3 and other != names:
                pairs.append((other, choose.choice([names, self.new_table_name()])))
            kind = "rename"
        written = ", ".join(f"{self.name(session, *a)} TO {self.name(session, *b)}" for a, b in pairs)
        self.definition(session, f"RENAME {choose.choice(['TABLE', 'TABLE', 'TABLES', 'TABLE IF EXISTS'])} {written}", kind)

    def truncate(self, session):
        names = self.any_table()
        if names is not None:
            self.definition(session, f"TRUNCATE {self.choice_of('TABLE ', '')}{self.name(session, *names)}", "truncate")

    def drop(self, session):
        names = self.any_table()
        if names is None or len(self.tables()) < 4:
            return
        written = self.name(session, *names)
        if self.choose.random() < 0.25:
            written += ", " + self.name(session, *(self.any_table() if self.choose.random() < 0.5 else self.new_table_name()))
        self.definition(
            session, f"DROP TABLE {self.choice_of('', 'IF EXISTS ')}{written}{self.choice_of('', '', ' CASCADE')}", "drop")

    def database(self, session):
        name = self.choose.choice(DATABASES[1:])
        self.definition(session, self.choice_of(
            f"ALTER DATABASE {mysql_name(name)} CHARACTER SET {self.choice_of('latin1', 'utf8mb4', 'cp1251')}",
            f"ALTER DATABASE {mysql_name(name)} CHARACTER SET {self.choice_of('latin1', 'utf8mb4', 'cp1251')}",
            f"CREATE DATABASE IF NOT EXISTS {mysql_name(name)} CHARSET latin1"), "database")
        if self.choose.random() < 0.15:
            self.definition(session, f"DROP DATABASE {mysql_name(name)}", "drop database")
            self.definition(session, f"CREATE DATABASE {mysql_name(name)}", "database")

    def other_objects(self, session):
        """Views, triggers, sequences, procedures: nothing of theirs belongs into the copy, but rows
        that a trigger changes do."""
        choose = self.choose
        database = mysql_name(choose.choice(DATABASES))
        names, other = self.any_table(), self.any_table()
        if names is None:
            return
        table = self.table(other)
        body = f"DELETE FROM {mysql_name(*other)} LIMIT 1"
        if table.stored and choose.random() < 0.7:
            column = choose.choice(table.stored)
            body = (f"INSERT IGNORE INTO {mysql_name(*other)} ({mysql_name(column.name)}) VALUES "
                    f"({self.value(session, column)})")
        trigger = f"{mysql_name(names[0])}.trg{choose.randint(1, 2)}"
        self.definition(session, choose.choice([
            f"CREATE OR REPLACE VIEW {database}.v1 AS SELECT * FROM {mysql_name(*names)}", f"DROP VIEW IF EXISTS {database}.v1",
            f"CREATE OR REPLACE TRIGGER {trigger} {choose.choice(['AFTER', 'BEFORE'])} "
            f"{choose.choice(['INSERT', 'UPDATE', 'DELETE'])} ON {mysql_name(*names)} FOR EACH ROW {body}",
            f"DROP TRIGGER IF EXISTS {trigger}", f"DROP TRIGGER IF EXISTS {trigger}",
            f"CREATE OR REPLACE SEQUENCE {database}.s1 START WITH 5", f"SELECT NEXTVAL({database}.s1)",
            f"ALTER SEQUENCE {database}.s1 RESTART 50", f"DROP SEQUENCE IF EXISTS {database}.s1",
            f"CREATE OR REPLACE PROCEDURE {database}.p1() BEGIN DECLARE n INT DEFAULT 0; {body}; {body}; END",
            f"CALL {database}.p1()", f"DROP PROCEDURE IF EXISTS {database}.p1",
            f"CREATE OR REPLACE FUNCTION {database}.f1() RETURNS INT RETURN 1",
            f"ANALYZE TABLE {mysql_name(*names)}", f"OPTIMIZE TABLE {mysql_name(*names)}",
            f"LOCK TABLES {mysql_name(*names)} WRITE", "FLUSH TABLES", "DO 1",
            "CREATE USER IF NOT EXISTS somebody", "DROP USER IF EXISTS somebody", "FLUSH PRIVILEGES",
            f"GRANT SELECT ON {database}.* TO CURRENT_USER",
        ]), "other objects")
        if self.log[-1].startswith(f"{session.name}: LOCK"):
            self.delete(session)
            self.run(session, "UNLOCK TABLES", "other objects")

    def temporary(self, session):
        """Temporary tables hide others of the same name, and none of theirs is in the binlog."""
        choose = self.choose
        names = self.any_table() if choose.random() < 0.3 else (DATABASES[0], "tmp1")
        if names is None:
            return
        written = mysql_name(*names)
        real = self.any_table()
        self.run(session, f"CREATE TEMPORARY TABLE {written} (id INT PRIMARY KEY, x TEXT) ENGINE="
                          f"{choose.choice(self.engines)}".replace("x TEXT", "x INT"), "temporary")
        self.run(session, f"INSERT INTO {written} VALUES (1, 1), (2, NULL)", "temporary")
        if choose.random() < 0.4:
            self.run(session, f"ALTER TABLE {written} ADD COLUMN y INT DEFAULT 5", "temporary")
        if choose.random() < 0.4 and real is not None and real != names:
            column = choose.choice(self.table(real).columns or [None])
            if column is not None and not column.is_generated:
                self.run(session, f"INSERT IGNORE INTO {mysql_name(*real)} ({mysql_name(column.name)}) "
                                  f"SELECT id FROM {written}", "temporary")
        if choose.random() < 0.2:
            self.run(session, f"CREATE TABLE {mysql_name(*self.new_table_name())} SELECT * FROM {written}", "temporary")
            self.forget()
        self.run(session, f"DROP {choose.choice(['TEMPORARY ', 'TEMPORARY '])}TABLE IF EXISTS {written}", "temporary")

    # Settings.

    def session_setting(self, session):
        choose = self.choose
        if choose.random() < 0.35:
            session.mode = choose.choice(MODES)
            self.run(session, f"SET SESSION sql_mode = '{session.mode}'", "setting")
            return
        if choose.random() < 0.15:
            session.database = choose.choice(DATABASES)
            if not self.run(session, f"USE {mysql_name(session.database)}", "setting"):
                session.close()
            return
        name, values = choose.choice(SESSION_SETTINGS)
        values = values or self.engines
        if name == "sql_quote_show_create" and session.charset != "utf8mb4":
            # Names without quotes would be logged in another charset than those with them.
            return
        statement = f"SET SESSION {name} = {choose.choice(values)}"
        if self.run(session, statement, "setting"):
            session.settings = [text for text in session.settings if f" {name} " not in text] + [statement]

    def global_setting(self, session):
        name, values = self.choose.choice(GLOBAL_SETTINGS)
        self.run(session, f"SET GLOBAL {name} = {self.choose.choice(values)}", "global setting")

    def flush_logs(self, session):
        self.run(session, "FLUSH BINARY LOGS", "flush")

    KINDS = [
        (26, "insert"), (4, "insert_many"), (18, "update"), (10, "delete"), (2, "change_two_tables"),
        (3, "begin"), (4, "end"), (4, "whole_transaction"), (2, "xa"), (1.5, "end_prepared"),
        (5, "create"), (16, "alter"), (4, "index"), (3, "rename"), (1, "truncate"), (1.5, "drop"),
        (0.6, "database"), (3, "other_objects"), (1, "temporary"), (2.5, "session_setting"),
        (0.5, "global_setting"), (0.5, "flush_logs"),
    ]

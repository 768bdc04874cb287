"""Who may do what, through every interface of `magic serve`; and TLS."""

import base64
import http.client
import json
import os
import shutil
import subprocess
import time
import unittest

import pyarrow as pa
import pyarrow.flight as flight

from harness import MAGIC, temporary_folder, wait_until
from mutable import StatementFailed
from protocol import action, command, unpacked
from serving import REFUSED, Service, hashed
from test_http_curl import curl

ADMIN, WRITER, READER, GUEST = "olga", "wanda", "rita", "guest"
PASSWORDS = {
    ADMIN: "Adm1n:secret/%@", WRITER: "wr1t3r-s3cret", READER: "re4der's", GUEST: "gu3st\"secret"}
DATA = "confidential-row-38172"  # must never be in a log

WRITES = [
    "INSERT INTO open.t VALUES (9, 'x')", "UPSERT INTO open.t VALUES (9, 'x')",
    "UPDATE open.t SET s = 'x' WHERE 1", "DELETE FROM open.t WHERE 1", "TRUNCATE TABLE open.t",
    "INSERT INTO open.t SELECT number, '' FROM numbers(3)",
    "IMPORT INTO open.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (1, 'x', 1000000, 0)",
    "CREATE TABLE open.made (a Int8) ENGINE = MergeTree ORDER BY a", "DROP TABLE open.t",
    "CREATE DATABASE made", "CREATE VIEW open.v AS SELECT 1", "CREATE FUNCTION f AS x -> x",
    "ALTER TABLE open.t ADD COLUMN c Int8", "RENAME TABLE open.t TO open.u", "DROP DATABASE open",
    "OPTIMIZE TABLE open.t", "EXCHANGE TABLES open.t AND covert.t",
    "WITH 1 AS x INSERT INTO open.t SELECT x, ''", "/* */ -- \n insert into open.t values (9, 'x')",
    "EXPLAIN ANALYZE INSERT INTO open.t VALUES (9, 'x')",
]
ADMINISTRATION = [
    "SYSTEM SHUTDOWN", "SYSTEM KILL", "SYSTEM STOP MERGES", "SYSTEM DROP MARK CACHE",
    "SYSTEM RELOAD CONFIG", "CREATE USER mallory", "GRANT ALL ON *.* TO mallory",
    "CREATE ROLE r", "CREATE SETTINGS PROFILE p", "ATTACH TABLE open.x FROM '/tmp' (a Int8) "
    "ENGINE = MergeTree ORDER BY a", "BACKUP TABLE open.t TO Disk('default', 'x')",
    "CREATE NAMED COLLECTION n AS a = 'b'", "DETACH DATABASE open",
]
HOST = [
    "SELECT * FROM file('/etc/passwd', 'LineAsString', 'line String')",
    "SELECT file('/etc/passwd')", "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM (SELECT * FROM file('/etc/passwd', 'LineAsString', 'line String'))",
    "WITH x AS (SELECT * FROM file('/etc/passwd', 'LineAsString', 'l String')) SELECT * FROM x",
    "SELECT 1 WHERE 'root' IN (SELECT * FROM file('/etc/passwd', 'LineAsString', 'l String'))",
    "SELECT (SELECT count() FROM file('/etc/passwd', 'LineAsString', 'l String'))",
    "DESCRIBE TABLE file('/etc/passwd', 'LineAsString')",
    "DESCRIBE file('/etc/passwd', 'CSV')", "SELECT * FROM FILE('/etc/passwd', 'LineAsString')",
    "SELECT * FROM `file`('/etc/passwd', 'LineAsString', 'l String')",
    "SELECT * FROM view(SELECT * FROM file('/etc/passwd', 'LineAsString', 'l String'))",
    "SELECT * FROM executable('cat', 'TSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
    "SELECT * FROM remoteSecure('127.0.0.1:1', 'system', 'one')",
    "SELECT * FROM cluster('default', 'system', 'one')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'e String')",
    "SELECT * FROM redis('127.0.0.1:1', 'a', 'a String')",
    "SELECT * FROM sqlite('/etc/passwd', 't')", "SELECT * FROM s3('http://127.0.0.1:1/b/x', 'CSV')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 'a String')",
    "SELECT * FROM azureBlobStorage('x', 'y', 'z', 'CSV')",
    "SELECT * FROM deltaLakeLocal('/tmp')", "SELECT * FROM icebergLocal('/tmp')",
    "SELECT * FROM fileCluster('default', '/etc/passwd', 'LineAsString')",
    "SELECT * FROM jdbc('x', 'y')", "SELECT * FROM odbc('x', 'y')",
    "SELECT * FROM Python('x')", "SELECT 1 INTO OUTFILE '/tmp/magic-outfile'",
    "INSERT INTO FUNCTION file('/tmp/magic-written', 'CSV', 'a Int8') VALUES (1)",
    "INSERT INTO open.t FROM INFILE '/etc/passwd' FORMAT CSV",
    "SELECT * FROM filesystem('/etc')",
    "SET max_threads = 1, join_use_nulls, "
    "additional_result_filter = 'toUInt8(file(\\'/etc/passwd\\')) = 1'",
    "SELECT 1 SETTINGS join_use_nulls, additional_result_filter = 'file(\\'/etc/passwd\\') = 1'",
    "SELECT 1 SETTINGS join_use_nulls, max_memory_usage = 0",
    "SELECT * FROM format('Values', 'a String', '(file(\\'/etc/passwd\\'))')",
    "SELECT * FROM format('Values', 'a String', '((SELECT s FROM covert.t))')",
    "SELECT a FROM values('x Int8, a String ALIAS file(\\'/etc/passwd\\')', 1)",
    "WITH 'x Int8, a String ALIAS file(\\'/etc/passwd\\')' AS s SELECT a FROM values(s, 1)",
    "SELECT a FROM values('x Int8, a String\u00a0ALIAS\u00a0file(\\'/etc/passwd\\')', 1)",
    "SET param_x = [\u2018'\u2019], additional_result_filter = \u2018file($$/etc/passwd$$)=0\u2019, "
    "param_y = [\u2018'\u2019]",
    "SELECT a FROM generateRandom('x Int8, a String ALIAS file(\\'/etc/passwd\\')') LIMIT 1",
    "INSERT INTO open.t SETTINGS input_format_values_interpret_expressions = 1 "
    "FORMAT Values (7, file('/etc/passwd'))",
    "INSERT INTO open.t FORMAT Values (7, file('/etc/passwd')), (8, upper('x'))",
    "CREATE TABLE open.d (a Int8) ENGINE = MergeTree ORDER BY a "
    "SETTINGS ttl_only_drop_parts, disk = disk(type = local, path = '/tmp/magic-disk/')",
    "SELECT hostName()", "SELECT fqdn()", "SELECT uptime()", "SELECT tcpPort()",
    "SELECT 1 SETTINGS log_comment = 'x'", "SET log_comment = 'x'", "SET send_logs_level = 'trace'",
]
ELSEWHERE = [
    "DROP TABLE IF EXISTS open.\u201c'\u201d, covert.t --'", "DESCRIBE FROM covert.t",
    "DESCRIBE TABLE FROM covert.t SELECT *", "USE DATABASE system", "TRUNCATE TABLE magic\u00a0.query_log",
    "SELECT dictGet(`covert.d`, 's', 1)", "WITH 'covert.d' AS n SELECT dictGet(n, 's', 1)",
    "WITH 'covert.j' AS n SELECT joinGet(n, 's', 1)",
    "SELECT * FROM covert.t", "SELECT * FROM `covert`.t", "SELECT * FROM \"covert\".\"t\"",
    "SELECT * FROM covert /* */ . /* */ t", "SELECT * FROM covert\n.\nt", "USE covert",
    "SELECT * FROM open.t JOIN covert.t AS h USING (id)", "SELECT (SELECT any(s) FROM covert.t)",
    "SELECT 1 IN covert.t", "SELECT * FROM open.t WHERE id IN (SELECT id FROM covert.t)",
    "WITH covert.t AS x SELECT * FROM x", "WITH x AS (SELECT * FROM covert.t) SELECT * FROM x",
    "SELECT * FROM merge('covert', '.*')", "SELECT * FROM merge(REGEXP('.*'), '^t$')",
    "SELECT * FROM merge('cov' || 'ert', '^t$')", "SELECT * FROM loop(covert.t) LIMIT 1",
    "SELECT * FROM loop('covert', 't') LIMIT 1", "SELECT * FROM mergeTreeIndex('covert', 't')",
    "SELECT * FROM mergeTreeIndex('cov' || 'ert', 't')", "SELRAW * FROM covert.t",
    "SELECT * FROM view(SELECT * FROM covert.t)", "DESCRIBE TABLE covert.t",
    "SHOW TABLES FROM covert", "SHOW CREATE TABLE covert.t", "SHOW COLUMNS FROM t FROM covert",
    "SHOW CREATE DATABASE covert", "EXISTS TABLE covert.t", "CHECK TABLE covert.t",
    "EXPLAIN SELECT * FROM covert.t", "EXPLAIN PLAN SELECT * FROM covert.t",
    "SELECT hasColumnInTable('covert', 't', 's')", "SELECT joinGet('covert.t', 's', 1)",
    "SELECT dictGet('covert.t', 's', 1)", "SELECT * FROM {d:Identifier}.t",
    "SELECT * FROM clusterAllReplicas('default', covert.t)", "SELECT * FROM covert.*",
    "TABLE covert.t", "FROM covert.t SELECT *", "SELECT * FROM dictionary('covert.t')",
]
# What they may run, but what must not tell of the covert database.
CATALOGS = [
    "SHOW DATABASES", "SELECT name FROM system.databases",
    "SELECT database || '.' || name || create_table_query FROM system.tables",
    "SELECT database || '.' || table || '.' || name FROM system.columns",
    "SELECT table_schema || table_name FROM information_schema.tables",
    "SELECT * FROM INFORMATION_SCHEMA.COLUMNS", "SELECT database || table || name FROM system.parts",
    "SELECT query FROM system.processes", "SELECT * FROM system.merges",
    "SELECT * FROM magic.query_log", "SELECT * FROM magic.slow_queries",
    "SELECT * FROM system.parts_columns", "SELECT * FROM system.mutations",
    "SELECT * FROM system.view_refreshes", "SELECT * FROM system.detached_parts",
]


class AccessTests(unittest.TestCase):
    """An admin, a writer and a reader, and a guest who reads the database `open` only."""

    @classmethod
    def setUpClass(cls):
        cls.service = Service(*cls.users())
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()
        cls.connections = {}
        with cls.service.connect() as connection:  # the socket is its owner's
            for statement in (
                    "CREATE DATABASE open", "CREATE DATABASE covert",
                    "CREATE TABLE open.t (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id",
                    "CREATE TABLE covert.t (id UInt32, s String) ENGINE = MutableMergeTree "
                    "ORDER BY id",
                    "INSERT INTO open.t VALUES (1, 'seen')",
                    f"INSERT INTO covert.t VALUES (1, '{DATA}')"):
                connection.run(statement)

    @classmethod
    def users(cls):
        """The options that make the users known."""
        def user(name, role, **more):
            return {"name": name, "role": role, "password": hashed(PASSWORDS[name]), **more}

        folder = temporary_folder("users")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.users_file = folder / "users.json"
        cls.users_file.touch(0o600)
        cls.users_file.write_text(json.dumps({"version": 1, "users": [
            user(ADMIN, "admin"), user(WRITER, "writer"), user(READER, "reader"),
            user(GUEST, "reader", databases=["open"])]}))
        return "--users", cls.users_file

    # Ways to run a statement; each gives its text, or raises. Connections are kept.

    def by_http(self, user, statement):
        basic = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
        connection = self.kept("http", user, lambda: http.client.HTTPConnection(
            "127.0.0.1", self.service.http_port, timeout=60))
        try:
            connection.request(
                "POST", "/?default_format=TSV&param_d=covert&database=open", statement.encode(),
                {"Authorization": f"Basic {basic}"})
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status != 200:
            raise StatementFailed(body)
        return body

    def kept(self, kind, user, make):
        if (kind, user) not in self.connections:
            connection = self.connections[kind, user] = make()
            self.addClassCleanup(
                (connection[0] if isinstance(connection, tuple) else connection).close)
        return self.connections[kind, user]

    def arrow_flight(self, user):
        return self.kept(
            "flight", user, lambda: self.service.arrow_flight(user, PASSWORDS[user]))

    def by_flight(self, user, statement):
        client, options = self.arrow_flight(user)
        info = client.get_flight_info(command("CommandStatementQuery", (1, statement)), options)
        return "\n".join(
            str(client.do_get(endpoint.ticket, options).read_all().to_pydict())
            for endpoint in info.endpoints)

    def by_update(self, user, statement):
        client, options = self.arrow_flight(user)
        writer, reader = client.do_put(
            command("CommandStatementUpdate", (1, statement)), pa.schema([]), options)
        reader.read()
        writer.close()
        return ""

    def by_prepared(self, user, statement):
        connection = self.kept(
            "adbc", user, lambda: self.service.adbc(user, PASSWORDS[user]))
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return str(cursor.fetch_arrow_table().to_pydict())

    WAYS = (by_http, by_flight, by_update, by_prepared)

    def check_refused(self, user, statements):
        for statement in statements:
            for way in self.WAYS:
                with self.subTest(user=user, way=way.__name__, statement=statement):
                    try:
                        answer = way(self, user, statement)
                    except Exception as error:
                        refusal = str(error)
                    else:
                        self.fail(f"it was answered: {answer[:200]!r}")
                    self.assertNotIn("root:", refusal)
                    self.assertNotIn(DATA, refusal)
        self.assertIsNone(self.service.process.poll())
        with self.service.connect() as connection:
            self.assertEqual(connection.rows("SELECT * FROM open.t"), [("1", "seen")])
            self.assertEqual(connection.rows("SELECT * FROM covert.t"), [("1", DATA)])

    def test_nobody(self):
        """Without a name, with a wrong one, with a wrong password."""
        for credentials in ([], ["-u", f"{READER}:wrong"], ["-u", "nobody:x"], ["-u", f"{ADMIN}:"],
                            ["-H", "Authorization: Bearer nonsense"],
                            ["-H", "Authorization: Basic !!!"],
                            ["-H", f"X-ClickHouse-User: {ADMIN}", "-H", "X-ClickHouse-Key: wrong"]):
            for path in ("/?query=SELECT+1", "/?query=SELECT+1&user=olga&password=x",
                         "/magic/v1/status", "/metrics"):
                answer = curl(self.service.url(path), *credentials)
                self.assertIn(answer.status, (401, 403), (path, credentials))
            self.assertEqual(
                curl(self.service.url("/"), *credentials, body=b"SELECT 1").status, 401)
        answer = curl(self.service.url("/?query=SELECT+1"))
        self.assertEqual(answer.headers.get("x-clickhouse-exception-code"), "516")
        self.assertIn("basic", answer.headers["www-authenticate"].lower())
        self.assertEqual(curl(self.service.url("/ping")).status, 200)
        with self.assertRaisesRegex(Exception, "516"):
            self.service.clickhouse(READER, "wrong")
        for user, password in (("nobody", "x"), (READER, "wrong"), (READER, "")):
            with self.assertRaises(flight.FlightUnauthenticatedError):
                self.service.arrow_flight(user, password)
        client, options = self.service.arrow_flight()
        wrong = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer nonsense")])
        with client:
            for each in (options, wrong):
                for attempt in (
                        lambda: list(client.list_flights(options=each)),
                        lambda: client.get_flight_info(
                            flight.FlightDescriptor.for_path("open", "t"), each),
                        lambda: client.do_get(flight.Ticket(b"x"), each).read_all(),
                        lambda: list(client.do_action(action("BeginTransaction"), each)),
                        lambda: self.put(client, each, ("open", "t"))):
                    with self.assertRaises(flight.FlightUnauthenticatedError):
                        attempt()
        with self.assertRaises(Exception):
            self.service.adbc(READER, "wrong")

    def put(self, client, options, path):
        table = pa.table({"id": pa.array([9], pa.uint32()), "s": ["x"]})
        writer, reader = client.do_put(
            flight.FlightDescriptor.for_path(*path), table.schema, options)
        writer.write_table(table)
        writer.done_writing()
        reader.read()
        writer.close()

    def test_every_role_reads(self):
        for user in PASSWORDS:
            for way in (self.by_http, self.by_flight, self.by_prepared):
                self.assertIn("seen", way(user, "SELECT s FROM open.t"), (user, way))
            with self.service.clickhouse(user, PASSWORDS[user]) as client:
                self.assertEqual(client.query("SELECT s FROM open.t").result_rows, [("seen",)])
                if user in (ADMIN, WRITER):  # for who only reads, the client sends no settings
                    self.assertEqual(
                        client.query("SELECT 1", settings={"max_threads": 2}).result_rows, [(1,)])
            answer = curl(
                self.service.url("/?query=SELECT+toString(getSetting('max_threads'))&max_threads=3"),
                "-u", f"{user}:{PASSWORDS[user]}")
            self.assertEqual(answer.text, "3\n", user)
        answer = curl(self.service.url("/?query=SELECT+1"), "-H", f"X-ClickHouse-User: {READER}",
                      "-H", f"X-ClickHouse-Key: {PASSWORDS[READER]}")
        self.assertEqual(answer.text, "1\n")

    def test_a_reader_does_not_write(self):
        self.check_refused(READER, WRITES)
        client, options = self.arrow_flight(READER)
        for attempt in (
                lambda: self.put(client, options, ("open", "t")),
                lambda: list(client.do_action(action("BeginTransaction"), options))):
            with self.assertRaises(flight.FlightUnauthorizedError):
                attempt()
        with self.service.adbc(READER, PASSWORDS[READER]) as connection, \
                connection.cursor() as cursor:
            for mode in ("append", "create", "replace"):
                with self.assertRaises(Exception):
                    cursor.adbc_ingest(
                        "t", pa.table({"id": [1]}), mode=mode, db_schema_name="open")
            with self.assertRaises(Exception):
                cursor.adbc_ingest("t", pa.table({"id": [1]}), mode="create", temporary=True)

    def test_only_an_admin_administers(self):
        for user in (READER, WRITER, GUEST):
            self.check_refused(user, ADMINISTRATION)

    def test_nobody_but_an_admin_reaches_the_host(self):
        for user in (READER, WRITER):
            self.check_refused(user, HOST)
        self.assertIn("root:", self.by_http(
            ADMIN, "SELECT * FROM file('/etc/passwd', 'LineAsString', 'l String')"))

    def test_a_guest_sees_one_database(self):
        self.check_refused(GUEST, ELSEWHERE)
        # What the storage tables hold is everybody's.
        with self.service.connect() as connection:
            storage = connection.rows("SELECT name FROM system.tables WHERE database = '_magic'")
        self.check_refused(GUEST, [f"SELECT * FROM _magic.{name}" for [name] in storage])
        self.check_refused(READER, [f"SELECT * FROM _magic.{name}" for [name] in storage])
        client, options = self.arrow_flight(GUEST)
        with self.assertRaises(REFUSED):
            client.get_flight_info(flight.FlightDescriptor.for_path("covert", "t"), options)

    def test_catalogs_hide_the_other_databases(self):
        for statement in CATALOGS:
            for way in (self.by_http, self.by_flight):
                with self.subTest(statement, way=way.__name__):
                    try:
                        answer = way(GUEST, statement)
                    except (StatementFailed, *REFUSED):
                        continue
                    self.assertNotIn("covert", answer)
        for database in ("system", "information_schema"):
            answer = curl(self.service.url("/?session_id=using"), "-u",
                          f"{GUEST}:{PASSWORDS[GUEST]}", body=f"USE {database}".encode())
            self.assertEqual(answer.status, 403, answer.text)
        for database in ("information_schema", "INFORMATION_SCHEMA"):
            for name in ("schemata", "tables"):
                answer = curl(
                    self.service.url(f"/?database={database}"), "-u",
                    f"{GUEST}:{PASSWORDS[GUEST]}", body=f"SELECT * FROM {name}".encode())
                self.assertNotIn("covert", answer.text)
                self.assertNotIn("_magic", answer.text)
        client, options = self.arrow_flight(GUEST)
        paths = [info.descriptor.path[0] for info in client.list_flights(options=options)]
        self.assertIn(b"open", paths)
        self.assertNotIn(b"covert", paths)
        with self.service.adbc(GUEST, PASSWORDS[GUEST]) as connection:
            objects = str(connection.adbc_get_objects(depth="tables").read_all().to_pylist())
            self.assertIn("open", objects)
            self.assertNotIn("covert", objects)

    def test_a_reader_does_not_change_what_holds_him(self):
        limited = [
            "SET readonly = 0", "SELECT 1 SETTINGS readonly = 0", "SET max_memory_usage = 0",
            "SET allow_introspection_functions = 1", "SET hdfs_replication = 1"]
        self.check_refused(READER, limited[:2] + limited[3:])
        self.check_refused(READER, [
            "INSERT INTO open.t SETTINGS readonly = 0 VALUES (9, 'x')"])
        for name in ("readonly", "apply_deleted_mask", "hdfs_replication"):
            answer = curl(
                self.service.url(f"/?query=SELECT+1&{name}=0"), "-u",
                f"{READER}:{PASSWORDS[READER]}")
            self.assertGreaterEqual(answer.status, 400, name)

    def test_some_settings_do_nothing(self):
        """Whoever sends them with a request, and in a session."""
        for user in PASSWORDS:
            for _ in range(2):
                answer = curl(
                    self.service.url(
                        "/?log_comment=mine&send_logs_level=trace&extremes=1&session_id=ignoring"),
                    "-u", f"{user}:{PASSWORDS[user]}",
                    body=b"SELECT getSetting('log_comment') = 'mine', getSetting('extremes')")
                self.assertEqual(answer.text, "0\tfalse\n", user)
        self.assertNotIn("getSetting", self.service.output())

    def test_a_memory_limit_holds_for_all(self):
        """Who takes how much is known whatever a statement says of itself."""
        with self.service.clickhouse(ADMIN, PASSWORDS[ADMIN]) as client:
            stream = client.raw_stream(
                "SELECT number, 'with_comment' FROM system.numbers", fmt="CSV",
                settings={"query_id": "with_comment", "log_comment": "x"})
            self.addCleanup(stream.close)
            stream.read(1000)
            self.assertEqual(self.by_http(
                ADMIN, "SELECT Settings['log_comment'] FROM system.processes "
                "WHERE query LIKE '%with\\_comment%' AND query NOT LIKE '%LIKE%'"),
                "with_comment\n")

    def test_tables_tell_no_paths(self):
        for user in (READER, WRITER, GUEST):
            for way in (self.by_http, self.by_flight):
                for statement in (
                        "SELECT data_paths, metadata_path FROM system.tables",
                        "SELECT data_path, metadata_path FROM system.databases",
                        "SELECT path FROM system.parts"):
                    self.assertNotIn("/", way(user, statement), (user, statement))

    def test_a_typo_is_a_syntax_error(self):
        for user in PASSWORDS:
            with self.assertRaisesRegex(StatementFailed, "62"):
                self.by_http(user, "SELEC 1")

    def test_one_does_not_end_the_others_statements(self):
        mark = "others_statement"
        with self.service.clickhouse(ADMIN, PASSWORDS[ADMIN]) as client:
            stream = client.raw_stream(
                f"SELECT number, '{mark}' FROM system.numbers", fmt="CSV",
                settings={"query_id": mark})
            self.addCleanup(stream.close)
            stream.read(1000)
            for user in (READER, WRITER, GUEST):
                for statement in (f"KILL QUERY WHERE query_id = '{mark}'", "KILL QUERY WHERE 1"):
                    try:
                        self.by_http(user, statement)
                    except StatementFailed:
                        pass
            time.sleep(0.3)
            self.assertEqual(self.service.running(mark), 1)
            stream.read(1000)

    def test_transactions_belong_to_their_user(self):
        client, options = self.arrow_flight(ADMIN)
        other, others = self.arrow_flight(WRITER)
        [result] = client.do_action(action("BeginTransaction"), options)
        transaction = unpacked(result)[1]
        for how in (1, 2):
            with self.assertRaises(REFUSED):
                list(other.do_action(
                    action("EndTransaction", (1, transaction), (2, how)), others))
        list(client.do_action(action("EndTransaction", (1, transaction), (2, 2)), options))

    def test_a_writer_writes_and_a_guest_does_not(self):
        self.by_http(WRITER, "INSERT INTO open.t VALUES (2, 'written')")
        self.assertEqual(self.by_http(READER, "SELECT s FROM open.t WHERE id = 2"), "written\n")
        with self.service.adbc(WRITER, PASSWORDS[WRITER]) as connection, \
                connection.cursor() as cursor:
            cursor.execute("INSERT INTO open.t VALUES (?, ?)", (3, "it's the default alias"))
            cursor.executemany("INSERT INTO open.t VALUES (?, ?)", [(4, "a"), (5, "b")])
            cursor.execute("INSERT INTO open.t VALUES (3 + 3, upper('default'))")
            cursor.execute("SELECT s FROM open.t WHERE id > ? ORDER BY id", (2,))
            self.assertEqual(
                cursor.fetchall(), [("it's the default alias",), ("a",), ("b",), ("DEFAULT",)])
        with self.service.adbc(
                WRITER, PASSWORDS[WRITER],
                **{"adbc.flight.sql.rpc.with_cookie_middleware": "true"}) as connection, \
                connection.cursor() as cursor:
            cursor.adbc_ingest("mine", pa.table({"n": [1, 2]}), mode="create", temporary=True)
            cursor.execute("SELECT sum(n) FROM mine")
            self.assertEqual(cursor.fetchall(), [(3,)])
        with self.service.clickhouse(
                WRITER, PASSWORDS[WRITER], settings={"log_comment": "x"}) as client:
            client.insert("open.t", [[7, "c"]], column_names=["id", "s"])
        self.by_http(WRITER, "DELETE FROM open.t WHERE id > 1")
        self.check_refused(GUEST, WRITES[:5])

    def test_the_command_line_logs_in(self):
        address = f"http://127.0.0.1:{self.service.http_port}"

        def run(*options, password=None):
            environment = {**os.environ, **({"MAGIC_PASSWORD": password} if password else {})}
            return subprocess.run(
                [MAGIC, "sql", "--connect", address, "-e", "SELECT currentUser() = ''", *options],
                capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)

        self.assertEqual(run("--user", READER, password=PASSWORDS[READER]).returncode, 0)
        for options, password in (((), None), (("--user", READER), "wrong"), ((), "no token")):
            result = run(*options, password=password)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, "password|token")

    def test_z_nothing_secret_is_in_the_log(self):
        """Named so that it runs last in its class."""
        for statement in (f"SELECT '{DATA}' + nope", f"SELECT throwIf(1, '{DATA}')",
                          f"INSERT INTO open.t VALUES ('{DATA}')"):
            for way in self.WAYS:
                with self.assertRaises(Exception):
                    way(self, ADMIN, statement)
        with self.service.connect() as connection:
            wait_until(
                lambda: connection.value("SELECT count() FROM magic.query_log"), 10, "the query log")
            logged = connection.run("SELECT * FROM magic.query_log").text
        for text in (self.service.output(), logged):
            self.assertNotIn(DATA, text)
            for password in PASSWORDS.values():
                self.assertNotIn(password, text)
            self.assertNotRegex(text, r"(?i)bearer \S{8}")

    def test_guessing_passwords_is_slow(self):
        """Also for names that do not exist: both take the time of a hash."""
        for user in (READER, "nobody"):
            start = time.monotonic()
            for number in range(3):
                curl(self.service.url("/?query=SELECT+1"), "-u", f"{user}:guess{number}")
            self.assertGreater(time.monotonic() - start, 0.01, user)


if __name__ == "__main__":
    unittest.main()

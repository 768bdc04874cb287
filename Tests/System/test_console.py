"""The web console in a browser, beside a live replication."""

import base64
import csv
import json
import re
import shutil
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import pyarrow.ipc
import pyarrow.parquet

from browser import browser, expect, hook, sign_in, visit, write, written
from harness import MAGIC, MariaDB, free_port, temporary_folder, wait_until
from serving import Service, hashed

PASSWORDS = {"olga": "of admin", "ana": "of reader", "ben": "of guest"}
ROW_COUNT = 1000
# How many colours a canvas shows.
COLOURS = """canvas => new Set(new Uint32Array(
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"""


class Workload:
    """Somebody who changes rows at the source all the time."""

    def __init__(self, source):
        self.source = source
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        self.thread.join()

    def run(self):
        number = 0
        with self.source.connect(database="shop") as connection, connection.cursor() as cursor:
            while not self.stop.wait(0.02):
                number += 1
                cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (number % ROW_COUNT + 1,))


class ConsoleTests(unittest.TestCase):
    """A shop that is changed all the time, and one table that cannot be copied."""

    @classmethod
    def setUpClass(cls):
        cls.source = cls.enterClassContext(MariaDB())
        cls.source.create_database(
            "shop",
            "CREATE TABLE orders (id INT PRIMARY KEY, customer VARCHAR(20), amount DECIMAL(10,2), note TEXT)",
            f"INSERT INTO orders SELECT seq, CONCAT('c', seq % 7), seq / 4, NULL FROM seq_1_to_{ROW_COUNT}",
            "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(20))",
            "INSERT INTO customers VALUES (1, '<b>Ann</b>'), (2, 'Bob')",
            "CREATE TABLE resting (id INT PRIMARY KEY)", f"INSERT INTO resting SELECT seq FROM seq_1_to_{ROW_COUNT}",
            "CREATE TABLE old (id INT PRIMARY KEY) ENGINE = MyISAM", "INSERT INTO old VALUES (1)")
        cls.folder = temporary_folder("console")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        users = cls.folder / "users.json"
        users.touch(0o600)
        users.write_text(json.dumps({"version": 1, "users": [
            {"name": "olga", "role": "admin", "password": hashed(PASSWORDS["olga"])},
            {"name": "ana", "role": "reader", "password": hashed(PASSWORDS["ana"])},
            {"name": "ben", "role": "reader", "password": hashed(PASSWORDS["ben"]), "databases": ["other"]}]}))
        cls.service = Service(
            "--source", cls.source.url(), "--include", "shop.*", "--users", users, "--verify", "5s")
        cls.service.start()
        cls.addClassCleanup(cls.service.stop)
        wait_until(lambda: cls.value("SELECT count() FROM system.tables WHERE database = 'shop'") == 4, 60, "the copy")
        cls.browser = cls.enterClassContext(browser())
        cls.enterClassContext(Workload(cls.source))

    def open(self, user="olga", **options):
        """A page of somebody who has signed in; what the page complains about is an error."""
        context = self.browser.new_context(**options)
        self.addCleanup(context.close)
        page = context.new_page()
        problems = []
        self.addCleanup(lambda: self.assertEqual(problems, []))
        page.on("pageerror", lambda error: problems.append(str(error)))
        # A refusal is shown on the page; the browser notes it, too.
        page.on("console", lambda message: problems.append(message.text)
                if message.type == "error" and "status of 4" not in message.text else None)
        sign_in(page, self.service.url(), user, PASSWORDS[user])
        return page

    def run_statement(self, page, sql):
        write(page, sql)
        hook(page, "run").click()

    def expect_state(self, page, state, timeout=30_000):
        expect(page.locator(f'[data-test="row-count"][data-state="{state}"]')).to_be_visible(timeout=timeout)

    @classmethod
    def value(cls, sql):
        with cls.service.connect() as connection:
            return connection.value(sql)

    def test_nobody_comes_in_without_a_password(self):
        page = self.browser.new_page()
        self.addCleanup(page.close)
        page.goto(self.service.url())
        hook(page, "login-user").fill("olga")
        hook(page, "login-password").fill("wrong")
        hook(page, "login-submit").click()
        expect(hook(page, "login-error")).to_contain_text("does not know")
        hook(page, "login-password").fill(PASSWORDS["olga"])
        hook(page, "login-submit").click()
        expect(hook(page, "user")).to_have_text("olga")
        page.reload()
        expect(hook(page, "user")).to_have_text("olga")
        hook(page, "sign-out").click()
        expect(hook(page, "login-user")).to_be_visible()
        page.reload()
        expect(hook(page, "login-user")).to_be_visible()

    def test_the_overview_moves(self):
        page = self.open()
        expect(hook(page, "phase")).to_have_attribute("data-phase", "streaming")
        expect(hook(page, "source")).to_contain_text(f"127.0.0.1:{self.source.port}")
        expect(hook(page, "position")).to_contain_text(re.compile(r"^binlog\.\d+:\d+$"))
        expect(page.locator('[data-warning="stopped shop.old"]')).to_contain_text("shop.old has stopped")
        expect(hook(page, "warning")).to_contain_text("ENGINE=InnoDB")
        position, commit = hook(page, "position").inner_text(), hook(page, "commit").inner_text()
        chart = page.locator('[data-points]:has([data-test="chart-changes"])')
        points = int(chart.get_attribute("data-points"))
        expect(hook(page, "position")).not_to_have_text(position)
        expect(hook(page, "commit")).not_to_have_text(commit)
        wait_until(lambda: int(chart.get_attribute("data-points")) > points, 15, "the next sample")
        wait_until(lambda: float(chart.get_attribute("data-last") or 0) > 1, 15, "row changes in the chart")
        for name in ("lag", "changes", "statements", "memory", "disk"):
            self.assertGreater(hook(page, f"chart-{name}").evaluate(COLOURS), 2, name)
        memory = float(page.locator('[data-points]:has([data-test="chart-memory"])').get_attribute("data-last"))
        self.assertLess(abs(memory - self.service.resident_bytes()), memory / 2)

    def test_replication_is_paused_and_resumed(self):
        page = self.open()
        page.locator('[data-admin="pause"]').click()
        hook(page, "confirm").click()
        expect(hook(page, "phase")).to_have_attribute("data-phase", "paused")
        page.locator('[data-admin="resume"]').click()
        expect(hook(page, "phase")).to_have_attribute("data-phase", "streaming")

    def test_tables(self):
        page = self.open()
        visit(page, "tables")
        orders = page.locator('[data-table="shop.orders"]')
        expect(orders).to_have_attribute("data-state", "live")
        expect(page.locator('[data-table="shop.resting"] [data-label="Rows"]')).to_have_text("1,000")
        # Rows that were replaced count until they are merged away.
        rows = int(orders.locator('[data-label="Rows"]').inner_text().replace(",", ""))
        self.assertGreaterEqual(rows, ROW_COUNT)
        expect(orders.locator('[data-label="Compared"]')).to_have_text("equal", timeout=60_000)
        stopped = page.locator('[data-table="shop.old"]')
        expect(stopped).to_have_attribute("data-state", "stopped")
        expect(stopped).to_contain_text("the engine MyISAM has no consistent snapshots")
        expect(stopped).to_contain_text("ENGINE=InnoDB")
        hook(page, "table-filter").fill("customer")
        expect(orders).to_have_count(0)
        page.locator('[data-table="shop.customers"]').get_by_role("button", name="shop.customers").click()
        expect(page.locator('[data-column="name"]')).to_contain_text("String")
        hook(page, "query-table").click()
        self.assertEqual(written(page), "SELECT * FROM `shop`.`customers` LIMIT 100")
        hook(page, "run").click()
        self.expect_state(page, "complete")
        # What is in the database is text, never a part of the page.
        expect(hook(page, "grid")).to_contain_text("<b>Ann</b>")

    def test_a_stopped_table_is_copied_anew(self):
        self.source.execute("CREATE TABLE later (id INT PRIMARY KEY) ENGINE = InnoDB", "INSERT INTO later VALUES (5)",
                            database="shop")
        page = self.open()
        visit(page, "tables")
        row = page.locator('[data-table="shop.later"]')
        expect(row).to_have_attribute("data-state", "live")
        row.get_by_role("button", name="shop.later").click()
        page.locator('[data-admin="skip"]').click()
        hook(page, "confirm").click()
        expect(row).to_have_attribute("data-state", "stopped")
        page.keyboard.press("Escape")
        self.source.execute("INSERT INTO later VALUES (6)", database="shop")
        row.locator('[data-admin="recopy"]').click()
        hook(page, "confirm").click()
        expect(row).to_have_attribute("data-state", "live", timeout=30_000)
        wait_until(lambda: self.value("SELECT sum(id) FROM shop.later") == 11, 30, "the new copy")

    def test_a_million_rows(self):
        page = self.open()
        visit(page, "query")
        start = time.monotonic()
        self.run_statement(page, "SELECT number, toString(number) AS text, if(number % 2, NULL, number) AS n FROM numbers(1000000)")
        # The page goes on answering meanwhile.
        slowest = page.evaluate("""() => new Promise(done => {
          let last = performance.now(), slowest = 0;
          const step = () => {
            const now = performance.now();
            slowest = Math.max(slowest, now - last);
            last = now;
            document.querySelector('[data-test="row-count"]').dataset.state === 'running' ? setTimeout(step) : done(slowest);
          };
          setTimeout(step, 100);
        })""")
        self.expect_state(page, "complete", 60_000)
        print(f"    a million rows in {time.monotonic() - start:.1f} s, the page stood still for {slowest:.0f} ms at most")
        expect(hook(page, "row-count")).to_contain_text("1,000,000 rows")
        self.assertLess(slowest, 1000)
        hook(page, "grid").press("Control+End")
        expect(hook(page, "grid-row").last).to_contain_text("999999")
        self.assertLess(hook(page, "grid-row").count(), 200)
        expect(hook(page, "stats")).to_contain_text("Commit point")

    def test_results_and_their_files(self):
        page = self.open()
        visit(page, "query")
        sql = "SELECT id, customer, note FROM shop.orders WHERE id <= 3 ORDER BY id"
        self.run_statement(page, sql)
        self.expect_state(page, "complete")
        expect(hook(page, "row-count")).to_contain_text("3 rows")
        expect(hook(page, "grid-row").nth(1)).to_contain_text("c2")
        expect(hook(page, "grid-row").nth(1)).to_contain_text("NULL")
        rows = {"id": [1, 2, 3], "customer": ["c1", "c2", "c3"], "note": [None] * 3}

        def file(name):
            with page.expect_download() as download:
                hook(page, f"download-{name}").click()
            path = self.folder / name
            download.value.save_as(path)
            return path

        with open(file("csv"), newline="") as text:
            self.assertEqual(list(csv.reader(text)), [["id", "customer", "note"]] + [[str(n), f"c{n}", "\\N"] for n in (1, 2, 3)])
        self.assertEqual(pyarrow.parquet.read_table(file("parquet")).to_pydict(), rows)
        self.assertEqual(pyarrow.ipc.open_stream(file("arrow").read_bytes()).read_all().to_pydict(), rows)

        self.run_statement(page, "SELECT customer, toFloat64(sum(id)) AS ids FROM shop.orders GROUP BY customer ORDER BY customer")
        self.expect_state(page, "complete")
        hook(page, "show-chart").click()
        expect(hook(page, "chart-result")).to_be_visible()
        colours = hook(page, "chart-result").evaluate(COLOURS)
        self.assertGreater(colours, 2)
        hook(page, "history").click()
        hook(page, "history-item").filter(has_text="id <= 3").click()
        self.assertEqual(written(page), sql)

    def test_the_editor_knows_words_and_names(self):
        page = self.open()
        visit(page, "query")
        write(page, "")
        page.locator(".CodeMirror").click()
        page.keyboard.type("SELECT name FROM shop.cust")
        expect(page.locator(".CodeMirror-hints")).to_contain_text("customers")
        page.keyboard.press("Enter")
        self.assertEqual(written(page), "SELECT name FROM shop.customers")
        expect(page.locator(".cm-keyword").first).to_have_text("SELECT")
        # Tab goes on to the next element.
        page.keyboard.press("Tab")
        expect(hook(page, "run")).to_be_focused()
        page.keyboard.press("Enter")
        self.expect_state(page, "complete")
        expect(hook(page, "grid")).to_contain_text("Ann")

    def test_errors_and_limits(self):
        page = self.open()
        visit(page, "query")
        self.run_statement(page, "SELECT nothing FROM shop.orders")
        self.expect_state(page, "failed")
        expect(hook(page, "error")).to_contain_text("nothing")
        self.run_statement(page, "SELECT throwIf(number = 300000, 'amid it') FROM numbers(400000)")
        self.expect_state(page, "failed")
        expect(hook(page, "error")).to_contain_text("amid it")
        page.locator('[data-test="row-limit"]').select_option("1000")
        self.run_statement(page, "SELECT number FROM numbers(100000000)")
        self.expect_state(page, "limited")
        expect(hook(page, "row-count")).to_contain_text("1,000 rows")
        wait_until(lambda: "numbers" not in self.running(), 10, "the end of the statement in the engine")
        # The statement in which the cursor stands is the one that runs.
        write(page, "SELECT 'one; two';\nSELECT 'three'")
        page.locator(".CodeMirror").evaluate("""element => {
          element.CodeMirror.setCursor({line: 0, ch: 3});
          element.CodeMirror.focus();
        }""")
        page.keyboard.press("Control+Enter")
        self.expect_state(page, "complete")
        expect(hook(page, "grid-row")).to_contain_text("one; two")

    def running(self):
        """The texts of the statements that run."""
        with self.service.connect() as connection:
            return str(connection.rows("SELECT query FROM system.processes WHERE query NOT LIKE '%processes%'"))

    def test_a_running_statement_is_cancelled(self):
        one, other = self.open("ana"), self.open()
        visit(one, "query")
        self.run_statement(one, "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1")
        visit(other, "statements")
        row = hook(other, "running-statement").filter(has_text="sipHash64")
        expect(row).to_contain_text("ana")
        row.locator('[data-test="cancel-statement"]').click()
        self.expect_state(one, "failed")
        expect(hook(one, "error")).to_contain_text("cancelled")
        expect(row).to_have_count(0)
        self.run_statement(one, "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 2")
        expect(row).to_have_count(1)
        hook(one, "cancel").click()
        self.expect_state(one, "cancelled")
        expect(row).to_have_count(0)
        wait_until(lambda: "sipHash64" not in self.running(), 10, "the end of the statements in the engine")
        # A reader sees no statement of others.
        visit(one, "statements")
        self.run_elsewhere(one)

    def run_elsewhere(self, page):
        def ask():
            self.service.clickhouse("olga", PASSWORDS["olga"]).query("SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_block_size = 1")

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            wait_until(lambda: "sleepEachRow" in self.running(), 20, "the statement")
            time.sleep(1.5)
            expect(hook(page, "running-statement")).to_have_count(0)
        finally:
            thread.join()

    def test_snapshots_and_latches(self):
        page = self.open()
        visit(page, "snapshots")
        hook(page, "snapshot-tables").fill("shop.customers")
        hook(page, "snapshot-create").click()
        row = hook(page, "snapshot-row")
        expect(row).to_contain_text("shop.customers")
        expect(row).to_contain_text("olga")
        name = row.get_attribute("data-id")
        self.source.execute("INSERT INTO customers VALUES (3, 'Cy')", database="shop")
        wait_until(lambda: self.value("SELECT count() FROM shop.customers") == 3, 30, "the change")
        visit(page, "query")
        page.locator(f'[data-test="snapshot"] option[value="{name}"]').wait_for(state="attached")
        hook(page, "snapshot").select_option(name)
        self.run_statement(page, "SELECT count() FROM shop.customers")
        expect(hook(page, "grid-row")).to_contain_text("2")
        visit(page, "snapshots")
        hook(page, "snapshot-release").click()
        expect(row).to_have_count(0)

        password = self.folder / "password"
        password.write_text(PASSWORDS["olga"])
        port = self.service._port("Latches", 0)
        holder = subprocess.Popen(
            [MAGIC, "latch", "run", "shop.orders:X", "--connect", f"127.0.0.1:{port}", "--user", "olga",
             "--password-file", password, "--", "sleep", "60"], stderr=subprocess.DEVNULL)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        expect(hook(page, "latch-row")).to_contain_text("shop.orders")
        expect(hook(page, "latch-row")).to_contain_text("olga")
        page.locator('[data-admin="revoke"]').click()
        hook(page, "confirm").click()
        expect(hook(page, "latch-row")).to_have_count(0)
        self.assertEqual(holder.wait(30), 75)

    def test_events(self):
        page = self.open()
        visit(page, "events")
        expect(hook(page, "event-row").filter(has_text="shop.orders is copied: 1000 rows")).to_have_count(1)
        warning = hook(page, "event-row").filter(has_text="MyISAM").first
        expect(warning).to_contain_text("InnoDB")
        hook(page, "event-filter").fill("Flight SQL on")
        expect(hook(page, "event-row")).to_have_count(1)

    def test_a_reader_sees_no_admin_action(self):
        page = self.open("ana")
        expect(hook(page, "phase")).to_have_attribute("data-phase", "streaming")
        for name in ("overview", "tables", "query", "statements", "snapshots", "events"):
            visit(page, name)
            page.wait_for_timeout(1200)
            expect(page.locator("[data-admin]")).to_have_count(0)
        visit(page, "tables")
        page.locator('[data-table="shop.orders"]').get_by_role("button", name="shop.orders").click()
        expect(page.locator('[data-column="id"]')).to_be_visible()
        expect(page.locator("[data-admin]")).to_have_count(0)

    def ask(self, user, path, body=None):
        """The status of an answer to somebody."""
        login = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
        request = urllib.request.Request(
            self.service.url("/magic/v1/" + path), data=body, headers={"Authorization": f"Basic {login}"})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def test_what_is_not_shown_is_refused(self):
        for path, body in (("writer", b'{"action": "pause"}'), ("latches/revoke", b'{"session": "s"}'), ("backup/plan", b"{}")):
            self.assertEqual(self.ask("ana", path, body), 403, path)
        for path in ("status", "events", "latches"):
            self.assertEqual((self.ask("ana", path), self.ask("ben", path)), (200, 403), path)
        for path in ("me", "history"):
            self.assertEqual(self.ask("ben", path), 200, path)
        self.assertEqual(self.ask("olga", "latches/revoke", b'{"session": "s"}'), 404)

    def test_who_sees_one_database_is_shown_that(self):
        page = self.open("ben")
        expect(hook(page, "phase")).to_have_text("Not shown")
        visit(page, "tables")
        expect(hook(page, "table-count")).to_have_text("0 tables")
        visit(page, "events")
        expect(page.locator("main")).to_contain_text("Who may see all databases")

    def test_by_keyboard_alone_on_a_phone(self):
        context = self.browser.new_context(viewport={"width": 360, "height": 640}, color_scheme="dark")
        self.addCleanup(context.close)
        page = context.new_page()
        page.goto(self.service.url())
        expect(hook(page, "login-user")).to_be_focused()
        page.keyboard.type("ana")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORDS["ana"])
        page.keyboard.press("Enter")
        expect(hook(page, "phase")).to_be_visible()
        for name in ("overview", "tables", "query", "statements", "snapshots", "events"):
            page.evaluate("name => location.hash = name", name)
            expect(page.locator("h1")).to_have_text(name.capitalize())
            page.wait_for_timeout(300)
            # The page itself does not scroll sideways.
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 360, name)
        page.evaluate("location.hash = 'overview'")
        page.get_by_role("button", name="Menu").focus()
        page.keyboard.press("Enter")
        hook(page, "nav-tables").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Tables")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        self.assertLess(sum(map(int, re.findall(r"\d+", dark)[:3])), 200, dark)

    def test_what_it_costs(self):
        context = self.browser.new_context()
        self.addCleanup(context.close)
        page = context.new_page()
        client = context.new_cdp_session(page)
        client.send("Network.enable")
        received = []
        client.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        page.goto(self.service.url())
        paint = page.evaluate("""() => new Promise(done => new PerformanceObserver(list => done(list.getEntries()[0].startTime))
          .observe({type: 'paint', buffered: true}))""")
        hook(page, "login-user").fill("olga")
        hook(page, "login-password").fill(PASSWORDS["olga"])
        hook(page, "login-submit").click()
        for name in ("overview", "tables", "query", "statements", "snapshots", "events"):
            visit(page, name)
            page.wait_for_timeout(500)
        print(f"    first paint after {paint:.0f} ms, {sum(received):,.0f} bytes for all pages")
        self.assertLess(paint, 1000)
        self.assertLess(sum(received), 500_000)
        # Everything comes from the server itself.
        hosts = page.evaluate("[...new Set(performance.getEntriesByType('resource').map(entry => new URL(entry.name).host))]")
        self.assertEqual(hosts, [f"127.0.0.1:{self.service.http_port}"])


class RestartTests(unittest.TestCase):
    def test_a_page_outlives_the_server(self):
        """It says that the server is away, and goes on when it is back, with what happened since."""
        service = Service("--http", f"127.0.0.1:{free_port()}")
        self.addCleanup(service.stop)
        service.start()
        with browser() as chromium:
            page = chromium.new_page()
            sign_in(page, service.url())
            expect(hook(page, "role")).to_contain_text("no users")
            visit(page, "events")
            started = hook(page, "event-row").filter(has_text="HTTP on")
            expect(started).to_have_count(1)
            service.stop_cleanly()
            expect(hook(page, "offline")).to_be_visible()
            service.start()
            expect(hook(page, "offline")).to_be_hidden()
            expect(started).to_have_count(2)
            visit(page, "overview")
            expect(hook(page, "commit")).to_have_text(re.compile(r"\d"))

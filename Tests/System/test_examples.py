"""The programs in examples/, run as their README says, on a shop that is really replicated."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from base64 import b64encode
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

from browser import browser, expect
from harness import MAGIC, ROOT, MariaDB, find_program, spawn, temporary_folder, wait_until
from serving import Service

EXAMPLES = ROOT / "examples"
DRIVER = Path(os.environ.get("MAGIC_ADBC_DRIVER", MAGIC.parent / "libadbc_driver_magic.so")).absolute()
JAR, PYSPARK = ROOT / ".build-spark/spark-magic.jar", ROOT / ".deps/pyspark"
README = (EXAMPLES / "README.md").read_text()
COMMANDS = dict(re.findall(r"^\| \[(\S+)\]\(\S+\) \| `([^`]+)` \|", README, re.MULTILINE))
STATEMENTS = dict(re.findall(r"^  (\w+): `([^`]+)`", (EXAMPLES / "dashboard/dashboard.js").read_text(), re.MULTILINE))
METRIC = re.compile(r"(\bmagic_[a-z_]+)(\{[^}]*\})?")

SALES = """shop.order_items i JOIN shop.orders o ON o.id = i.order_id JOIN shop.customers c ON c.id = o.customer_id"""
ACCOUNTS = {
    "analyst": {"role": "writer", "databases": ["shop", "reports"]},
    "dashboard": {"role": "reader", "databases": ["shop"]},
    "prometheus": {"role": "reader", "databases": []},
}


def promtool(*arguments, **options):
    return subprocess.run([find_program("promtool"), *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)


def needs_promtool(test):
    try:
        find_program("promtool")
    except FileNotFoundError:
        return unittest.skip("promtool (Debian's prometheus) is not installed")(test)
    return test


class Place(unittest.TestCase):
    """A folder to run examples in, with the names that their commands have."""

    def setUp(self):
        self.folder = temporary_folder("examples")
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "examples").symlink_to(EXAMPLES)

    def environment(self, service=None, **more):
        """What the programs find around them: the server, and the programs of their commands."""
        environment = {name: value for name, value in os.environ.items() if name not in ("MAGIC_USER", "MAGIC_PASSWORD")}
        path = [str(Path(sys.executable).parent), str(MAGIC.absolute().parent), os.environ["PATH"]]
        environment |= {
            "PATH": ":".join(path), "PYTHONDONTWRITEBYTECODE": "1", "MAGIC": str(MAGIC.absolute()),
            "MAGIC_ADBC_DRIVER": str(DRIVER), "HOME": str(self.folder), "SPARK_LOCAL_IP": "127.0.0.1"}
        if service is not None:
            environment |= {"MAGIC_URL": service.url(""), "MAGIC_FLIGHT_URL": f"grpc://127.0.0.1:{service.flight}"}
        return environment | more

    def run_example(self, name, service=None, arguments=(), **environment):
        """What the README's command prints. `arguments` are added, or take the place of words in capital letters."""
        words = COMMANDS[name].split()
        words = [word for word in words if not re.fullmatch("[A-Z]+…?", word)] + [str(each) for each in arguments]
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment(service, **environment), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        return done.stdout

    def serve_dashboard(self, service, **environment):
        """The address at which `dashboard.py` serves its page."""
        log = self.folder / "dashboard.log"
        process = spawn(
            COMMANDS["dashboard.py"].split(), log, cwd=self.folder, env=self.environment(service, PORT="0", **environment))
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return wait_until(lambda: re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()), 30, "the dashboard's address")[0]

    def fetch(self, address, user=None, password=None, **parameters):
        """The status and the text of an answer."""
        request = urllib.request.Request(address + ("?" + urlencode(parameters) if parameters else ""))
        if user:
            request.add_header("Authorization", "Basic " + b64encode(f"{user}:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ask_page(self, page, statement):
        """The rows that dashboard.js gets for a statement."""
        status, text = self.fetch(page + "magic/", query=statement, default_format="JSON")
        self.assertEqual(status, 200, text)
        return json.loads(text)["data"]


class ReadmeTests(unittest.TestCase):
    def test_it_names_every_file(self):
        links = {EXAMPLES / link for link in re.findall(r"\]\(([^)#]+)", README)}
        for link in links:
            self.assertTrue(link.exists(), link)
        for file in EXAMPLES.rglob("*"):
            if file.is_file() and file.name != "README.md" and "__pycache__" not in file.parts:
                self.assertTrue(file in links or file.parent in links or file.parent / "dashboard.js" in links, f"{file} is in no table")

    def test_headers_name_what_is_imported(self):
        """What `pip install` in a program's head says is what it imports, beside Python's own."""
        packages = {"clickhouse_connect": "clickhouse-connect", "adbc_driver_flightsql": "adbc-driver-flightsql",
                    "adbc_driver_manager": "adbc-driver-manager", "pyspark": "pyspark==4.3.0"}
        for file in EXAMPLES.glob("*.py"):
            text = file.read_text()
            imported = {name for name in re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE) if name not in sys.stdlib_module_names}
            named = re.search(r"pip install ([^#\n]*)", text)
            named = set(named[1].split()) if named else set()
            for name in imported:
                self.assertIn(packages.get(name, name), named, file)
            self.assertIn(f"python {file.name}", text)


class ExampleTests(Place):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.source = MariaDB()
        cls.addClassCleanup(cls.source.stop)
        (cls.source.folder / ".my.cnf").write_text(f"[client]\nsocket={cls.source.socket}\n")
        for commands in re.findall(r"^mariadb .*?(?=\n(?! ))", README, re.DOTALL | re.MULTILINE):
            subprocess.run(["bash", "-c", commands], check=True, cwd=ROOT, timeout=60, env={**os.environ, "HOME": str(cls.source.folder)})
        cls.service = Service(
            "--source", f"mysql://magic@127.0.0.1:{cls.source.port}/", "--include", "shop.*",
            environment={"MAGIC_SOURCE_PASSWORD": "secret"})
        cls.addClassCleanup(cls.service.stop)
        cls.service.start()
        wait_until(cls.is_ready, 60, "the copy of the shop")

    @classmethod
    def is_ready(cls):
        try:
            return urllib.request.urlopen(cls.service.url("/readyz"), timeout=10).status == 200
        except urllib.error.HTTPError:
            return False

    def rows(self, statement, service=None):
        """Rows of the copy, as texts, when it has everything that was committed at the source."""
        parameters = {} if service else {"magic_at_least": self.source.rows("SELECT @@gtid_binlog_pos")[0][0]}
        status, text = self.fetch((service or self.service).url("/"), query=statement, **parameters)
        self.assertEqual(status, 200, text)
        return [tuple(line.split("\t")) for line in text.splitlines()]

    def texts(self, statement):
        """Rows of the source, as texts."""
        return [tuple(map(str, row)) for row in self.source.rows(statement)]

    def run_live(self, name, **options):
        """An example, when the copy has everything that was committed at the source."""
        self.rows("SELECT 1")
        return self.run_example(name, self.service, **options)

    def check_months(self, output, table):
        expected = self.source.rows(f"""
            SELECT DATE_FORMAT(o.placed_at, '%Y-%m') AS month, COUNT(DISTINCT o.id), SUM(i.quantity * i.price)
            FROM {SALES} WHERE o.status <> 'cancelled' AND o.placed_at >= '2026-02-01' GROUP BY month ORDER BY month""")
        self.assertGreaterEqual(len(expected), 10)
        printed = [line.split() for line in output.splitlines() if re.match(r"\d{4}-", line)]
        for found in (printed, table):
            self.assertEqual(
                [(month, int(orders), round(float(revenue), 2)) for month, orders, revenue in found],
                [(month, orders, float(revenue)) for month, orders, revenue in expected])

    def test_pandas(self):
        for _ in range(2):  # made again, rows take the place of those that are there
            output = self.run_live("pandas_report.py")
            self.check_months(output, self.rows("SELECT * FROM reports.months ORDER BY month"))
        self.assertIn(self.source.rows("SELECT @@gtid_binlog_pos")[0][0], output)
        # The snapshot was released.
        request = urllib.request.Request(self.service.url("/magic/v1/snapshots/list"), b"{}")
        self.assertEqual(json.load(urllib.request.urlopen(request, timeout=60)), {"snapshots": []})

    def test_polars(self):
        expected = self.texts(f"""
            SELECT country, name, amount FROM (
              SELECT c.country, c.name, SUM(i.quantity * i.price) AS amount, ROW_NUMBER() OVER (
                PARTITION BY c.country ORDER BY SUM(i.quantity * i.price) DESC, c.id) AS place
              FROM {SALES} WHERE c.country IN ('DE', 'JP') AND o.status <> 'cancelled' GROUP BY c.country, c.id, c.name) t
            WHERE place <= 3 ORDER BY country, place""")
        for _ in range(2):
            output = self.run_live("polars_report.py")
            self.assertEqual(re.findall(r"^(DE|JP)  (.*?) +([\d.]+)$", output, re.MULTILINE), expected)
            self.assertIn("read at " + self.source.rows("SELECT @@gtid_binlog_pos")[0][0], output)
            self.assertRegex(output, rf"6 +┆ {sum(Decimal(row[2]) for row in expected)}")
        self.assertEqual(
            self.rows("SELECT country, name, amount FROM reports.best_customers ORDER BY country, amount DESC, customer"), expected)

    def test_duckdb(self):
        output = self.run_live("duckdb_join.py")
        expected = self.source.rows(f"""
            SELECT c.country, SUM(i.quantity * i.price) FROM {SALES}
            WHERE o.status = 'shipped' AND c.country IN ('DE', 'FR', 'JP') GROUP BY c.country ORDER BY c.country""")
        percents = dict(line.split(",") for line in (EXAMPLES / "discounts.csv").read_text().split()[1:])
        printed = re.findall(r"^(\w\w) +([\d.]+) +([\d.]+)$", output, re.MULTILINE)
        self.assertEqual([(country, Decimal(amount)) for country, amount, _ in printed], list(expected))
        for country, amount, discount in printed:
            self.assertAlmostEqual(float(discount), float(amount) * int(percents[country]) / 100, delta=0.011)
        self.assertIn("reports.discounts has 3 rows", output)
        self.assertEqual(self.rows("SELECT country, amount FROM reports.discounts ORDER BY country"), [
            (country, amount.rstrip("0").rstrip(".")) for country, amount, _ in printed])

    def check_stream(self, output, items):
        rows, size, batches, grown = re.search(
            r"([\d,]+) rows, (\d+) MiB in (\d+) batches; memory grew by (\d+) MiB", output).groups()
        self.assertEqual(int(rows.replace(",", "")), 500 * items)
        self.assertGreater(int(size), 500)
        self.assertGreater(int(batches), 20)
        self.assertLess(int(grown), 200)
        self.assertIn(f"stored: 100,000 rows, the sum of squares is {sum(n * n for n in range(100_000)):,}", output)

    def test_adbc(self):
        [[items]] = self.source.rows("SELECT COUNT(*) FROM shop.order_items")
        self.check_stream(self.run_live("adbc_stream.py"), items)
        self.assertEqual(self.rows("SELECT count(), max(square) FROM reports.squares"), [("100000", str(99_999 ** 2))])

    def test_adbc_in_process(self):
        if not DRIVER.exists():
            self.skipTest(f"{DRIVER} is not there")
        service, items = self.loaded()
        self.check_stream(self.run_example("adbc_stream.py", arguments=[service.data]), items)
        self.assertIn(b"100000", service.run(
            "sql", "--data", service.data, "-e", "SELECT count() FROM reports.squares", text=False).stdout)

    def test_read_your_own_writes(self):
        [[last]] = self.source.rows("SELECT MAX(id) FROM shop.orders")
        output = self.run_live("read_your_own_writes.py", SOURCE_URL=f"mysql://shop:secret@127.0.0.1:{self.source.port}/")
        found = re.findall(r"order (\d+) of ([\d.]+), committed as (\S+): .* with at_least ([\d.]+) after (\d+) ms", output)
        self.assertEqual(
            [(order, amount) for order, amount, *_ in found],
            self.texts(f"SELECT order_id, SUM(quantity * price) FROM shop.order_items WHERE order_id > {last} GROUP BY order_id"))
        self.assertEqual(len(found), 5)
        self.assertEqual(found[-1][2], self.source.rows("SELECT @@gtid_binlog_pos")[0][0])
        for _, expected, _, amount, waited in found:
            self.assertEqual(amount, expected)
            self.assertLess(int(waited), 10_000)
        self.assertIn("Every order was seen.", output)

    def test_spark(self):
        for needed in (PYSPARK / "pyspark", JAR):
            if not needed.exists():
                self.skipTest(f"{needed} is not there: make spark")
        output = self.run_live("spark_job.py", PYTHONPATH=str(PYSPARK))
        expected = self.texts(f"""
            SELECT c.country, COUNT(DISTINCT o.id), SUM(i.quantity * i.price) FROM {SALES}
            WHERE o.status <> 'cancelled' GROUP BY c.country ORDER BY c.country""")
        self.assertEqual([tuple(line.split()) for line in output.splitlines()], expected)
        found = self.rows("SELECT country, orders, toString(revenue) FROM reports.revenue ORDER BY country")
        self.assertEqual([(c, o, Decimal(r)) for c, o, r in found], [(c, o, Decimal(r)) for c, o, r in expected])

    # The dashboard

    def test_dashboard(self):
        page = self.serve_dashboard(self.service)
        status, html = self.fetch(page)
        self.assertEqual(status, 200)
        status, script = self.fetch(page + re.search(r'<script src="([^"]+)">', html)[1])
        self.assertEqual(status, 200)
        for name in re.findall(r'(?:show\(|getElementById\()"(\w+)"', script):
            self.assertIn(f'id="{name}"', html)
        self.assertEqual(set(re.findall(r"statements\.(\w+)", script)), set(STATEMENTS))
        self.rows("SELECT 1")
        self.check_dashboard(page)
        with browser() as chromium:
            shown = chromium.new_page()
            shown.goto(page)
            [[orders]] = self.source.rows("SELECT COUNT(*) FROM shop.orders")
            expect(shown.locator("#orders")).to_have_text(f"{orders:,}")
            countries = [row[0] for row in self.source.rows("SELECT DISTINCT country FROM shop.customers ORDER BY country")]
            expect(shown.locator("#countries rect")).to_have_count(len(countries))
            self.assertEqual([each for each in shown.locator("#countries text").all_text_contents() if each in countries], countries)
        # It only reads.
        status, text = self.fetch(page + "magic/", query="DROP TABLE shop.orders")
        self.assertNotEqual(status, 200, text)
        self.assertEqual(len(self.rows("SHOW TABLES FROM shop")), 4)

    def test_dashboard_of_another_origin(self):
        """What a browser asks when the page asks Magic itself, from the address that the option names and from another."""
        script = (EXAMPLES / "dashboard/dashboard.js").read_text()
        option, origin = re.search(r"magic serve (--allow-origin) (http://[\w.:]+)", script).groups()
        service, _ = self.loaded(option, origin, "--users", self.users())
        service.start()
        address = service.url("/?" + urlencode({"query": STATEMENTS["numbers"], "default_format": "JSON"}))
        asked = urllib.request.Request(address, method="OPTIONS", headers={
            "Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"})
        with urllib.request.urlopen(asked, timeout=60) as response:
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], origin)
            self.assertIn("GET", response.headers["Access-Control-Allow-Methods"])
            self.assertIn("Authorization", response.headers["Access-Control-Allow-Headers"])
        login = {"Authorization": "Basic " + b64encode(b"dashboard:dashboard's").decode()}
        with urllib.request.urlopen(urllib.request.Request(address, headers={"Origin": origin, **login}), timeout=60) as response:
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], origin)
            [[orders]] = self.source.rows("SELECT COUNT(*) FROM shop.orders")
            self.assertEqual(int(json.load(response)["data"][0]["orders"]), orders)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(address, headers={"Origin": "http://elsewhere", **login}), timeout=60)
        self.assertEqual(caught.exception.code, 403)

    def check_dashboard(self, page):
        [numbers] = self.ask_page(page, STATEMENTS["numbers"])
        self.assertEqual(
            [(str(numbers["orders"]), str(numbers["waiting"]))],
            self.texts("SELECT COUNT(*), CAST(SUM(status = 'placed') AS SIGNED) FROM shop.orders"))
        self.assertEqual(numbers["gtid"], self.source.rows("SELECT @@gtid_binlog_pos")[0][0])
        self.assertEqual(
            [(row["country"], round(row["revenue"], 2)) for row in self.ask_page(page, STATEMENTS["countries"])],
            [(country, float(revenue)) for country, revenue in self.source.rows(f"""
                SELECT c.country, SUM(i.quantity * i.price) FROM {SALES}
                WHERE o.status <> 'cancelled' GROUP BY c.country ORDER BY c.country""")])

    # Copies from files

    def files(self):
        """The binlog files up to now, which nothing more is written to."""
        files = [self.source.data / row[0] for row in self.source.rows("SHOW BINARY LOGS")]
        self.source.execute("FLUSH BINARY LOGS")
        return files

    def loaded(self, *options):
        """A server that was not started, with a copy of the shop as it is now; and how many order lines that has."""
        service = Service(*options)
        self.addCleanup(service.stop)
        [[items]] = self.source.rows("SELECT COUNT(*) FROM shop.order_items")
        service.run("load", "--data", service.data, *self.files())
        return service, items

    def test_point_in_time(self):
        state = "SELECT COUNT(*), CAST(SUM(status = 'cancelled') AS SIGNED), MAX(placed_at) FROM shop.orders"
        before = self.texts(state)
        [[gtid]] = self.source.rows("SELECT @@gtid_binlog_pos")
        [[file, offset, *_]] = self.source.rows("SHOW MASTER STATUS")
        time.sleep(1.1)
        [[moment]] = self.texts("SELECT UTC_TIMESTAMP()")
        time.sleep(1.1)
        # Somebody forgets a WHERE.
        self.source.execute("UPDATE shop.orders SET status = 'cancelled'")
        self.addCleanup(self.source.execute, "UPDATE shop.orders SET status = IF(id > 5000, 1, 1 + (id % 4 > 0) + (id % 20 = 1))")
        files = self.files()
        for number, point in enumerate((gtid, f"{file}:{offset}", moment)):
            with self.subTest(point):
                output = self.run_example("point_in_time.sh", arguments=[point, self.folder / f"then-{number}", *files])
                found = re.search(r"│ +(\d+) │ +(\d+) │ ([\d: -]+) │", output).groups()
                self.assertEqual([found], before)
                self.assertIn(gtid, output)

    # Users

    def users(self):
        """The file of the users, each of whose password is NAME's."""
        users = self.folder / "users.json"
        users.write_text(json.dumps({"version": 1, "users": [
            {"name": name, "password": hashed(f"{name}'s"), **account} for name, account in ACCOUNTS.items()]}))
        users.chmod(0o600)
        return users

    def test_logins(self):
        """The programs at a server with users, each with the rights that the README gives it."""
        service, items = self.loaded("--users", self.users())
        service.start()
        analyst = {"MAGIC_USER": "analyst", "MAGIC_PASSWORD": "analyst's"}
        self.check_stream(self.run_example("adbc_stream.py", service, **analyst), items)
        self.assertIn("reports.discounts has 3 rows", self.run_example("duckdb_join.py", service, **analyst))
        self.assertRegex(self.run_example("polars_report.py", service, **analyst), r"6 +┆ \d+\.\d\d")
        output = self.run_example("pandas_report.py", service, **analyst)
        with service.connect() as connection:
            self.check_months(output, connection.rows("SELECT * FROM reports.months ORDER BY month"))

        page = self.serve_dashboard(service, MAGIC_USER="dashboard", MAGIC_PASSWORD="dashboard's")
        self.check_dashboard(page)
        status, text = self.fetch(page + "magic/", query="SELECT * FROM reports.months")
        self.assertNotEqual(status, 200, text)

        status, text = self.fetch(service.url("/metrics"), "prometheus", "prometheus's")
        self.assertEqual(status, 200)
        self.assertIn("magic_resident_bytes", text)
        self.assertNotEqual(
            self.fetch(service.url("/"), "prometheus", "prometheus's", query="SELECT count() FROM shop.orders")[0], 200)
        self.assertEqual(self.fetch(service.url("/metrics"))[0], 401)

    # Prometheus and Grafana

    def panels(self):
        """The expressions of the dashboard's panels, by their titles."""
        return [(panel["title"], target["expr"]) for panel in self.grafana["panels"] for target in panel.get("targets", [])]

    @property
    def grafana(self):
        return json.loads((EXAMPLES / "grafana/magic-dashboard.json").read_text())

    @staticmethod
    def alerts():
        text = (EXAMPLES / "prometheus/alerts.yaml").read_text()
        return list(zip(re.findall(r"- alert: (\w+)", text), re.findall(r"^ +expr: (.*?)(?: +#.*)?$", text, re.MULTILINE), strict=True))

    def test_metrics_exist(self):
        """Every metric in an expression, with its labels, is one of this server."""
        self.fetch(self.service.url("/"), query="SELECT count() FROM shop.orders")
        self.fetch(self.service.url("/"), query="SELECT no_such_column FROM shop.orders")

        def read():
            metrics = {}
            for line in self.fetch(self.service.url("/metrics"))[1].splitlines():
                if not line.startswith("#"):
                    name, labels = re.match(r"(\w+)(\{.*\})? ", line).groups()
                    metrics.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
            return metrics if "magic_replication_lag_bytes" in metrics and "magic_statement_seconds_bucket" in metrics else None

        metrics = wait_until(read, 20, "metrics of replication and of statements")
        used = set()
        for title, expression in [*self.panels(), *self.alerts()]:
            found = METRIC.findall(expression)
            self.assertTrue(found or "up{" in expression, title)
            for name, selectors in found:
                used.add(name)
                self.assertIn(name, metrics, title)
                labels = set(re.findall(r"(\w+) *(?:=~|!~|!=|=)", selectors))
                self.assertLessEqual(labels - {"instance", "job"}, metrics[name], title)
            for by in re.findall(r"by \(([^)]*)\)", expression):
                self.assertLessEqual(
                    set(by.split(", ")) - {"instance"}, set().union(*(metrics[name] for name, _ in found)), title)
        # And there is no metric that nobody looks at.
        shown = {re.sub("_(bucket|sum|count)$", "", name) for name in used}
        self.assertEqual({re.sub("_(bucket|sum|count)$", "", name) for name in metrics} - shown, set())
        # The outcomes that are called failures are words that the service has.
        kinds = set((ROOT / "docs/http-api.md").read_text().split("### Errors")[1].replace("`", " ").replace(",", " ").split())
        for outcome in set(re.findall(r'outcome=~"([^"]+)"', str(self.alerts()) + str(self.panels()))):
            self.assertLessEqual(set(outcome.split("|")), kinds)

    def test_grafana(self):
        dashboard = self.grafana
        self.assertEqual({each["name"] for each in dashboard["templating"]["list"]}, {"datasource", "instance"})
        identifiers = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(identifiers), len(set(identifiers)))
        taken = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells
            for target in panel.get("targets", []):
                self.assertEqual(target["datasource"]["uid"], "${datasource}")
                self.assertIn('instance=~"$instance"', target["expr"])

    def test_alerts_tell_what_to_do(self):
        text = (EXAMPLES / "prometheus/alerts.yaml").read_text()
        self.assertEqual(len(re.findall(r"^ +action: \S", text, re.MULTILINE)), len(self.alerts()))
        for statement in re.findall(r"`(SELECT [^`]+)`", text):
            self.rows(statement)
        for command in re.findall(r"`(magic \w+(?: \w+)*)", text):
            done = self.service.run(*command.split()[1:], "--help", check=False)
            self.assertEqual(done.returncode, 0, command)
        options = self.service.run("serve", "--help").stdout
        for option in re.findall(r"--[a-z-]+", text):
            if option != "--data":
                self.assertIn(option, options)

    @needs_promtool
    def test_prometheus_takes_them(self):
        folder = EXAMPLES / "prometheus"
        for done in (promtool("check", "config", folder / "prometheus.yaml"), promtool("check", "rules", folder / "alerts.yaml")):
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # JSON is YAML: the panels' expressions as rules.
        rules = [{"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m").replace("$instance", ".*")}
                 for number, (_, expression) in enumerate(self.panels())]
        (self.folder / "panels.yaml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
        done = promtool("check", "rules", self.folder / "panels.yaml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @needs_promtool
    def test_alerts_fire(self):
        """What each alert waits for, and for how long; nothing of it fires at a server that is well."""
        total = 'magic_statements_total{interface="http",verb="SELECT",instance="i",outcome="%s"}'
        cases = {
            "MagicDown": ('up{job="magic",instance="i"}', "0x90", "1x90", 1, 3),
            "MagicDisconnected": ('magic_replication_connected{instance="i"}', "0x90", "1x90", 4, 6),
            "MagicLag": ('magic_replication_lag_seconds{instance="i"}', "0+60x90", "0.2x90", 5, 8),
            "MagicTableStopped": ('magic_replication_tables{instance="i",state="stopped"}', "1x90", "0x90", 29, 31),
            "MagicDiskLow": ('magic_disk_free_bytes{instance="i"}', "4000000000x90", "9000000000x90", 4, 6),
            "MagicDiskFull": ('magic_disk_free_bytes{instance="i"}', "5000000000 1000000000x90", "9000000000x90", 0, 1),
            "MagicStatementsWaiting": ('magic_statements_waiting{instance="i"}', "3x90", "0x90", 4, 6),
            "MagicValuesChanged": ('magic_replication_zero_dates{instance="i"}', "0 0 5x90", "7x90", 1, 3),
            "MagicStatementsFailing": (total % "timedOut", "0+10x90", "0+1x90", 5, 8),
        }
        self.assertEqual(set(cases), {name for name, _ in self.alerts()})
        others = [{"series": total % "ok", "values": "0+100x90"}, {"series": total % "invalid", "values": "0+30x90"},
                  {"series": 'magic_replication_invalid_texts{instance="i"}', "values": "0x90"}]
        tests = []
        for name, (series, bad, good, before, after) in cases.items():
            fires = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'

            def sample(minute, value):
                return {"expr": fires, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}] if value else []}
            tests.append({"interval": "1m", "input_series": [{"series": series, "values": bad}, *others],
                          "promql_expr_test": [sample(before, False), sample(after, True)]})
            tests.append({"interval": "1m", "input_series": [{"series": series, "values": good}, *others],
                          "promql_expr_test": [sample(60, False)]})
        (self.folder / "tests.yaml").write_text(json.dumps({
            "rule_files": [str(EXAMPLES / "prometheus/alerts.yaml")], "evaluation_interval": "1m", "tests": tests}))
        done = promtool("test", "rules", self.folder / "tests.yaml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def hashed(password):
    """A hash for the file of the users."""
    return subprocess.run(
        [MAGIC, "password"], input=password + "\n", capture_output=True, text=True, check=True, timeout=60).stdout.strip()


if __name__ == "__main__":
    unittest.main()

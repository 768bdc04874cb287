"""The shop of the other demo in Spark: `magic serve` follows MariaDB while customers keep ordering, and
spark-sql joins, aggregates and merges. Run it with `make demo-spark`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from demo import CUSTOMERS, ORDERS, SHOP, Customers, say  # noqa: E402
from harness import ROOT, MariaDB, wait_until  # noqa: E402
from serving import Service  # noqa: E402

SPARK = ROOT / ".deps/pyspark/pyspark"

REVENUE = """
SELECT c.country, count(*) AS items, sum(i.quantity * i.price) AS revenue
FROM magic.shop.orders o
JOIN magic.shop.order_items i ON i.order_id = o.id
JOIN magic.shop.customers c ON c.id = o.customer_id
WHERE o.status <> 'cancelled'
GROUP BY c.country"""

FIRST = f"""
CREATE NAMESPACE magic.reports;
CREATE TABLE magic.reports.revenue (country STRING, items BIGINT, revenue DECIMAL(20,2), PRIMARY KEY (country));
INSERT INTO magic.reports.revenue {REVENUE} HAVING c.country <> 'US';
SELECT * FROM magic.reports.revenue ORDER BY country;
"""

MERGE = f"""
MERGE INTO magic.reports.revenue AS report USING ({REVENUE}) AS now ON report.country = now.country
WHEN MATCHED THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *;
SELECT * FROM magic.reports.revenue ORDER BY country;
"""


def spark_sql(service, statements):
    """Runs statements in spark-sql, prints them, and gives what it printed: rows of texts."""
    for statement in filter(None, map(str.strip, statements.split(";\n"))):
        print("\n           spark-sql> " + statement.replace("\n", "\n                      "))
    settings = {
        "spark.sql.catalog.magic": "magic.spark.MagicCatalog", "spark.sql.catalog.magic.url": service.url(""),
        "spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false", "spark.log.level": "ERROR", "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1", "spark.sql.catalogImplementation": "in-memory"}
    done = subprocess.run(
        [SPARK / "bin/spark-sql", "--master", "local[2]", "--jars", ROOT / ".build-spark/spark-magic.jar",
         *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")), "-e", statements],
        env={**os.environ, "SPARK_HOME": str(SPARK)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=service.folder, timeout=600)
    if done.returncode != 0:
        told = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("\tat "))
        sys.exit(f"spark-sql ended with {done.returncode}:\n{told[-4000:]}")
    rows = [line.split("\t") for line in done.stdout.splitlines() if line]
    print()
    for row in rows:
        print("           " + "".join(f"{field:>16}" for field in row))
    print()
    return rows


def main():
    print("Magic is a catalog of Spark: what MariaDB has, and tables that Spark writes.\n")
    with MariaDB("--sql-mode=NO_ENGINE_SUBSTITUTION") as source:
        source.create_database("shop", *SHOP)
        say(f"A shop on MariaDB has {CUSTOMERS:,} customers and {ORDERS:,} orders.")
        service = Service("--source", source.url(), "--include", "shop.*")
        customers = Customers(source)
        try:
            service.start()
            customers.start()
            say("`magic serve --source` copies it and follows, while customers order, change and cancel.")
            wait_until(lambda: is_copied(service), 300, "the copy", interval=0.1)
            say("spark-sql joins three tables as of one commit point, and keeps the result beside them:")
            first = spark_sql(service, FIRST)
            customers.stop()
            source_state = source.rows("SELECT @@gtid_binlog_pos")[0][0]
            say(f"The customers rest after {customers.transactions:,} transactions. MERGE brings the report up to date:")
            wait_until(lambda: gtids(service) == source_state, 60, "the last transaction", interval=0.05)
            merged = spark_sql(service, MERGE)
            expected = source.rows(REVENUE.replace("magic.shop", "shop") + " ORDER BY c.country")
            if merged != [[str(field) for field in row] for row in expected]:
                sys.exit("The report is not what MariaDB says. This is a fault of Magic.")
            if first == merged:
                sys.exit("The report did not change. This is a fault of Magic.")
            say("MariaDB computes the same report.")
            service.stop_cleanly()
        finally:
            if customers.is_alive():
                customers.stop()
            service.stop()
    say("Everything is cleaned up.")


def is_copied(service):
    with service.connect() as connection:
        return connection.value("SELECT count() FROM system.tables WHERE database = 'shop' AND name <> 'marker'") == 4


def gtids(service):
    with service.connect() as connection:
        [[text]] = connection.rows("SELECT magicGTID()")
        return text


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("demo: stopped"))
    main()

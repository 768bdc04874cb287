"""The best customers in polars, over Arrow Flight SQL: parameters, the commit point, a result that goes back.

    pip install polars pyarrow adbc-driver-flightsql
    python polars_report.py [grpc://127.0.0.1:32010]     # or MAGIC_FLIGHT_URL; MAGIC_USER, MAGIC_PASSWORD
"""

import os
import sys

import adbc_driver_flightsql.dbapi as flightsql
import polars

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_FLIGHT_URL", "grpc://127.0.0.1:32010")
login = {"username": os.environ["MAGIC_USER"], "password": os.environ["MAGIC_PASSWORD"]} if "MAGIC_USER" in os.environ else {}

# A statement reads one commit point from its first table to its last row. Its number, and the GTIDs of
# the source that it has, can be asked for in the same statement.
QUERY = """
SELECT c.country, c.id AS customer, c.name, sum(i.quantity * i.price) AS amount,
       any(magicCommitPoint()) AS commit, any(magicGTID()) AS gtid
FROM shop.customers c
JOIN shop.orders o ON o.customer_id = c.id
JOIN shop.order_items i ON i.order_id = o.id
WHERE c.country IN (?, ?) AND o.status <> ?
GROUP BY c.country, c.id, c.name"""

with flightsql.connect(URL, db_kwargs=login, autocommit=True) as magic:
    customers = polars.read_database(QUERY, magic, execute_options={"parameters": ["DE", "JP", "cancelled"]})
    best = (customers.sort("country", "amount", "customer", descending=[False, True, False])
            .group_by("country", maintain_order=True).head(3))
    for row in best.iter_rows(named=True):
        print(f"{row['country']}  {row['name']:<14}{row['amount']:>10}")
    print(f"read at {best['gtid'][0]}")

    # The table is made anew, and seen whole or not at all.
    with magic.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS reports")
        cursor.adbc_ingest("best_customers", best.to_arrow(), mode="replace", db_schema_name="reports")
    print(polars.read_database("SELECT count() AS rows, sum(amount) AS amount FROM reports.best_customers", magic))

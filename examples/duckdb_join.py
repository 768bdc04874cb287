"""DuckDB joins a live table of Magic, streamed in Arrow, with a local CSV file; the result goes back.

    pip install duckdb pyarrow adbc-driver-flightsql
    python duckdb_join.py [grpc://127.0.0.1:32010 [discounts.csv]]   # or MAGIC_FLIGHT_URL; MAGIC_USER, MAGIC_PASSWORD
"""

import os
import sys
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import duckdb

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_FLIGHT_URL", "grpc://127.0.0.1:32010")
FILE = sys.argv[2] if len(sys.argv) > 2 else str(Path(__file__).parent / "discounts.csv")  # or Parquet, JSON, …
login = {"username": os.environ["MAGIC_USER"], "password": os.environ["MAGIC_PASSWORD"]} if "MAGIC_USER" in os.environ else {}

with flightsql.connect(URL, db_kwargs=login, autocommit=True) as magic, magic.cursor() as cursor:
    # Magic joins and filters its own tables; what DuckDB gets are record batches, as it asks for them.
    cursor.execute("""
        SELECT c.country, i.quantity * i.price AS amount
        FROM shop.order_items i
        JOIN shop.orders o ON o.id = i.order_id
        JOIN shop.customers c ON c.id = o.customer_id
        WHERE o.status = ?""", ["shipped"])
    live = cursor.fetch_record_batch()  # noqa: F841: DuckDB finds it by its name
    result = duckdb.sql("""
        SELECT country, sum(amount) AS amount, round(sum(amount) * any_value(percent) / 100, 2) AS discount
        FROM live JOIN read_csv($file) USING (country)
        GROUP BY country ORDER BY country""", params={"file": FILE}).to_arrow_table()
    for row in result.to_pylist():
        print(f"{row['country']}  {row['amount']:>12}  {row['discount']:>10}")

    cursor.execute("CREATE DATABASE IF NOT EXISTS reports")
    rows = cursor.adbc_ingest("discounts", result, mode="replace", db_schema_name="reports")
    print(f"reports.discounts has {rows} rows")

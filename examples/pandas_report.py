"""Revenue by month in pandas: two queries that read one commit point, and a result that goes back.

    pip install clickhouse-connect pandas
    python pandas_report.py [http://127.0.0.1:8123]      # or MAGIC_URL; MAGIC_USER, MAGIC_PASSWORD
"""

import json
import os
import sys
import urllib.request
from base64 import b64encode
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.common import set_setting

URL = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_URL", "http://127.0.0.1:8123")).rstrip("/")
USER, PASSWORD = os.environ.get("MAGIC_USER", "default"), os.environ.get("MAGIC_PASSWORD", "")


def api(name, **members):
    """A call of Magic's own API, docs/http-api.md."""
    request = urllib.request.Request(f"{URL}/magic/v1/{name}", json.dumps(members).encode())
    if PASSWORD:
        request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


set_setting("invalid_setting_action", "send")  # `magic_snapshot` is no setting of ClickHouse
address = urlsplit(URL)
client = clickhouse_connect.get_client(
    host=address.hostname, port=address.port, secure=address.scheme == "https", username=USER, password=PASSWORD)

# Whatever is ordered while this runs, both queries see the shop as it was at this moment.
snapshot = api("snapshots/open", tables=[{"database": "shop", "table": name} for name in ("orders", "order_items")])
try:
    at = {"magic_snapshot": snapshot["id"]}
    orders = client.query_df(
        "SELECT id, placed_at FROM shop.orders WHERE status <> {left_out:String} AND placed_at >= {since:DateTime}",
        parameters={"left_out": "cancelled", "since": "2026-02-01 00:00:00"}, settings=at)
    items = client.query_df(
        "SELECT order_id, toFloat64(sum(quantity * price)) AS amount FROM shop.order_items GROUP BY order_id",
        settings=at)
finally:
    api("snapshots/release", snapshot=snapshot["id"])

orders["month"] = orders["placed_at"].dt.strftime("%Y-%m")
report = (orders.merge(items, left_on="id", right_on="order_id")
          .groupby("month").agg(orders=("id", "nunique"), revenue=("amount", "sum")).round(2).reset_index())
print(report.to_string(index=False))

# A row takes the place of the one with its key, so the report can be made every hour.
client.command("CREATE DATABASE IF NOT EXISTS reports")
client.command("CREATE TABLE IF NOT EXISTS reports.months (month String, orders UInt64, revenue Float64) "
               "ENGINE = MutableMergeTree ORDER BY month")
client.insert_df("reports.months", report)
count = client.query("SELECT count() FROM reports.months").result_rows[0][0]
print(f"reports.months has {count} rows, of commit point {snapshot['commit']} ({snapshot['gtids']})")

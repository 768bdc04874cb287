"""A Spark job: Magic is a catalog, whose tables are joined as of one commit point; the result is a table there.

    pip install pyspark==4.3.0                    # and Java 17; `make spark` makes .build-spark/spark-magic.jar
    python spark_job.py [http://127.0.0.1:8123]   # or MAGIC_URL; MAGIC_USER, MAGIC_PASSWORD

The connector is found at SPARK_MAGIC_JAR, by default .build-spark/spark-magic.jar of this repository.
On a cluster: spark-submit --jars spark-magic.jar spark_job.py URL.
"""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_URL", "http://127.0.0.1:8123")
JAR = os.environ.get("SPARK_MAGIC_JAR", Path(__file__).resolve().parents[1] / ".build-spark/spark-magic.jar")

builder = SparkSession.builder.appName("revenue by country")
settings = {
    "spark.jars": JAR,
    "spark.sql.catalog.magic": "magic.spark.MagicCatalog",
    "spark.sql.catalog.magic.url": URL,              # user and password: MAGIC_USER, MAGIC_PASSWORD
    "spark.sql.session.timeZone": "UTC",             # DATETIME as it was written
    "spark.driver.extraJavaOptions": "-Darrow.enable_unsafe_memory_access=true",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
for name, value in settings.items():
    builder = builder.config(name, str(value))
spark = builder.getOrCreate()
try:
    orders, items, customers = (spark.table(f"magic.shop.{name}") for name in ("orders", "order_items", "customers"))
    revenue = (
        orders.where("status <> 'cancelled'")
        .join(items, orders.id == items.order_id)
        .join(customers, orders.customer_id == customers.id)
        .groupBy("country")
        .agg(f.countDistinct(orders.id).alias("orders"), f.sum(items.quantity * items.price).cast("decimal(20,2)").alias("revenue")))

    spark.sql("CREATE NAMESPACE IF NOT EXISTS magic.reports")
    # Readers see all of the new rows or none. A row takes the place of the one with its key.
    spark.sql("""CREATE TABLE IF NOT EXISTS magic.reports.revenue
                 (country STRING, orders BIGINT, revenue DECIMAL(20,2), PRIMARY KEY (country))""")
    revenue.writeTo("magic.reports.revenue").append()
    for row in spark.table("magic.reports.revenue").orderBy("country").collect():
        print(f"{row.country}  {row.orders:>6}  {row.revenue:>12}", flush=True)
finally:
    spark.stop()

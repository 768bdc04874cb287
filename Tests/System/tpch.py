"""TPC-H: its data from `tpchgen-cli`, as files and in a catalog, and its questions."""

import re
import subprocess
import sys
from pathlib import Path

KEYS = {
    "region": "r_regionkey", "nation": "n_nationkey", "supplier": "s_suppkey", "customer": "c_custkey", "part": "p_partkey",
    "partsupp": "ps_partkey, ps_suppkey", "orders": "o_orderkey", "lineitem": "l_orderkey, l_linenumber",
}


def queries():
    """The questions by their numbers."""
    text = Path(__file__).with_name("tpch.sql").read_text()
    parts = re.split(r"^-- (\d+)$", text, flags=re.M)[1:]
    return {int(number): sql.strip().rstrip(";") for number, sql in zip(parts[::2], parts[1::2])}


def generate(folder, scale, form="parquet"):
    """Writes the tables as files."""
    subprocess.run(
        [Path(sys.executable).with_name("tpchgen-cli"), form, f"--scale-factor={scale}", f"--output-dir={folder}"],
        check=True, capture_output=True)


def load(spark, namespace):
    """Copies the tables of the session into a namespace of a catalog, through Spark."""
    for table, key in KEYS.items():
        spark.sql(f"CREATE TABLE {namespace}.{table} TBLPROPERTIES (primaryKey = '{key}') AS SELECT * FROM {table}")

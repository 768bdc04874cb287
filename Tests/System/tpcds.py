"""TPC-DS: its data and questions, from DuckDB's extension, as files and in a catalog."""

import json
import os
import re
import subprocess
import sys

from harness import ROOT

GENERATOR = ROOT / ".deps/tpcds"

# Run by a Python of its own, whose DuckDB is the extension's.
SCRIPT = """
import glob, json, sys
import duckdb
folder, scale = sys.argv[1:]
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
[extension] = glob.glob(sys.path[1] + "/duckdb_extension_tpcds/**/tpcds.duckdb_extension", recursive=True)
connection.execute("LOAD '" + extension + "'")
connection.execute("CALL dsdgen(sf = " + scale + ")")
tables = [name for [name] in connection.execute("SHOW TABLES").fetchall()]
for table in tables:
    connection.execute(f"COPY {table} TO '{folder}/{table}.parquet' (FORMAT parquet)")
json.dump({"tables": tables, "questions": connection.execute("SELECT query_nr, query FROM tpcds_queries()").fetchall()}, sys.stdout)
"""


def is_there():
    """Whether `scripts/setup soak` has installed the generator."""
    return GENERATOR.exists()


def generate(folder, scale):
    """Writes the tables as files; gives their names, and by their numbers the questions, without limits, among whose ties
    an answer could choose."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, str(scale)], env={**os.environ, "PYTHONPATH": str(GENERATOR)}, check=True,
        capture_output=True, text=True)
    found = json.loads(done.stdout)
    questions = {
        number: re.sub(r"\sLIMIT \d+;?\s*$", "", sql.strip()).rstrip(";").replace('"', "`") for number, sql in found["questions"]}
    return found["tables"], questions


def load(spark, namespace, tables):
    """Copies the tables of the session into a namespace of a catalog, through Spark."""
    for table in tables:
        spark.sql(f"CREATE TABLE {namespace}.{table} AS SELECT * FROM {table}")

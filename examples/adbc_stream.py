"""Reads any number of rows in bounded memory: record batches are taken as they come, and the server waits.

    pip install adbc-driver-flightsql adbc-driver-manager pyarrow
    python adbc_stream.py [grpc://127.0.0.1:32010]       # or MAGIC_FLIGHT_URL; MAGIC_USER, MAGIC_PASSWORD
    python adbc_stream.py /var/lib/magic                 # a data folder, by Magic's own driver: in this process
                                                         # when no other has it open, else through that one

Magic's driver is found where MAGIC_ADBC_DRIVER says, else as `libadbc_driver_magic.so` in the usual places.
"""

import os
import resource
import sys

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager.dbapi as adbc
import pyarrow

PLACE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_FLIGHT_URL", "grpc://127.0.0.1:32010")
login = {"username": os.environ["MAGIC_USER"], "password": os.environ["MAGIC_PASSWORD"]} if "MAGIC_USER" in os.environ else {}


def connect():
    if PLACE.startswith("grpc"):
        return flightsql.connect(PLACE, db_kwargs=login, autocommit=True)
    driver = os.environ.get("MAGIC_ADBC_DRIVER", "adbc_driver_magic")
    return adbc.connect(driver=driver, db_kwargs={"uri": PLACE, **login}, autocommit=True)


# 500 times every order line with a text of 100 letters: 5 million rows, half a gigabyte.
QUERY = """
SELECT n.number AS copy, i.order_id, i.line, i.quantity * i.price AS amount, repeat('x', 100) AS note
FROM numbers(?) n, shop.order_items i"""

with connect() as magic, magic.cursor() as cursor:
    cursor.execute(QUERY, [500])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = size = batches = 0
    for batch in cursor.fetch_record_batch():
        rows, size, batches = rows + batch.num_rows, size + batch.nbytes, batches + 1
        # … here a program computes, or sends on, what it has got
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(f"{rows:,} rows, {size >> 20} MiB in {batches} batches; memory grew by {grown} MiB")

    # The other way, too: what a generator makes is sent as it is made, and stored whole or not at all.
    schema = pyarrow.schema([("id", pyarrow.int64()), ("square", pyarrow.int64())])
    made = (pyarrow.record_batch([range(start, start + 1000), [n * n for n in range(start, start + 1000)]], schema=schema)
            for start in range(0, 100_000, 1000))
    cursor.execute("CREATE DATABASE IF NOT EXISTS reports")
    cursor.adbc_ingest("squares", pyarrow.RecordBatchReader.from_batches(schema, made), mode="replace", db_schema_name="reports")
    cursor.execute("SELECT count(), sum(square) FROM reports.squares")
    print("stored: {:,} rows, the sum of squares is {:,}".format(*cursor.fetchone()))

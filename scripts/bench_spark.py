"""Spark on Magic beside Spark on Parquet files and on the source itself: the questions of TPC-H, scans and writes.
The source is a MariaDB that has the tables; `magic serve --source` copies them. Set MAGIC to a release build.
A look in three minutes: bench_spark.py --scale 0.1 --jdbc-limit 20"""

import argparse
import math
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
import sparking  # noqa: E402
import tpch  # noqa: E402
from harness import PASSWORD, USER, MariaDB, find_program, wait_until  # noqa: E402
from serving import Service  # noqa: E402
from sparking import catalog  # noqa: E402

DRIVER = "/usr/share/java/mariadb-java-client.jar"
COLUMNS = {
    "region": "r_regionkey BIGINT, r_name CHAR(25), r_comment VARCHAR(152)",
    "nation": "n_nationkey BIGINT, n_name CHAR(25), n_regionkey BIGINT, n_comment VARCHAR(152)",
    "supplier": "s_suppkey BIGINT, s_name CHAR(25), s_address VARCHAR(40), s_nationkey BIGINT, s_phone CHAR(15), "
                "s_acctbal DECIMAL(15,2), s_comment VARCHAR(101)",
    "customer": "c_custkey BIGINT, c_name VARCHAR(25), c_address VARCHAR(40), c_nationkey BIGINT, c_phone CHAR(15), "
                "c_acctbal DECIMAL(15,2), c_mktsegment CHAR(10), c_comment VARCHAR(117)",
    "part": "p_partkey BIGINT, p_name VARCHAR(55), p_mfgr CHAR(25), p_brand CHAR(10), p_type VARCHAR(25), p_size INT, "
            "p_container CHAR(10), p_retailprice DECIMAL(15,2), p_comment VARCHAR(23)",
    "partsupp": "ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INT, ps_supplycost DECIMAL(15,2), ps_comment VARCHAR(199)",
    "orders": "o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus CHAR(1), o_totalprice DECIMAL(15,2), o_orderdate DATE, "
              "o_orderpriority CHAR(15), o_clerk CHAR(15), o_shippriority INT, o_comment VARCHAR(79)",
    "lineitem": "l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INT, l_quantity DECIMAL(15,2), "
                "l_extendedprice DECIMAL(15,2), l_discount DECIMAL(15,2), l_tax DECIMAL(15,2), l_returnflag CHAR(1), "
                "l_linestatus CHAR(1), l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE, l_shipinstruct CHAR(25), "
                "l_shipmode CHAR(10), l_comment VARCHAR(44)",
}


def fill(source, folder):
    """Loads the tables into the source."""
    source.execute("CREATE DATABASE tpch")
    for table, columns in COLUMNS.items():
        declared = re.sub(r",(?= [a-z]+_)|$", " NOT NULL,", columns)
        source.execute(f"CREATE TABLE tpch.{table} ({declared} PRIMARY KEY ({tpch.KEYS[table]}))")
        subprocess.run(
            [find_program("mariadb"), "--no-defaults", f"--socket={source.socket}", "--user=root", "--local-infile=1", "-e",
             "SET unique_checks = 0, foreign_key_checks = 0; "
             f"LOAD DATA LOCAL INFILE '{folder}/{table}.tbl' INTO TABLE tpch.{table} FIELDS TERMINATED BY '|'"],
            check=True, capture_output=True)
        source.execute(f"ANALYZE TABLE tpch.{table}")


def timed(run):
    start = time.monotonic()
    result = run()
    return time.monotonic() - start, result


def cells(rows):
    """Rows to be compared: decimals of one value may have more zeros here than there."""
    return sorted(repr([str(float(cell)) if hasattr(cell, "as_tuple") else cell for cell in row]) for row in rows)


def questions(sessions, numbers, runs, jdbc_limit):
    print(f"TPC-H, seconds (best of {runs}); how much longer the others take than Magic", flush=True)
    print(f"  {'':<4}{'Magic':>9}{'Parquet':>9}{'':>8}{'JDBC':>9}")
    ratios, jdbc_ratios, slower = [], [], []
    for number, sql in tpch.queries().items():
        if numbers and number not in numbers:
            continue
        best = {}
        for name, session in sessions.items():
            if name == "JDBC":
                seconds = jdbc(session, sql, jdbc_limit)
                if seconds is not None:
                    best[name] = seconds
                continue
            results = [timed(lambda: session.sql(sql).collect()) for _ in range(runs)]
            best[name] = min(seconds for seconds, _ in results)
            found = cells(results[0][1])
            if name == "Magic":
                expected = found
            elif found != expected:
                print(f"  {number}: THE ANSWERS DIFFER")
        ratios.append(best["Parquet"] / best["Magic"])
        if ratios[-1] < 1:
            slower.append(number)
        line = f"  {number:<4}{best['Magic']:>9.2f}{best['Parquet']:>9.2f}{ratios[-1]:>7.1f}x"
        if "JDBC" in sessions:
            seconds = best.get("JDBC", jdbc_limit)
            jdbc_ratios.append(seconds / best["Magic"])
            line += f"{'>' if 'JDBC' not in best else '':>2}{seconds:>7.1f}{jdbc_ratios[-1]:>7.0f}x"
        print(line, flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"  geometric mean of Parquet's time over Magic's: {mean:.2f} (goal 3); slower than Parquet: {slower or 'none'}")
    if jdbc_ratios:
        print(f"  geometric mean of JDBC's time over Magic's: at least "
              f"{math.exp(sum(map(math.log, jdbc_ratios)) / len(jdbc_ratios)):.0f} (goal 50)")


def jdbc(session, sql, limit):
    """The time of a question to the source; None when it takes longer than the limit."""
    session.sparkContext.setJobGroup("jdbc", "jdbc", interruptOnCancel=True)
    timer = threading.Timer(limit, lambda: session.sparkContext.cancelJobGroup("jdbc"))
    timer.start()
    try:
        seconds, _ = timed(lambda: session.sql(sql).collect())
        return seconds if seconds < limit else None
    except Exception:
        return None
    finally:
        timer.cancel()
        session.sparkContext.setJobGroup("magic", "magic")


def scans(sessions, runs):
    print("scans of lineitem into nothing", flush=True)
    for kind, columns in (("narrow", "l_orderkey, l_quantity"), ("wide", "*")):
        for name in ("Magic", "Parquet"):
            frame = sessions[name].sql(f"SELECT {columns} FROM lineitem")
            count = frame.count()
            seconds = min(
                timed(lambda: frame.write.format("noop").mode("overwrite").save())[0] for _ in range(runs))
            print(f"  {kind:<8}{name:<9}{count / seconds:>14,.0f} rows/s", flush=True)


SHARED = [
    ("joined in full by the key", "spark.sql.sources.v2.bucketing.enabled",
     "SELECT o_orderkey, l_orderkey, o_orderdate, l_quantity FROM orders FULL JOIN lineitem ON o_orderkey = l_orderkey"),
    ("grouped by the key", "spark.sql.sources.v2.bucketing.enabled",
     "SELECT l_orderkey, max(upper(l_shipmode)) FROM lineitem GROUP BY l_orderkey"),
    ("grouped by an expression", "spark.sql.catalog.magic.pushQueries",
     "SELECT lower(l_shipmode), reverse(l_returnflag), sum(l_quantity), sum(l_tax), count(*) FROM lineitem GROUP BY 1, 2"),
]


def shared(sessions, runs):
    """What Spark and the server do together, beside the same without that and beside Parquet, in turn."""
    print("work that Spark shares with the server; without: Spark shuffles all rows, or groups them", flush=True)
    for name, setting, sql in SHARED:
        asked = {"Parquet": sessions["Parquet"]}
        for kind, value in (("shared", "true"), ("without", "false")):
            asked[kind] = sessions["Magic"].newSession()
            asked[kind].conf.set(setting, value)
            asked[kind].sql("USE magic.tpch")
        seconds = {}
        # The compiler of Java needs a few runs.
        for _ in range(runs + 3):
            for kind, session in asked.items():
                session.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
                found, _ = timed(lambda: session.sql(sql).write.format("noop").mode("overwrite").save())
                seconds[kind] = min(found, seconds.get(kind, found))
        print(f"  {name:<28}{seconds['shared']:>7.2f} s" + "".join(
            f"{seconds[kind]:>9.2f} s {kind}{seconds[kind] / seconds['shared']:>6.2f}" for kind in ("without", "Parquet")), flush=True)


def writes(sessions, folder, namespace):
    print("writing lineitem", flush=True)
    frame = sessions["Parquet"].table("lineitem")
    count = frame.count()
    seconds, _ = timed(lambda: frame.write.parquet(str(Path(folder) / "written")))
    print(f"  {'Parquet':<26}{count / seconds:>14,.0f} rows/s", flush=True)
    for name, properties in (("Magic, new", ""), ("Magic, new, with a key", "TBLPROPERTIES (primaryKey = 'l_orderkey, l_linenumber')")):
        table = f"{namespace}.written_{len(properties)}"
        seconds, _ = timed(lambda: sessions["Parquet"].sql(f"CREATE TABLE {table} {properties} AS SELECT * FROM lineitem"))
        print(f"  {name:<26}{count / seconds:>14,.0f} rows/s", flush=True)
    seconds, _ = timed(lambda: frame.writeTo(table).append())
    print(f"  {'Magic, every key again':<26}{count / seconds:>14,.0f} rows/s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="questions, scans, shared or writes; all by default")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H's scale factor: about as many gigabytes")
    parser.add_argument("--runs", type=int, default=2, help="how often each question is asked")
    parser.add_argument("--questions", type=int, nargs="+", help="the numbers of those that are asked")
    parser.add_argument("--jdbc-limit", type=float, default=60, help="seconds for a question to the source; 0 asks it none")
    arguments = parser.parse_args()
    known = ["questions", "scans", "shared", "writes"]
    parts = arguments.parts or known
    if unknown := set(parts) - set(known):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory(prefix="magic-bench-") as folder, MariaDB("--innodb-buffer-pool-size=2G") as source:
        tpch.generate(folder, arguments.scale)
        tpch.generate(folder, arguments.scale, "tbl")
        seconds, _ = timed(lambda: fill(source, folder))
        print(f"TPC-H at scale factor {arguments.scale:g}; loaded into MariaDB in {seconds:.0f} s", flush=True)
        service = Service("--source", source.url(), "--include", "tpch.*")
        try:
            start = time.monotonic()
            service.start()
            with service.connect() as connection:
                wait_until(lambda: connection.value(
                    "SELECT count() FROM system.tables WHERE database = 'tpch'") == len(COLUMNS), 3600, "the copy", interval=0.2)
                print(f"copied by magic serve in {time.monotonic() - start:.0f} s", flush=True)
                connection.run("CREATE DATABASE written")
            settings = {
                "spark.driver.memory": "6g", "spark.driver.extraJavaOptions": "-Darrow.enable_unsafe_memory_access=true"}
            if arguments.jdbc_limit:
                settings["spark.driver.extraClassPath"] = DRIVER
            spark = sparking.start(catalogs={}, **settings, **catalog("magic", service.url("")))
            sessions = {"Magic": spark.newSession(), "Parquet": spark.newSession()}
            sessions["Magic"].sql("USE magic.tpch")
            sparking.show_files(sessions["Parquet"], folder, tpch.KEYS)
            if arguments.jdbc_limit:
                sessions["JDBC"] = spark.newSession()
                for table in COLUMNS:
                    sessions["JDBC"].read.format("jdbc").options(
                        url=f"jdbc:mysql://127.0.0.1:{source.port}/tpch?useSSL=false", driver="org.mariadb.jdbc.Driver",
                        user=USER, password=PASSWORD, dbtable=table, fetchsize="10000").load().createOrReplaceTempView(table)
            if "questions" in parts:
                questions(sessions, arguments.questions, arguments.runs, arguments.jdbc_limit)
            if "scans" in parts:
                scans(sessions, arguments.runs)
            if "shared" in parts:
                shared(sessions, arguments.runs)
            if "writes" in parts:
                writes(sessions, folder, "magic.written")
            spark.stop()
        finally:
            service.stop()


if __name__ == "__main__":
    main()

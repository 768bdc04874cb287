"""An application that writes orders into MariaDB and reads them from Magic, where it always sees its own.

    pip install pymysql
    python read_your_own_writes.py [http://127.0.0.1:8123]      # or MAGIC_URL; MAGIC_USER, MAGIC_PASSWORD

MariaDB is at SOURCE_URL, by default mysql://shop:secret@127.0.0.1:3306/.
"""

import os
import sys
import time
import urllib.request
from base64 import b64encode
from decimal import Decimal
from urllib.parse import unquote, urlencode, urlsplit

import pymysql

URL = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_URL", "http://127.0.0.1:8123")).rstrip("/")
SOURCE = urlsplit(os.environ.get("SOURCE_URL", "mysql://shop:secret@127.0.0.1:3306/"))


def place_order(connection, customer, lines):
    """Commits an order, and returns its number, its amount and the GTID of its transaction."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (customer_id, status, placed_at) VALUES (%s, 'placed', UTC_TIMESTAMP())", (customer,))
        order = cursor.lastrowid
        cursor.executemany("INSERT INTO order_items VALUES (%s, %s, %s, %s, %s)", [
            (order, number, product, quantity, price) for number, (product, quantity, price) in enumerate(lines, 1)])
        connection.commit()
        cursor.execute("SELECT @@last_gtid")  # MySQL: the session tracker, or @@gtid_executed
        [gtid] = cursor.fetchone()
    return order, sum(quantity * price for _, quantity, price in lines), gtid


def amount(order, **parameters):
    """What Magic says that an order costs: None while it does not have the order."""
    query = "SELECT sum(quantity * price) FROM shop.order_items WHERE order_id = {id:UInt32} HAVING count() > 0"
    request = urllib.request.Request(f"{URL}/?" + urlencode({"query": query, "param_id": order, **parameters}))
    if "MAGIC_USER" in os.environ:
        login = f"{os.environ['MAGIC_USER']}:{os.environ['MAGIC_PASSWORD']}"
        request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=60) as response:
        text = response.read().decode().strip()
    return Decimal(text) if text else None


source = pymysql.connect(
    host=SOURCE.hostname, port=SOURCE.port or 3306, user=unquote(SOURCE.username or ""),
    password=unquote(SOURCE.password or ""), database="shop")
with source:
    for number in range(1, 6):
        order, expected, gtid = place_order(source, 17, [(1, number, Decimal("1.99")), (2, 1, Decimal("2.98"))])
        at_once = amount(order)
        start = time.monotonic()
        # It waits until the copy has the transaction, and for nothing when it has it already. Without
        # magic_timeout it would wait for 30 s at most, and then fail.
        found = amount(order, magic_at_least=gtid, magic_timeout=10)
        waited = (time.monotonic() - start) * 1000
        print(f"order {order} of {expected}, committed as {gtid}: without waiting {at_once or 'not there yet'}; "
              f"with at_least {found} after {waited:.0f} ms")
        if found != expected:
            sys.exit("Magic did not show what was committed.")
print("Every order was seen.")

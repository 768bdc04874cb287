"""A shop on MariaDB is copied while customers keep ordering; then one analytical query runs on
both sides. Run it with `make demo`."""

import random
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests/System"))
from harness import CommandFailed, MariaDB, Magic, wait_until  # noqa: E402

CUSTOMERS, PRODUCTS, ORDERS = 20_000, 1_000, 200_000

SHOP = [
    """CREATE TABLE customers (
         id INT UNSIGNED PRIMARY KEY, name VARCHAR(60) NOT NULL, country CHAR(2) NOT NULL,
         joined DATE NOT NULL)""",
    """CREATE TABLE products (
         id INT UNSIGNED PRIMARY KEY, name VARCHAR(60) NOT NULL, price DECIMAL(10,2) NOT NULL)""",
    """CREATE TABLE orders (
         id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL,
         status ENUM('placed','shipped','cancelled') NOT NULL, placed_at DATETIME NOT NULL,
         KEY (customer_id))""",
    """CREATE TABLE order_items (
         order_id INT UNSIGNED, line TINYINT UNSIGNED, product_id INT UNSIGNED NOT NULL,
         quantity SMALLINT UNSIGNED NOT NULL, price DECIMAL(10,2) NOT NULL,
         PRIMARY KEY (order_id, line))""",
    f"""INSERT INTO customers
        SELECT seq, CONCAT('Customer ', seq), ELT(1 + CRC32(seq) % 8,
          'DE', 'FR', 'GB', 'IT', 'JP', 'NL', 'SE', 'US'), '2020-01-01' + INTERVAL seq % 1000 DAY
        FROM seq_1_to_{CUSTOMERS}""",
    f"""INSERT INTO products
        SELECT seq, CONCAT('Product ', seq), (CRC32(seq) % 20000 + 99) / 100
        FROM seq_1_to_{PRODUCTS}""",
    f"""INSERT INTO orders
        SELECT seq, 1 + CRC32(seq) % {CUSTOMERS}, 1 + (CRC32(seq) % 20 > 2) + (seq % 50 = 0),
          '2025-01-01' + INTERVAL seq * 150 SECOND
        FROM seq_1_to_{ORDERS}""",
    f"""INSERT INTO order_items
        SELECT o.seq, l.seq, @p := 1 + CRC32(o.seq * 3 + l.seq) % {PRODUCTS},
          1 + CRC32(o.seq + l.seq) % 5, (CRC32(@p) % 20000 + 99) / 100
        FROM seq_1_to_{ORDERS} o JOIN seq_1_to_3 l""",
]

# The same text for both databases. Whole cents, because the two print decimals differently.
QUERY = """
SELECT c.country, DATE_FORMAT(o.placed_at, '%Y-%m') AS month,
       COUNT(DISTINCT o.id) AS orders, CAST(SUM(i.quantity * i.price) * 100 AS SIGNED) AS cents
FROM shop.orders o
JOIN shop.order_items i ON i.order_id = o.id
JOIN shop.customers c ON c.id = o.customer_id
WHERE o.status <> 'cancelled'
GROUP BY c.country, month
ORDER BY c.country, month"""

started = time.monotonic()


def say(text):
    print(f"{time.monotonic() - started:5.1f} s  {text}", flush=True)


class Customers(threading.Thread):
    """Orders, changes and deletes orders, a transaction at a time, until told to stop."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source = source
        self.stopping = threading.Event()
        self.transactions = 0

    def run(self):
        choose = random.Random(1)
        connection = self.source.connect(database="shop", autocommit=False)
        with connection, connection.cursor() as cursor:
            while not self.stopping.wait(0.004):
                kind, order = choose.random(), choose.randint(1, ORDERS)
                if kind < 0.5:
                    self.place(cursor, choose)
                elif kind < 0.9:
                    cursor.execute("UPDATE orders SET status = 'shipped' WHERE id = %s", (order,))
                else:
                    cursor.execute("DELETE FROM order_items WHERE order_id = %s", (order,))
                    cursor.execute("DELETE FROM orders WHERE id = %s", (order,))
                connection.commit()
                self.transactions += 1

    @staticmethod
    def place(cursor, choose):
        cursor.execute(
            "INSERT INTO orders (customer_id, status, placed_at) VALUES (%s, 'placed', NOW())",
            (choose.randint(1, CUSTOMERS),))
        order = cursor.lastrowid
        for line in range(1, choose.randint(2, 5)):
            cursor.execute(
                "INSERT INTO order_items SELECT %s, %s, id, %s, price FROM products WHERE id = %s",
                (order, line, choose.randint(1, 5), choose.randint(1, PRODUCTS)))

    def stop(self):
        self.stopping.set()
        self.join()


def copied_rows(magic):
    """How many rows of the shop are visible in the copy, 0 as long as none are."""
    try:
        return int(magic.http("SELECT count() FROM shop.order_items")[0][0])
    except (CommandFailed, OSError):
        return 0


def wait_for_copy(magic):
    def is_visible():
        if magic.process.poll() is not None:
            sys.exit("magic replicate ended:\n" + magic.output())
        return copied_rows(magic) > 0

    wait_until(is_visible, 300, "the copy", interval=0.1)


def measure_freshness(source, magic, inserts=20):
    """Milliseconds from a commit at the source until a query on the copy shows it."""
    times = []
    with source.connect(database="shop") as connection, connection.cursor() as cursor:
        for number in range(inserts):
            product = PRODUCTS + 1 + number
            cursor.execute("INSERT INTO products VALUES (%s, 'New', 9.99)", (product,))
            start = time.monotonic()
            wait_until(
                lambda: magic.http(f"SELECT 1 FROM shop.products WHERE id = {product}"),
                30, "a new product", interval=0.002)
            times.append((time.monotonic() - start) * 1000)
    return times


def compare_query(source, magic):
    start = time.monotonic()
    expected = [[str(field) for field in row] for row in source.rows(QUERY)]
    source_seconds = time.monotonic() - start
    start = time.monotonic()
    found = [[field.decode() for field in row] for row in magic.http(QUERY)]
    copy_seconds = time.monotonic() - start
    if found != expected:
        sys.exit("The two results differ. This is a fault of Magic.")
    return expected, source_seconds, copy_seconds


def show(result):
    print(f"\n         {'country':<9}{'month':<9}{'orders':>8}{'revenue':>16}")
    for country, month, orders, cents in result[:4]:
        print(f"         {country:<9}{month:<9}{int(orders):>8,}{int(cents) / 100:>16,.2f}")
    print(f"         … {len(result)} rows\n")


def main():
    print("Magic keeps a columnar copy of a MariaDB database, transaction by transaction.\n")
    with MariaDB("--sql-mode=NO_ENGINE_SUBSTITUTION") as source, Magic() as magic:
        say("A shop opens on MariaDB ...")
        source.create_database("shop", *SHOP)
        say(f"... with {CUSTOMERS:,} customers, {ORDERS:,} orders, {ORDERS * 3:,} order lines.")

        customers = Customers(source)
        customers.start()
        say("`magic replicate` starts, while customers order, change and cancel all the time.")
        copying = time.monotonic()
        magic.start_replicate(source.url(), "--include", "shop.*")
        wait_for_copy(magic)
        magic.catch_up(source, "shop")
        say(f"The copy has caught up, {time.monotonic() - copying:.1f} s after the start.")

        times = measure_freshness(source, magic)
        say(f"A committed row can be queried in the copy {statistics.median(times):.0f} ms later "
            f"(median; at worst {max(times):.0f} ms).")

        customers.stop()
        magic.catch_up(source, "shop")
        say(f"The customers rest after {customers.transactions:,} transactions. "
            "Revenue by country and month, on both:")
        result, source_seconds, copy_seconds = compare_query(source, magic)
        show(result)
        say(f"MariaDB took {source_seconds:.2f} s, Magic {copy_seconds:.2f} s: "
            f"{source_seconds / copy_seconds:.0f} times faster, with equal results.")

        start = time.monotonic()
        # It fails unless all rows are equal, and prints a line for each table.
        verified = magic.run("verify", "--data", magic.data, "--source", source.url())
        tables = len(verified.stdout.splitlines())
        say(f"`magic verify` has compared every row of {tables} tables with MariaDB in "
            f"{time.monotonic() - start:.1f} s: all are equal.")
        if magic.end() != 0:
            sys.exit("magic replicate did not end well:\n" + magic.output())
    say("Everything is cleaned up.")


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("demo: stopped"))
    main()

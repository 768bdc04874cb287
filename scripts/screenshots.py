"""Takes the pictures of the web console that README and docs show, over the shop of the demo: `make screenshots`."""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/System"))
from browser import browser, expect, hook, sign_in, visit, write  # noqa: E402
from demo import SHOP, Customers  # noqa: E402
from harness import MariaDB, wait_until  # noqa: E402
from serving import Service  # noqa: E402

PICTURES = ROOT / "docs/pictures"
# What the charts show at least.
SECONDS = 60
QUERY = """-- What each country bought, month by month
SELECT c.country, toStartOfMonth(o.placed_at) AS month,
       count(DISTINCT o.id) AS orders, sum(i.quantity * i.price) AS revenue
FROM shop.orders AS o
JOIN shop.order_items AS i ON i.order_id = o.id
JOIN shop.customers AS c ON c.id = o.customer_id
WHERE o.status <> 'cancelled'
GROUP BY c.country, month
ORDER BY month, revenue DESC"""


def main():
    with MariaDB() as source, browser() as chromium:
        source.create_database("shop", *SHOP)
        source.execute("CREATE TABLE shop.archive (id INT PRIMARY KEY) ENGINE = MyISAM", "INSERT INTO shop.archive VALUES (1)")
        service = Service("--source", source.url(), "--include", "shop.*", "--exclude", "shop.marker", "--verify", "1m")
        service.start()
        customers = Customers(source)
        try:
            with service.connect() as connection:
                wait_until(lambda: connection.value("SELECT count() FROM system.tables WHERE database = 'shop'") == 4, 120, "the copy")
            customers.start()
            page = chromium.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
            sign_in(page, service.url())
            # Somebody asks, so that there are statements to be seen.
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                service.clickhouse().query("SELECT country, count() FROM shop.customers GROUP BY country")
                time.sleep(0.2)
            page.screenshot(path=PICTURES / "console-overview.png")
            visit(page, "tables")
            expect(page.locator('[data-table="shop.orders"]')).to_be_visible()
            page.screenshot(path=PICTURES / "console-tables.png")
            page.emulate_media(color_scheme="dark")
            visit(page, "query")
            write(page, QUERY)
            hook(page, "run").click()
            expect(page.locator('[data-test="row-count"][data-state="complete"]')).to_be_visible(timeout=60_000)
            page.screenshot(path=PICTURES / "console-query.png")
        finally:
            customers.stopping.set()
            if customers.is_alive():
                customers.join()
            service.stop()
    for picture in sorted(PICTURES.glob("console-*.png")):
        print(picture.relative_to(ROOT), f"{picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

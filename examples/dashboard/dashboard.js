// Asks Magic for the numbers of the page every two seconds. No library is needed: a statement is a GET
// request, which reads only, whoever sends it, and its answer is JSON.

// Where Magic answers: below the address that this page came from. The web server there passes the
// request on and adds the login, so the page knows no password (examples/README.md).
const magic = "magic/";
const login = {};

// Or the page asks Magic itself, which `magic serve --allow-origin http://127.0.0.1:8080` allows to pages
// of that address. Where there are users, whoever gets the page can read the password then, too.
// const magic = "http://127.0.0.1:8123/";
// const login = { Authorization: `Basic ${btoa("dashboard:…")}` };

// Each statement reads one commit point: whole transactions of the source.
const statements = {
  numbers: `
    SELECT count() AS orders, countIf(status = 'placed') AS waiting, magicGTID() AS gtid
    FROM shop.orders`,
  countries: `
    SELECT c.country AS country, toFloat64(sum(i.quantity * i.price)) AS revenue
    FROM shop.order_items i
    JOIN shop.orders o ON o.id = i.order_id
    JOIN shop.customers c ON c.id = o.customer_id
    WHERE o.status <> 'cancelled'
    GROUP BY c.country
    ORDER BY c.country`,
};

async function ask(query) {
  const parameters = new URLSearchParams({ query, default_format: "JSON" });
  const response = await fetch(`${magic}?${parameters}`, {
    headers: login, cache: "no-store", signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text).data; // a result that broke off is no JSON, so it throws
}

function show(id, number) {
  document.getElementById(id).textContent = Number(number).toLocaleString("en", { maximumFractionDigits: 0 });
}

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function draw(rows) {
  const chart = document.getElementById("countries");
  const most = Math.max(1, ...rows.map((row) => row.revenue));
  chart.setAttribute("viewBox", `0 0 600 ${rows.length * 32}`);
  chart.replaceChildren(...rows.flatMap((row, index) => {
    const y = index * 32, width = 430 * row.revenue / most;
    return [
      element("text", { x: 0, y: y + 20 }, row.country),
      element("rect", { x: 40, y: y + 4, width, height: 24 }),
      element("text", { x: 48 + width, y: y + 20 }, Math.round(row.revenue).toLocaleString("en")),
    ];
  }));
}

async function refresh() {
  const state = document.getElementById("state");
  try {
    const [[numbers], countries] = await Promise.all([ask(statements.numbers), ask(statements.countries)]);
    show("orders", numbers.orders);
    show("waiting", numbers.waiting);
    show("revenue", countries.reduce((sum, row) => sum + row.revenue, 0));
    draw(countries);
    state.className = "";
    state.textContent = `as of transaction ${numbers.gtid}`;
  } catch (error) {
    state.className = "failed";
    state.textContent = `Magic does not answer: ${error.message}`;
  }
  setTimeout(refresh, 2000);
}

refresh();

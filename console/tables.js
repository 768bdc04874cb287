// The tables: state, size, differences, and what can be done about each.

import {adviceFor} from "./advice.js";
import {get, post, RequestError, select, session} from "./api.js";
import {STATE_KINDS} from "./overview.js";
import {
  attempt, confirmAction, formatAge, formatBytes, formatNumber, formatTime, h, icon, keyedList, openDialog, plural, poll, quoteName, replace,
  setAttribute, setText, tableHead,
} from "./ui.js";

const PAGE = 100;
const COLUMNS = [
  ["name", "Table"], ["state", "State"], ["rows", "Rows", "number"], ["bytes", "Size", "number"],
  ["youngRows", "Young rows", "number"], ["lastChange", "Last change"], ["verified", "Compared"],
];

export function show(main, parameters) {
  let tables = [], sortBy = "name", descending = false, first = 0;
  const filter = h("input", {type: "search", placeholder: "Filter by name", "aria-label": "Filter by name", "data-test": "table-filter",
    value: parameters.get("table") ?? "", oninput: () => draw(0)});
  const state = h("select", {"aria-label": "State", "data-test": "state-filter", onchange: () => draw(0)},
    [["", "All states"], ["live", "Live"], ["copying", "Copying"], ["stopped", "Stopped"], ["attention", "Needs attention"]]
      .map(([value, title]) => h("option", {value}, title)));
  state.value = parameters.get("state") ?? "";
  const count = h("span", {class: "muted", "aria-live": "polite", "data-test": "table-count"});
  const heads = COLUMNS.map(([key, title, kind]) =>
    h("th", {scope: "col", class: kind}, h("button", {class: "sort", "data-sort": key, onclick: () => sort(key)}, title, icon("sort"))));
  const body = h("tbody", {});
  const showRows = keyedList(body, table => table.key, buildRow);
  const empty = h("p", {class: "empty", hidden: true});
  const turn = (title, by, test) => h("button", {"data-test": test, onclick: () => draw(first + by)}, title);
  const before = turn("Previous", -PAGE, "page-before"), after = turn("Next", PAGE, "page-after");
  const shown = h("span", {class: "muted"});
  const pages = h("div", {class: "pages"}, before, shown, after);
  main.append(h("div", {class: "toolbar"}, filter, state, count),
    h("div", {class: "card table"}, h("table", {class: "stacked"}, h("thead", {}, h("tr", {}, heads)), body), empty), pages);

  function sort(key) {
    descending = sortBy === key ? !descending : ["rows", "bytes", "youngRows", "lastChange"].includes(key);
    sortBy = key;
    draw(0);
  }

  function draw(from) {
    const wanted = filter.value.trim().toLowerCase();
    const found = tables.filter(table => table.key.toLowerCase().includes(wanted) &&
      (!state.value || table.state === state.value || state.value === "attention" && (table.state === "stopped" || table.difference)));
    const value = table => table[sortBy] ?? "";
    found.sort((a, b) => {
      const [x, y] = descending ? [value(b), value(a)] : [value(a), value(b)];
      return x < y ? -1 : x > y ? 1 : a.key < b.key ? -1 : 1;
    });
    first = Math.max(0, Math.min(from, Math.floor((found.length - 1) / PAGE) * PAGE));
    const last = Math.min(found.length, first + PAGE);
    showRows(found.slice(first, last));
    setText(count, found.length === tables.length ? plural(tables.length, "table") : `${formatNumber(found.length)} of ${plural(tables.length, "table")}`);
    heads.forEach((head, index) => setAttribute(head, "aria-sort", COLUMNS[index][0] === sortBy && (descending ? "descending" : "ascending")));
    pages.hidden = found.length <= PAGE;
    setText(shown, `${formatNumber(first + 1)}–${formatNumber(last)}`);
    before.disabled = first === 0;
    after.disabled = last === found.length;
    empty.hidden = found.length > 0;
    setText(empty, tables.length ? "No table matches." : "There are no tables.");
  }

  return poll(async () => {
    tables = await loadTables();
    draw(first);
  }, 5);
}

/** What is stored, and what replication says about it to those who may see that. */
async function loadTables() {
  const [storage, status] = await Promise.all([
    post("tables", {kinds: ["TABLE"]}),
    session.me.replicates && session.seesAll ? get("status").catch(error => {
      if (error instanceof RequestError) return undefined;
      throw error;
    }) : undefined]);
  const found = new Map();
  const at = name => {
    const key = `${name.database}.${name.table}`;
    if (!found.has(key)) found.set(key, {key, name: key, database: name.database, table: name.table});
    return found.get(key);
  };
  for (const {database, table, estimatedRowCount, byteCount, youngRowCount, lastCommit, lastChange} of storage.tables) {
    if (database === "system") continue;
    Object.assign(at({database, table}), {rows: estimatedRowCount, bytes: byteCount, youngRows: youngRowCount, lastCommit, lastChange, isStored: true});
  }
  // A table that is copied anew is there twice; that it is being copied says more.
  for (const table of status?.tables ?? []) {
    const known = at(table.name);
    if (known.state !== "copying") Object.assign(known, table, {name: known.key, isReplicated: true, isStored: known.isStored || table.isStored});
  }
  for (const difference of status?.verification?.differences ?? []) at(difference.table).difference = difference;
  for (const table of found.values()) {
    table.verified = table.difference ? `${plural(table.difference.rows, "row")} differ`
      : table.state === "live" && status.verification?.passes ? "equal" : "–";
  }
  return [...found.values()];
}

function progressOf({copiedRows, estimatedRows}) {
  if (copiedRows === undefined) return "";
  return `${formatNumber(copiedRows)}${estimatedRows ? ` of about ${formatNumber(estimatedRows)}` : ""} rows copied`;
}

function buildRow(table) {
  let current = table;
  const cell = (index, ...content) => h("td", {class: COLUMNS[index][2], "data-label": COLUMNS[index][1]}, content);
  const badge = h("span", {class: "badge"});
  const reason = h("p", {class: "reason"}), advice = h("p", {class: "advice"});
  const copyAnew = session.isAdmin && h("button", {class: "small", "data-admin": "recopy", hidden: true, onclick: () => recopy(current)}, "Copy anew");
  const name = h("button", {class: "link", onclick: () => openTable(current), "data-test": "table-name"}, table.key);
  const [rows, bytes, young, change, verified] = [2, 3, 4, 5, 6].map(index => cell(index));
  const row = h("tr", {"data-table": table.key},
    h("th", {scope: "row"}, name, reason, advice, copyAnew), cell(1, badge), rows, bytes, young, change, verified);
  return [row, table => {
    current = table;
    const state = table.state ?? (table.isStored ? "stored" : "–");
    setAttribute(row, "data-state", state);
    setText(badge, state);
    badge.className = `badge ${STATE_KINDS[state] ?? ""}`;
    setText(reason, table.reason ?? (state === "copying" ? progressOf(table) : ""));
    setText(advice, table.state === "stopped" ? adviceFor(table.reason) ?? "Mend the reason, then copy the table anew." : table.difference ? adviceFor("differ") : "");
    if (copyAnew) copyAnew.hidden = table.state !== "stopped" && !table.difference;
    setText(rows, formatNumber(table.rows));
    setText(bytes, formatBytes(table.bytes));
    setText(young, formatNumber(table.youngRows));
    setText(change, formatAge(table.lastChange));
    setText(verified, table.verified);
    verified.classList.toggle("bad", table.difference !== undefined);
  }];
}

const steer = (action, title, text, button) => ({key, database, table}) => attempt(async () => {
  const confirmed = await confirmAction(title(key), text, button);
  return confirmed && (await post("writer", {action, table: {database, table}})).message;
});

const recopy = steer("recopy", name => `Copy ${name} anew`,
  "The rows are read from the source again. The table is readable as it is until the new copy takes its place.", "Copy anew");
const skip = steer("skip", name => `Stop following ${name}`,
  "The table stays readable as it is, and gets no more changes until it is copied anew.", "Stop following");

/** Patterns of LIKE that match just this name. */
const exactly = name => name.replace(/[\\%_]/g, "\\$&");

async function openTable(table) {
  const columns = h("div", {class: "table", "data-test": "columns"}, h("p", {class: "muted"}, "Reading the columns…"));
  const sql = `SELECT * FROM ${quoteName(table.database)}.${quoteName(table.table)} LIMIT 100`;
  const fact = (title, value) => h("div", {}, h("dt", {}, title), h("dd", {}, value));
  const dialog = openDialog(table.key, [
    h("div", {class: "toolbar"},
      h("a", {class: "button primary", href: `#query?${new URLSearchParams({sql})}`, "data-test": "query-table", onclick: () => dialog.close()}, icon("query"), "Query"),
      session.isAdmin && table.isReplicated && [
        h("button", {"data-admin": "recopy", onclick: () => recopy(table)}, "Copy anew"),
        table.state !== "stopped" && h("button", {"data-admin": "skip", onclick: () => skip(table)}, "Stop following")]),
    table.reason && h("div", {class: "warning warn"}, icon("warning"), h("div", {}, h("p", {class: "reason"}, table.reason), h("p", {class: "advice"}, adviceFor(table.reason)))),
    table.difference && h("div", {class: "warning bad"}, icon("warning"), h("div", {},
      h("p", {class: "reason"}, `${plural(table.difference.rows, "row")} differ from the source, the first at ${table.difference.first.key} (${table.difference.first.kind}).`),
      h("p", {class: "advice"}, adviceFor("differ")))),
    h("dl", {class: "facts"},
      fact("State", table.state ?? "stored"), fact("Rows", formatNumber(table.rows)), fact("Size", formatBytes(table.bytes)),
      fact("Young rows", formatNumber(table.youngRows)),
      fact("Last change", table.lastChange === undefined ? "–" : `${formatTime(table.lastChange)}, commit ${formatNumber(table.lastCommit)}`),
      table.stoppedAt && fact("Stopped at", `${table.stoppedAt.file}:${table.stoppedAt.offset}`)),
    h("h3", {}, "Columns"), columns,
  ], {class: "drawer"});
  try {
    const [described, listed] = await Promise.all([
      select(`DESCRIBE TABLE ${quoteName(table.database)}.${quoteName(table.table)}`),
      post("tables", {database: exactly(table.database), table: exactly(table.table)})]);
    const key = listed.tables[0]?.primaryKey ?? [];
    replace(columns, h("table", {}, tableHead(["Name", "Type", "Key"]), h("tbody", {}, described.map(({name, type}) =>
      h("tr", {"data-column": name}, h("th", {scope: "row"}, name), h("td", {}, h("code", {}, type)),
        h("td", {}, key.includes(name) && h("span", {class: "key", title: "Part of the key"}, icon("key"), key.indexOf(name) + 1)))))));
  } catch (error) {
    replace(columns, h("p", {class: "muted"}, table.isStored ? error.message : "The table is not in the copy."));
  }
}

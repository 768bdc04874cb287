// Statements: what runs now, what took long, what ended last.

import {post, RequestError, select, session} from "./api.js";
import {attempt, formatBytes, formatNumber, formatSeconds, h, keyedList, openDialog, plural, poll, replace, setText, tableHead} from "./ui.js";

const SHOWN_TEXT = 300;
// Without what this page asks itself.
const OTHERS = "query NOT LIKE '%FROM magic.%'";
const SLOW = `SELECT query, runs, total_ms, p95_ms, errors FROM magic.slow_queries WHERE ${OTHERS} LIMIT 50`;
const ENDED = `SELECT toUnixTimestamp64Milli(event_time) / 1000 AS time, duration_ms, user, interface, outcome, rows, bytes, query
FROM magic.query_log WHERE ${OTHERS} ORDER BY event_time DESC LIMIT 50`;

/** The beginning of a text; a click shows all of it. */
function statementText(text) {
  return h("button", {class: "link code", title: "Show the whole text", onclick: () =>
    openDialog("Statement", h("pre", {class: "value", tabindex: "0"}, text))}, text.slice(0, SHOWN_TEXT));
}

export function show(main) {
  const count = h("span", {class: "muted", "aria-live": "polite", "data-test": "running-count"});
  const body = h("tbody", {});
  const showRunning = keyedList(body, statement => statement.id, buildRunning);
  const none = h("p", {class: "empty"}, "Nothing runs.");
  const running = h("table", {class: "stacked"}, tableHead(["Statement", "User", "Through", ["Time", "number"], ["Rows", "number"], ["Size", "number"], ""]), body);
  const slow = h("section", {hidden: true, "data-test": "slow"}), ended = h("section", {hidden: true, "data-test": "ended"});
  main.append(
    h("section", {}, h("div", {class: "section-head"}, h("h2", {}, "Running now"), count), h("div", {class: "card table"}, running, none)),
    slow, ended);

  const stops = [
    poll(async () => {
      const {statements} = await post("statements/list");
      showRunning(statements);
      running.hidden = !statements.length;
      none.hidden = statements.length > 0;
      setText(count, plural(statements.length, "statement"));
    }),
    session.isAdmin && poll(() => Promise.all([
      showLog(slow, "Slowest", SLOW, ["Statement", ["Runs", "number"], ["Total", "number"], ["95 % within", "number"], ["Errors", "number"]],
        row => [statementText(row.query), formatNumber(Number(row.runs)), milliseconds(row.total_ms), milliseconds(row.p95_ms), formatNumber(Number(row.errors))]),
      showLog(ended, "Ended last", ENDED, ["Statement", "Ended", "User", "Through", "Outcome", ["Time", "number"], ["Size", "number"]],
        row => [statementText(row.query), new Date(row.time * 1000).toLocaleTimeString("sv"), row.user, row.interface, row.outcome, milliseconds(row.duration_ms), formatBytes(Number(row.bytes))]),
    ]), 15),
  ];
  return () => stops.forEach(stop => stop && stop());
}

const milliseconds = value => formatSeconds(Number(value) / 1000);

/** A table of a query; its section is hidden from those who may not read the log. */
async function showLog(section, title, sql, heads, cells) {
  // Who reads in it is not disturbed.
  if (section.contains(document.activeElement)) return;
  let rows;
  try {
    rows = await select(sql);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    section.hidden = true;
    return;
  }
  section.hidden = false;
  const titles = heads.map(head => [head].flat());
  replace(section, h("h2", {}, title), h("div", {class: "card table"},
    h("table", {class: "stacked"}, tableHead(heads), h("tbody", {}, rows.map(row =>
      h("tr", {}, cells(row).map((content, index) => h("td", {class: titles[index][1], "data-label": titles[index][0]}, content))))))));
}

function buildRunning(statement) {
  const cell = (label, kind, content) => h("td", {class: kind, "data-label": label}, content);
  const seconds = cell("Time", "number"), rows = cell("Rows", "number"), bytes = cell("Size", "number");
  const cancel = h("button", {class: "small danger", "data-test": "cancel-statement", onclick: () => attempt(async () => {
    const {cancelled} = await post("cancel", {id: statement.id});
    return cancelled ? "The statement is ended." : "It had ended already.";
  })}, "Cancel");
  const waiting = h("span", {class: "badge warn"}, "waits");
  const element = h("tr", {"data-test": "running-statement", "data-id": statement.id},
    h("th", {scope: "row"}, statementText(statement.text), waiting),
    cell("User", "", statement.user), cell("Through", "", [statement.interface, statement.address && ` ${statement.address}`]),
    seconds, rows, bytes, h("td", {class: "actions"}, cancel));
  return [element, ({seconds: time, rows: count, bytes: size, isWaiting}) => {
    waiting.hidden = !isWaiting;
    setText(seconds, formatSeconds(time));
    setText(rows, formatNumber(count));
    setText(bytes, formatBytes(size));
  }];
}

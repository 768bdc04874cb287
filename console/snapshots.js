// Snapshots, and latches: who holds what, and who waits.

import {get, post, RequestError, session} from "./api.js";
import {attempt, confirmAction, formatNumber, formatSeconds, h, keyedList, plural, poll, setText, tableHead} from "./ui.js";

export function show(main) {
  const snapshots = snapshotSection(), latches = latchSection();
  main.append(snapshots.element, latches.element);
  const stops = [poll(snapshots.refresh, 2), poll(latches.refresh, 2)];
  return () => stops.forEach(stop => stop());
}

/** A table that says something when it is empty. @returns `{element, show}` */
function listing(heads, keyOf, build, none) {
  const body = h("tbody", {});
  const table = h("table", {class: "stacked"}, tableHead(heads), body);
  const empty = h("p", {class: "empty"}, none);
  const fill = keyedList(body, keyOf, build);
  return {
    element: h("div", {class: "card table"}, table, empty),
    show(items) {
      fill(items);
      table.hidden = !items.length;
      empty.hidden = items.length > 0;
    },
  };
}

const cell = (label, ...content) => h("td", {"data-label": label}, content);

// Snapshots.

/** Names with commas between, as the API takes them. */
function parseTables(text) {
  return text.split(",").map(name => name.trim()).filter(Boolean).map(name => {
    const dot = name.indexOf(".");
    return dot < 0 ? {database: "default", table: name} : {database: name.slice(0, dot), table: name.slice(dot + 1)};
  });
}

function snapshotSection() {
  const lifetime = h("select", {id: "lifetime", "data-test": "snapshot-lifetime"},
    [[600, "10 minutes"], [3600, "1 hour"], [6 * 3600, "6 hours"], [24 * 3600, "24 hours"]].map(([value, title]) => h("option", {value}, title)));
  const tables = h("input", {placeholder: "all tables", "aria-label": "Tables, such as shop.orders, shop.customers", "data-test": "snapshot-tables"});
  const create = event => {
    event.preventDefault();
    attempt(async () => {
      const chosen = parseTables(tables.value);
      const snapshot = await post("snapshots/open", {lifetime: Number(lifetime.value), ...(chosen.length && {tables: chosen})});
      await refresh();
      return `Snapshot ${snapshot.id.slice(0, 8)} keeps commit point ${formatNumber(snapshot.commit)}.`;
    });
  };
  const list = listing(["Snapshot", "Commit point", "GTIDs", "Tables", "User", "Expires in", ""], snapshot => snapshot.id, buildSnapshot,
    "No snapshots. A snapshot keeps a state of tables readable while they change.");

  function buildSnapshot({id, commit, gtids, tables, user}) {
    const expires = cell("Expires in");
    const act = (action, done) => attempt(async () => {
      await post(`snapshots/${action}`, {snapshot: id});
      await refresh();
      return done;
    });
    const names = tables?.length ? tables.map(({database, table}) => `${database}.${table}`).join(", ") : "all";
    const row = h("tr", {"data-test": "snapshot-row", "data-id": id},
      h("th", {scope: "row"}, h("code", {title: id}, id.slice(0, 8))), cell("Commit point", formatNumber(commit)),
      cell("GTIDs", h("span", {class: "long"}, gtids || "–")), cell("Tables", names), cell("User", user), expires,
      h("td", {class: "actions"},
        h("a", {class: "button small", href: `#query?snapshot=${encodeURIComponent(id)}`}, "Query"),
        h("button", {class: "small", "data-test": "snapshot-renew", onclick: () => act("renew", "The snapshot lives its whole time anew.")}, "Renew"),
        h("button", {class: "small danger", "data-test": "snapshot-release", onclick: () => act("release", "The snapshot is released.")}, "Release")));
    return [row, snapshot => setText(expires, formatSeconds(Math.max(0, Math.round(snapshot.expires - Date.now() / 1000))))];
  }

  async function refresh() {
    list.show((await post("snapshots/list")).snapshots.sort((a, b) => b.commit - a.commit));
  }

  const element = h("section", {},
    h("div", {class: "section-head"}, h("h2", {}, "Snapshots"),
      h("form", {class: "toolbar", onsubmit: create},
        h("label", {class: "field"}, h("span", {}, "Tables"), tables),
        h("label", {class: "field"}, h("span", {}, "Keep for"), lifetime),
        h("button", {class: "primary", type: "submit", "data-test": "snapshot-create"}, "Create snapshot"))),
    list.element);
  return {element, refresh};
}

// Latches.

function latchSection() {
  const note = h("p", {class: "muted", hidden: true});
  const resources = names => h("td", {"data-label": "Resources"}, names.map(name => h("code", {class: "resource"}, name)));
  const unchanging = () => {};
  const held = listing(["Token", "Resources", "Holder", "Session"], grant => grant.token, ({token, session, owner, resources: names}) =>
    [h("tr", {"data-test": "latch-row"}, h("th", {scope: "row"}, token), resources(names),
      cell("Holder", owner ?? "over, not free yet"), cell("Session", session)), unchanging],
  "Nobody holds a latch.");
  const waiting = listing(["Resources", "Who", "Session"], ({session, resources: names}) => `${session} ${names}`, ({session, owner, resources: names}) =>
    [h("tr", {"data-test": "waiting-row"}, resources(names), cell("Who", owner ?? "–"), cell("Session", session)), unchanging],
  "Nobody waits.");
  const sessions = listing(["Session", "User", "Holds", "Ends without a keep-alive in", ""], ({name}) => name, ({name, owner}) => {
    const grants = cell("Holds"), remaining = cell("Ends in");
    return [h("tr", {"data-test": "session-row", "data-session": name}, h("th", {scope: "row"}, name), cell("User", owner), grants, remaining,
      h("td", {class: "actions"}, session.isAdmin &&
        h("button", {class: "small danger", "data-admin": "revoke", onclick: () => revoke(name, owner)}, "Revoke"))),
    current => {
      setText(grants, plural(current.grants, "latch", "latches"));
      setText(remaining, formatSeconds(current.remainingSeconds));
    }];
  }, "There are no sessions.");

  async function revoke(name, owner) {
    const confirmed = await confirmAction("Revoke the session", `${owner} loses the session ${name} and all that it holds. Work under its tokens is refused from then on.`, "Revoke");
    if (!confirmed) return;
    await attempt(async () => {
      await post("latches/revoke", {session: name});
      await refresh();
      return "The session is revoked.";
    });
  }

  async function refresh() {
    try {
      const latches = await get("latches");
      held.show(latches.grants);
      waiting.show(latches.waiting);
      sessions.show(latches.sessions);
      note.hidden = true;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      note.hidden = false;
      setText(note, error.message);
    }
  }

  const element = h("section", {}, h("h2", {}, "Latches"), note, h("h3", {}, "Held"), held.element, h("h3", {}, "Waiting"), waiting.element,
    h("h3", {}, "Sessions"), sessions.element);
  return {element, refresh};
}

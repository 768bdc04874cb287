// The overview: what is wrong first, then the state of replication, then charts of the last minutes.

import {adviceFor, PHASES} from "./advice.js";
import {get, post, RequestError, session} from "./api.js";
import {LiveChart, noCharts} from "./livechart.js";
import {
  attempt, confirmAction, formatAge, formatBytes, formatCompact, formatNumber, formatSeconds, h, icon, keyedList, plural, poll, setText,
} from "./ui.js";

const WARNINGS_OF_A_KIND = 5;
const LONG_LAG = 60;

const nameOf = ({database, table}) => `${database}.${table}`;

export function show(main) {
  const warnings = h("section", {class: "warnings", "aria-label": "Warnings", "aria-live": "polite"});
  const showWarnings = keyedList(warnings, ({key}) => key, buildWarning);
  const replication = session.me.replicates ? replicationCard() : undefined;
  const commit = h("dd", {"data-test": "commit"}, "–"), gtids = h("dd", {class: "long", "data-test": "commit-gtid"}, "–");
  const data = h("section", {class: "card"}, h("h2", {}, "Copy"),
    h("dl", {class: "facts"}, fact("Commit point", commit), fact("GTIDs in it", gtids), ...(replication?.tableFacts ?? [])));
  const charts = [
    new LiveChart("lag", "Lag", [["lag", "lagSeconds"]], formatSeconds),
    new LiveChart("changes", "Row changes per second", [["rows", "rowChangesPerSecond"]], formatCompact),
    new LiveChart("statements", "Statements", [["running", "statementsRunning"], ["per second", "statementsPerSecond"]], formatNumber),
    new LiveChart("memory", "Memory", [["resident", "residentBytes"]], formatBytes),
    new LiveChart("disk", "Disk free", [["free", "diskFreeBytes"]], formatBytes),
  ];
  const chartGrid = h("section", {class: "charts", "aria-label": "Last 15 minutes"}, charts.map(chart => chart.element));
  main.append(warnings, h("div", {class: "cards"}, replication?.element, data), chartGrid);

  Promise.all(charts.map(chart => chart.begin())).catch(error => noCharts(chartGrid, error));
  const paint = () => charts.forEach(chart => chart.paint());
  document.addEventListener("themechange", paint);

  let lastSample, diskFree, status;
  async function loadHistory() {
    const {times, series} = await get(lastSample ? `history?after=${lastSample}` : "history");
    if (!times.length) return;
    for (const chart of charts) chart.add(series, times);
    lastSample = times.at(-1);
    diskFree = series.diskFreeBytes?.at(-1);
  }
  const warn = () => showWarnings(findWarnings(status, diskFree));

  const stops = [
    poll(async () => {
      await loadHistory();
      warn();
    }),
    poll(async () => {
      const newest = await post("commitpoint");
      setText(commit, formatNumber(newest.commit));
      setText(gtids, newest.gtids || "–");
    }),
    replication && session.seesAll && poll(async () => {
      try {
        status = await get("status");
        replication.show(status);
        warn();
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        replication.refuse(error.message);
      }
    }),
  ];
  if (!session.seesAll) replication?.refuse("Who may see all databases sees the state of replication.");
  return () => {
    stops.forEach(stop => stop && stop());
    document.removeEventListener("themechange", paint);
    charts.forEach(chart => chart.end());
  };
}

const fact = (title, value) => h("div", {}, h("dt", {}, title), value);

function replicationCard() {
  const value = (test, kind) => h("dd", {"data-test": test, class: kind}, "–");
  const phase = h("span", {class: "badge", "data-test": "phase"}, "…");
  const meaning = h("p", {class: "muted"});
  const position = value("position", "long"), source = value("source"), sourcePosition = value("source-position", "long");
  const gtid = value("gtid", "long"), lag = value("lag"), rate = value("rate"), interval = value("interval");
  const progress = h("progress", {max: 1, "aria-label": "Copied"}), progressText = h("p", {class: "muted", "data-test": "copy-progress"});
  const copy = h("div", {class: "copying", hidden: true}, progress, progressText);
  const facts = h("dl", {class: "facts"},
    fact("Source", source), fact("State", lag), fact("Position", position), fact("Source is at", sourcePosition),
    fact("GTID", gtid), fact("Stored", rate), fact("Commits wait at most", interval));

  const pause = session.isAdmin && h("button", {"data-admin": "pause", hidden: true, onclick: () => attempt(async () => {
    const confirmed = await confirmAction("Pause replication",
      "No binlog is read until it is resumed. The source may purge its binlog meanwhile; then a new copy is needed.", "Pause");
    return confirmed && (await post("writer", {action: "pause"})).message;
  })}, icon("pause"), "Pause");
  const resume = session.isAdmin && h("button", {class: "primary", "data-admin": "resume", hidden: true,
    onclick: () => attempt(async () => (await post("writer", {action: "resume"})).message)}, icon("run"), "Resume");
  const element = h("section", {class: "card wide"},
    h("div", {class: "card-head"}, h("h2", {}, "Replication"), phase, pause, resume), meaning, copy, facts);

  const counts = h("dd", {class: "counts", "data-test": "table-counts"}), compared = value("compared");
  const showCounts = keyedList(counts, ([state]) => state, ([state]) => {
    const link = h("a", {class: `badge ${STATE_KINDS[state]}`, href: `#tables?state=${state}`, "data-state": state});
    return [link, ([, count]) => setText(link, `${formatNumber(count)} ${state}`)];
  });

  return {
    element, tableFacts: [fact("Tables", counts), fact("Compared", compared)],

    refuse(reason) {
      setText(phase, "Not shown");
      setText(meaning, reason);
      facts.hidden = copy.hidden = true;
      counts.parentElement.hidden = compared.parentElement.hidden = true;
    },

    show(status) {
      const [title, text, kind] = PHASES[status.phase] ?? [status.phase, "", ""];
      setText(phase, title);
      phase.className = `badge ${kind}`;
      phase.dataset.phase = status.phase;
      setText(meaning, text);
      facts.hidden = false;
      setText(source, status.source ?? "–");
      setText(position, formatPosition(status.position));
      setText(sourcePosition, formatPosition(status.sourcePosition));
      setText(gtid, status.gtid || "–");
      setText(lag, status.isCaughtUp ? "Caught up"
        : status.lagSeconds === undefined ? "–" : `${formatSeconds(status.lagSeconds)} behind${status.lagBytes ? `, ${formatBytes(status.lagBytes)}` : ""}`);
      lag.className = status.isCaughtUp ? "good" : status.lagSeconds > LONG_LAG ? "warn" : "";
      setText(rate, `${formatCompact(status.rowChangesPerSecond)} rows, ${formatCompact(status.transactionsPerSecond)} transactions per second`);
      setText(interval, status.flushIntervalMilliseconds === undefined ? "–" : formatSeconds(status.flushIntervalMilliseconds / 1000));
      const isFollowing = !["notRunning", "stopping", "paused"].includes(status.phase);
      if (session.isAdmin) {
        pause.hidden = !isFollowing;
        resume.hidden = status.phase !== "paused";
      }
      showCopy(status.copy);
      const {tables, verification} = status;
      showCounts(["live", "copying", "stopped"]
        .map(state => [state, tables.filter(table => table.state === state).length])
        .filter(([state, count]) => count || state === "live"));
      setText(compared, !verification ? "not in the background"
        : `${formatNumber(verification.rows)} rows in ${plural(verification.tables, "comparison")}, ${plural(verification.differences.length, "difference")}, ${formatAge(verification.comparedAt)}`);
    },
  };

  function showCopy(progressOf) {
    copy.hidden = !progressOf;
    if (!progressOf) return;
    const {table, tables, tablesTotal, rows, rowsEstimated, rowsPerSecond, secondsLeft} = progressOf;
    // The estimates are the source's and can be too low.
    progress.value = rowsEstimated ? Math.min(1, rows / rowsEstimated) : 0;
    setText(progressText, [
      `${formatNumber(tables)} of ${plural(tablesTotal, "table")}`, `${formatCompact(rows)} of about ${formatCompact(rowsEstimated)} rows`,
      rowsPerSecond && `${formatCompact(rowsPerSecond)} rows per second`, secondsLeft && `about ${formatSeconds(secondsLeft)} left`, table,
    ].filter(Boolean).join(" · "));
  }
}

export const STATE_KINDS = {live: "good", copying: "busy", stopped: "bad"};

const formatPosition = position => position ? `${position.file}:${position.offset}` : "–";

/** What somebody has to look at: `{key, kind, title, text, advice, link}`, the worst first. */
function findWarnings(status, diskFree) {
  const found = [];
  const add = (kind, key, title, text, advice, link) => found.push({kind, key, title, text, advice, link});
  if (status?.failure) add("bad", "failure", "Replication ended", status.failure, adviceFor(status.failure) ?? "Mend the cause; it is tried again every 30 s.");
  else if (["reconnecting", "notRunning"].includes(status?.phase)) add("bad", "phase", PHASES[status.phase][0], PHASES[status.phase][1], "The events tell why.", "#events");
  if (diskFree !== undefined && diskFree !== null && diskFree < 2 * session.me.diskReserveBytes) {
    add("bad", "disk", "The disk is nearly full", `${formatBytes(diskFree)} are free; ${formatBytes(session.me.diskReserveBytes)} have to stay so.`, adviceFor("disk"));
  }
  const some = (kind, items, title, build) => {
    for (const item of items.slice(0, WARNINGS_OF_A_KIND)) add(...build(item));
    const others = items.length - WARNINGS_OF_A_KIND;
    if (others > 0) add(kind, title, `${formatNumber(others)} others ${title}`, "", undefined, "#tables?state=attention");
  };
  some("bad", status?.verification?.differences ?? [], "differ", ({table, rows, first}) =>
    ["bad", `differs ${nameOf(table)}`, `${nameOf(table)} differs from the source`, `${plural(rows, "row")}, the first at ${first.key} (${first.kind}).`, adviceFor("differ"), tableLink(table)]);
  some("warn", status?.tables.filter(({state}) => state === "stopped") ?? [], "have stopped", ({name, reason}) =>
    ["warn", `stopped ${nameOf(name)}`, `${nameOf(name)} has stopped`, reason ?? "", adviceFor(reason) ?? "Mend the reason, then copy the table anew.", tableLink(name)]);
  if (status?.phase === "paused") add("warn", "phase", "Replication is paused", PHASES.paused[1]);
  if (status?.lagSeconds > LONG_LAG && status.phase === "streaming") {
    add("warn", "lag", "The copy lags behind", `${formatSeconds(status.lagSeconds)}.`, "Copying and large queries take the processor and the disk: see --copy-rate, and the limits of statements.", "#statements");
  }
  return found;
}

const tableLink = name => `#tables?table=${encodeURIComponent(nameOf(name))}`;

function buildWarning({key, kind, title, advice, link}) {
  const text = h("p", {class: "reason"});
  const name = link ? h("a", {href: link}, title) : title;
  const element = h("div", {class: `warning ${kind}`, "data-test": "warning", "data-warning": key}, icon("warning"),
    h("div", {}, h("strong", {}, name), text, advice && h("p", {class: "advice"}, advice)));
  return [element, warning => setText(text, warning.text)];
}

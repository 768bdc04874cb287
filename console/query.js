// The query page: editor, result as a grid or a chart, statistics, downloads, history.

import {post, session} from "./api.js";
import {chosenStatement, createEditor} from "./editor.js";
import {download} from "./download.js";
import {Grid} from "./grid.js";
import {Result} from "./result.js";
import {ResultChart} from "./resultchart.js";
import {formatBytes, formatNumber, formatSeconds, h, icon, openDialog, plural, replace, setText} from "./ui.js";

const LIMITS = [1000, 100_000, 1_000_000, 5_000_000];
const HISTORY = "magic.history", HISTORY_LENGTH = 100, DRAFT = "magic.draft";
const TEXT_OF_HISTORY = 20_000;

function readStorage(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** One for the life of the console: a result stays, and runs on, while other pages are shown. */
let page;

export function show(main, parameters) {
  page ??= new QueryPage();
  main.append(page.element);
  page.shown(parameters);
}

class QueryPage {
  editor;
  result;
  grid = new Grid();
  chart = new ResultChart();
  #drawing = 0;

  constructor() {
    const option = text => h("option", {value: text}, text);
    this.database = h("select", {"data-test": "database", onchange: () => this.#remember()}, option("default"));
    this.snapshot = h("select", {"data-test": "snapshot"}, h("option", {value: ""}, "newest state"));
    this.limit = h("select", {"data-test": "row-limit"},
      LIMITS.map(limit => h("option", {value: limit, selected: limit === 1_000_000}, formatNumber(limit))));
    this.runButton = h("button", {class: "primary", "data-test": "run", title: "Ctrl-Enter", onclick: () => this.run()}, icon("run"), "Run");
    this.cancelButton = h("button", {class: "danger", "data-test": "cancel", hidden: true, onclick: () => this.result?.cancel()}, icon("stop"), "Cancel");
    this.editorElement = h("div", {class: "editor", "data-test": "editor"});
    this.status = h("div", {class: "status", "aria-live": "polite", "data-test": "row-count"});
    this.stats = h("dl", {class: "stats", "data-test": "stats"});
    this.error = h("pre", {class: "error", role: "alert", "data-test": "error", hidden: true});
    this.text = h("pre", {class: "text-result", tabindex: "0", hidden: true, "data-test": "text-result"});

    const tool = (name, title, test, action) => h("button", {class: "small", "data-test": test, onclick: action}, icon(name), title);
    this.gridButton = tool("grid", "Rows", "show-grid", () => this.#view("grid"));
    this.chartButton = tool("chart", "Chart", "show-chart", () => this.#view("chart"));
    const save = (title, test, format) => tool("download", title, test, async event => {
      const button = event.currentTarget;
      button.disabled = true;
      await download(this.result, format);
      button.disabled = false;
    });
    this.tools = h("div", {class: "tools", hidden: true},
      h("div", {class: "group", role: "group", "aria-label": "View"}, this.gridButton, this.chartButton),
      h("div", {class: "group", role: "group", "aria-label": "Result"},
        tool("copy", "Copy", "copy", () => this.grid.copySelection()),
        save("CSV", "download-csv", "csv"), save("Parquet", "download-parquet", "parquet"), save("Arrow", "download-arrow", "arrow")));

    const field = (title, input) => h("label", {class: "field"}, h("span", {}, title), input);
    this.element = h("div", {class: "query"},
      h("div", {class: "card"},
        this.editorElement,
        h("div", {class: "toolbar"},
          this.runButton, this.cancelButton,
          field("Database", this.database), field("Read at", this.snapshot), field("Rows at most", this.limit),
          h("button", {class: "history-button", "data-test": "history", onclick: () => this.#showHistory()}, icon("history"), "History"))),
      h("div", {class: "card result", hidden: true},
        h("div", {class: "result-head"}, this.status, this.tools),
        this.error, this.text, this.grid.element, this.chart.element, this.stats));
    this.#view("grid");
  }

  async shown(parameters) {
    this.#loadChoices(parameters.get("snapshot"));
    const given = parameters.get("sql");
    if (!this.loading) {
      const draft = readStorage(this.#draftKey, {});
      if (draft.database) this.#chooseDatabase(draft.database);
      this.loading = createEditor(this.editorElement, {
        value: given ?? draft.sql ?? "SELECT 1", run: () => this.run(), database: () => this.database.value,
      });
      this.loading.catch(error => {
        this.loading = undefined;
        setText(this.editorElement, error.message);
      });
      this.editor = await this.loading;
      this.editor.on("change", () => this.#remember());
    } else {
      await this.loading;
      if (given !== null) this.editor.setValue(given);
    }
    // A link is taken once: coming back later is to keep what was edited.
    if (location.hash.includes("?")) history.replaceState(null, "", "#query");
    this.editor.refresh();
    this.editor.focus();
    this.grid.draw();
  }

  async #loadChoices(chosenSnapshot) {
    const [databases, snapshots] = await Promise.all([
      post("databases").then(answer => answer.databases, () => []),
      post("snapshots/list").then(answer => answer.snapshots, () => [])]);
    const database = this.database.value, snapshot = chosenSnapshot ?? this.snapshot.value;
    const names = new Set(["default", ...databases.filter(name => !/^(information_schema|_magic.*)$/i.test(name))]);
    replace(this.database, [...names].sort().map(name => h("option", {value: name}, name)));
    this.#chooseDatabase(database);
    replace(this.snapshot, h("option", {value: ""}, "newest state"), snapshots.map(({id, commit}) =>
      h("option", {value: id}, `snapshot ${id.slice(0, 8)}, commit ${commit}`)));
    this.snapshot.value = snapshots.some(({id}) => id === snapshot) ? snapshot : "";
  }

  #chooseDatabase(name) {
    if (![...this.database.options].some(option => option.value === name)) this.database.append(h("option", {value: name}, name));
    this.database.value = name;
  }

  #remember() {
    this.rememberTimer ??= setTimeout(() => {
      this.rememberTimer = undefined;
      this.#store(this.#draftKey, {sql: this.editor.getValue().slice(0, TEXT_OF_HISTORY), database: this.database.value});
    }, 500);
  }

  #store(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // A full storage costs the history, not the query.
    }
  }

  async run() {
    const sql = this.editor && chosenStatement(this.editor);
    if (!sql || this.result?.state === "running") return;
    const result = new Result(sql, {database: this.database.value, snapshot: this.snapshot.value, limit: Number(this.limit.value)});
    this.result = result;
    this.#addToHistory(sql, result.database);
    this.#view("grid");
    this.grid.show(result);
    this.element.querySelector(".result").hidden = false;
    this.#showResult(result);
    // The time goes on also when nothing is received.
    const clock = setInterval(() => this.#draw(), 200);
    await result.run(() => this.#draw());
    clearInterval(clock);
    this.#draw();
  }

  /** Once a frame, however often something is received. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = setTimeout(() => {
      this.#drawing = 0;
      this.#showResult(this.result);
    }, 50);
  }

  #showResult(result) {
    const isRunning = result.state === "running";
    const {count} = result.rows;
    // A hidden button would lose the focus to the page.
    const hadFocus = document.activeElement === (isRunning ? this.runButton : this.cancelButton);
    this.runButton.hidden = isRunning;
    this.cancelButton.hidden = !isRunning;
    if (hadFocus) (isRunning ? this.cancelButton : this.runButton).focus();
    this.element.querySelector(".result").setAttribute("aria-busy", isRunning);
    this.error.hidden = !result.error;
    setText(this.error, result.error ?? "");
    this.text.hidden = result.text === undefined;
    if (result.text !== undefined && !isRunning) setText(this.text, result.text);
    const rows = result.columns.length ? plural(count, "row") : result.text === undefined ? "" : "text";
    const texts = {
      running: `Running, ${formatSeconds(result.elapsed)}${rows && `, ${rows}`}`,
      complete: rows || "Done, without a result.",
      limited: result.text === undefined ? `The first ${rows}. Reading stopped at the limit; the result has more.` : "The first MiB of the text. Reading stopped.",
      cancelled: count ? `Cancelled after ${rows}.` : "Cancelled.",
      failed: count ? `Failed after ${rows}: what is shown is not the whole result.` : "Failed.",
    };
    setText(this.status, texts[result.state]);
    this.status.dataset.state = result.state;
    this.status.dataset.rows = count;
    const hasRows = result.columns.length > 0;
    this.tools.hidden = !hasRows || isRunning;
    this.grid.element.classList.toggle("absent", !hasRows);
    if (hasRows) this.grid.refresh();
    if (!isRunning) this.#showStatistics(result);
    else replace(this.stats);
  }

  #showStatistics(result) {
    const facts = [
      ["Rows", formatNumber(result.rows.count)],
      ["Received", formatBytes(result.bytes)],
      ["First row after", formatSeconds(result.firstRowAt)],
      ["Total", formatSeconds(result.seconds)],
      ["Engine", result.summary?.elapsed_ns && formatSeconds(Number(result.summary.elapsed_ns) / 1e9)],
      ["Rows written", result.summary?.written_rows && formatNumber(Number(result.summary.written_rows))],
      ["Commit point", result.commit],
      ["GTID", result.gtid],
    ];
    replace(this.stats, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  #view(name) {
    const isChart = name === "chart";
    this.grid.element.hidden = isChart;
    this.chart.element.hidden = !isChart;
    this.gridButton.setAttribute("aria-pressed", !isChart);
    this.chartButton.setAttribute("aria-pressed", isChart);
    if (isChart) this.chart.show(this.result);
    else this.grid.draw();
  }

  // History.

  /** Each user of this browser has their own. */
  get #historyKey() {
    return `${HISTORY}.${session.me.user}`;
  }

  get #draftKey() {
    return `${DRAFT}.${session.me.user}`;
  }

  #addToHistory(sql, database) {
    if (sql.length > TEXT_OF_HISTORY) return;
    const others = readStorage(this.#historyKey, []).filter(item => item.sql !== sql || item.database !== database);
    this.#store(this.#historyKey, [{sql, database, at: Date.now() / 1000}, ...others].slice(0, HISTORY_LENGTH));
  }

  #showHistory() {
    const items = readStorage(this.#historyKey, []);
    const list = h("div", {class: "history-list"}, items.map(({sql, database, at}) =>
      h("button", {class: "history-item", "data-test": "history-item", onclick: () => {
        this.editor.setValue(sql);
        this.#chooseDatabase(database);
        dialog.close();
        this.editor.focus();
      }}, h("code", {}, sql.slice(0, 500)), h("span", {class: "muted"}, `${database}, ${new Date(at * 1000).toLocaleString("sv")}`))));
    const dialog = openDialog("History", items.length ? [list, h("footer", {}, h("button", {onclick: () => {
      localStorage.removeItem(this.#historyKey);
      localStorage.removeItem(this.#draftKey);
      dialog.close();
    }}, "Forget all"))] : h("p", {class: "muted"}, "Statements that you run are listed here."), {class: "drawer"});
  }
}

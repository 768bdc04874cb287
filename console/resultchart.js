// A result as a chart.

import {colour, formatNumber, h, loadScript, replace, setText, tell} from "./ui.js";

const POINTS = 5000;

export class ResultChart {
  #chart;
  #result;

  constructor() {
    const kind = (value, title) => h("option", {value}, title);
    this.kind = h("select", {"data-test": "chart-kind"}, kind("line", "Line"), kind("bar", "Bar"), kind("scatter", "Points"));
    this.x = h("select", {"data-test": "chart-x"});
    this.y = h("fieldset", {class: "choices", "data-test": "chart-y"});
    this.note = h("p", {class: "hint"});
    this.canvas = h("canvas", {role: "img", "aria-label": "Chart of the result", "data-test": "chart-result"});
    const field = (title, input) => h("label", {class: "field"}, h("span", {}, title), input);
    this.element = h("div", {class: "result-chart"},
      h("div", {class: "toolbar"}, field("Kind", this.kind), field("x", this.x), this.y),
      h("div", {class: "canvas"}, this.canvas), this.note);
    this.element.addEventListener("change", () => this.#draw());
    document.addEventListener("themechange", () => this.#chart && this.#draw());
  }

  async show(result) {
    if (result !== this.#result) this.#choose(result);
    try {
      await loadScript("chart.js");
      this.#draw();
    } catch (error) {
      tell(error.message, true);
    }
  }

  /** Begins with the first time, text or column as x and the first number as y. */
  #choose(result) {
    this.#result = result;
    const {columns} = result;
    const found = [columns.findIndex(column => column.isTime), columns.findIndex(column => !column.isNumeric), 0].find(index => index >= 0);
    const numbers = columns.map((_, index) => index).filter(index => columns[index].isNumeric);
    const first = numbers.find(index => index !== found) ?? numbers[0];
    replace(this.x, columns.map(({name}, index) => h("option", {value: index}, name)));
    this.x.value = found;
    replace(this.y, h("legend", {}, "y"), numbers.map(index =>
      h("label", {}, h("input", {type: "checkbox", value: index, checked: index === first}), columns[index].name)));
    const {isTime, isNumeric} = columns[found];
    this.kind.value = isTime || isNumeric ? "line" : "bar";
  }

  #draw() {
    this.#chart?.destroy();
    const {columns, rows} = this.#result;
    const kind = this.kind.value;
    const x = Number(this.x.value);
    const ys = [...this.y.querySelectorAll("input:checked")].map(input => Number(input.value));
    const shown = Math.min(rows.count, POINTS);
    const values = Array.from({length: shown}, (_, index) => this.#result.row(index));
    const number = value => value === null || value === undefined ? null : Number(value);
    setText(this.note, !ys.length ? "No column of numbers is chosen." : shown < rows.count ? `The first ${formatNumber(POINTS)} rows.` : "");
    const axis = {grid: {color: colour("line")}, ticks: {color: colour("muted"), maxRotation: 0, autoSkipPadding: 16}};
    this.#chart = new window.Chart(this.canvas, {
      type: kind,
      data: {
        labels: kind === "scatter" ? undefined : values.map(row => row[x] ?? "NULL"),
        datasets: ys.map((y, place) => ({
          label: columns[y].name,
          data: values.map(row => kind === "scatter" ? {x: number(row[x]), y: number(row[y])} : number(row[y])),
          borderColor: colour(`series-${place % 6}`), backgroundColor: colour(`series-${place % 6}`),
          borderWidth: kind === "bar" ? 0 : 1.5, pointRadius: kind === "scatter" ? 2.5 : shown > 60 ? 0 : 2,
        })),
      },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, interaction: {mode: kind === "scatter" ? "nearest" : "index", intersect: false},
        scales: {x: {...axis, title: {display: true, text: columns[x].name, color: colour("muted")}}, y: axis},
        plugins: {legend: {labels: {color: colour("text"), boxWidth: 12}}},
      },
    });
    this.canvas.dataset.points = shown;
  }
}

// A chart of the last 15 minutes that moves.

import {colour, formatBytes, formatClock, formatTime, h, loadScript, replace, setText} from "./ui.js";

/** How far back the server remembers, in samples of a second. */
const SAMPLES = 900;
/** As long as a chart is at least. */
const FEWEST = 60;

export class LiveChart {
  #chart;
  #data;

  /** @param series `[title, name in the history]` of each line; the first one's last value stands above the chart */
  constructor(name, title, series, format) {
    Object.assign(this, {name, series, format});
    this.#data = series.map(() => []);
    this.value = h("span", {class: "chart-value"}, "–");
    this.canvas = h("canvas", {role: "img", "aria-label": `${title}, last 15 minutes`, "data-test": `chart-${name}`});
    const legend = series.length > 1 && h("span", {class: "legend"}, series.map(([title], index) => h("span", {class: `key-${index}`}, title)));
    this.element = h("figure", {class: "card chart", "data-points": 0},
      h("figcaption", {}, h("span", {}, title), legend, this.value), h("div", {class: "canvas"}, this.canvas));
  }

  async begin() {
    await loadScript("chart.js");
    const {format} = this;
    this.#chart = new window.Chart(this.canvas, {
      type: "line",
      data: {datasets: this.series.map(([label], index) => ({
        label, data: this.#data[index], borderWidth: 1.5, pointRadius: 0, pointHitRadius: 8, fill: index === 0, tension: 0,
      }))},
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
        interaction: {mode: "index", intersect: false},
        scales: {
          x: {type: "linear", grid: {display: false}, ticks: {maxTicksLimit: 4, maxRotation: 0, callback: value => formatClock(value)}},
          y: {beginAtZero: true, ticks: {maxTicksLimit: 4, callback: value => format(value)}},
        },
        plugins: {legend: {display: false}, tooltip: {callbacks: {
          title: items => formatTime(items[0].parsed.x).slice(11),
          label: item => `${item.dataset.label} ${format(item.parsed.y)}`,
        }}},
      },
    });
    this.paint();
  }

  /** Takes the colours of the theme. */
  paint() {
    if (!this.#chart) return;
    this.#chart.data.datasets.forEach((dataset, index) => {
      dataset.borderColor = colour(`series-${index}`);
      dataset.backgroundColor = colour("fill");
    });
    for (const scale of Object.values(this.#chart.options.scales)) {
      scale.ticks.color = colour("muted");
      scale.grid = {...scale.grid, color: colour("line"), drawBorder: false};
    }
    this.#chart.update("none");
  }

  /** Takes new samples, which were taken at these times. */
  add(history, times) {
    this.series.forEach(([, name], index) => {
      const data = this.#data[index];
      times.forEach((x, place) => data.push({x, y: history[name]?.[place]}));
      // Samples may be missing in between, after a pause of the page or a new start of the server.
      const oldest = (data.at(-1)?.x ?? 0) - SAMPLES;
      data.splice(0, data.findIndex(({x}) => x > oldest));
    });
    const last = this.#data[0].at(-1);
    this.element.dataset.points = this.#data[0].length;
    this.element.dataset.last = last?.y ?? "";
    setText(this.value, this.format(last?.y));
    if (!this.#chart || !last) return;
    // As long as there are few samples, they have all the room.
    const first = Math.min(this.#data[0][0].x, last.x - FEWEST);
    const {x, y} = this.#chart.options.scales;
    Object.assign(x, {min: Math.max(first, last.x - SAMPLES), max: last.x});
    if (this.format === formatBytes) {
      // Steps that are round in KiB, MiB and so on.
      y.ticks.stepSize = 2 ** Math.ceil(Math.log2(Math.max(1, ...this.#data[0].map(sample => sample.y)) / 3));
    }
    this.#chart.update("none");
  }

  end() {
    this.#chart?.destroy();
  }
}

/** Shows that charts are not to be had. */
export const noCharts = (element, error) => replace(element, h("p", {class: "muted"}, `No charts: ${error.message}`));

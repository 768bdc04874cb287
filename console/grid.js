// A grid that shows any number of rows: only what is visible is in the page.

import {formatNumber, h, openDialog, tell} from "./ui.js";

const ROW = 26;
const HEAD = 44;
// Browsers bound the height of an element, some at 17 million pixels: beyond this the scroll bar is scaled.
const MAXIMUM_HEIGHT = 12_000_000;
const MINIMUM_WIDTH = 60, MAXIMUM_WIDTH = 420;
const COPY_LIMIT = 200_000;
// Long values are cut in a cell; the dialog of a cell shows all.
const SHOWN_CHARACTERS = 400;

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

export class Grid {
  #result;
  #widths = [];
  /** Where each column begins, and the whole width at the end. */
  #lefts = [0];
  #cursor = {row: 0, column: 0};
  #anchor = {row: 0, column: 0};
  #frame = 0;

  constructor() {
    this.head = h("div", {class: "grid-head", role: "row", "aria-rowindex": 1});
    this.body = h("div", {class: "grid-rows", role: "rowgroup"});
    this.canvas = h("div", {class: "grid-canvas", role: "presentation"}, this.head, this.body);
    this.element = h("div", {class: "grid", role: "grid", tabindex: "0", "aria-label": "Result", "data-test": "grid",
      "aria-multiselectable": "true"}, this.canvas);
    this.element.addEventListener("scroll", () => this.draw(), {passive: true});
    this.element.addEventListener("keydown", event => this.#key(event));
    this.element.addEventListener("copy", event => this.#copy(event));
    this.element.addEventListener("pointerdown", event => this.#point(event));
    this.element.addEventListener("dblclick", event => this.#cellOf(event.target) && this.#open());
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Shows a result from its beginning. */
  show(result) {
    this.#result = result;
    this.#widths = [];
    this.#cursor = {row: 0, column: 0};
    this.#anchor = this.#cursor;
    this.element.scrollTop = this.element.scrollLeft = 0;
    this.refresh();
  }

  /** Rows have come. */
  refresh() {
    const {columns, rows} = this.#result;
    if (columns.length && this.#widths.length !== columns.length) this.#guessWidths();
    this.element.setAttribute("aria-rowcount", rows.count + 1);
    this.element.setAttribute("aria-colcount", columns.length);
    this.#layOut();
  }

  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#result && this.element.isConnected) this.#draw();
    });
  }

  copySelection() {
    this.element.focus();
    document.execCommand("copy");
  }

  #guessWidths() {
    const {columns, rows} = this.#result;
    const sample = Array.from({length: Math.min(rows.count, 50)}, (_, index) => this.#result.row(index));
    this.#widths = columns.map(({name, type}, index) => {
      const longest = Math.max(name.length * 1.15, Math.min(type.length * 0.8, 24), ...sample.map(row => row[index]?.length ?? 4));
      return clamp(longest * 9 + 22, MINIMUM_WIDTH, MAXIMUM_WIDTH);
    });
  }

  #layOut() {
    this.#lefts = [0];
    for (const width of this.#widths) this.#lefts.push(this.#lefts.at(-1) + width);
    this.canvas.style.width = `${this.#lefts.at(-1) + this.#numberWidth}px`;
    const height = HEAD + Math.min(this.#result.rows.count * ROW, MAXIMUM_HEIGHT);
    this.canvas.style.height = `${height}px`;
    // A short result takes no more room than it needs, with its scroll bar.
    this.element.style.maxHeight = `${height + 18}px`;
    this.draw();
  }

  get #numberWidth() {
    return Math.max(40, formatNumber(this.#result.rows.count).length * 8 + 16);
  }

  /** How many rows fit below the head. */
  get #visibleRows() {
    return Math.max(1, (this.element.clientHeight - HEAD) / ROW);
  }

  get #scrollRange() {
    return Math.max(1, this.canvas.offsetHeight - this.element.clientHeight);
  }

  /** The row at the upper edge, with its fraction that is scrolled away. */
  get #firstRow() {
    const hidden = Math.max(0, this.#result.rows.count - this.#visibleRows);
    return clamp(this.element.scrollTop / this.#scrollRange, 0, 1) * hidden;
  }

  #draw() {
    const {columns, rows} = this.#result;
    const {scrollLeft, scrollTop, clientWidth} = this.element;
    let from = this.#lefts.findLastIndex(left => left <= scrollLeft);
    from = clamp(from, 0, Math.max(0, columns.length - 1));
    let to = this.#lefts.findIndex(left => left >= scrollLeft + clientWidth);
    to = to < 0 ? columns.length : Math.min(to, columns.length);

    this.head.replaceChildren(
      h("div", {class: "grid-number", role: "presentation", style: `width:${this.#numberWidth}px`}),
      ...columns.slice(from, to).map((column, offset) => this.#headCell(column, from + offset)));

    const first = this.#firstRow;
    const top = Math.floor(first);
    const bottom = Math.min(rows.count, Math.ceil(first + this.#visibleRows) + 1);
    this.body.style.transform = `translateY(${scrollTop - (first - top) * ROW}px)`;
    const drawn = [];
    for (let index = top; index < bottom; index++) drawn.push(this.#row(index, (index - top) * ROW, from, to));
    this.body.replaceChildren(...drawn);
    this.element.setAttribute("aria-activedescendant", this.#idOf(this.#cursor));
  }

  #place(column) {
    return `left:${this.#lefts[column] + this.#numberWidth}px;width:${this.#widths[column]}px`;
  }

  #headCell({name, type, isNumeric}, index) {
    const handle = h("div", {class: "grid-handle", "aria-hidden": "true"});
    handle.addEventListener("pointerdown", event => this.#resize(event, index));
    handle.addEventListener("dblclick", event => {
      event.stopPropagation();
      this.#fit(index);
    });
    return h("div", {class: isNumeric ? "grid-title number" : "grid-title", role: "columnheader", "aria-colindex": index + 1,
      style: this.#place(index), title: `${name} ${type}`},
      h("span", {class: "grid-name"}, name), h("span", {class: "grid-type"}, type), handle);
  }

  #row(index, offset, from, to) {
    const values = this.#result.row(index);
    const cells = [h("div", {class: "grid-number", role: "rowheader", style: `width:${this.#numberWidth}px`}, formatNumber(index + 1))];
    for (let column = from; column < to; column++) {
      const value = values[column];
      const kind = ["grid-cell"];
      if (this.#result.columns[column].isNumeric) kind.push("number");
      if (value === null) kind.push("null");
      if (this.#isSelected(index, column)) kind.push("selected");
      const isCursor = index === this.#cursor.row && column === this.#cursor.column;
      if (isCursor) kind.push("cursor");
      const cell = h("div", {class: kind.join(" "), role: "gridcell", "aria-colindex": column + 1, style: this.#place(column),
        id: isCursor && this.#idOf(this.#cursor)}, value === null ? "NULL" : value.slice(0, SHOWN_CHARACTERS));
      cell.place = {row: index, column};
      cells.push(cell);
    }
    return h("div", {class: index % 2 ? "grid-row odd" : "grid-row", role: "row", "aria-rowindex": index + 2, "data-test": "grid-row",
      style: `top:${offset}px`}, cells);
  }

  #idOf({row, column}) {
    return `cell-${row}-${column}`;
  }

  // Selection.

  get #selection() {
    const [a, b] = [this.#anchor, this.#cursor];
    return {top: Math.min(a.row, b.row), bottom: Math.max(a.row, b.row), left: Math.min(a.column, b.column), right: Math.max(a.column, b.column)};
  }

  #isSelected(row, column) {
    const {top, bottom, left, right} = this.#selection;
    return row >= top && row <= bottom && column >= left && column <= right;
  }

  #moveTo(row, column, extend) {
    const {columns, rows} = this.#result;
    if (!rows.count) return;
    this.#cursor = {row: clamp(row, 0, rows.count - 1), column: clamp(column, 0, columns.length - 1)};
    if (!extend) this.#anchor = this.#cursor;
    this.#reveal();
    this.draw();
  }

  /** Scrolls so far that the cursor is visible. */
  #reveal() {
    const {row, column} = this.#cursor;
    const visible = Math.floor(this.#visibleRows), first = this.#firstRow;
    const hidden = Math.max(1, this.#result.rows.count - this.#visibleRows);
    const wanted = row < first ? row : row > first + visible - 1 ? row - visible + 1 : undefined;
    if (wanted !== undefined) this.element.scrollTop = Math.min(1, wanted / hidden) * this.#scrollRange;
    const left = this.#lefts[column], right = this.#lefts[column + 1] + this.#numberWidth;
    if (left < this.element.scrollLeft) this.element.scrollLeft = left;
    else if (right > this.element.scrollLeft + this.element.clientWidth) this.element.scrollLeft = right - this.element.clientWidth;
  }

  #key(event) {
    if (!this.#result?.rows.count) return;
    const {row, column} = this.#cursor;
    const page = Math.floor(this.#visibleRows) - 1, last = this.#result.rows.count - 1, right = this.#result.columns.length - 1;
    const jump = event.ctrlKey || event.metaKey;
    const moves = {
      ArrowUp: [jump ? 0 : row - 1, column], ArrowDown: [jump ? last : row + 1, column],
      ArrowLeft: [row, jump ? 0 : column - 1], ArrowRight: [row, jump ? right : column + 1],
      PageUp: [row - page, column], PageDown: [row + page, column],
      Home: [jump ? 0 : row, 0], End: [jump ? last : row, right],
    };
    if (moves[event.key]) this.#moveTo(...moves[event.key], event.shiftKey);
    else if (event.key === "Enter") this.#open();
    else if (event.key === "a" && jump) {
      this.#anchor = {row: 0, column: 0};
      this.#cursor = {row: last, column: right};
      this.draw();
    } else return;
    event.preventDefault();
  }

  #cellOf(target) {
    return target.closest?.(".grid-cell")?.place;
  }

  #point(event) {
    const place = this.#cellOf(event.target);
    if (!place || event.button !== 0 || event.pointerType === "touch") {
      if (place) this.#moveTo(place.row, place.column, false);
      return;
    }
    event.preventDefault();
    this.element.focus({preventScroll: true});
    this.#moveTo(place.row, place.column, event.shiftKey);
    this.#drag(move => {
      const over = this.#cellOf(document.elementFromPoint(move.clientX, move.clientY) ?? document.body);
      if (over) this.#moveTo(over.row, over.column, true);
    });
  }

  #drag(moved) {
    const end = () => {
      removeEventListener("pointermove", moved);
      removeEventListener("pointerup", end);
    };
    addEventListener("pointermove", moved);
    addEventListener("pointerup", end);
  }

  #copy(event) {
    if (!this.#result?.rows.count) return;
    event.preventDefault();
    const {top, bottom, left, right} = this.#selection;
    const end = Math.min(bottom, top + COPY_LIMIT - 1);
    const lines = [];
    for (let row = top; row <= end; row++) {
      const values = this.#result.row(row).slice(left, right + 1).map(value => value ?? "NULL");
      // What spreadsheets take: tabs and line breaks within a value would be cells of their own.
      lines.push(values.length === 1 && top === end ? values[0] : values.map(value => value.replace(/[\t\r\n]+/g, " ")).join("\t"));
    }
    event.clipboardData.setData("text/plain", lines.join("\n"));
    tell(end < bottom ? `Copied the first ${formatNumber(COPY_LIMIT)} rows of the selection.`
      : top === bottom && left === right ? "Copied the cell." : `Copied ${formatNumber(end - top + 1)} × ${right - left + 1} cells.`);
  }

  #open() {
    const {row, column} = this.#cursor;
    const value = this.#result.row(row)[column];
    const {name, type} = this.#result.columns[column];
    openDialog(name, [h("p", {class: "muted"}, `${type}, row ${formatNumber(row + 1)}`),
      value === null ? h("p", {class: "null"}, "NULL") : h("pre", {class: "value", tabindex: "0"}, value)]);
  }

  // Widths of columns.

  #resize(event, index) {
    event.preventDefault();
    event.stopPropagation();
    const begin = event.clientX, width = this.#widths[index];
    this.#drag(move => {
      this.#widths[index] = Math.max(30, width + move.clientX - begin);
      this.#layOut();
    });
  }

  /** As wide as the widest visible value. */
  #fit(index) {
    const cells = [...this.element.querySelectorAll(`[aria-colindex="${index + 1}"]`)];
    for (const cell of cells) cell.style.width = "0";
    this.#widths[index] = clamp(Math.max(...cells.map(cell => cell.scrollWidth)) + 10, 30, 1200);
    this.#layOut();
  }
}

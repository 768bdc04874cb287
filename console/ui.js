// What all pages build on: elements, numbers as text, dialogs, tables that are updated in place, polling.

import {connection} from "./api.js";

/** An element: `h("button", {class: "primary", onclick: run}, icon("run"), "Run")`. Texts become text nodes. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Sets the text only when it differs, so that selections and screen readers are left in peace. */
export function setText(element, text) {
  text = String(text);
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

const ICONS = {
  overview: "M3 12h4l3-8 4 16 3-8h4",
  tables: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  query: "M5 7l5 5-5 5M12.5 17H19",
  statements: "M4 6h10M4 12h16M4 18h7",
  snapshots: "M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.5 3.5 0 100 7 3.5 3.5 0 000-7z",
  events: "M6 17V11a6 6 0 0112 0v6l2 2H4zM10 21.5h4",
  menu: "M4 7h16M4 12h16M4 17h16",
  theme: "M12 4a8 8 0 100 16zM12 4a8 8 0 010 16",
  leave: "M14 4H6v16h8M10 12h10M17 8.5l3.5 3.5-3.5 3.5",
  run: "M7 5l12 7-12 7z",
  stop: "M6 6h12v12H6z",
  pause: "M8 5v14M16 5v14",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  chart: "M5 20V11M12 20V4M19 20v-6",
  grid: "M4 5h16v14H4zM4 10h16M10 5v14",
  history: "M4 12a8 8 0 108-8 8 8 0 00-7 4M5 4v4h4M12 8v4l3 2",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  warning: "M12 4l9 16H3zM12 10v4.5M12 17v.5",
  close: "M6 6l12 12M18 6L6 18",
  sort: "M8 10l4-5 4 5M8 14l4 5 4-5",
  key: "M8 11a4 4 0 100 .01M11.5 12H21v3M17 12v2.5",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// Numbers, sizes and times as text.

const unknown = "–";
const grouped = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});
const known = value => value !== undefined && value !== null;

export const formatNumber = value =>
  !known(value) ? unknown : grouped.format(Math.abs(value) < 10 ? Math.round(value * 100) / 100 : Math.round(value));
export const formatCompact = value => known(value) ? compact.format(value) : unknown;

export function formatBytes(value) {
  if (!known(value)) return unknown;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function formatSeconds(value) {
  if (!known(value)) return unknown;
  if (value > 0 && value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} s`;
  const two = (large, one, other, small) => `${large} ${one}${other ? ` ${other} ${small}` : ""}`;
  if (value < 3600) return two(Math.floor(value / 60), "min", Math.floor(value % 60), "s");
  if (value < 86400) return two(Math.floor(value / 3600), "h", Math.floor(value % 3600 / 60), "min");
  return two(Math.floor(value / 86400), "d", Math.floor(value % 86400 / 3600), "h");
}

export const formatTime = epoch =>
  known(epoch) ? new Date(epoch * 1000).toLocaleString("sv") : unknown;
export const formatClock = epoch =>
  new Date(epoch * 1000).toLocaleTimeString("sv", {hour: "2-digit", minute: "2-digit"});

/** How long ago; negative seconds, of clocks that differ, count as now. */
export const formatAge = epoch =>
  known(epoch) ? `${formatSeconds(Math.max(0, Math.round(Date.now() / 1000 - epoch)))} ago` : unknown;

export const plural = (count, one, many = one + "s") => `${formatNumber(count)} ${count === 1 ? one : many}`;

export const quoteName = name => "`" + name.replaceAll("\\", "\\\\").replaceAll("`", "\\`") + "`";

// Dialogs and messages.

/** A dialog that is gone when it is closed. */
export function openDialog(title, content, attributes = {}) {
  const dialog = h("dialog", {"aria-label": title, ...attributes},
    h("header", {}, h("h2", {}, title),
      h("button", {class: "plain", "aria-label": "Close", onclick: () => dialog.close()}, icon("close"))),
    content);
  dialog.addEventListener("close", () => dialog.remove());
  // A click on the backdrop has the dialog itself as its target.
  dialog.addEventListener("click", event => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something that cannot be taken back. */
export function confirmAction(title, text, action) {
  return new Promise(resolve => {
    let confirmed = false;
    const dialog = openDialog(title, [
      h("p", {}, text),
      h("footer", {},
        h("button", {onclick: () => dialog.close()}, "Keep as it is"),
        h("button", {class: "danger", "data-test": "confirm", onclick: () => {
          confirmed = true;
          dialog.close();
        }}, action)),
    ], {class: "small"});
    dialog.addEventListener("close", () => resolve(confirmed));
  });
}

const messages = h("div", {class: "messages", role: "status", "aria-live": "polite"});

/** A message that goes by itself; an error stays longer. */
export function tell(text, isError = false) {
  if (!messages.isConnected) document.body.append(messages);
  const message = h("div", {class: isError ? "message bad" : "message", "data-test": "message"}, text);
  messages.append(message);
  setTimeout(() => message.remove(), isError ? 12000 : 5000);
}

/** Does something for a button, and tells how it went. */
export async function attempt(action) {
  try {
    const answer = await action();
    if (typeof answer === "string") tell(answer);
  } catch (error) {
    tell(error.message, true);
  }
}

// Rows that are updated in place: what has the focus or is selected stays.

/**
 * @param build makes `[element, update]` of an item; `update(item)` is called at once and whenever it is shown again.
 */
export function keyedList(parent, keyOf, build) {
  let shown = new Map();
  return items => {
    const next = new Map();
    const keys = new Set(items.map(keyOf));
    // First of all, so that those that stay need not be moved, which would take the focus from them.
    for (const [key, [element]] of shown) if (!keys.has(key)) element.remove();
    let place = parent.firstChild;
    for (const item of items) {
      const key = keyOf(item);
      const [element, update] = shown.get(key) ?? build(item);
      update?.(item);
      next.set(key, [element, update]);
      if (element === place) place = place.nextSibling;
      else parent.insertBefore(element, place);
    }
    shown = next;
  };
}

/** The head of a table; `titles` are texts, or `[text, class]`. */
export const tableHead = titles => h("thead", {}, h("tr", {}, titles.map(title => {
  const [text, kind] = [title].flat();
  return h("th", {scope: "col", class: kind}, text);
})));

/** In milliseconds. */
const LONGEST_PAUSE = 30_000;

/**
 * Calls `action` now and every `seconds` while the page is visible, until the returned function is called.
 * What takes long is asked for less often, so that a page costs the server at most a fiftieth of its time.
 */
export function poll(action, seconds = 1) {
  let timer, stopped = false, running = false;
  async function step() {
    clearTimeout(timer);
    if (stopped || running || document.hidden) return;
    running = true;
    const begin = performance.now();
    let pause = seconds * 1000;
    try {
      await action();
      pause = Math.max(pause, Math.min((performance.now() - begin) * 49, LONGEST_PAUSE));
    } catch {
      // The bar of the page tells of a server that is away; the next attempt follows.
    }
    running = false;
    if (!stopped) timer = setTimeout(step, Math.max(begin + pause - performance.now(), 100));
  }
  document.addEventListener("visibilitychange", step);
  connection.addEventListener("online", step);
  step();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", step);
    connection.removeEventListener("online", step);
  };
}

const scripts = new Map();

/** Loads a library once; it defines a global name. */
export function loadScript(name) {
  if (!scripts.has(name)) {
    scripts.set(name, new Promise((resolve, reject) => {
      const fail = () => {
        scripts.delete(name);
        reject(new Error(`${name} could not be loaded`));
      };
      document.head.append(h("script", {src: `console/${name}`, onload: resolve, onerror: fail}));
    }));
  }
  return scripts.get(name);
}

export function loadStyle(name) {
  if (document.head.querySelector(`link[href="console/${name}"]`)) return;
  // Before our own, which adapts it.
  document.head.querySelector("link[rel=stylesheet]").before(h("link", {rel: "stylesheet", href: `console/${name}`}));
}

/** The value of a colour of the style sheet, for what is drawn on a canvas. */
export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

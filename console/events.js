// What the server has logged, the newest first.

import {adviceFor} from "./advice.js";
import {get, RequestError, session} from "./api.js";
import {formatTime, h, keyedList, plural, poll, setText} from "./ui.js";

const LEVELS = ["notice", "warning", "error", "critical"];
const KINDS = {warning: "warn", error: "bad", critical: "bad"};
const KEPT = 500;

export function show(main) {
  let events = [];
  const level = h("select", {"aria-label": "Level", "data-test": "level-filter", onchange: draw},
    [["notice", "All levels"], ["warning", "Warnings and worse"], ["error", "Errors and worse"]].map(([value, title]) => h("option", {value}, title)));
  const filter = h("input", {type: "search", placeholder: "Filter by text", "aria-label": "Filter by text", "data-test": "event-filter", oninput: draw});
  const count = h("span", {class: "muted", "data-test": "event-count"});
  const list = h("ol", {class: "events card"});
  const showEvents = keyedList(list, event => event.number, event => [buildEvent(event)]);
  const note = h("p", {class: "empty", hidden: true});
  main.append(h("div", {class: "toolbar"}, level, filter, count), note, list);

  function draw() {
    const wanted = filter.value.trim().toLowerCase(), least = LEVELS.indexOf(level.value);
    const found = events.filter(event => LEVELS.indexOf(event.level) >= least &&
      `${event.message} ${event.source}`.toLowerCase().includes(wanted));
    showEvents(found);
    setText(count, plural(found.length, "event"));
    list.hidden = !found.length;
    note.hidden = found.length > 0;
    setText(note, events.length ? "No event matches." : "Nothing was logged yet.");
  }

  if (!session.seesAll) {
    list.hidden = true;
    note.hidden = false;
    setText(note, "Who may see all databases sees the events of the server.");
    return;
  }
  return poll(async () => {
    try {
      const newest = events[0]?.number;
      const answer = await get(newest === undefined ? "events" : `events?after=${newest}`);
      events = [...answer.events.reverse(), ...events].slice(0, KEPT);
      draw();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      list.hidden = true;
      note.hidden = false;
      setText(note, error.message);
    }
  }, 2);
}

function buildEvent({time, level, source, message}) {
  // Most notices need nothing to be done, whatever words they have.
  const advice = (level !== "notice" || /stopped|not replicated/.test(message)) && adviceFor(message);
  return h("li", {"data-test": "event-row", "data-level": level},
    h("time", {class: "muted", datetime: new Date(time * 1000).toISOString()}, formatTime(time)),
    h("span", {class: `badge ${KINDS[level] ?? ""}`}, level),
    h("div", {}, h("p", {class: "reason"}, message), advice && h("p", {class: "advice"}, advice), h("p", {class: "muted small"}, source)));
}

// The result of a statement while it is received: the bytes are kept as they came, and a row is read when it is shown.

import {post, runStatement} from "./api.js";

const FORMAT = "JSONCompactStringsEachRowWithNamesAndTypes";
// How the engine writes NULL in this format.
const NULL = "ᴺᵁᴸᴸ";
const NEWLINE = 10, BRACKET = 0x5b;
// Of a result in a format of the statement's own, which is shown as text.
const TEXT_LIMIT = 1 << 20;

/** In bytes. Each part that comes is joined with what there is of its row. */
const LONGEST_ROW = 16 << 20;

/** Rows as lines of JSON in blocks of bytes. */
class Rows {
  blocks = [];
  count = 0;
  /** What follows the last whole row. */
  rest = new Uint8Array(0);
  /** Whether what comes is no row any more, but the block of an error. */
  isBroken = false;

  /** @param limit rows after these are dropped */
  append(bytes, limit) {
    if (this.rest.length) {
      const joined = new Uint8Array(this.rest.length + bytes.length);
      joined.set(this.rest);
      joined.set(bytes, this.rest.length);
      bytes = joined;
    }
    const ends = [];
    let begin = 0;
    while (!this.isBroken && this.count + ends.length < limit) {
      if (begin < bytes.length && bytes[begin] !== BRACKET) this.isBroken = true;
      const end = this.isBroken ? -1 : bytes.indexOf(NEWLINE, begin);
      if (end < 0) break;
      ends.push(end);
      begin = end + 1;
    }
    if (ends.length) {
      this.blocks.push({first: this.count, bytes: bytes.subarray(0, begin), ends: Uint32Array.from(ends)});
      this.count += ends.length;
    }
    this.rest = bytes.slice(begin);
    if (this.count < limit && this.rest.length > LONGEST_ROW) throw new Error("a row has more than 16 MiB; save the result as a file");
  }

  /** The values of a row as texts, null for NULL. */
  row(index) {
    let low = 0, high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].first <= index) low = middle;
      else high = middle - 1;
    }
    const {first, bytes, ends} = this.blocks[low];
    const place = index - first;
    return JSON.parse(decoder.decode(bytes.subarray(place ? ends[place - 1] + 1 : 0, ends[place])));
  }
}

const decoder = new TextDecoder();

/** What the server said in the block that ends a result amid its rows; see docs/http-api.md. */
function messageOfBlock(text, tag) {
  const block = text.split(`__exception__\r\n${tag}\r\n`)[1];
  return block?.split("\r\n").slice(0, -3).join("\r\n") || undefined;
}

const canBeNull = type => /^(LowCardinality\()?Nullable\(|^(Variant|Dynamic|Nothing|JSON)/.test(type);
const isNumeric = type => /^(LowCardinality\()?(Nullable\()?(U?Int\d|B?Float|Decimal)/.test(type);
const isTime = type => /^(LowCardinality\()?(Nullable\()?(Date|Time)/.test(type);

export class Result {
  id = crypto.randomUUID?.() ?? `console-${Date.now()}-${Math.random().toString(36).slice(2)}`;
  columns = [];
  rows = new Rows();
  /** A result in another format than ours. */
  text = undefined;
  bytes = 0;
  state = "running";
  error = undefined;
  firstRowAt = undefined;
  #abort = new AbortController();
  #head = new Rows();

  constructor(sql, {database, snapshot, limit}) {
    Object.assign(this, {sql, database, snapshot, limit});
  }

  /** Runs the statement; `changed` is called whenever there is more to show. Never fails: `error` tells. */
  async run(changed) {
    this.begin = performance.now();
    let tag;
    try {
      const response = await runStatement(this.sql, {
        default_format: FORMAT, magic_error_at_end: 1, query_id: this.id, database: this.database, magic_snapshot: this.snapshot,
      }, this.#abort.signal);
      tag = response.headers.get("X-ClickHouse-Exception-Tag");
      this.commit = response.headers.get("X-Magic-Commit-Point");
      this.gtid = response.headers.get("X-Magic-GTID");
      try {
        this.summary = JSON.parse(response.headers.get("X-ClickHouse-Summary") ?? "{}");
      } catch {
        this.summary = {};
      }
      const format = response.headers.get("X-ClickHouse-Format");
      const receive = !format || format === FORMAT ? bytes => this.#receiveRows(bytes) : bytes => this.#receiveText(bytes);
      const reader = response.body.getReader();
      for (let part; this.state === "running" && !(part = await reader.read()).done;) {
        this.bytes += part.value.length;
        receive(part.value);
        changed();
      }
      if (this.state === "limited") this.#end();
      else this.state = "complete";
    } catch (error) {
      if (this.state === "running") {
        this.state = "failed";
        this.error = error.message;
        // What was refused runs no more.
        if (tag) this.#end();
      }
    }
    const broken = tag && messageOfBlock(decoder.decode(this.#remaining()), tag);
    if (broken) {
      this.state = "failed";
      this.error = broken;
    } else if (this.state === "failed" && tag) {
      this.error = `The connection broke amid the result: ${this.error}`;
    }
    this.seconds = (performance.now() - this.begin) / 1000;
    changed();
  }

  cancel() {
    if (this.state !== "running") return;
    this.state = "cancelled";
    this.#end();
  }

  /** The server ends the statement when the connection goes, and at once when it is told so. */
  #end() {
    this.#abort.abort();
    post("cancel", {id: this.id}).catch(() => {});
  }

  get elapsed() {
    return this.seconds ?? (performance.now() - this.begin) / 1000;
  }

  #remaining() {
    return this.columns.length ? this.rows.rest : this.#head.rest;
  }

  #receiveRows(bytes) {
    this.firstRowAt ??= (performance.now() - this.begin) / 1000;
    if (!this.columns.length) {
      this.#head.append(bytes, 2);
      if (this.#head.count < 2) return;
      const [names, types] = [this.#head.row(0), this.#head.row(1)];
      this.columns = names.map((name, index) => {
        const type = types[index];
        return {name, type, canBeNull: canBeNull(type), isNumeric: isNumeric(type), isTime: isTime(type)};
      });
      bytes = this.#head.rest;
    }
    this.rows.append(bytes, this.limit);
    if (this.rows.count >= this.limit && this.rows.rest.length) this.state = "limited";
  }

  #receiveText(bytes) {
    this.firstRowAt ??= (performance.now() - this.begin) / 1000;
    this.text ??= "";
    this.text += decoder.decode(bytes, {stream: true});
    if (this.text.length > TEXT_LIMIT) {
      this.text = this.text.slice(0, TEXT_LIMIT);
      this.state = "limited";
    }
  }

  /** The values of a row as texts, null for NULL. */
  row(index) {
    const values = this.rows.row(index);
    this.columns.forEach((column, place) => {
      if (column.canBeNull && values[place] === NULL) values[place] = null;
    });
    return values;
  }
}

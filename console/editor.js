// The editor of SQL: highlighting, completion, and which statement is meant.

import {post, select} from "./api.js";
import {h, loadScript, loadStyle, quoteName} from "./ui.js";

const KEYWORDS = `add after all alter and anti any array as asc asof attach between by case cast check cluster codec
collate column comment commit constraint create cross cube current_date cube database databases deduplicate default delete desc describe
distinct drop else end engine except exchange exists explain extract fetch final first following for format from full
function global grant group grouping having if ilike in index inner insert intersect interval into is join key kill last
left lifetime like limit local materialize materialized modify not null nulls offset on only optimize or order outer over
partition populate preceding prewhere primary projection qualify range rename replace right rollup row rows sample select
semi set sets settings show system table tables temporary then ties to top totals transaction trigger truncate ttl unbounded union
update use using values view when where window with`.split(/\s+/);

const TYPES = `int8 int16 int32 int64 int128 int256 uint8 uint16 uint32 uint64 uint128 uint256 float32 float64 bfloat16 decimal
string fixedstring date date32 datetime datetime64 time time64 uuid ipv4 ipv6 bool enum8 enum16 nullable lowcardinality map
tuple nested json variant dynamic`.split(/\s+/);

const asSet = words => Object.fromEntries(words.map(word => [word, true]));

function defineLanguage(CodeMirror) {
  CodeMirror.defineMIME("text/x-clickhouse", {
    name: "sql",
    keywords: asSet(KEYWORDS),
    builtin: asSet(TYPES),
    atoms: asSet(["true", "false", "null", "nan", "inf"]),
    dateSQL: {},
    operatorChars: /^[*+\-%<>!=&|/~^?:]/,
    support: asSet(["ODBCdotTable", "doubleQuote", "binaryNumber", "hexNumber", "commentHash"]),
    hooks: {"`": stream => {
      while (!stream.eol()) {
        const character = stream.next();
        if (character === "\\") stream.next();
        else if (character === "`") break;
      }
      return "variable-2";
    }},
  });
}

/** @param run called by Ctrl-Enter */
export async function createEditor(parent, {value, run, database}) {
  loadStyle("codemirror.css");
  loadStyle("show-hint.css");
  await loadScript("codemirror.js");
  await Promise.all([loadScript("sql.js"), loadScript("show-hint.js")]);
  const {CodeMirror} = window;
  defineLanguage(CodeMirror);
  const complete = editor => editor.showHint({hint: completer(CodeMirror, database), completeSingle: false});
  const editor = CodeMirror(parent, {
    value, mode: "text/x-clickhouse", lineNumbers: true, lineWrapping: true, indentUnit: 2, tabSize: 2,
    // Tab is the keyboard's way through the page; Ctrl-] and Ctrl-[ indent.
    extraKeys: {
      "Ctrl-Enter": run, "Cmd-Enter": run, "Ctrl-Space": complete,
      Tab: false, "Shift-Tab": false,
    },
  });
  editor.getInputField().setAttribute("aria-label", "SQL");
  editor.on("inputRead", (_, change) => {
    const kind = editor.getTokenTypeAt(editor.getCursor());
    if (/^[\w.]$/.test(change.text.join("")) && kind !== "comment" && kind !== "string" && kind !== "number") complete(editor);
  });
  return editor;
}

// Which statement is meant.

/** Quoted texts, comments and heredocs as wholes; a semicolon between them ends a statement. */
const PIECES = /'(?:[^'\\]+|\\[^])*'?|"(?:[^"\\]+|\\[^])*"?|`(?:[^`\\]+|\\[^])*`?|--[^\n]*|#[ !][^\n]*|\/\*[^]*?(?:\*\/|$)|\$(\w*)\$[^]*?(?:\$\1\$|$)|;/g;

/** The statements of a text as `{begin, end}`, without the semicolons. */
export function splitStatements(text) {
  const statements = [];
  let begin = 0;
  for (const {0: piece, index} of text.matchAll(PIECES)) {
    if (piece !== ";") continue;
    statements.push({begin, end: index});
    begin = index + 1;
  }
  statements.push({begin, end: text.length});
  return statements.filter(({begin, end}) => text.slice(begin, end).trim());
}

/** The selected text, or the statement in which the cursor stands, or the last one before it. */
export function chosenStatement(editor) {
  if (editor.somethingSelected()) return editor.getSelection().trim().replace(/;\s*$/, "");
  const text = editor.getValue();
  const cursor = editor.indexFromPos(editor.getCursor());
  const statements = splitStatements(text);
  // Right behind the semicolon the statement before it is still meant.
  const chosen = statements.find(({end}) => cursor <= end + 1) ?? statements.at(-1);
  return chosen ? text.slice(chosen.begin, chosen.end).trim() : "";
}

// Completion of databases, tables, columns, functions and keywords.

const known = {at: 0, tables: undefined, functions: undefined, columns: new Map()};

/** Names that the caller may see; asked for again after a minute. */
async function loadNames() {
  if (known.tables && Date.now() - known.at < 60_000) return;
  known.at = Date.now();
  known.columns.clear();
  known.tables = post("tables").then(answer => answer.tables, () => []);
  known.functions ??= select("SELECT name FROM system.functions WHERE alias_to = '' ORDER BY name")
    .then(rows => rows.map(({name}) => name), () => []);
}

function columnsOf({database, table}) {
  const key = `${database}\n${table}`;
  if (!known.columns.has(key)) {
    known.columns.set(key, select(`DESCRIBE TABLE ${quoteName(database)}.${quoteName(table)}`).catch(() => []));
  }
  return known.columns.get(key);
}

const asWritten = name => /^[A-Za-z_]\w*$/.test(name) ? name : quoteName(name);
const MOST_HINTS = 100, MOST_TABLES = 8;

function completer(CodeMirror, currentDatabase) {
  const hint = async editor => {
    const cursor = editor.getCursor();
    const before = editor.getLine(cursor.line).slice(0, cursor.ch);
    const [typed, path, word] = before.match(/((?:(?:\w+|`[^`]*`)\.)*)(\w*|`[^`]*)$/);
    const names = path.split(".").slice(0, -1).map(name => name.replace(/^`|`$/g, ""));
    if (!typed) return null;
    await loadNames();
    const tables = await known.tables;
    const text = chosenStatement(editor);
    const mentioned = tables.filter(({database, table}) =>
      text.includes(table) && (database === currentDatabase() || text.includes(database)));
    const found = [];
    const add = (name, kind) => found.push({text: asWritten(name), name, kind});
    const addColumns = async tables => {
      for (const table of tables.slice(0, MOST_TABLES)) {
        for (const column of await columnsOf(table)) add(column.name, column.type);
      }
    };
    if (names.length === 0) {
      await addColumns(mentioned);
      for (const {database, table} of tables) if (database === currentDatabase()) add(table, "table");
      for (const database of new Set(tables.map(({database}) => database))) add(database, "database");
      for (const keyword of KEYWORDS) found.push({text: keyword.toUpperCase(), name: keyword, kind: ""});
      for (const name of await known.functions) add(name, "function");
    } else {
      const [first, second] = names;
      for (const {database, table} of tables) if (names.length === 1 && database === first) add(table, "table");
      const named = tables.filter(({database, table}) => names.length === 1
        ? table === first && database === currentDatabase() : database === first && table === second);
      // What is no table is taken for an alias of one of those in the statement.
      await addColumns(named.length || found.length ? named : mentioned);
    }
    const wanted = word.replace("`", "").toLowerCase();
    const seen = new Set();
    const list = found.filter(({name, kind}) => name.toLowerCase().startsWith(wanted) && !seen.has(name + kind) && seen.add(name + kind))
      .slice(0, MOST_HINTS)
      .map(({text, name, kind}) => ({text, render: element => element.append(h("span", {}, name), h("span", {class: "kind"}, kind))}));
    if (list.length === 1 && list[0].text === word) return null;
    return {list, from: CodeMirror.Pos(cursor.line, cursor.ch - word.length), to: cursor};
  };
  hint.supportsSelection = false;
  return hint;
}

// Saves a result: the statement runs again, in the format of the file.

import {runStatement} from "./api.js";
import {formatBytes, h, tell} from "./ui.js";

const FORMATS = {
  csv: ["CSVWithNames", "text/csv"],
  parquet: ["Parquet", "application/vnd.apache.parquet"],
  arrow: ["ArrowStream", "application/vnd.apache.arrow.stream"],
};
const EXTENSIONS = {csv: "csv", parquet: "parquet", arrow: "arrows"};

export async function download(result, kind) {
  const [format, type] = FORMATS[kind];
  const name = `result.${EXTENSIONS[kind]}`;
  try {
    // What did not fit the page is written to the disk as it comes, where the browser can do that.
    const file = result.state === "limited" && window.showSaveFilePicker &&
      await window.showSaveFilePicker({suggestedName: name});
    const response = await runStatement(result.sql, {default_format: format, database: result.database, magic_snapshot: result.snapshot});
    const commit = response.headers.get("X-Magic-Commit-Point");
    const change = commit !== result.commit ? ` It is of commit point ${commit}, what is shown of ${result.commit}.` : "";
    if (file) {
      await response.body.pipeTo(await file.createWritable());
      tell(`${name} is saved.${change}`);
    } else {
      const blob = await response.blob();
      const url = URL.createObjectURL(new Blob([blob], {type}));
      h("a", {href: url, download: name}).click();
      // The browser has taken the data by then.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      tell(`${name}, ${formatBytes(blob.size)}.${change}`);
    }
  } catch (error) {
    if (error.name !== "AbortError") tell(`Nothing was saved: ${error.message}`, true);
  }
}

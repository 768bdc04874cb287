/// The media type of a ClickHouse output format.
func contentType(format: String) -> String {
  switch format {
  case "ArrowStream": "application/vnd.apache.arrow.stream"
  case "Arrow": "application/vnd.apache.arrow.file"
  case "Parquet": "application/vnd.apache.parquet"
  case _ where format.hasPrefix("JSON") && format.hasSuffix("EachRow"):
    "application/x-ndjson; charset=UTF-8"
  case _ where format.hasPrefix("JSON"): "application/json; charset=UTF-8"
  case "CSVWithNames", "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present"
  case "CSV": "text/csv; charset=UTF-8; header=absent"
  case _ where format.hasPrefix("TabSeparated") || format.hasPrefix("TSV"):
    "text/tab-separated-values; charset=UTF-8"
  case _ where format.hasPrefix("Pretty"), "Vertical", "Values", "Markdown":
    "text/plain; charset=UTF-8"
  case "XML": "application/xml; charset=UTF-8"
  default: "application/octet-stream"
  }
}

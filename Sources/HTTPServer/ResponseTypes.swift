import HTTPTypes

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

/// The status for an error of the engine, as ClickHouse's own server chooses it.
func httpStatus(engineErrorCode code: Int?) -> HTTPResponse.Status {
  switch code {
  // Unknown function, identifier, type, storage, table, aggregate function, format, statement,
  // database, setting.
  case 46, 47, 50, 56, 60, 63, 73, 78, 81, 115: .notFound
  // Values that cannot be parsed or do not fit, wrong arguments, types and syntax.
  case 6, 20, 25, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 117, 170, 184, 215, 351:
    .badRequest
  case 48: .notImplemented
  case 159: .requestTimeout
  case 164: .forbidden
  default: .internalServerError
  }
}

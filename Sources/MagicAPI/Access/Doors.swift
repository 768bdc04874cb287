/// Which functions people who are no admins may use.
enum Functions {
  /// Whether a function reads the engine's host, tells about it, or reaches other servers or other
  /// people's tables.
  static func isDoor(_ name: String) -> Bool {
    let name = name.lowercased()
    return doors.contains(name) || tableDoors.contains(name) || name.hasPrefix("__")
      || name.hasPrefix("flamegraph")
  }

  /// Whether a table function makes its rows itself, or from what stands in its brackets.
  ///
  /// All others are refused, those too that are not known yet.
  static func isHarmlessTable(_ name: String) -> Bool { harmlessTables.contains(name.lowercased()) }

  private static let harmlessTables: Set<String> = [
    "generate_series", "generateseries", "numbers", "numbers_mt", "primes", "view", "zeros",
    "zeros_mt",
  ]

  private static let doors: Set<String> = [
    "addresstoline", "addresstolinewithinlines", "addresstosymbol", "aiclassify", "aiembed",
    "aiextract", "aifilter", "aigenerate", "airedact", "aisimilarity", "aitranslate", "buildid",
    "catboostevaluate", "demangle", "displayname", "file", "filesystemavailable",
    "filesystemcapacity", "filesystemunreserved", "fqdn", "fullhostname",
    "generateserialid", "getclienthttpheader", "getmacro", "getmaxtablenamelengthfordatabase",
    "getoskernelversion", "getserverport", "getserversetting", "hasthreadfuzzer", "hostname",
    "logtrace", "serveruuid", "showcertificate", "structuretocapnprotoschema",
    "structuretoprotobufschema", "tcpport", "uptime", "zookeepersessionuptime",
  ]

  /// The table functions that are refused, by which they are found wherever they stand.
  private static let tableDoors: Set<String> = [
    "arrowflight", "arrowstream", "azureblobstorage", "azureblobstoragecluster", "bigquery",
    "cluster", "clusterallreplicas", "cosn", "deltalake", "deltalakeazure",
    "deltalakeazurecluster", "deltalakecluster", "deltalakelocal", "deltalakes3",
    "deltalakes3cluster", "dictionary", "eval", "executable", "filecluster", "filesystem",
    "fuzzjson", "gcs", "hdfs", "hdfscluster", "hive", "hudi", "hudicluster", "iceberg",
    "icebergazure", "icebergazurecluster", "icebergcluster", "iceberghdfs", "iceberghdfscluster",
    "iceberglocal", "iceberglocalcluster", "icebergs3", "icebergs3cluster", "input", "jdbc", "loop",
    "merge", "mergetreeanalyzeindexes", "mergetreeanalyzeindexesuuid",
    "mergetreecodecblockcounts", "mergetreeindex", "mergetreeprojection", "mergetreetextindex",
    "mongodb", "mysql", "odbc", "oss", "paimon", "paimonazure", "paimonazurecluster",
    "paimoncluster", "paimonhdfs", "paimonhdfscluster", "paimonlocal", "paimons3",
    "paimons3cluster", "postgresql", "prometheusquery", "prometheusqueryrange", "python", "redis",
    "remote", "remotesecure", "s3", "s3cluster", "sqlite", "timeseriesdata",
    "timeseriesmetricfamilies", "timeseriesmetrics", "timeseriessamples", "timeseriesselector",
    "timeseriestags", "url", "urlcluster", "viewexplain", "viewifpermitted", "ytsaurus",
  ]
}

extension AccessPolicy {
  /// The table functions whose arguments can be expressions in disguise.
  private static let declaringTables: Set<String> = [
    "format", "fuzzquery", "generaterandom", "null", "sqlstandardvalues", "values",
  ]

  /// Whether it was thought about what a table function of the engine gives to whom; unknown ones are
  /// for admins.
  public static func knowsTableFunction(_ name: String) -> Bool {
    Functions.isHarmlessTable(name) || Functions.isDoor(name)
      || declaringTables.contains(name.lowercased())
  }
}

/// Which engines people who are no admins may give to tables and databases.
enum Engines {
  /// Whether an engine keeps its data in the data folder, and has none of other tables.
  static func isHarmless(_ name: String) -> Bool { harmless.contains(name) }

  private static let harmless: Set<String> = [
    "AggregatingMergeTree", "Atomic", "CoalescingMergeTree", "CollapsingMergeTree",
    "GraphiteMergeTree", "Join", "Log", "Memory", "MergeTree", "MutableMergeTree", "Null",
    "ReplacingMergeTree", "Set", "StripeLog", "SummingMergeTree", "TinyLog",
    "VersionedCollapsingMergeTree",
  ]
}

/// Which settings people who are no admins may set.
enum Settings {
  /// Whether a setting concerns the statement and its result only.
  static func isAllowed(_ name: String, for role: Caller.Role) -> Bool {
    if reading.contains(name) || isFormat(name, ["format_csv_", "format_tsv_", "output_format_"]) {
      return true
    }
    guard role >= .writer else { return role == .admin }
    return writing.contains(name) || isFormat(name, ["input_format_"])
  }

  /// Whether a setting is one of formats, and does not name a file or a server.
  private static func isFormat(_ name: String, _ prefixes: [String]) -> Bool {
    prefixes.contains { name.hasPrefix($0) } && !formatDoors.contains(name)
  }

  private static let formatDoors = Set(literalRows.keys).union([
    "input_format_record_errors_file_path", "output_format_avro_confluent_subject",
    "output_format_schema",
  ])

  /// Has the engine take rows that come from outside of a statement's text for values only.
  static let literalRows = [
    "input_format_values_interpret_expressions": "0",
    "input_format_values_deduce_templates_of_expressions": "0",
  ]

  /// What holds for every statement: it is read in the one way in which it was inspected, and looks
  /// into no process.
  static let fixed = ["allow_introspection_functions": "0", "implicit_select": "0"]

  /// The values of settings that name functions.
  static let functions = [
    "count_distinct_implementation": [
      "uniq", "uniqCombined", "uniqCombined64", "uniqExact", "uniqHLL12",
    ]
  ]

  /// What has no effect with any request, whoever makes it: the service needs the comment, the log
  /// holds no statements, and a result has no extremes.
  static let ignored: Set<String> = ["extremes", "log_comment", "send_logs_level"]

  private static let reading: Set<String> = [
    "aggregate_functions_null_for_empty", "any_join_distinct_right_table_keys",
    "bool_false_representation", "bool_true_representation",
    "cancel_http_readonly_queries_on_client_close", "cast_keep_nullable",
    "check_query_single_value_result", "connect_timeout",
    "cast_string_to_dynamic_use_inference", "count_distinct_implementation",
    "date_time_input_format", "date_time_output_format",
    "decimal_check_overflow", "default_format", "describe_compact_output",
    "describe_include_subcolumns", "distinct_overflow_mode", "enable_http_compression", "final",
    "enable_named_columns_in_function_tuple", "format_custom_escaping_rule",
    "format_custom_field_delimiter", "format_custom_result_after_delimiter",
    "format_custom_result_before_delimiter", "format_custom_row_after_delimiter",
    "format_custom_row_before_delimiter", "format_custom_row_between_delimiter",
    "group_by_overflow_mode", "group_by_use_nulls", "http_headers_progress_interval_ms",
    "http_receive_timeout", "http_send_timeout", "http_write_exception_in_output_format",
    "http_zlib_compression_level", "interactive_delay", "join_algorithm", "join_use_nulls",
    "joined_subquery_requires_alias", "limit", "log_queries",
    "low_cardinality_allow_in_native_format", "max_block_size",
    "max_bytes_before_external_group_by",
    "max_bytes_before_external_sort", "max_bytes_in_distinct", "max_bytes_in_join",
    "max_bytes_to_read", "max_columns_to_read", "max_execution_time", "max_memory_usage",
    "max_query_size", "max_result_bytes", "max_result_rows", "max_rows_in_distinct",
    "max_rows_in_join", "max_rows_to_group_by", "max_rows_to_read", "max_rows_to_sort",
    "max_threads", "offset", "optimize_read_in_order", "prefer_column_name_to_alias", "priority",
    "read_overflow_mode", "receive_timeout", "result_overflow_mode",
    "send_progress_in_http_headers", "send_timeout", "session_timezone",
    "short_circuit_function_evaluation", "sort_overflow_mode", "timeout_overflow_mode",
    "transform_null_in", "union_default_mode", "use_uncompressed_cache", "wait_end_of_query",
  ]

  private static let writing: Set<String> = [
    "allow_experimental_dynamic_type", "allow_experimental_json_type",
    "allow_experimental_variant_type", "allow_nullable_key", "allow_suspicious_codecs",
    "allow_suspicious_indices", "allow_suspicious_low_cardinality_types",
    "allow_suspicious_ttl_expressions", "alter_sync", "async_insert",
    "async_insert_busy_timeout_ms", "async_insert_max_data_size", "data_type_default_nullable",
    "enable_block_number_column", "enable_block_offset_column", "enable_json_type",
    "flatten_nested", "index_granularity", "index_granularity_bytes", "insert_deduplicate",
    "insert_deduplication_token", "insert_null_as_default", "lightweight_deletes_sync",
    "max_insert_block_size", "max_insert_threads", "max_partitions_per_insert_block",
    "merge_max_block_size", "merge_with_ttl_timeout", "min_age_to_force_merge_seconds",
    "min_bytes_for_wide_part", "min_insert_block_size_bytes", "min_insert_block_size_rows",
    "min_rows_for_wide_part", "mutations_sync", "non_replicated_deduplication_window",
    "optimize_on_insert", "parts_to_delay_insert", "parts_to_throw_insert",
    "throw_on_max_partitions_per_insert_block", "ttl_only_drop_parts", "wait_for_async_insert",
  ]
}

import Arrow

/// What CommandGetSqlInfo tells about this server, by the specification's numbers.
struct SQLInfo {
  private enum Value {
    case text(String)
    case bool(Bool)
    case int64(Int64)
    case int32(Int32)
    case texts([String])
    /// Which types can be converted into which.
    case conversions([Int32: [Int32]])
  }

  private let values: [UInt32: Value]

  init(_ configuration: FlightConfiguration) {
    let milliseconds = { (duration: Duration?) -> Value in
      let count = duration.map { $0 / .milliseconds(1) } ?? 0
      return .int32(Int32(clamping: Int64(count)))
    }
    var values: [UInt32: Value] = [
      0: .text("Magic"),  // The server's name.
      1: .text(configuration.version),
      2: .text("1.5.0"),  // The version of the Arrow columnar format.
      3: .bool(false),  // It is not read-only.
      4: .bool(true),  // It takes SQL,
      5: .bool(false),  // but no Substrait,
      6: .text(""), 7: .text(""),  // of no version.
      8: .int32(1),  // Transactions, without savepoints.
      9: .bool(true),  // Statements can be cancelled.
      10: .bool(true), 11: .bool(true),  // Bulk ingestion, also in transactions.
      100: milliseconds(configuration.handleLifetime),
      101: milliseconds(configuration.transactionLifetime),
    ]
    values.merge(Self.language) { $1 }
    values.merge(Self.limits) { $1 }
    values.merge(Self.transactions) { $1 }
    self.values = values
  }

  /// What SQL is understood.
  private static let language: [UInt32: Value] = [
    500: .bool(false), 501: .bool(true), 502: .bool(true),  // CREATE of catalogs, schemas, tables.
    // Names keep their case and are told apart by it. The specification has no number for that.
    503: .int32(0),
    504: .text("`"),
    505: .int32(0),
    506: .bool(false),  // Some tables are for writing only.
    507: .int32(3),  // NULL comes last, whatever the order.
    508: .texts(SQLWords.keywords),
    509: .texts(SQLWords.numericFunctions),
    510: .texts(SQLWords.textFunctions),
    511: .texts(SQLWords.systemFunctions),
    512: .texts(SQLWords.timeFunctions),
    513: .text("\\"),  // Escapes % and _ in patterns.
    514: .text(""),
    515: .bool(true),  // AS.
    516: .bool(true),  // NULL concatenated with anything is NULL.
    517: .conversions(SQLConversions.all),
    518: .bool(true), 519: .bool(false),  // Aliases of tables, of any name.
    520: .bool(true), 521: .bool(true),  // ORDER BY expressions, also of what is not selected.
    522: .int32(0b11),  // GROUP BY columns that are not selected, and others than those.
    523: .bool(true),  // LIKE … ESCAPE.
    524: .bool(true),
    525: .int32(0b11), 526: .int32(0b1),  // ODBC's core grammar; the entry level of SQL-92.
    527: .bool(false),  // No foreign keys or constraints between tables.
    528: .int32(2),  // All outer joins.
    529: .text("database"), 530: .text(""), 531: .text(FlightConfiguration.catalog),
    532: .bool(true),
    533: .int32(0), 534: .int32(0), 535: .int32(0), 536: .bool(false), 537: .bool(false),
    538: .int32(0b1111), 539: .bool(true),  // Subqueries of all kinds, correlated ones too.
    540: .int32(0b10),  // UNION ALL; UNION without a word for it is refused.
    567: .int32(0b10),  // Results are read forwards only,
    568: .int32(0), 569: .int32(0b10), 570: .int32(0), 571: .int32(0),  // and not updated.
    572: .bool(true),  // Rows of parameters.
    573: .bool(false), 574: .bool(false), 575: .bool(false), 576: .bool(false),
  ]

  /// Zero says that there is no limit, or none that is known.
  private static let limits: [UInt32: Value] = Dictionary(
    uniqueKeysWithValues: (UInt32(541)...561).map { code in
      // That of rows includes long values.
      (code, code == 556 ? .bool(true) : .int64(0))
    })

  private static let transactions: [UInt32: Value] = [
    // What a statement reads is one commit point, and a transaction's own changes are not read
    // before it is committed.
    562: .int32(2), 563: .bool(true), 564: .int32(0b101),
    565: .bool(false), 566: .bool(false),
  ]

  // MARK: The answer

  private static let textsItem = Field(name: "item", type: .utf8)
  private static let numbersItem = Field(name: "$data$", type: .int32)
  private static let mapEntries = Field(
    name: "entries",
    type: .structure([
      Field(name: "key", type: .int32, isNullable: false),
      Field(name: "value", type: .list(numbersItem)),
    ]), isNullable: false)

  private static let unionFields = [
    Field(name: "string_value", type: .utf8), Field(name: "bool_value", type: .bool),
    Field(name: "bigint_value", type: .int64), Field(name: "int32_bitmask", type: .int32),
    Field(name: "string_list", type: .list(textsItem)),
    Field(name: "int32_to_int32_list_map", type: .map(mapEntries, keysSorted: false)),
  ]

  static let fields = [
    CatalogQuery.field("info_name", .uint32, isNullable: false),
    CatalogQuery.field("value", .denseUnion(unionFields), isNullable: false),
  ]

  /// The answers to some questions, or all that there are; those to unknown ones are left out.
  func columns(for codes: [UInt32]) -> [ArrayData] {
    let wanted = codes.isEmpty ? values.keys.sorted() : codes.filter { values[$0] != nil }
    var texts: [String?] = []
    var booleans: [Bool?] = []
    var longs: [Int64?] = []
    var integers: [Int32?] = []
    var lists: [[String]?] = []
    var maps: [[Int32: [Int32]]] = []
    var fields: [Int8] = []
    var positions: [Int32] = []
    func note(_ field: Int8, _ count: Int) {
      fields.append(field)
      positions.append(Int32(count - 1))
    }
    for value in wanted.compactMap({ values[$0] }) {
      switch value {
      case .text(let value):
        texts.append(value)
        note(0, texts.count)
      case .bool(let value):
        booleans.append(value)
        note(1, booleans.count)
      case .int64(let value):
        longs.append(value)
        note(2, longs.count)
      case .int32(let value):
        integers.append(value)
        note(3, integers.count)
      case .texts(let value):
        lists.append(value)
        note(4, lists.count)
      case .conversions(let value):
        maps.append(value)
        note(5, maps.count)
      }
    }
    let children = [
      textColumn(texts), booleanColumn(booleans), numberColumn(longs, type: .int64),
      numberColumn(integers, type: .int32),
      listColumn(lists, item: Self.textsItem) { textColumn($0) }, Self.mapColumn(maps),
    ]
    let union = ArrayData(
      type: .denseUnion(Self.unionFields), length: fields.count,
      buffers: [
        fields.withUnsafeBytes { Buffer(copying: $0) },
        positions.withUnsafeBytes { Buffer(copying: $0) },
      ], children: children)
    return [numberColumn(wanted.map { $0 as UInt32? }, type: .uint32), union]
  }

  private static func mapColumn(_ maps: [[Int32: [Int32]]]) -> ArrayData {
    let lists = listColumn(maps.map { map in map.sorted { $0.key < $1.key } }, item: mapEntries) {
      entries in
      ArrayData(
        type: mapEntries.type, length: entries.count,
        children: [
          numberColumn(entries.map { $0.key }, type: .int32),
          listColumn(entries.map { $0.value }, item: numbersItem) {
            numberColumn($0, type: .int32)
          },
        ])
    }
    return ArrayData(
      type: .map(mapEntries, keysSorted: false), length: lists.length, buffers: lists.buffers,
      children: lists.children)
  }
}

/// Which types can be converted into which, by the numbers of `SqlSupportsConvert`.
private enum SQLConversions {
  private static let numbers: [Int32] = [0, 2, 5, 6, 7, 12, 13, 14, 17]
  private static let texts: [Int32] = [1, 3, 10, 11, 18, 19]
  private static let moments: [Int32] = [4, 16]

  static let all: [Int32: [Int32]] = {
    var all: [Int32: [Int32]] = [:]
    for number in numbers { all[number] = (numbers + texts).sorted() }
    for text in texts { all[text] = (numbers + texts + moments).sorted() }
    for moment in moments { all[moment] = (moments + texts).sorted() }
    return all
  }()
}

import MySQLSchema

extension SourceConnection {
  /// Cuts a table whose key begins with an integer into ranges of about `rowsPerRange` rows, or returns nil
  /// when its key begins with another type; ``nextBoundary(of:after:rowCount:)`` serves then.
  ///
  /// The ranges are in order and cover all keys: the first has no beginning and the last no end. They come
  /// from the smallest and the largest key and from the optimizer's estimates, which cost the server a few
  /// look-ups in the index for each range; it reads no rows. Ranges in which the estimate finds too many rows
  /// are halved, and neighbours with few rows are joined, so keys may have gaps of any size.
  ///
  /// `estimatedRows` is how many rows the table has, about; see ``SourceTable/estimatedRows``.
  ///
  /// - Throws: ``SourceError`` with code `schema` for a table without a key of whole columns, `schemaChanged`
  ///   when the server's table has no such key, or another.
  public func ranges(of table: TableSchema, estimatedRows: UInt64, rowsPerRange: Int)
    throws(SourceError) -> [SourceKeyRange]?
  {
    let key = try table.rangeKey()
    guard let first = key.first, case .integer = first.type else { return nil }
    let place = "\(quoteName(table.name))\(try keyHint(of: table, key))"
    let column = quoteName(first.name)
    let ends = try query("SELECT MIN(\(column)), MAX(\(column)) FROM \(place)").first?.map {
      $0.flatMap { Int128(Self.text($0)) }
    }
    guard let ends, ends.count == 2, let least = ends[0], let greatest = ends[1] else {
      return [SourceKeyRange()]
    }
    let target = UInt64(clamping: max(rowsPerRange, 1))
    let count = min(max(estimatedRows / target, 1), Self.maximumEvenRanges)
    let ranges = evenRanges(least...greatest, count: Int128(count))
    let plan = RangePlan(source: "FROM \(place)", column: column, rowsPerRange: target)
    return try balanced(ranges, plan).keyRanges
  }

  /// How many ranges are cut evenly before estimates are asked for.
  private static let maximumEvenRanges: UInt64 = 1 << 16
  private static let estimatesOfSmallTables = 1000

  /// Halves ranges with too many rows and joins neighbours with few.
  private func balanced(_ ranges: [ClosedRange<Int128>], _ plan: RangePlan) throws(SourceError)
    -> [ClosedRange<Int128>]
  {
    var result: [ClosedRange<Int128>] = []
    var rowsOfLast: UInt64 = 0
    var remaining = Array(ranges.reversed())
    // Estimates of any size must not make this endless.
    var estimatesLeft = ranges.count * 4 + Self.estimatesOfSmallTables
    while let range = remaining.popLast() {
      estimatesLeft -= 1
      let rows =
        estimatesLeft >= 0
        ? try estimate(plan.statement(range)) ?? plan.rowsPerRange : plan.rowsPerRange
      if rows > plan.rowsPerRange * 2, range.lowerBound < range.upperBound {
        let middle = range.lowerBound + (range.upperBound - range.lowerBound) / 2
        remaining.append(middle + 1...range.upperBound)
        remaining.append(range.lowerBound...middle)
      } else if let last = result.last, rows <= plan.rowsPerRange,
        rowsOfLast <= plan.rowsPerRange - rows
      {
        result[result.count - 1] = last.lowerBound...range.upperBound
        rowsOfLast += rows
      } else {
        result.append(range)
        rowsOfLast = rows
      }
    }
    return result
  }

  /// How many rows the optimizer expects a statement to look at; nil when the server explains in another form.
  private func estimate(_ statement: String) throws(SourceError) -> UInt64? {
    let plan = try query("EXPLAIN FORMAT=TRADITIONAL \(statement)")
    guard let row = plan.first, row.count >= 10 else { return nil }
    // MySQL since 5.7 has a column of partitions before, and one of percents after.
    let index = row.count >= 12 ? 9 : 8
    // Nothing at all is found in ranges without rows.
    guard let rows = row[index] else { return 0 }
    return UInt64(Self.text(rows)) ?? 0
  }

  /// The key of the `rowCount`-th row behind a key, as a bound of a range, or nil when fewer rows are left.
  ///
  /// The server reads as many entries of the key's index. That is all rows once for a whole table; the ranges
  /// are then read from its cache.
  ///
  /// `after` is the bound that the last call gave, nil at the beginning.
  ///
  /// - Throws: ``SourceError`` as ``ranges(of:estimatedRows:rowsPerRange:)``.
  public func nextBoundary(of table: TableSchema, after: [String]?, rowCount: Int)
    throws(SourceError) -> [String]?
  {
    guard
      let row = try query(boundaryStatement(of: table, after: after, rowCount: rowCount)).first
    else { return nil }
    let bound = row.compactMap { $0.map(Self.text) }
    guard bound.count == table.primaryKey.count else {
      throw SourceError(.schemaChanged, "the key of \(table.name) has NULL at the source")
    }
    return bound
  }

  func boundaryStatement(of table: TableSchema, after: [String]?, rowCount: Int)
    throws(SourceError) -> String
  {
    let key = try table.rangeKey()
    let names = key.map { quoteName($0.name) }
    var literals: [String] = []
    for column in key { literals.append(try column.literalExpression()) }
    var sql = "SELECT \(literals.joined(separator: ", ")) FROM \(quoteName(table.name))"
    sql += try keyHint(of: table, key)
    if let condition = try SourceKeyRange(after: after).condition(key: key) {
      sql += " WHERE \(condition)"
    }
    return sql + " ORDER BY \(names.joined(separator: ", ")) LIMIT \(max(rowCount, 1) - 1), 1"
  }

  /// The hint that has the server use the index of a table's key, with a space before it.
  ///
  /// - Throws: ``SourceError`` with code `schemaChanged` when the server's table has no such key.
  func keyHint(of table: TableSchema, _ key: [Column]) throws(SourceError) -> String {
    let rows: [[[UInt8]?]]
    do throws(SourceError) {
      rows = try query("SHOW INDEX FROM \(quoteName(table.name))")
    } catch {
      throw Self.tableErrors(error, table.name)
    }
    let indexes = rows.compactMap { IndexColumn($0.map { $0.map(Self.text) }) }
    let wanted = key.map { $0.name.lowercased() }
    let others = Set(indexes.map(\.index)).subtracting(["PRIMARY"])
    for name in ["PRIMARY"] + others.sorted() {
      let columns = indexes.filter { $0.index == name }.sorted { $0.number < $1.number }
      guard columns.map(\.column) == wanted, columns.allSatisfy(\.isWholeAndUnique) else {
        continue
      }
      // An index that the optimizer may not see cannot be asked for by name either.
      return columns.contains(where: \.isHidden) ? "" : " FORCE INDEX (\(quoteName(name)))"
    }
    throw SourceError(
      .schemaChanged,
      "\(table.name) has no unique key of \(wanted.joined(separator: ", ")) any more")
  }

  /// Tells that a table is gone, or is another than at the snapshot, from other errors.
  static func tableErrors(_ error: SourceError, _ name: TableName) -> SourceError {
    var error = error
    switch error.number {
    case 1146, 1049: error.message = "\(name) does not exist any more"
    case 1412: error.message = "\(name) was altered while its reading began"
    case 1054: error.message = "\(name) has other columns"
    default: return error
    }
    error.code = .schemaChanged
    return error
  }
}

/// What the balancing of ranges asks the server.
private struct RangePlan {
  let source: String
  let column: String
  let rowsPerRange: UInt64

  func statement(_ range: ClosedRange<Int128>) -> String {
    "SELECT 1 \(source) WHERE \(column) BETWEEN \(range.lowerBound) AND \(range.upperBound)"
  }
}

/// Cuts an interval into at most `count` parts of the same width.
func evenRanges(_ interval: ClosedRange<Int128>, count: Int128) -> [ClosedRange<Int128>] {
  let span = interval.upperBound - interval.lowerBound + 1
  let width = max((span + count - 1) / max(count, 1), 1)
  // A stride is an Int, which the width of such an interval may not fit.
  var parts: [ClosedRange<Int128>] = []
  var start = interval.lowerBound
  while start <= interval.upperBound {
    parts.append(start...min(start + width - 1, interval.upperBound))
    start += width
  }
  return parts
}

extension [ClosedRange<Int128>] {
  /// The ranges of keys whose first column lies in these, which follow one another. What lies before the
  /// first and behind the last belongs to these.
  fileprivate var keyRanges: [SourceKeyRange] {
    indices.map { index in
      SourceKeyRange(
        after: index == 0 ? nil : ["\(self[index - 1].upperBound)"],
        through: index == count - 1 ? nil : ["\(self[index].upperBound)"])
    }
  }
}

/// A row of SHOW INDEX: one column of an index.
private struct IndexColumn {
  let index: String
  let number: Int
  let column: String
  let isWholeAndUnique: Bool
  let isHidden: Bool

  init?(_ fields: [String?]) {
    // A column that is an expression has no name.
    guard fields.count > 7, let index = fields[2], let number = fields[3].flatMap({ Int($0) }),
      let column = fields[4]
    else { return nil }
    self.index = index
    self.number = number
    self.column = column.lowercased()
    isWholeAndUnique = fields[1] == "0" && fields[7] == nil
    // MySQL tells whether the index is visible, MariaDB whether it is ignored.
    isHidden = fields.count > 13 && (fields.count == 14 ? fields[13] == "YES" : fields[13] == "NO")
  }
}

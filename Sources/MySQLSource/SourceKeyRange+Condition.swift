import MySQLSchema

extension SourceKeyRange {
  /// The condition that rows of the range fulfil, or nil when all do.
  ///
  /// - Parameter key: the key's columns, in key order.
  /// - Throws: ``SourceError`` with code `schemaChanged` when the bounds are of another key.
  func condition(key: [Column]) throws(SourceError) -> String? {
    for bound in [after, through] {
      guard let bound else { continue }
      guard !bound.isEmpty, bound.count <= key.count else {
        throw SourceError(
          .schemaChanged, "a range with \(bound.count) literals does not suit a key of \(key.count)"
        )
      }
    }
    let lower = after.map { Self.comparison(key[...], $0[...], rest: .greater, last: .greater) }
    let upper = through.map { Self.comparison(key[...], $0[...], rest: .less, last: .lessOrEqual) }
    let conditions = [lower, upper].compactMap(\.self)
    return conditions.isEmpty ? nil : conditions.joined(separator: " AND ")
  }

  /// Compares columns with a bound, the first one first. A comparison of tuples would say the same, but
  /// servers do not look for it in an index.
  private static func comparison(
    _ key: ArraySlice<Column>, _ bound: ArraySlice<String>, rest: Comparison, last: Comparison
  ) -> String {
    guard let column = key.first, let literal = bound.first else { return "TRUE" }
    guard bound.count > 1 else { return "(\(column.condition(last, literal)))" }
    let deeper = comparison(key.dropFirst(), bound.dropFirst(), rest: rest, last: last)
    let (isBeyond, isEqual) = (column.condition(rest, literal), column.condition(.equal, literal))
    return "(\(isBeyond) OR (\(isEqual) AND \(deeper)))"
  }
}

/// How a column is compared with a literal.
enum Comparison: String {
  case less = "<"
  case lessOrEqual = "<="
  case equal = "="
  case greater = ">"
}

extension TableSchema {
  /// The key's columns, in key order.
  ///
  /// - Throws: ``SourceError`` with code `schema` for a table that cannot be read in ranges.
  func rangeKey() throws(SourceError) -> [Column] {
    guard !primaryKey.isEmpty, !primaryKeyHasPrefix else {
      throw SourceError(
        .schema,
        "\(name) cannot be read in ranges: it has no key of whole columns",
        advice: "read it at once, as the range without bounds")
    }
    return primaryKey.map { columns[$0] }
  }
}

extension Column {
  /// The most members of an ENUM that are listed; MariaDB makes a subquery of long lists.
  private static let maximumListedMembers = 500

  /// A condition on this column, if possible one for which servers use an index.
  func condition(_ comparison: Comparison, _ literal: String) -> String {
    let name = quoteName(self.name)
    switch type {
    // Servers find members in an index only by equality.
    case .enumeration(let members)
    where comparison != .equal && members.count <= Self.maximumListedMembers:
      guard let number = Int(literal) else { break }
      // 0 is the value that stands for none of the members.
      let numbers =
        switch comparison {
        case .less: 0..<max(number, 0)
        case .lessOrEqual, .equal: 0..<max(number + 1, 0)
        case .greater: min(number + 1, members.count + 1)..<members.count + 1
        }
      // A condition that is known to be false would have MariaDB sort by the other columns.
      if numbers.isEmpty { return "\(name) = \(members.count + 1)" }
      return "\(name) IN (\(numbers.map(String.init).joined(separator: ", ")))"
    // As it stands, a SET is compared as a number with a sign.
    case .set: return "CAST(\(name) AS UNSIGNED) \(comparison.rawValue) \(literal)"
    default: break
    }
    return "\(name) \(comparison.rawValue) \(literal)"
  }

  /// An expression of the source's SQL that gives a literal of this column's value, which is equal to that
  /// value in the order of the column, whatever the session's charset is.
  ///
  /// - Throws: ``SourceError`` with code `schema` for a type that cannot be a key.
  func literalExpression() throws(SourceError) -> String {
    let name = quoteName(self.name)
    switch type {
    case .integer, .decimal, .year: return name
    // These are ordered by their numbers, members also.
    case .bit, .enumeration, .set: return "CAST(\(name) AS UNSIGNED)"
    // The product has all digits. Without an exponent it would be read as a DECIMAL.
    case .float, .double:
      return "CONCAT(\(name) * 1e0, IF(LOCATE('e', \(name) * 1e0) > 0, '', 'e0'))"
    case .date, .datetime, .timestamp, .time, .inet4, .inet6, .uuid:
      return "CONCAT('''', \(name), '''')"
    // The bytes as they are stored. The column's collation wins over that of the literal.
    case .string: return "CONCAT('_', CHARSET(\(name)), ' X''', HEX(\(name)), '''')"
    case .binary, .bytes: return "CONCAT('X''', HEX(\(name)), '''')"
    case .json, .geometry, .vector:
      throw SourceError(.schema, "a key with the column \(self.name) has no ranges")
    }
  }
}

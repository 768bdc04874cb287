/// Whether the values of a column are the same after another definition.
struct ColumnConversion {
  var old: Column
  var new: Column
  /// Whether values that do not fit were refused instead of changed.
  var isStrict: Bool

  /// Why the values may differ; nil when the copy's own values serve.
  var reasonNotToKeep: String? {
    let isKept =
      switch (old.type, new.type) {
      case (.integer(let oldWidth, let wasUnsigned), .integer(let newWidth, let isUnsigned)):
        if isUnsigned == wasUnsigned {
          newWidth.rawValue >= oldWidth.rawValue
        } else {
          wasUnsigned && newWidth.rawValue > oldWidth.rawValue
        }
      case (.float, .float), (.double, .double), (.float, .double): keepsFloatingPoint
      case (.decimal(let oldPrecision, let oldScale), .decimal(let precision, let scale)):
        keepsSign && scale >= oldScale && precision - scale >= oldPrecision - oldScale
      case (.bit(let oldWidth), .bit(let newWidth)): newWidth >= oldWidth
      case (.datetime(let oldDigits), .datetime(let digits)): digits >= oldDigits
      case (.timestamp(let oldDigits), .timestamp(let digits)): digits >= oldDigits
      case (.time(let oldDigits), .time(let digits)): digits >= oldDigits
      case (.binary(let oldLength), .binary(let length)): length >= oldLength
      case (.bytes, .bytes): keepsBytes
      case (.string(let oldCharset), .string(let charset)): keepsText(oldCharset, charset)
      case (.enumeration(let oldMembers), .enumeration(let members)):
        members.starts(with: oldMembers)
      case (.set(let oldMembers), .set(let members)): members.starts(with: oldMembers)
      case (.geometry, .geometry):
        old.detail?.geometryKind != nil && old.detail?.geometryKind == new.detail?.geometryKind
      case (.date, .date), (.year, .year), (.json, .json), (.inet4, .inet4), (.inet6, .inet6),
        (.uuid, .uuid):
        true
      case (.vector(let oldCount), .vector(let count)): oldCount == count
      default: false
      }
    return isKept ? nil : "its values may have been converted"
  }

  private var keepsSign: Bool {
    guard let oldDetail = old.detail, let newDetail = new.detail else { return false }
    return oldDetail.isUnsigned || !newDetail.isUnsigned
  }

  private var keepsFloatingPoint: Bool {
    guard keepsSign, let decimals = new.detail?.decimals else { return keepsSign }
    // The server may round again what it rounded already.
    return old.type == new.type && old.detail?.decimals == decimals
  }

  private var keepsBytes: Bool {
    guard let oldCapacity = old.detail?.byteCapacity, let capacity = new.detail?.byteCapacity
    else { return false }
    return capacity >= oldCapacity
  }

  private func keepsText(_ oldCharset: String?, _ charset: String?) -> Bool {
    guard let oldDetail = old.detail, let newDetail = new.detail else { return false }
    // CHAR drops the spaces at the end of what it takes in.
    guard oldDetail.isFixedLength || !newDetail.isFixedLength else { return false }
    guard oldCharset != charset else { return fits(oldDetail, newDetail, charset, charset) }
    guard let oldCharset, let charset else { return false }
    return (isStrict || Charset.keepsEveryText(from: oldCharset, to: charset))
      && fits(oldDetail, newDetail, oldCharset, charset)
  }

  /// Whether the longest old text fits.
  private func fits(
    _ oldDetail: TypeDetail, _ newDetail: TypeDetail, _ oldCharset: String?, _ charset: String?
  ) -> Bool {
    let oldWidths = oldCharset.map(Charset.characterWidths) ?? 1...4
    let widths = charset.map(Charset.characterWidths) ?? 1...4
    if let oldBytes = oldDetail.byteCapacity, let bytes = newDetail.byteCapacity {
      if oldCharset == charset { return bytes >= oldBytes }
      // Whatever a server converts, the largest TEXT holds.
      if bytes == TypeDetail.longCapacities[3] { return true }
    }
    let oldCharacters =
      oldDetail.characterCapacity ?? oldDetail.byteCapacity.map { $0 / oldWidths.lowerBound }
    guard let oldCharacters else { return false }
    if let capacity = newDetail.characterCapacity { return capacity >= oldCharacters }
    guard let bytes = newDetail.byteCapacity else { return false }
    return oldCharacters.multipliedReportingOverflow(by: widths.upperBound).partialValue <= bytes
  }
}

/// The names of the columns that a mutable table's storage has after the visible ones.
public enum HiddenColumn {
  /// `UInt64`: for one key the row with the highest version wins.
  public static let version = "_INTERNAL_VERSION"
  /// `UInt8`: 1 when the version removes the row, else 0.
  public static let deleteMark = "_INTERNAL_DELMARK"
  /// `UInt64`: the commit that wrote the row; only in young tables, and shown to nobody.
  public static let commit = "_INTERNAL_COMMIT"
  /// All of them.
  public static let all = [version, deleteMark, commit]
}

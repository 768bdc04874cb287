/// The names of the columns that a mutable table's storage has besides the visible ones.
public enum HiddenColumn {
  /// `UInt64`: for one key the row with the highest version wins.
  public static let version = "_INTERNAL_VERSION"
  /// `UInt8`: 1 when the version removes the row, else 0.
  public static let deleteMark = "_INTERNAL_DELMARK"
  /// `UInt64`: the commit that wrote the row; only in young tables, and shown to nobody.
  public static let commit = "_INTERNAL_COMMIT"
  /// `UInt64`: identifies a row of a table without key, as its first version; 0 in a stage for a row
  /// that is new.
  public static let row = "_INTERNAL_ROW"
  /// All of them.
  public static let all = [version, deleteMark, commit, row]
}

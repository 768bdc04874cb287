import MagicCore

extension HiddenColumn {
  /// `UInt128`: a hash of the values of a row of a replicated table without key, by which a living row
  /// with the same values is found.
  static let contents = "_INTERNAL_CONTENTS"
  /// All columns that users do not see.
  static let stored = all + [contents]
  /// Those by which rows of tables without key are identified.
  static let identifying = [contents, row]
}

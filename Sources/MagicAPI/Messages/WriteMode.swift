import MagicCore

extension TableWrite {
  /// What ``whenMissing`` and ``whenExisting`` say together, in one word.
  public enum Mode: String, Sendable, CaseIterable {
    /// The table must exist.
    case append
    /// The table must not exist.
    case create
    /// The table is made when it does not exist.
    case createAppend = "create_append"
    /// The table is made, in the place of another one if there is one.
    case replace
    /// The table must exist, and has these rows only.
    case overwrite

    /// Whether it makes a table that is missing.
    public var creates: Bool { self != .append && self != .overwrite }

    /// What happens when there is such a table.
    public var whenExisting: WriteRequest.WhenExisting {
      switch self {
      case .append, .createAppend: .append
      case .create: .fail
      case .replace, .overwrite: .replace
      }
    }
  }

  /// The mode; nil when the table may be neither missing nor existing in a way that a mode has.
  public var mode: Mode? {
    Mode.allCases.first { mode in
      let creates = if case .create = whenMissing { true } else { false }
      return mode.creates == creates && mode.whenExisting == whenExisting
    }
  }
}

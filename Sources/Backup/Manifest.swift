import Foundation
import MagicCore
import Replication

/// What a backup holds.
///
/// The *plan*, `plan.json`, is the first file of a backup: what is needed to make the tables again. The
/// *manifest*, `manifest.json`, is the last one: the same with the files and rows of each table. A backup
/// without a manifest did not end.
public struct Manifest: Hashable, Sendable, Codable {
  /// Raised when an older program could not read the backup.
  public static let currentFormatVersion = 1
  /// The name of the first file.
  public static let planName = "plan.json"
  /// The name of the last file.
  public static let name = "manifest.json"
  /// A longer plan or manifest is not read.
  public static let byteCountLimit = 1 << 30

  /// What the copy goes on with.
  public struct Replication: Hashable, Sendable, Codable {
    /// The checkpoint of the commit point, as it is stored.
    public var checkpoint: String
    /// The catalog as of it.
    public var catalog: Catalog

    /// Describes the state of replication.
    public init(checkpoint: String, catalog: Catalog) {
      self.checkpoint = checkpoint
      self.catalog = catalog
    }
  }

  /// A file with rows.
  public struct File: Hashable, Sendable, Codable {
    /// Its name in the backup.
    public var name: String
    /// How many bytes it has.
    public var byteCount: UInt64
    /// Their SHA-256, in hexadecimal digits.
    public var sha256: String

    /// Describes a file.
    public init(name: String, byteCount: UInt64, sha256: String) {
      self.name = name
      self.byteCount = byteCount
      self.sha256 = sha256
    }
  }

  /// A table with its rows.
  public struct Table: Hashable, Sendable, Codable {
    /// How it is made.
    public var declared: DatabaseContents.Table
    /// How many rows it has; nil when that is not known: it is no part of commit points, and was
    /// written meanwhile.
    public var rowCount: UInt64?
    /// Its rows, in order: together one stream in the engine's format Native, each file a Zstandard
    /// frame.
    public var files: [File] = []

    /// Describes a table whose rows are not known yet.
    public init(_ declared: DatabaseContents.Table) { self.declared = declared }
  }

  /// Something that is not in the backup.
  public struct LeftOut: Hashable, Sendable, Codable {
    /// Its name.
    public var name: String
    /// Why it is not.
    public var reason: String
    /// Whether replication makes it again.
    public var isReplicated: Bool

    /// Describes it.
    public init(name: String, reason: String, isReplicated: Bool = false) {
      self.name = name
      self.reason = reason
      self.isReplicated = isReplicated
    }
  }

  /// The form of the backup.
  public var formatVersion = Manifest.currentFormatVersion
  /// The program that made it.
  public var program: String
  /// When it was begun, in seconds since 1970.
  public var created: Double
  /// The commit point of replicated and mutable tables.
  public var commit: UInt64
  /// The transactions of the source that are in it.
  public var gtids: String?
  /// What replication goes on with; nil when there was none.
  public var replication: Replication?
  /// The databases.
  public var databases: [DatabaseContents.Declared]
  /// The SQL functions of users.
  public var functions: [DatabaseContents.Declared]
  /// The tables. Those of kind `plain` and `materializedView`, and all declarations that are not of
  /// tables, are no part of the commit point: they are as they were when they were read.
  public var tables: [Table]
  /// What is not in the backup.
  public var leftOut: [LeftOut]

  /// Makes a plan.
  public init(
    program: String, created: Double, point: CommitPoint, replication: Replication?,
    contents: DatabaseContents, leftOut: [LeftOut]
  ) {
    self.program = program
    self.created = created
    commit = point.commit
    gtids = point.gtids
    self.replication = replication
    databases = contents.databases
    functions = contents.functions
    tables = contents.tables.map(Table.init)
    self.leftOut = leftOut
  }

  /// The manifest as the file's bytes.
  public func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// Reads a file's bytes.
  ///
  /// - Throws: ``BackupError`` when they are damaged, or of a newer form.
  public init(decoding bytes: [UInt8], from name: String = Manifest.name) throws {
    struct Version: Decodable { var formatVersion: Int }
    let decoder = JSONDecoder()
    do {
      let version = try decoder.decode(Version.self, from: Data(bytes)).formatVersion
      guard version <= Self.currentFormatVersion else {
        throw BackupError(
          "the backup has format version \(version); this program reads versions up to "
            + "\(Self.currentFormatVersion): use a newer one")
      }
      self = try decoder.decode(Manifest.self, from: Data(bytes))
    } catch let error as BackupError {
      throw error
    } catch {
      throw BackupError("the backup's \(name) is damaged (\(error)): use another backup")
    }
    if let replication { try Self.check(replication.catalog) }
  }

  private static func check(_ catalog: Catalog) throws {
    guard catalog.formatVersion <= Catalog.currentFormatVersion else {
      throw BackupError(
        "the catalog in the backup has format version \(catalog.formatVersion); this program reads "
          + "versions up to \(Catalog.currentFormatVersion): use a newer one")
    }
  }

  /// The places of the tables with rows, in the order in which these are read and stored. Those of
  /// materialized views come last: the views are made when the tables that they read are whole.
  public var loadOrder: [[Int]] {
    let stored = tables.indices.filter { !tables[$0].declared.columns.isEmpty }
    let isView = { tables[$0].declared.kind == .materializedView }
    return [stored.filter { !isView($0) }, stored.filter(isView)]
  }

  /// The same without what is known at the end only.
  public var plan: Manifest {
    var plan = self
    for index in plan.tables.indices {
      plan.tables[index].rowCount = nil
      plan.tables[index].files = []
    }
    return plan
  }
}

/// The name of a file with a part of a table's rows: `data/12-3.native.zst`, and `data/12-4-end.native.zst`
/// for the last one.
public struct PartName: Hashable, Sendable, CustomStringConvertible {
  /// The table's place in the manifest.
  public var table: Int
  /// The part's place in the table.
  public var number: Int
  /// Whether it is the table's last part.
  public var isLast: Bool

  private static let suffix = ".native.zst"

  /// Names a part.
  public init(table: Int, number: Int, isLast: Bool) {
    self.table = table
    self.number = number
    self.isLast = isLast
  }

  /// Reads a name.
  ///
  /// - Returns: nil for a name of another form.
  public init?(_ text: String) {
    guard text.hasPrefix("data/"), text.hasSuffix(Self.suffix) else { return nil }
    let parts = text.dropFirst(5).dropLast(Self.suffix.count)
      .split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3 && parts[2] == "end", let table = Int(parts[0]),
      let number = Int(parts[1])
    else { return nil }
    self.init(table: table, number: number, isLast: parts.count == 3)
    guard description == text else { return nil }
  }

  /// The name.
  public var description: String {
    "data/\(table)-\(number)\(isLast ? "-end" : "")\(Self.suffix)"
  }
}

import Binlog
import Replication
import Threads

/// The events of binlog files, one file after another, from a position on. Files are read on a
/// thread of its own.
actor FileEventSource: BinlogEventSource {
  private let executor = ThreadExecutor(name: "binlog-files")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private var paths: ArraySlice<String>
  private let start: BinlogPosition?
  private let end: BinlogPosition?
  private let keys: BinlogKeys?
  private var file: BinlogFile?
  private var isClosed = false
  /// Told the path of each file before it is read.
  private let onFile: @Sendable (String) -> Void

  /// - Parameters:
  ///   - paths: the files in the order of their server.
  ///   - start: where to go on; nil reads from the beginning.
  ///   - end: what is left out; nil reads to the end.
  ///   - keys: what their server encrypted them with, if it did.
  init(
    paths: [String], start: BinlogPosition?, end: BinlogPosition?, keys: BinlogKeys?,
    onFile: @escaping @Sendable (String) -> Void
  ) {
    self.paths = paths[...]
    self.start = start
    self.end = end
    self.keys = keys
    self.onFile = onFile
  }

  func next(within limit: Duration?) throws -> EventBatch? {
    while !isClosed {
      if let file {
        var events: [[UInt8]] = []
        let isAtEnd = try !file.read { event, offset in
          if isWanted(offset, in: file) { events.append(event.withUnsafeBytes { Array($0) }) }
        }
        if isAtEnd || !isWanted(file.offset, in: file) { self.file = nil }
        if !events.isEmpty { return EventBatch(events: events) }
      } else if let path = paths.popFirst() {
        let opened = try BinlogFile(path: path, chunkByteCount: 4 << 20, keys: keys)
        if let start, BinlogPosition(file: opened.name, offset: .max) < start { continue }
        if !isWanted(4, in: opened) { return nil }
        onFile(path)
        file = opened
        return try firstBatch(of: opened)
      } else {
        return nil
      }
    }
    return nil
  }

  func close() { isClosed = true }

  private func isWanted(_ offset: UInt64, in file: BinlogFile) -> Bool {
    end.map { BinlogPosition(file: file.name, offset: offset) < $0 } ?? true
  }

  /// The events of a file from the start position on. The first event of a file describes the
  /// format of the others, so it is always there.
  private func firstBatch(of file: BinlogFile) throws -> EventBatch {
    let begin = start.map { $0.file == file.name ? max(4, $0.offset) : 4 } ?? 4
    var wanted: [[UInt8]] = []
    var isAtEnd = false
    while wanted.count < 2, !isAtEnd {
      isAtEnd = try !file.read { event, offset in
        if (offset >= begin && isWanted(offset, in: file)) || offset == 4 {
          wanted.append(event.withUnsafeBytes { Array($0) })
        }
      }
    }
    if isAtEnd { self.file = nil }
    return EventBatch(beginsFile: (file.name, begin), events: wanted)
  }
}

import Binlog
import MySQLSource
import Replication

/// The events of binlog files, one file after another, from a position on.
actor FileEventSource: BinlogEventSource {
  private var paths: ArraySlice<String>
  private let start: BinlogPosition?
  private var reader: BinlogFileReader?
  private var isClosed = false
  /// Told the path of each file before it is read.
  private let onFile: @Sendable (String) -> Void

  /// - Parameters:
  ///   - paths: the files in the order of their server.
  ///   - start: where to go on; nil reads everything.
  init(paths: [String], start: BinlogPosition?, onFile: @escaping @Sendable (String) -> Void) {
    self.paths = paths[...]
    self.start = start
    self.onFile = onFile
  }

  func next(within limit: Duration?) async throws -> EventBatch? {
    while !isClosed {
      if let reader {
        if let events = try await reader.next() { return EventBatch(events: events) }
        self.reader = nil
      } else if let path = paths.popFirst() {
        let opened = try BinlogFileReader(path: path)
        if let start, BinlogPosition(file: opened.name, offset: .max) < start { continue }
        onFile(path)
        reader = opened
        return try await firstBatch(of: opened)
      } else {
        return nil
      }
    }
    return nil
  }

  func close() { isClosed = true }

  /// The events of a file from the start position on. The first event of a file describes the
  /// format of the others, so it is always there.
  private func firstBatch(of file: BinlogFileReader) async throws -> EventBatch? {
    let begin = start.map { $0.file == file.name ? max(4, $0.offset) : 4 } ?? 4
    var offset: UInt64 = 4
    var wanted: [[UInt8]] = []
    while wanted.count < 2, let events = try await file.next() {
      for event in events {
        if offset >= begin || offset == 4 { wanted.append(event) }
        offset += UInt64(event.count)
      }
    }
    return EventBatch(beginsFile: (file.name, begin), events: wanted)
  }
}

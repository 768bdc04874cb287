import Arrow
import MagicAPI
import NIOCore
import SwiftProtobuf

@testable import FlightServer

/// The first byte says what the rest is: messages of rows, a ticket or command, or a statement.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFlight(_ input: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let rest = UnsafeBufferPointer(start: input + 1, count: count - 1)
  switch input[0] % 3 {
  case 0: decodeRows(rest)
  case 1: decodeCommand(Array(rest))
  default:
    let text = StatementText(String(decoding: rest, as: UTF8.self))
    _ = (text.sessionEffect, text.scannedTable)
  }
  return 0
}

/// Messages of rows, each after its length in two bytes.
private func decodeRows(_ input: UnsafeBufferPointer<UInt8>) {
  var buffer = ByteBuffer(bytes: input)
  var decoder = MessageDecoder()
  while let length = buffer.readInteger(as: UInt16.self),
    let message = buffer.readSlice(length: min(Int(length), buffer.readableBytes))
  {
    guard let data = try? IncomingData(decoding: message) else { return }
    guard let batch = try? decoder.decode(header: data.header, body: data.body) else { continue }
    _ = try? batch.withoutUnions()
    _ = try? StatementTicket.encode([batch])
  }
}

private func decodeCommand(_ bytes: [UInt8]) {
  guard let command = try? FlightCommand(decoding: bytes) else { return }
  switch command {
  case .scan, .write: break
  case .sql(let any):
    if let ticket = try? any.unpack(ProtoTicketStatementQuery.self) {
      _ = try? StatementTicket(decoding: ticket.statementHandle).parameterRows()
    }
    _ = try? CatalogQuery(any, configuration: FlightConfiguration())
    _ = try? any.unpack(ProtoCommandStatementIngest.self)
  }
}

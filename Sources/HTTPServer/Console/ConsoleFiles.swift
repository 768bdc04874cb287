import CConsole
import Compression
import NIOCore
import NIOHTTP1
import WireFormat

/// The files of the web console, which are part of the program.
struct ConsoleFiles: Sendable {
  /// Made when the first browser asks, since they are compressed then.
  private static let all = ConsoleFiles()
  private static let prefix = "/console/"

  private struct File {
    var type: String
    var bytes: ByteBuffer
    var gzip: ByteBuffer
    /// Changes with the content (RFC 9110, 8.8.3).
    var tag: String
  }

  /// Nothing but these files, and requests to this server.
  private static let contentSecurityPolicy = """
    default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'
    """

  private var files: [String: File] = [:]
  /// The name of the page that loads all others.
  private var page = ""

  /// Takes the files out of the program.
  private init() {
    var index = 0
    while let file = console_file_at(index)?.pointee {
      let name = String(cString: file.name)
      if index == 0 { page = name }
      let bytes = UnsafeRawBufferPointer(start: file.bytes, count: file.length)
      files[name] = File(
        type: String(cString: file.type), bytes: ByteBuffer(bytes: bytes),
        gzip: ByteBuffer(bytes: Self.gzip(bytes)),
        tag: "\"\(String(crc32(bytes.bytes), radix: 16))\"")
      index += 1
    }
  }

  private static func gzip(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    // Only a lack of memory makes it fail; the file is sent as it is then.
    guard let compressor = try? Compressor(.gzip), let start = try? compressor.compress(bytes),
      let end = try? compressor.finish()
    else { return [] }
    return start + end
  }

  /// The answer to a browser that asks for the console; nil when the request is for something else.
  static func respond(to request: Request) -> Response? {
    guard [.GET, .HEAD].contains(request.head.method), request.parameters.isEmpty else {
      return nil
    }
    if request.path == "/" {
      guard request.header("Accept")?.contains("text/html") == true else { return nil }
      return all.respond(to: request, with: all.page)
    }
    guard request.path.hasPrefix(prefix) else { return nil }
    return all.respond(to: request, with: String(request.path.dropFirst(prefix.count)))
  }

  private func respond(to request: Request, with name: String) -> Response? {
    guard let file = files[name] else { return nil }
    var headers: HTTPHeaders = [
      "Content-Type": file.type, "ETag": file.tag, "Vary": "Accept, Accept-Encoding",
      // A newer program has other files under the same names.
      "Cache-Control": "no-cache",
      "Content-Security-Policy": Self.contentSecurityPolicy,
      "Referrer-Policy": "no-referrer",
    ]
    // Weakly: what compresses on the way says so of the tag.
    if request.header("If-None-Match")?.contains(file.tag) == true {
      return Response(.notModified, headers: headers, body: .bytes(ByteBuffer()))
    }
    guard request.head.headers[canonicalForm: "Accept-Encoding"].contains("gzip"),
      file.gzip.readableBytes > 0
    else { return Response(headers: headers, body: .bytes(file.bytes)) }
    headers.add(name: "Content-Encoding", value: "gzip")
    return Response(headers: headers, body: .bytes(file.gzip))
  }
}

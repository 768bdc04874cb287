import Foundation

/// Runs a call that blocks on a thread made for it, so that it stays off the cooperative pool.
///
/// `name` is the thread's name, for debuggers; 15 bytes are shown.
public func onOwnThread<Result: Sendable>(
  _ name: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
    thread.name = name
    thread.stackSize = 8 << 20
    thread.start()
  }
}

/// The kernel's id of the calling thread; 0 when the system does not tell.
///
/// Glibc's function for it is an extension that Swift does not see, so it comes from the link
/// `/proc/thread-self`, which reads `PROCESS/task/THREAD`.
public func currentThreadID() -> Int32 {
  withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
    guard let base = buffer.baseAddress else { return 0 }
    let count = readlink("/proc/thread-self", base, buffer.count)
    let text = String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
    return text.split(separator: "/").last.flatMap { Int32($0) } ?? 0
  }
}

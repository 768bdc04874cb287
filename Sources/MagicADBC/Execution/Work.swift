import Dispatch
import Synchronization

/// What a statement or a connection has under way, so that another thread can end it.
final class Work: Sendable {
  private struct State {
    var lastKey = 0
    var cancels: [Int: @Sendable () -> Void] = [:]
  }

  private let parent: Work?
  private let state = Mutex(State())

  /// - Parameter parent: takes part in all that is under way here.
  init(parent: Work? = nil) { self.parent = parent }

  /// Does something while the calling thread, which belongs to the program that uses the driver,
  /// waits for it.
  ///
  /// - Throws: what `body` throws, which is ``DriverError/cancelled`` after ``cancel()``.
  func wait<Result: Sendable>(
    for body: @escaping @Sendable () async throws -> Result
  ) throws -> Result {
    let outcome = Outcome<Result>()
    let task = Task.detached {
      do {
        outcome.set(.success(try await body()))
      } catch {
        outcome.set(.failure(error))
      }
    }
    let item = add { task.cancel() }
    defer { item.remove() }
    return try outcome.wait()
  }

  /// Notes something that is under way, and how it is ended.
  func add(cancel: @escaping @Sendable () -> Void) -> Item {
    let key = state.withLock { state in
      state.lastKey += 1
      state.cancels[state.lastKey] = cancel
      return state.lastKey
    }
    return Item(work: self, key: key, inParent: parent?.add(cancel: cancel))
  }

  /// Ends all that is under way.
  func cancel() {
    for cancel in state.withLock({ Array($0.cancels.values) }) { cancel() }
  }

  /// Something that is under way.
  final class Item: Sendable {
    private let work: Work
    private let key: Int
    private let inParent: Item?

    fileprivate init(work: Work, key: Int, inParent: Item?) {
      self.work = work
      self.key = key
      self.inParent = inParent
    }

    /// Notes that it is over; idempotent.
    func remove() {
      _ = work.state.withLock { $0.cancels.removeValue(forKey: key) }
      inParent?.remove()
    }
  }
}

/// How something ended, for the thread that waits for it.
private final class Outcome<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let isThere = DispatchSemaphore(value: 0)

  func set(_ result: Result<Value, any Error>) {
    self.result.withLock { $0 = result }
    isThere.signal()
  }

  func wait() throws -> Value {
    isThere.wait()
    guard let result = result.withLock({ $0 }) else { throw DriverError.cancelled }
    return try result.get()
  }
}

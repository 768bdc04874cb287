import Dispatch
import Foundation
import Synchronization

/// Runs the jobs of one actor on a thread of its own, so that blocking calls stay off the
/// cooperative pool.
///
/// The thread ends, after the jobs already given to it, when the executor is dropped.
public final class ThreadExecutor: SerialExecutor {
  private let jobs: JobQueue

  /// - Parameter name: the thread's name, for debuggers; 15 bytes are shown.
  public init(name: String) {
    let jobs = JobQueue()
    self.jobs = jobs
    let thread = Thread { jobs.runAll() }
    thread.name = name
    thread.stackSize = 8 << 20
    thread.start()
  }

  deinit { jobs.finish() }

  public func enqueue(_ job: consuming ExecutorJob) {
    jobs.append(UnownedJob(job), self)
  }
}

/// The jobs waiting for a thread.
private final class JobQueue: Sendable {
  private struct State {
    // The executor is kept alive until its jobs have run: the last one may drop the actor that
    // owns it.
    var waiting: [(UnownedJob, ThreadExecutor)] = []
    var isFinished = false
  }

  private let state = Mutex(State())
  private let wakeUp = DispatchSemaphore(value: 0)

  func append(_ job: UnownedJob, _ executor: ThreadExecutor) {
    state.withLock { $0.waiting.append((job, executor)) }
    wakeUp.signal()
  }

  func finish() {
    state.withLock { $0.isFinished = true }
    wakeUp.signal()
  }

  func runAll() {
    while true {
      wakeUp.wait()
      let (ready, isFinished) = state.withLock { state in
        defer { state.waiting = [] }
        return (state.waiting, state.isFinished)
      }
      for (job, executor) in ready {
        job.runSynchronously(on: executor.asUnownedSerialExecutor())
      }
      if isFinished && ready.isEmpty { return }
    }
  }
}

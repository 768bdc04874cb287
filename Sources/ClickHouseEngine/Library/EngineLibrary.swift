import CArrowABI
import CLoader
import Glibc
import MagicCore

/// The ClickHouse library of the chdb-core wheel, loaded once per process and never unloaded.
///
/// `@unchecked Sendable` because the driver's function table is not written to after `init`, and
/// its functions may be called from any thread.
final class EngineLibrary: @unchecked Sendable {
  /// Where the library lies below a folder that has the engine.
  private static let fileName = "chdb/_chdb.abi3.so"

  /// The ADBC function table.
  let driver: UnsafeMutablePointer<AdbcDriver>
  let path: String

  private static let loaded = Monitor<EngineLibrary?>(nil)

  /// The library, loaded at the first call; see ``find(explicit:)`` for where it is looked for.
  ///
  /// - Throws: ``EngineError`` that names what was tried.
  static func load(explicit: String?) throws -> EngineLibrary {
    let outcome = loaded.withLock { loaded in
      Result<EngineLibrary, any Error> {
        if let loaded, explicit == nil || explicit == loaded.path { return loaded }
        let path = try find(explicit: explicit)
        if let loaded {
          throw EngineError(message: "\(path) cannot be loaded beside \(loaded.path)")
        }
        let library = try EngineLibrary(path: path)
        loaded = library
        return library
      }
    }
    return try outcome.get()
  }

  /// The path given, else `MAGIC_ENGINE_LIBRARY`, else the one that Python has loaded into this
  /// process, else below the folder of the program (or of the
  /// shared library that this is part of), else `lib/magic` beside that folder, else `.deps/engine`
  /// in a folder above it or above the current one.
  static func find(explicit: String?) throws -> String {
    if let explicit { return try require(explicit, "given") }
    if let variable = getenv("MAGIC_ENGINE_LIBRARY"), variable.pointee != 0 {
      return try require(String(cString: variable), "named by MAGIC_ENGINE_LIBRARY")
    }
    // Two of them in one process crash, even when nothing but the loader touches the second.
    if let loaded = magic_loaded_library("/" + fileName) { return String(cString: loaded) }
    var tried: [String] = []
    for candidate in candidates() where !tried.contains(candidate) {
      if access(candidate, R_OK) == 0 { return candidate }
      tried.append(candidate)
    }
    throw EngineError(
      message: "the ClickHouse engine library was not found; tried \(tried.joined(separator: ", "))"
        + "; run scripts/setup, or set MAGIC_ENGINE_LIBRARY")
  }

  private static func require(_ path: String, _ origin: String) throws -> String {
    guard access(path, R_OK) == 0 else {
      throw EngineError(
        message: "the ClickHouse engine library \(origin) cannot be read: \(path): "
          + "\(String(cString: strerror(errno))); run scripts/setup")
    }
    return path
  }

  private static func candidates() -> [String] {
    var result: [String] = []
    let folder = magic_image_path().flatMap { absolutePath(String(cString: $0)) }.map(parent)
    if let folder {
      result.append(folder + "/" + fileName)
      result.append(parent(folder) + "/lib/magic/" + fileName)
    }
    for start in [folder, absolutePath(".")] {
      guard var folder = start else { continue }
      while true {
        result.append((folder == "/" ? "" : folder) + "/.deps/engine/" + fileName)
        if folder == "/" { break }
        folder = parent(folder)
      }
    }
    return result
  }

  private static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  private init(path: String) throws {
    try Self.loadPython(for: path)
    try Self.checkLoaded(beside: path)
    // The engine has a C++ runtime and an allocator of its own. Without this flag (glibc's
    // RTLD_DEEPBIND) half of its calls would reach those of Swift's runtime instead.
    let preferOwnSymbols: Int32 = 0x8
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL | preferOwnSymbols) else {
      throw EngineError(
        message: "\(path) cannot be loaded: \(Self.lastLoadError()); run scripts/setup")
    }
    try Self.hidePython(from: library, path)
    guard let symbol = dlsym(library, "AdbcDriverInit") else {
      throw EngineError(
        message: "\(path) is not the ClickHouse engine (it has no AdbcDriverInit); "
          + "run scripts/setup")
    }
    typealias Initialize =
      @convention(c) (
        Int32, UnsafeMutableRawPointer?, UnsafeMutablePointer<AdbcError>?
      ) -> AdbcStatusCode
    let initialize = unsafeBitCast(symbol, to: Initialize.self)
    driver = .allocate(capacity: 1)
    driver.initialize(to: AdbcDriver())
    self.path = path
    let driver = driver
    try adbcCall { initialize(ADBC_VERSION_1_1_0, driver, $0) }
  }

  /// Loads a Python library, because the engine's names Python's symbols. Python itself is never
  /// initialised. An engine library that needs none, and a process that has Python, pass.
  private static func loadPython(for path: String) throws {
    guard path.contains(".abi3."), dlsym(nil, "Py_IsInitialized") == nil else { return }
    for minor in [11, 12, 13, 14, 15, 10, 9] {
      if dlopen("libpython3.\(minor).so.1.0", RTLD_NOW | RTLD_GLOBAL) != nil { return }
    }
    throw EngineError(
      message: "\(path) needs a Python shared library, and no libpython3.9 to libpython3.15 "
        + "could be loaded (\(lastLoadError())); run scripts/setup")
  }

  /// Refuses a second engine library in one process: loading it would crash.
  private static func checkLoaded(beside path: String) throws {
    guard let loaded = magic_loaded_library("/" + fileName).map({ String(cString: $0) }),
      absolutePath(loaded) != absolutePath(path)
    else { return }
    throw EngineError(
      message: "\(path) cannot be loaded beside \(loaded), which this process has loaded already "
        + "(by `import chdb`); use that one")
  }

  /// Has the engine see Python only on the threads of Python, and never on those of Magic.
  ///
  /// In a program that runs Python the engine otherwise takes itself for one of its modules: it
  /// calls Python without having been set up for that, and waits for a lock that whoever waits for
  /// the engine may hold. For a program that imports `chdb` as well, nothing changes.
  private static func hidePython(from library: UnsafeMutableRawPointer, _ path: String) throws {
    let answer: @convention(c) () -> CInt = { PythonFunctions.isRunningHere ? 1 : 0 }
    let count = magic_redirect_import(
      library, "Py_IsInitialized", unsafeBitCast(answer, to: UnsafeMutableRawPointer.self))
    guard count >= 0 else {
      throw EngineError(message: "\(path) cannot be set up: \(String(cString: strerror(errno)))")
    }
  }

  private static func lastLoadError() -> String {
    dlerror().map { String(cString: $0) } ?? "no reason given"
  }
}

/// What this process's Python tells, if it has one.
private enum PythonFunctions {
  private static let isInitialized: (@convention(c) () -> CInt)? = function("Py_IsInitialized")
  private static let threadState: (@convention(c) () -> OpaquePointer?)? =
    function("PyGILState_GetThisThreadState")

  /// Whether Python runs, and knows the calling thread.
  static var isRunningHere: Bool {
    guard let isInitialized, let threadState, isInitialized() != 0 else { return false }
    return threadState() != nil
  }

  private static func function<Function>(_ name: String) -> Function? {
    dlsym(nil, name).map { unsafeBitCast($0, to: Function.self) }
  }
}

/// The path without links and relative parts; nil when it does not exist.
func absolutePath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}

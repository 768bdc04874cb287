import Glibc

/// What is installed for the Python that runs in this process, if one does.
enum PythonPackages {
  /// The engine library of the package `chdb-core`, so that a later `import chdb` finds the same one
  /// loaded: two of them in one process crash.
  ///
  /// Waits for Python's lock, unless the calling thread holds it.
  static func engineLibrary() -> String? {
    // Who names a library in the environment, means it.
    if let variable = getenv("MAGIC_ENGINE_LIBRARY"), variable.pointee != 0 { return nil }
    guard let python = Python() else { return nil }
    let state = python.ensureLock()
    defer { python.releaseLock(state) }
    guard let path = python.systemObject("path") else { return nil }
    for index in 0..<python.listSize(path) {
      guard let item = python.listItem(path, index), let text = python.text(item, nil) else {
        python.clearError()
        continue
      }
      let folder = String(cString: text)
      let candidate = folder + "/chdb/_chdb.abi3.so"
      if access(candidate, R_OK) == 0 { return isCore(folder) ? candidate : nil }
    }
    return nil
  }

  /// Whether the engine in a folder of packages is that of `chdb-core`: older ones cannot be used.
  private static func isCore(_ folder: String) -> Bool {
    var found = glob_t()
    defer { globfree(&found) }
    return glob(folder + "/chdb_core-*.dist-info", 0, nil, &found) == 0
  }
}

/// The functions of Python's stable interface that are needed; nil where no Python runs.
private struct Python {
  let ensureLock: @convention(c) () -> CInt
  let releaseLock: @convention(c) (CInt) -> Void
  let systemObject: @convention(c) (UnsafePointer<CChar>) -> OpaquePointer?
  let listSize: @convention(c) (OpaquePointer) -> Int
  let listItem: @convention(c) (OpaquePointer, Int) -> OpaquePointer?
  let text: @convention(c) (OpaquePointer, UnsafeMutablePointer<Int>?) -> UnsafePointer<CChar>?
  let clearError: @convention(c) () -> Void

  init?() {
    guard let isInitialized: @convention(c) () -> CInt = Self.function("Py_IsInitialized"),
      isInitialized() != 0,
      let ensureLock: @convention(c) () -> CInt = Self.function("PyGILState_Ensure"),
      let releaseLock: @convention(c) (CInt) -> Void = Self.function("PyGILState_Release"),
      let systemObject: @convention(c) (UnsafePointer<CChar>) -> OpaquePointer? =
        Self.function("PySys_GetObject"),
      let listSize: @convention(c) (OpaquePointer) -> Int = Self.function("PyList_Size"),
      let listItem: @convention(c) (OpaquePointer, Int) -> OpaquePointer? =
        Self.function("PyList_GetItem"),
      let text: @convention(c) (OpaquePointer, UnsafeMutablePointer<Int>?) -> UnsafePointer<CChar>?
      =
        Self.function("PyUnicode_AsUTF8AndSize"),
      let clearError: @convention(c) () -> Void = Self.function("PyErr_Clear")
    else { return nil }
    self.ensureLock = ensureLock
    self.releaseLock = releaseLock
    self.systemObject = systemObject
    self.listSize = listSize
    self.listItem = listItem
    self.text = text
    self.clearError = clearError
  }

  private static func function<Function>(_ name: String) -> Function? {
    dlsym(nil, name).map { unsafeBitCast($0, to: Function.self) }
  }
}

import CArrowABI

/// Fills a driver's table of functions, as the ADBC specification demands of an entry point.
///
/// - Parameters:
///   - version: the version of the interface that the caller wants, 1.0.0 or 1.1.0.
///   - driver: an `AdbcDriver`, of which only the functions of that version are written.
public func initializeDriver(
  version: CInt, _ driver: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<AdbcError>?
) -> AdbcStatusCode {
  status(error) {
    guard version == ADBC_VERSION_1_0_0 || version == ADBC_VERSION_1_1_0 else {
      throw DriverError.notImplemented(
        "version \(version) of the ADBC interface; this driver has 1000000 (1.0) and 1001000 (1.1)")
    }
    guard let driver else { throw DriverError.invalidArgument("the driver is NULL") }
    var table = AdbcDriver()
    table.release = { driver, error in
      status(error) {
        // Nothing was allocated for it.
        try output(driver).pointee.release = nil
      }
    }
    table.addDatabaseFunctions()
    table.addConnectionFunctions()
    table.addMetadataFunctions()
    table.addStatementFunctions()
    table.addOptionFunctions()
    table.addErrorFunctions()
    // The table of version 1.0 ends where the functions of 1.1 begin.
    let older = MemoryLayout<AdbcDriver>.offset(of: \.ErrorGetDetailCount)
    let count = version == ADBC_VERSION_1_0_0 ? older : nil
    withUnsafeBytes(of: &table) { bytes in
      driver.copyMemory(
        from: bytes.baseAddress ?? UnsafeRawPointer(driver), byteCount: count ?? bytes.count)
    }
  }
}

extension AdbcDriver {
  mutating func addErrorFunctions() {
    ErrorGetDetailCount = { ErrorExport.detailCount($0) }
    ErrorGetDetail = { ErrorExport.detail($0, $1) }
    ErrorFromArrayStream = { ResultStream.error(of: $0, $1) }
  }
}

import CArrowABI
import MagicAPI
import Testing

@testable import MagicADBC

/// What a program is told of errors.
@Suite struct ErrorTests {
  @Test func detailsForCallersThatKnowThem() throws {
    let driver = driverTable()
    let failure = DriverError(APIError(.notFound, "no table t", engineCode: 60))
    var error = AdbcError()
    error.vendor_code = .min
    failure.write(to: &error)
    #expect(String(cString: error.message) == "no table t")
    #expect(error.vendor_code == .min)
    #expect(driver.ErrorGetDetailCount(&error) == 1)
    let detail = driver.ErrorGetDetail(&error, 0)
    #expect(String(cString: detail.key) == "magic.engine_code")
    #expect(
      Array(UnsafeBufferPointer(start: detail.value, count: detail.value_length)) == [54, 48])
    #expect(driver.ErrorGetDetail(&error, 1).key == nil)
    #expect(driver.ErrorGetDetail(&error, -1).key == nil)
    // An error takes the place of an earlier one.
    DriverError.invalidState("later").write(to: &error)
    #expect(String(cString: error.message) == "later")
    #expect(driver.ErrorGetDetailCount(&error) == 0)
    let release = try #require(error.release)
    release(&error)
    release(&error)
    #expect(error.message == nil && error.release == nil && error.private_data == nil)
    #expect(driver.ErrorGetDetailCount(&error) == 0)
    #expect(driver.ErrorGetDetailCount(nil) == 0)
  }

  @Test func olderCallersGetTheCode() throws {
    let failure = DriverError(APIError(.invalid, "wrong", engineCode: 62))
    // They have no room for private data.
    let marker = UnsafeMutableRawPointer(bitPattern: 0x1234)
    var error = AdbcError()
    error.private_data = marker
    failure.write(to: &error)
    #expect(error.vendor_code == 62 && error.private_data == marker)
    let release = try #require(error.release)
    release(&error)
    #expect(error.private_data == marker)
  }

  @Test func kinds() {
    let expected: [(APIError.Kind, Int32, String)] = [
      (.unauthenticated, ADBC_STATUS_UNAUTHENTICATED, "28000"),
      (.forbidden, ADBC_STATUS_UNAUTHORIZED, "42501"),
      (.notFound, ADBC_STATUS_NOT_FOUND, "42000"),
      (.alreadyExists, ADBC_STATUS_ALREADY_EXISTS, "42000"),
      (.conflict, ADBC_STATUS_INVALID_STATE, "40001"),
      (.invalid, ADBC_STATUS_INVALID_ARGUMENT, "42000"),
      (.unsupported, ADBC_STATUS_NOT_IMPLEMENTED, "0A000"),
      (.cancelled, ADBC_STATUS_CANCELLED, "57014"), (.timedOut, ADBC_STATUS_TIMEOUT, "HYT00"),
      (.exhausted, ADBC_STATUS_IO, "53000"), (.unavailable, ADBC_STATUS_IO, "08006"),
      (.failed, ADBC_STATUS_INTERNAL, "XX000"),
    ]
    for (kind, status, sqlState) in expected {
      let error = DriverError(APIError(kind, "x"))
      #expect(Int32(error.status.rawValue) == status && error.sqlState == sqlState)
    }
  }
}

import CArrowABI
import MagicADBC

/// The entry point that driver managers look for first.
@c(AdbcDriverMagicInit)
public func adbcDriverMagicInit(
  _ version: CInt, _ driver: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<AdbcError>?
) -> AdbcStatusCode {
  initializeDriver(version: version, driver, error)
}

/// The entry point that the ADBC specification names.
@c(AdbcDriverInit)
public func adbcDriverInit(
  _ version: CInt, _ driver: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<AdbcError>?
) -> AdbcStatusCode {
  initializeDriver(version: version, driver, error)
}

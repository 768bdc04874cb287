import CCrypto

/// The modes of AES that encrypted binlog files use, without padding.
enum AESMode {
  /// One block after the other; for whole blocks only.
  case cbc
  case ctr
}

/// Decrypts bytes by AES; nil when the key has no length that AES knows, or the bytes are no whole
/// blocks where the mode needs them.
func decryptAES(_ mode: AESMode, key: [UInt8], iv: [UInt8], _ bytes: RawSpan) -> [UInt8]? {
  let cipher: OpaquePointer? =
    switch (mode, key.count) {
    case (.cbc, 16): EVP_aes_128_cbc()
    case (.cbc, 24): EVP_aes_192_cbc()
    case (.cbc, 32): EVP_aes_256_cbc()
    case (.ctr, 16): EVP_aes_128_ctr()
    case (.ctr, 24): EVP_aes_192_ctr()
    case (.ctr, 32): EVP_aes_256_ctr()
    default: nil
    }
  return runAES(cipher, key: key, iv: iv, bytes, encrypts: false)
}

/// Encrypts one block of 16 bytes by itself.
func encryptAESBlock(_ block: [UInt8], key: [UInt8]) -> [UInt8]? {
  let cipher: OpaquePointer? =
    switch key.count {
    case 16: EVP_aes_128_ecb()
    case 24: EVP_aes_192_ecb()
    case 32: EVP_aes_256_ecb()
    default: nil
    }
  return runAES(cipher, key: key, iv: [], block.span.bytes, encrypts: true)
}

private func runAES(
  _ cipher: OpaquePointer?, key: [UInt8], iv: [UInt8], _ bytes: RawSpan, encrypts: Bool
) -> [UInt8]? {
  guard let cipher, let length = CInt(exactly: bytes.byteCount),
    let context = EVP_CIPHER_CTX_new()
  else { return nil }
  defer { EVP_CIPHER_CTX_free(context) }
  guard EVP_CipherInit_ex(context, cipher, nil, key, iv, encrypts ? 1 : 0) == 1 else { return nil }
  EVP_CIPHER_CTX_set_padding(context, 0)
  var isComplete = false
  let result = [UInt8](unsafeUninitializedCapacity: bytes.byteCount + 32) { buffer, count in
    var written: CInt = 0
    var rest: CInt = 0
    guard let target = buffer.baseAddress else { return }
    let isUpdated = bytes.withUnsafeBytes { source in
      EVP_CipherUpdate(
        context, target, &written, source.baseAddress?.assumingMemoryBound(to: UInt8.self), length)
    }
    guard isUpdated == 1, EVP_CipherFinal_ex(context, target + Int(written), &rest) == 1 else {
      return
    }
    count = Int(written + rest)
    isComplete = true
  }
  return isComplete ? result : nil
}

/// The SHA-512 of some bytes; nil when the library fails.
func sha512(_ bytes: [UInt8]) -> [UInt8]? {
  var isComplete = false
  let hash = [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
    var length: UInt32 = 0
    isComplete =
      EVP_Digest(bytes, bytes.count, buffer.baseAddress, &length, EVP_sha512(), nil) == 1
    count = isComplete ? Int(length) : 0
  }
  return isComplete ? hash : nil
}

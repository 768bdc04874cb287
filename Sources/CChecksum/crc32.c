#include "CChecksum.h"

#if defined(__x86_64__)

#include <immintrin.h>

// After "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Gopal and
// others, Intel 2009). The message is a polynomial over GF(2), its bits reflected. Folding replaces
// its first 128 bits by a 128-bit polynomial further on that has the same remainder: each half is
// multiplied by x to the power of the distance, modulo the CRC's polynomial. These are the powers.
#define POWER_BEYOND_512_BITS _mm_set_epi64x(0x1c6e41596, 0x154442bd4)
#define POWER_BEYOND_128_BITS _mm_set_epi64x(0x0ccaa009e, 0x1751997d0)
#define POWER_BEYOND_64_BITS _mm_set_epi64x(0, 0x163cd6124)
// The CRC's polynomial and the quotient of x^64 by it, for the final division (Barrett reduction).
#define QUOTIENT_AND_POLYNOMIAL _mm_set_epi64x(0x1f7011641, 0x1db710641)

#define FOLDING __attribute__((target("pclmul,sse4.1")))

FOLDING static inline __m128i load(const uint8_t *bytes) {
  return _mm_loadu_si128((const __m128i *)bytes);
}

FOLDING static inline __m128i fold(__m128i value, __m128i powers, __m128i next) {
  __m128i low = _mm_clmulepi64_si128(value, powers, 0x00);
  __m128i high = _mm_clmulepi64_si128(value, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// The remainder of 128 bits.
FOLDING static inline uint32_t reduce(__m128i value) {
  const __m128i low_words = _mm_set_epi32(0, -1, 0, -1);
  __m128i carried = _mm_clmulepi64_si128(value, POWER_BEYOND_128_BITS, 0x10);
  value = _mm_xor_si128(_mm_srli_si128(value, 8), carried);
  carried = _mm_clmulepi64_si128(_mm_and_si128(value, low_words), POWER_BEYOND_64_BITS, 0x00);
  value = _mm_xor_si128(_mm_srli_si128(value, 4), carried);
  const __m128i division = QUOTIENT_AND_POLYNOMIAL;
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(value, low_words), division, 0x10);
  __m128i product = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), division, 0x00);
  return (uint32_t)_mm_extract_epi32(_mm_xor_si128(value, product), 1);
}

// Takes 16 bytes or more, in whole blocks of 16.
FOLDING static size_t fold_blocks(uint32_t *crc, const uint8_t *bytes, size_t count) {
  const uint8_t *next = bytes;
  __m128i value = _mm_xor_si128(load(next), _mm_cvtsi32_si128((int)~*crc));
  next += 16;
  count -= 16;
  if (count >= 112) {
    // Four lanes, which the processor works on side by side.
    __m128i second = load(next), third = load(next + 16), fourth = load(next + 32);
    next += 48;
    count -= 48;
    for (; count >= 64; next += 64, count -= 64) {
      const __m128i powers = POWER_BEYOND_512_BITS;
      value = fold(value, powers, load(next));
      second = fold(second, powers, load(next + 16));
      third = fold(third, powers, load(next + 32));
      fourth = fold(fourth, powers, load(next + 48));
    }
    const __m128i powers = POWER_BEYOND_128_BITS;
    value = fold(fold(fold(value, powers, second), powers, third), powers, fourth);
  }
  for (; count >= 16; next += 16, count -= 16) {
    value = fold(value, POWER_BEYOND_128_BITS, load(next));
  }
  *crc = ~reduce(value);
  return (size_t)(next - bytes);
}

size_t magic_crc32_fold(uint32_t *crc, const uint8_t *bytes, size_t count) {
  if (count < 16 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1")) return 0;
  return fold_blocks(crc, bytes, count);
}

#else

size_t magic_crc32_fold(uint32_t *crc, const uint8_t *bytes, size_t count) {
  (void)crc, (void)bytes, (void)count;
  return 0;
}

#endif

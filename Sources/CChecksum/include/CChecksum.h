#ifndef MAGIC_CCHECKSUM_H
#define MAGIC_CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32 (IEEE 802.3, as zlib has it) with carry-less multiplication, where the
/// processor has it, and returns how many of the bytes were taken: a multiple of 16, or 0. The rest
/// is the caller's.
size_t magic_crc32_fold(uint32_t *_Nonnull crc, const uint8_t *_Nonnull bytes, size_t count);

#endif

// CRC-32C (Castagnoli, as in iSCSI, RFC 3720 appendix B.4), from ISA-L, which picks the fastest code for the processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

// The checksum of `data` continued from `seed` (the checksum of what came before, or 0).
uint32_t Crc32c(std::span<const std::byte> data, uint32_t seed = 0);

}  // namespace lockstep

#pragma once
// The compressions a kombu message can name, each with a bound on what it may grow to.

#include <cstddef>
#include <string>
#include <string_view>

namespace broker {

enum class compression : unsigned char { none, zlib, bzip2, xz, brotli, zstd, unknown };

// By the header `compression`. "application/x-gzip" is kombu's name for zlib.
[[nodiscard]] compression compression_of(std::string_view name);

struct decompressed {
    std::string bytes;
    std::string error;  // empty when it worked

    [[nodiscard]] bool ok() const { return error.empty(); }
};
// The error "larger than … bytes" comes as soon as the output passes `bytes_max`; no more than that is held.
[[nodiscard]] decompressed decompress(compression how, std::string_view bytes, std::size_t bytes_max);

}  // namespace broker

#include "broker/decompress.hpp"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <brotli/encode.h>

using namespace broker;

namespace {

std::string packed(compression how, const std::string& bytes) {
    std::string out(bytes.size() + bytes.size() / 8 + 1024, '\0');
    auto* to = reinterpret_cast<std::uint8_t*>(out.data());
    const auto* from = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t size = out.size();
    if (how == compression::zlib) {
        uLongf length = size;
        REQUIRE(compress2(to, &length, from, bytes.size(), 9) == Z_OK);
        size = length;
    } else if (how == compression::bzip2) {
        auto length = static_cast<unsigned>(size);
        REQUIRE(BZ2_bzBuffToBuffCompress(out.data(), &length, const_cast<char*>(bytes.data()),
                                         static_cast<unsigned>(bytes.size()), 9, 0, 0) == BZ_OK);
        size = length;
    } else if (how == compression::xz) {
        std::size_t at = 0;
        REQUIRE(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr, from, bytes.size(), to, &at, size) ==
                LZMA_OK);
        size = at;
    } else if (how == compression::brotli) {
        REQUIRE(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, bytes.size(), from, &size, to) ==
                BROTLI_TRUE);
    } else {
        size = ZSTD_compress(to, size, from, bytes.size(), 3);
        REQUIRE(ZSTD_isError(size) == 0);
    }
    out.resize(size);
    return out;
}

constexpr compression all[] = {compression::zlib, compression::bzip2, compression::xz, compression::brotli,
                               compression::zstd};

}  // namespace

TEST_CASE("Compressions by the names kombu writes") {
    CHECK(compression_of("") == compression::none);
    CHECK(compression_of("application/x-gzip") == compression::zlib);
    CHECK(compression_of("application/x-bz2") == compression::bzip2);
    CHECK(compression_of("application/x-lzma") == compression::xz);
    CHECK(compression_of("application/x-brotli") == compression::brotli);
    CHECK(compression_of("application/zstd") == compression::zstd);
    CHECK(compression_of("rot13") == compression::unknown);
}

TEST_CASE("Everything comes back, of any size") {
    for (const auto how : all)
        for (const std::size_t size : {0, 1, 4095, 4096, 4097, 200'000}) {
            std::string bytes;
            for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(i * i / 7));
            const auto got = decompress(how, packed(how, bytes), size);
            CHECK(got.error.empty());
            CHECK(got.bytes == bytes);
        }
}

TEST_CASE("A bomb goes off at the limit") {
    const std::string zeros(std::size_t{32} << 20, '\0');
    for (const auto how : all) {
        const std::string bomb = packed(how, zeros);
        CHECK(bomb.size() < zeros.size() / 500);
        const auto got = decompress(how, bomb, 1 << 20);
        CHECK(got.error == "decompresses to more than 1048576 bytes");
        CHECK(got.bytes.empty());
    }
}

TEST_CASE("Damaged and shortened data is said to be so") {
    std::string bytes;
    for (int i = 0; i < 20'000; ++i) bytes.push_back(static_cast<char>(i * i / 7));
    for (const auto how : all) {
        const std::string whole = packed(how, bytes);
        CHECK_FALSE(decompress(how, whole.substr(0, whole.size() / 2), 1 << 20).ok());
        CHECK_FALSE(decompress(how, "", 1 << 20).ok());
        CHECK_FALSE(decompress(how, "\xfe\xfe garbage \xfe\xfe\xfe\xfe\xfe\xfe", 1 << 20).ok());
    }
    CHECK(decompress(compression::unknown, "x", 10).error == "unknown compression");
    CHECK(decompress(compression::none, "abc", 3).bytes == "abc");
    CHECK_FALSE(decompress(compression::none, "abcd", 3).ok());
}

#include "broker/decompress.hpp"

#include <brotli/decode.h>
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

namespace broker {

namespace {

constexpr std::size_t chunk_bytes = std::size_t{64} << 10;
// What a decoder may allocate for its own window: enough for xz -9; zstd never needs more than the body.
constexpr std::uint64_t window_bytes_max = std::uint64_t{72} << 20;
constexpr int zstd_window_log_max = 24;

enum class step : std::uint8_t { more, end, damaged };

// A chunk of input and a chunk of output; a codec moves both forward and says how it went.
struct cursor {
    const char* in;
    std::size_t in_left;
    char* out;
    std::size_t out_left;
};

decompressed failed(std::string why) {
    return {{}, std::move(why)};
}

// Runs a codec until it ends, the input is used up, or the output is too large.
template <class Codec>
decompressed run(Codec&& codec, std::string_view bytes, std::size_t bytes_max) {
    decompressed result;
    cursor at{bytes.data(), bytes.size(), nullptr, 0};
    for (;;) {
        const std::size_t filled = result.bytes.size();
        if (filled > bytes_max)
            return failed("decompresses to more than " + std::to_string(bytes_max) + " bytes");
        result.bytes.resize(filled + std::clamp(filled, chunk_bytes / 16, chunk_bytes));
        at.out = result.bytes.data() + filled;
        at.out_left = result.bytes.size() - filled;
        const std::size_t in_before = at.in_left;
        const step what = codec(at);
        result.bytes.resize(result.bytes.size() - at.out_left);
        if (what == step::damaged) return failed("compressed data is damaged");
        if (what == step::end) break;
        if (result.bytes.size() == filled && at.in_left == in_before)
            return failed("compressed data is cut off");
    }
    if (result.bytes.size() > bytes_max)
        return failed("decompresses to more than " + std::to_string(bytes_max) + " bytes");
    return result;
}

decompressed from_zlib(std::string_view bytes, std::size_t bytes_max) {
    z_stream state{};
    // 32 added: gzip's own header is taken too, as other clients write what the name says.
    if (inflateInit2(&state, MAX_WBITS + 32) != Z_OK) return failed("zlib cannot start");
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&state, inflateEnd);
    return run(
        [&](cursor& at) {
            state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(at.in));
            state.avail_in = static_cast<uInt>(at.in_left);
            state.next_out = reinterpret_cast<Bytef*>(at.out);
            state.avail_out = static_cast<uInt>(at.out_left);
            const int got = inflate(&state, Z_NO_FLUSH);
            at = {reinterpret_cast<const char*>(state.next_in), state.avail_in,
                  reinterpret_cast<char*>(state.next_out), state.avail_out};
            if (got == Z_STREAM_END) return step::end;
            return got == Z_OK || got == Z_BUF_ERROR ? step::more : step::damaged;
        },
        bytes, bytes_max);
}

decompressed from_bzip2(std::string_view bytes, std::size_t bytes_max) {
    bz_stream state{};
    if (BZ2_bzDecompressInit(&state, 0, 0) != BZ_OK) return failed("bzip2 cannot start");
    const std::unique_ptr<bz_stream, int (*)(bz_stream*)> guard(&state, BZ2_bzDecompressEnd);
    return run(
        [&](cursor& at) {
            state.next_in = const_cast<char*>(at.in);
            state.avail_in = static_cast<unsigned>(at.in_left);
            state.next_out = at.out;
            state.avail_out = static_cast<unsigned>(at.out_left);
            const int got = BZ2_bzDecompress(&state);
            at = {state.next_in, state.avail_in, state.next_out, state.avail_out};
            if (got == BZ_STREAM_END) return step::end;
            return got == BZ_OK ? step::more : step::damaged;
        },
        bytes, bytes_max);
}

decompressed from_xz(std::string_view bytes, std::size_t bytes_max) {
    lzma_stream state = LZMA_STREAM_INIT;
    if (lzma_auto_decoder(&state, window_bytes_max, 0) != LZMA_OK) return failed("xz cannot start");
    const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> guard(&state, lzma_end);
    return run(
        [&](cursor& at) {
            state.next_in = reinterpret_cast<const std::uint8_t*>(at.in);
            state.avail_in = at.in_left;
            state.next_out = reinterpret_cast<std::uint8_t*>(at.out);
            state.avail_out = at.out_left;
            const lzma_ret got = lzma_code(&state, LZMA_RUN);
            at = {reinterpret_cast<const char*>(state.next_in), state.avail_in,
                  reinterpret_cast<char*>(state.next_out), state.avail_out};
            if (got == LZMA_STREAM_END) return step::end;
            return got == LZMA_OK || got == LZMA_BUF_ERROR ? step::more : step::damaged;
        },
        bytes, bytes_max);
}

decompressed from_brotli(std::string_view bytes, std::size_t bytes_max) {
    const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
        BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
    if (!state) return failed("brotli cannot start");
    return run(
        [&](cursor& at) {
            const auto* in = reinterpret_cast<const std::uint8_t*>(at.in);
            auto* out = reinterpret_cast<std::uint8_t*>(at.out);
            const auto got =
                BrotliDecoderDecompressStream(state.get(), &at.in_left, &in, &at.out_left, &out, nullptr);
            at.in = reinterpret_cast<const char*>(in);
            at.out = reinterpret_cast<char*>(out);
            if (got == BROTLI_DECODER_RESULT_SUCCESS) return step::end;
            return got == BROTLI_DECODER_RESULT_ERROR ? step::damaged : step::more;
        },
        bytes, bytes_max);
}

decompressed from_zstd(std::string_view bytes, std::size_t bytes_max) {
    const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> state(ZSTD_createDStream(),
                                                                              ZSTD_freeDStream);
    if (!state) return failed("zstd cannot start");
    ZSTD_DCtx_setParameter(state.get(), ZSTD_d_windowLogMax, zstd_window_log_max);
    return run(
        [&](cursor& at) {
            ZSTD_inBuffer in{at.in, at.in_left, 0};
            ZSTD_outBuffer out{at.out, at.out_left, 0};
            const std::size_t got = ZSTD_decompressStream(state.get(), &out, &in);
            at = {at.in + in.pos, at.in_left - in.pos, at.out + out.pos, at.out_left - out.pos};
            if (ZSTD_isError(got) != 0) return step::damaged;
            return got == 0 ? step::end : step::more;
        },
        bytes, bytes_max);
}

}  // namespace

compression compression_of(std::string_view name) {
    if (name.empty()) return compression::none;
    if (name == "application/x-gzip" || name == "application/gzip" || name == "gzip" || name == "zlib")
        return compression::zlib;
    if (name == "application/x-bz2" || name == "bzip2" || name == "bzip") return compression::bzip2;
    if (name == "application/x-lzma" || name == "lzma" || name == "xz") return compression::xz;
    if (name == "application/x-brotli" || name == "brotli") return compression::brotli;
    if (name == "application/zstd" || name == "zstd" || name == "zstandard") return compression::zstd;
    return compression::unknown;
}

decompressed decompress(compression how, std::string_view bytes, std::size_t bytes_max) {
    switch (how) {
        case compression::zlib:
            return from_zlib(bytes, bytes_max);
        case compression::bzip2:
            return from_bzip2(bytes, bytes_max);
        case compression::xz:
            return from_xz(bytes, bytes_max);
        case compression::brotli:
            return from_brotli(bytes, bytes_max);
        case compression::zstd:
            return from_zstd(bytes, bytes_max);
        case compression::none:
            if (bytes.size() > bytes_max)
                return failed("larger than " + std::to_string(bytes_max) + " bytes");
            return {std::string(bytes), {}};
        case compression::unknown:
            break;
    }
    return failed("unknown compression");
}

}  // namespace broker

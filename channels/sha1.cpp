#include "channels/sha1.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace channels {
namespace {

constexpr std::size_t block_bytes = 64;
using state = std::array<std::uint32_t, 5>;

void add_block(state& h, const unsigned char* block) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i)
        w[i] = std::uint32_t{block[4 * i]} << 24U | std::uint32_t{block[4 * i + 1]} << 16U |
               std::uint32_t{block[4 * i + 2]} << 8U | std::uint32_t{block[4 * i + 3]};
    for (std::size_t i = 16; i < w.size(); ++i)
        w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < w.size(); ++i) {
        std::uint32_t mixed = 0;
        if (i < 20) {
            mixed = ((b & c) | (~b & d)) + 0x5A827999U;
        } else if (i < 40) {
            mixed = (b ^ c ^ d) + 0x6ED9EBA1U;
        } else if (i < 60) {
            mixed = ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCU;
        } else {
            mixed = (b ^ c ^ d) + 0xCA62C1D6U;
        }
        const std::uint32_t next = std::rotl(a, 5) + mixed + e + w[i];
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

}  // namespace

std::string sha1_hex(std::string_view text) {
    state h{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t done = 0;
    for (; done + block_bytes <= text.size(); done += block_bytes) add_block(h, bytes + done);
    // What is left, a single bit, and the length in bits fill one block or two.
    std::array<unsigned char, 2 * block_bytes> tail{};
    const std::size_t left = text.size() - done;
    if (left > 0) std::memcpy(tail.data(), bytes + done, left);
    tail[left] = 0x80;
    const std::size_t end = left + 9 <= block_bytes ? block_bytes : 2 * block_bytes;
    const std::uint64_t bits = std::uint64_t{text.size()} * 8;
    for (std::size_t i = 0; i < 8; ++i)
        tail[end - 1 - i] = static_cast<unsigned char>(bits >> (8 * i) & 0xffU);
    add_block(h, tail.data());
    if (end > block_bytes) add_block(h, tail.data() + block_bytes);
    std::string hex;
    for (const std::uint32_t word : h)
        for (unsigned shift = 32; shift > 0;) hex += "0123456789abcdef"[word >> (shift -= 4) & 0xfU];
    return hex;
}

}  // namespace channels

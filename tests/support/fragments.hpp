#pragma once
// One input, cut in every way that matters: whole, in pieces of fixed sizes, and in two at every single
// offset. A case that holds for all cuttings does not depend on how the network delivers bytes.

#include <catch2/catch.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

using pieces = std::vector<std::string_view>;

inline constexpr std::size_t piece_sizes[] = {1000, 100, 10, 5, 2, 1};
// Longer inputs are not cut in two at every offset: the work would grow with the square.
inline constexpr std::size_t every_offset_bytes_max = 300;

inline pieces cut(std::string_view input, std::size_t piece_bytes) {
    pieces out;
    for (; !input.empty(); input.remove_prefix(std::min(piece_bytes, input.size())))
        out.push_back(input.substr(0, piece_bytes));
    return out;
}

// Calls `run(pieces)` once for each cutting; a failure names the cutting.
template <class Run>
void each_fragmentation(std::string_view input, Run&& run) {
    {
        INFO("in one piece");
        run(pieces{input});
    }
    for (const std::size_t size : piece_sizes) {
        if (size >= input.size() && size != 1) continue;
        INFO("in pieces of " << size);
        run(cut(input, size));
    }
    if (input.size() > every_offset_bytes_max) return;
    for (std::size_t at = 1; at < input.size(); ++at) {
        INFO("in two, cut at " << at);
        run(pieces{input.substr(0, at), input.substr(at)});
    }
}

}  // namespace tests

#pragma once
// What every fuzz target is made of. A target is one function of some bytes; libFuzzer drives it under clang,
// replay_main.cpp feeds it the kept inputs under any compiler.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tests {

// An oracle: what does not hold ends the process, so that the fuzzer keeps the input.
inline void require(bool holds, std::string_view what) {
    if (holds) return;
    std::fprintf(stderr, "oracle: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

// Decisions and bytes, taken from the front of a fuzzer's input. When it is used up every decision is 0.
class choices {
public:
    choices(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] std::size_t left() const { return size_; }
    std::uint8_t byte() {
        if (size_ == 0) return 0;
        --size_;
        return *data_++;
    }
    // 0 … count-1
    std::size_t pick(std::size_t count) { return count == 0 ? 0 : byte() % count; }
    std::string_view rest() const { return {reinterpret_cast<const char*>(data_), size_}; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

// `0xFF c n` stands for n * 512 times c: inputs of a few bytes reach limits of many kilobytes. Stops soon
// after `bytes_max`.
inline std::string inflate(std::string_view bytes, std::size_t bytes_max) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size() && out.size() <= bytes_max; ++i) {
        if (bytes[i] == '\xff' && i + 2 < bytes.size()) {
            out.append(static_cast<std::size_t>(static_cast<unsigned char>(bytes[i + 2])) * 512,
                       bytes[i + 1]);
            i += 2;
        } else {
            out.push_back(bytes[i]);
        }
    }
    return out;
}

// Piece lengths that depend on a seed alone: short ones mostly, so that few bytes are cut often.
class cutter {
public:
    explicit cutter(std::uint64_t seed) : state_(seed * 2 + 1) {}
    std::size_t next() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        const auto random = static_cast<std::size_t>(state_ >> 40);
        return random % 8 == 0 ? 1 + random / 8 % 4096 : 1 + random / 8 % 7;
    }

private:
    std::uint64_t state_;
};

}  // namespace tests

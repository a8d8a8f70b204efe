#include "broker/msgpack_reader.hpp"

#include <bit>
#include <cstdint>
#include <optional>

#include "broker/base64.hpp"
#include "broker/iso_time.hpp"

namespace broker {

namespace json = boost::json;

namespace {

class reader {
public:
    reader(std::string_view bytes, const value_limits& limits) : bytes_(bytes), budget_(limits) {}

    decoded_value read() {
        json::value value = next(1);
        if (error_.empty() && at_ != bytes_.size()) fail("something follows the value");
        if (!error_.empty()) return {nullptr, std::move(error_), false};
        return {std::move(value), {}, budget_.cut()};
    }

private:
    json::value fail(std::string_view why) {
        if (error_.empty()) error_ = why;
        return nullptr;
    }

    [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

    std::string_view take(std::size_t count) {
        if (count > left()) {
            fail("cut off");
            return {};
        }
        const auto part = bytes_.substr(at_, count);
        at_ += count;
        return part;
    }

    // A big-endian number.
    std::uint64_t take_number(std::size_t width) {
        std::uint64_t value = 0;
        for (const char c : take(width)) value = (value << 8U) | static_cast<unsigned char>(c);
        return value;
    }

    std::int64_t take_signed(std::size_t width) {
        const auto shift = 64U - 8U * static_cast<unsigned>(width);
        return static_cast<std::int64_t>(take_number(width) << shift) >> shift;
    }

    json::value next(std::size_t depth) {
        if (!budget_.take()) return fail("too many values");
        if (depth > budget_.depth_max()) return fail("nested too deeply");
        const auto head = take(1);
        if (head.empty()) return nullptr;
        const auto tag = static_cast<unsigned char>(head.front());
        if (tag < 0x80) return tag;
        if (tag >= 0xE0) return static_cast<std::int8_t>(tag);
        if (tag < 0x90) return map(tag & 0x0FU, depth);
        if (tag < 0xA0) return array(tag & 0x0FU, depth);
        if (tag < 0xC0) return text(tag & 0x1FU);
        return tagged(tag, depth);
    }

    json::value tagged(unsigned char tag, std::size_t depth) {
        switch (tag) {
            case 0xC0:
                return nullptr;
            case 0xC2:
                return false;
            case 0xC3:
                return true;
            case 0xC4:
            case 0xC5:
            case 0xC6:
                return budget_.bytes(take(take_number(width_of(tag, 0xC4))));
            case 0xC7:
            case 0xC8:
            case 0xC9:
                return extension(take_number(width_of(tag, 0xC7)));
            case 0xCA:
                return number(std::bit_cast<float>(static_cast<std::uint32_t>(take_number(4))));
            case 0xCB:
                return number(std::bit_cast<double>(take_number(8)));
            case 0xCC:
            case 0xCD:
            case 0xCE:
            case 0xCF:
                return unsigned_value(take_number(width_of(tag, 0xCC)));
            case 0xD0:
            case 0xD1:
            case 0xD2:
            case 0xD3:
                return take_signed(width_of(tag, 0xD0));
            case 0xD4:
            case 0xD5:
            case 0xD6:
            case 0xD7:
            case 0xD8:
                return extension(width_of(tag, 0xD4));
            case 0xD9:
            case 0xDA:
            case 0xDB:
                return text(take_number(width_of(tag, 0xD9)));
            case 0xDC:
            case 0xDD:
                return array(take_number(tag == 0xDC ? 2 : 4), depth);
            case 0xDE:
            case 0xDF:
                return map(take_number(tag == 0xDE ? 2 : 4), depth);
            default:
                return fail("not MessagePack");
        }
    }

    // Families of tags are ordered by width: 1, 2, 4, 8, 16.
    static std::size_t width_of(unsigned char tag, unsigned char first) {
        return std::size_t{1} << static_cast<unsigned>(tag - first);
    }

    static json::value unsigned_value(std::uint64_t value) {
        if (value <= static_cast<std::uint64_t>(INT64_MAX)) return static_cast<std::int64_t>(value);
        return value;
    }

    json::value text(std::uint64_t length) {
        const auto part = take(length);
        if (!is_utf8(part)) return budget_.bytes(part);
        return budget_.text(part);
    }

    json::value array(std::uint64_t count, std::size_t depth) {
        // Every item takes a byte at least.
        if (count > left()) return fail("cut off");
        json::array out;
        for (std::uint64_t i = 0; i < count && error_.empty(); ++i) out.push_back(next(depth + 1));
        return out;
    }

    json::value map(std::uint64_t count, std::size_t depth) {
        if (count > left() / 2) return fail("cut off");
        json::array pairs;
        bool texts = true;
        for (std::uint64_t i = 0; i < count && error_.empty(); ++i) {
            json::value key = next(depth + 1);
            texts = texts && key.is_string();
            pairs.push_back(json::array{std::move(key), next(depth + 1)});
        }
        return error_.empty() ? map_value(std::move(pairs), texts) : nullptr;
    }

    static json::value map_value(json::array pairs, bool texts) {
        if (!texts) return typed("map", std::move(pairs));
        json::object out;
        for (auto& pair : pairs) {
            auto& both = pair.get_array();
            out[std::string_view(both[0].get_string())] = std::move(both[1]);
        }
        return out;
    }

    json::value extension(std::uint64_t length) {
        const auto code = take_signed(1);
        const auto data = take(length);
        if (!error_.empty()) return nullptr;
        if (code == -1)
            if (const auto us = timestamp_us(data)) return typed("datetime", json::string(iso_time(*us)));
        return typed("ext", json::array{code, budget_.bytes(data)});
    }

    static std::uint64_t number_in(std::string_view data) {
        std::uint64_t value = 0;
        for (const char c : data) value = (value << 8U) | static_cast<unsigned char>(c);
        return value;
    }

    static std::optional<std::int64_t> timestamp_us(std::string_view data) {
        constexpr std::int64_t us_per_s = 1'000'000;
        constexpr std::int64_t year_9999_s = 253'402'300'799;
        std::uint64_t ns = 0;
        std::int64_t seconds = 0;
        if (data.size() == 4) {
            seconds = static_cast<std::int64_t>(number_in(data));
        } else if (data.size() == 8) {
            const std::uint64_t both = number_in(data);
            ns = both >> 34U;
            seconds = static_cast<std::int64_t>(both & 0x3'FFFF'FFFFU);
        } else if (data.size() == 12) {
            ns = number_in(data.substr(0, 4));
            seconds = static_cast<std::int64_t>(number_in(data.substr(4)));
        } else {
            return std::nullopt;
        }
        if (ns >= 1'000'000'000 || seconds > year_9999_s || seconds < -year_9999_s) return std::nullopt;
        return seconds * us_per_s + static_cast<std::int64_t>(ns / 1000);
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    value_budget budget_;
    std::string error_;
};

}  // namespace

decoded_value read_msgpack(std::string_view bytes, const value_limits& limits) {
    return reader(bytes, limits).read();
}

}  // namespace broker

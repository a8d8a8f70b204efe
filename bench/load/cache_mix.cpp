// A Django cache: of 100 calls 70 GET (a tenth of them misses), 16 SET with EX, 7 MGET of ten, 5 INCR, and 2
// set_many. Django's own backend sends set_many as a transaction; the plain cache leaves it out, so that
// proxies without transactions can be compared.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/load/mixes.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

enum class set_many : std::uint8_t { never, sometimes };

class cache_mix final : public mix {
public:
    cache_mix(const mix_settings& settings, set_many many)
        : keys_(settings.keys), value_(settings.value, 'v'), many_(many) {}

    // The first client fills nine tenths of the keys.
    std::size_t greet(std::size_t client, std::string& out) override {
        if (client != 0) return 0;
        for (std::size_t i = 0; i < keys_ * 9 / 10; ++i) out += resp::command({"SET", key(i), value_});
        return keys_ * 9 / 10;
    }

    std::size_t next(std::size_t /*client*/, std::string& out) override {
        const std::size_t dice = below(100);
        if (dice >= 98 && many_ == set_many::sometimes) return append_set_many(out);
        if (dice >= 93) {
            out += resp::command({"INCR", ":1:hits:" + std::to_string(below(100))});
        } else if (dice >= 86) {
            append_mget(out);
        } else if (dice >= 70) {
            // Only keys that are there already, so that the share of misses stays.
            out += resp::command({"SET", key(below(keys_ * 9 / 10)), value_, "EX", "300"});
        } else {
            out += resp::command({"GET", key(below(keys_))});
        }
        return 1;
    }

private:
    static std::string key(std::size_t number) {
        return ":1:views.decorators.cache." + std::to_string(number);
    }
    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }

    void append_mget(std::string& out) {
        std::vector<std::string> keys;
        for (int i = 0; i < 10; ++i) keys.push_back(key(below(keys_)));
        std::vector<std::string_view> args{"MGET"};
        args.insert(args.end(), keys.begin(), keys.end());
        resp::append_command(out, args);
    }

    std::size_t append_set_many(std::string& out) {
        constexpr std::size_t count = 5;
        const std::size_t first = below(keys_ * 9 / 10 - count);
        std::vector<std::string> keys;
        for (std::size_t i = 0; i < count; ++i) keys.push_back(key(first + i));
        std::vector<std::string_view> args{"MSET"};
        for (const std::string& each : keys) args.insert(args.end(), {each, value_});
        out += resp::command({"MULTI"});
        resp::append_command(out, args);
        for (const std::string& each : keys) out += resp::command({"EXPIRE", each, "300"});
        out += resp::command({"EXEC"});
        return count + 3;
    }

    std::size_t keys_;
    std::string value_;
    set_many many_;
    std::mt19937_64 random_{1};  // seeded: every run sends the same
};

}  // namespace

std::unique_ptr<mix> make_django_mix(const mix_settings& settings) {
    return std::make_unique<cache_mix>(settings, set_many::sometimes);
}

std::unique_ptr<mix> make_cache_mix(const mix_settings& settings) {
    return std::make_unique<cache_mix>(settings, set_many::never);
}

}  // namespace bench

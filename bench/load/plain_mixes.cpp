// Loads with one question each: what a transaction costs beside its own commands, and whether every reply
// reaches who asked.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/load/mixes.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

enum class wrapping : std::uint8_t { none, transaction };

// The two commands that kombu sends for each delivery, in one piece, with MULTI and EXEC around them or
// without.
class delivery_notes final : public mix {
public:
    delivery_notes(const mix_settings& settings, wrapping how) : task_(settings.value, 't'), how_(how) {}

    std::size_t greet(std::size_t /*client*/, std::string& out) override {
        out += resp::command({"SELECT", "2"});
        return 1;
    }

    std::size_t next(std::size_t client, std::string& out) override {
        const std::string tag = "tag-" + std::to_string(client);
        if (how_ == wrapping::transaction) out += resp::command({"MULTI"});
        out += resp::command({"ZADD", "unacked_index", "1700000000.5", tag});
        out += resp::command({"HSET", "unacked", tag, task_});
        if (how_ == wrapping::transaction) out += resp::command({"EXEC"});
        return how_ == wrapping::transaction ? 4 : 2;
    }

private:
    std::string task_;
    wrapping how_;
};

// Unique payloads of very different sizes, in batches: any reply at a wrong place ends the load.
class echo_check final : public mix {
public:
    explicit echo_check(const mix_settings& settings)
        : expected_(settings.clients), answered_(settings.clients) {}

    std::size_t next(std::size_t client, std::string& out) override {
        static constexpr std::size_t sizes[] = {0, 1, 20, 300, 5'000, 70'000};
        auto& expected = expected_[client];
        expected.clear();
        const std::size_t count = 1 + random_() % 20;
        for (std::size_t i = 0; i < count; ++i) {
            std::string text = std::to_string(client) + "-" + std::to_string(serial_++) + "-";
            text.append(sizes[random_() % std::size(sizes)], static_cast<char>('a' + client % 26));
            out += resp::command({"ECHO", text});
            resp::append_bulk(expected.emplace_back(), text);
        }
        answered_[client] = 0;
        return count;
    }

    void on_reply(std::size_t client, std::string_view reply) override {
        if (reply != expected_[client][answered_[client]++]) fail("a reply of somebody else");
    }

private:
    std::vector<std::vector<std::string>> expected_;
    std::vector<std::size_t> answered_;
    std::uint64_t serial_ = 0;
    std::mt19937_64 random_{1};
};

}  // namespace

std::unique_ptr<mix> make_transactions(const mix_settings& settings) {
    return std::make_unique<delivery_notes>(settings, wrapping::transaction);
}

std::unique_ptr<mix> make_untransacted(const mix_settings& settings) {
    return std::make_unique<delivery_notes>(settings, wrapping::none);
}

std::unique_ptr<mix> make_echo_check(const mix_settings& settings) {
    return std::make_unique<echo_check>(settings);
}

const std::vector<mix_kind>& mix_kinds() {
    static const std::vector<mix_kind> kinds{
        {"celery", "producers and workers with kombu's commands, db 2", make_celery_mix},
        {"django", "a Django cache with set_many as transactions", make_django_mix},
        {"cache", "the same without transactions", make_cache_mix},
        {"transactions", "MULTI, ZADD, HSET, EXEC in one piece, db 2", make_transactions},
        {"untransacted", "ZADD, HSET in one piece, db 2", make_untransacted},
        {"echo", "unique payloads, every reply compared: a check, not a load", make_echo_check},
    };
    return kinds;
}

}  // namespace bench

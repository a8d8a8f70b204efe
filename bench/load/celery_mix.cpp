// Tasks as kombu's Redis transport moves them: LPUSH by producers; a worker waits in BRPOP on the four
// priority keys, notes the delivery in one transaction and its end in another. Producers keep half of the
// workers busy, so that tasks come to workers that wait for them.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/mixes.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

enum class step : std::uint8_t { pop, popping, note, noting, done };

class celery_mix final : public mix {
public:
    explicit celery_mix(const mix_settings& settings)
        : workers_((settings.clients + 1) / 2), task_(settings.value, 't'), steps_(workers_, step::pop) {}

    std::size_t greet(std::size_t /*client*/, std::string& out) override {
        out += resp::command({"SELECT", "2"});
        return 1;
    }

    std::size_t next(std::size_t client, std::string& out) override {
        return client < workers_ ? work(client, out) : produce(out);
    }

    void on_reply(std::size_t client, std::string_view reply) override {
        mix::on_reply(client, reply);
        if (client >= workers_ || steps_[client] != step::popping) return;
        // A nil is the end of the waiting time: the worker asks again.
        const bool popped = reply.starts_with("*2");
        steps_[client] = popped ? step::note : step::pop;
    }

private:
    std::size_t produce(std::string& out) {
        if (tasks_ >= std::max<std::size_t>(1, workers_ / 2)) return 0;
        ++tasks_;
        out += resp::command({"LPUSH", "celery", task_});
        return 1;
    }

    std::size_t work(std::size_t worker, std::string& out) {
        step& at = steps_[worker];
        const std::string tag = "tag-" + std::to_string(worker);
        switch (at) {
            case step::noting:
                at = step::done;
                out += resp::command({"MULTI"});
                out += resp::command({"ZREM", "unacked_index", tag});
                out += resp::command({"HDEL", "unacked", tag});
                out += resp::command({"EXEC"});
                return 4;
            case step::note:
                at = step::noting;
                out += resp::command({"MULTI"});
                out += resp::command({"ZADD", "unacked_index", "1700000000.5", tag});
                out += resp::command({"HSET", "unacked", tag, task_});
                out += resp::command({"EXEC"});
                return 4;
            case step::done:
                --tasks_;
                [[fallthrough]];
            case step::pop:
            case step::popping:
                break;
        }
        at = step::popping;
        out += resp::command({"BRPOP", "celery",
                              "celery\x06\x16"
                              "3",
                              "celery\x06\x16"
                              "6",
                              "celery\x06\x16"
                              "9",
                              "1"});
        return 1;
    }

    std::size_t workers_;
    std::string task_;
    std::vector<step> steps_;
    std::size_t tasks_ = 0;  // sent, not yet acknowledged
};

}  // namespace

std::unique_ptr<mix> make_celery_mix(const mix_settings& settings) {
    return std::make_unique<celery_mix>(settings);
}

}  // namespace bench

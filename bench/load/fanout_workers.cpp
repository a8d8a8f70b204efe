// A Channels layer in Python: processes of fanout_worker.py hold the members, one more sends. They are told
// what to do line by line, and write figures back; see there.

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <string>
#include <vector>

#include "bench/load/fanout_processes.hpp"
#include "bench/load/fanout_sockets.hpp"
#include "bench/load/mix.hpp"

extern char** environ;

namespace bench {

namespace {

constexpr int answer_ms_max = 60'000;
constexpr int count_interval_ms = 20;

const char* layer_name(target_kind kind) {
    if (kind == target_kind::layer_bare) return "bare";
    if (kind == target_kind::layer_core) return "core";
    return kind == target_kind::layer_pubsub ? "pubsub" : "native";
}

class worker {
public:
    explicit worker(std::vector<std::string> command) {
        int in[2];
        int out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("pipe");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        std::vector<char*> args;
        for (std::string& each : command) args.push_back(each.data());
        args.push_back(nullptr);
        if (::posix_spawnp(&pid_, args[0], &actions, nullptr, args.data(), environ) != 0)
            fail("cannot start " + command[0]);
        posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        to_ = in[1];
        from_ = out[0];
    }
    // A worker ends when its input does.
    ~worker() {
        ::close(to_);
        for (int i = 0; i < 100 && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) ::poll(nullptr, 0, 20);
        if (::kill(pid_, SIGKILL) == 0) ::waitpid(pid_, nullptr, 0);
        ::close(from_);
    }
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    void tell(const std::string& line) {
        const std::string whole = line + "\n";
        if (::write(to_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size()))
            fail("a Python worker has ended");
    }
    // The words of the next line.
    std::istringstream hear() {
        std::size_t end = 0;
        while ((end = input_.find('\n')) == std::string::npos) {
            pollfd wait{from_, POLLIN, 0};
            char bytes[65536];
            if (::poll(&wait, 1, answer_ms_max) <= 0) fail("a Python worker does not answer");
            const ssize_t got = ::read(from_, bytes, sizeof bytes);
            if (got <= 0) fail("a Python worker has ended");
            input_.append(bytes, static_cast<std::size_t>(got));
        }
        std::istringstream words(input_.substr(0, end));
        input_.erase(0, end + 1);
        return words;
    }
    std::istringstream ask(const std::string& line) {
        tell(line);
        return hear();
    }
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string input_;
};

class worker_target final : public fanout_target {
public:
    explicit worker_target(target_settings settings) : settings_(std::move(settings)) {}

    void open() override {
        const std::uint32_t processes = std::min(settings_.processes, settings_.members);
        sender_ = start(0);
        for (std::uint32_t i = 0; i < processes; ++i)
            holders_.push_back(start((settings_.members + processes - 1 - i) / processes));
        expect_ready(*sender_);
        for (const auto& each : holders_) expect_ready(*each);
    }

    step_result run(const step_plan& plan) override {
        if (plan.how == pacing::saturated) fail("--saturate is for targets without Python workers");
        const publisher_range from{plan.number * plan.publishers, plan.publishers};
        const std::string range = std::to_string(from.first) + " " + std::to_string(from.count);
        for (const auto& each : holders_) (void)each->ask("begin " + range);
        const std::uint64_t cpu = cpu_ns();
        step_result result;
        const std::int64_t begin = send_all(plan, range, result);
        const std::int64_t latest = wait_for_all(plan, result);
        result.seconds = static_cast<double>(std::max<std::int64_t>(latest - begin, 1)) / 1e9;
        result.load_cpu_ns = cpu_ns() - cpu;
        gather(from, result);
        return result;
    }

private:
    std::unique_ptr<worker> start(std::uint32_t members) {
        std::string address = settings_.password.empty() ? "" : ":" + settings_.password + "@";
        address += settings_.host + ":" + std::to_string(settings_.port);
        return std::make_unique<worker>(std::vector<std::string>{
            settings_.python, settings_.worker, "--layer", layer_name(settings_.kind), "--url",
            "redis://" + address + "/" + std::to_string(settings_.database), "--group", group(), "--members",
            std::to_string(members)});
    }

    // Of this run alone: what an earlier one has left behind are members too, for a layer that does not
    // notice that their process has ended.
    [[nodiscard]] std::string group() const {
        return "fanout." + settings_.name + "." + std::to_string(::getpid());
    }

    static void expect_ready(worker& which) {
        std::string word;
        which.hear() >> word;
        if (word != "ready") fail("a Python worker did not become ready");
    }

    // Returns when the first message was due.
    std::int64_t send_all(const step_plan& plan, const std::string& range, step_result& result) {
        std::uint64_t count = plan.messages_max;
        const double by_time = plan.rate * std::chrono::duration<double>(plan.time).count();
        if (count == 0 || static_cast<double>(count) > by_time) count = static_cast<std::uint64_t>(by_time);
        std::ostringstream line;
        const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(plan.time * 2).count();
        line << "send " << range << " " << std::max<std::uint64_t>(count, 1) << " " << plan.rate << " "
             << plan.burst << " " << plan.payload << " " << limit;
        auto words = sender_->ask(line.str());
        std::int64_t begin = 0;
        words >> result.sent >> begin;
        sent_.assign(plan.publishers, 0);
        for (auto& each : sent_) words >> each;
        for (std::int64_t late = 0; words >> late;) result.lateness.add(std::chrono::nanoseconds(late));
        result.expected = result.sent * settings_.members;
        return begin;
    }

    // Returns when the last delivery was.
    std::int64_t wait_for_all(const step_plan& plan, const step_result& result) {
        std::uint64_t before = 0;
        std::int64_t progress = monotonic_ns();
        for (;;) {
            std::uint64_t count = 0;
            std::int64_t latest = 0;
            for (const auto& each : holders_) {
                std::uint64_t one = 0;
                std::int64_t at = 0;
                each->ask("count") >> one >> at;
                count += one;
                latest = std::max(latest, at);
            }
            const std::int64_t now = monotonic_ns();
            if (count > before) progress = now;
            before = count;
            if (count >= result.expected || now - progress > plan.patience.count()) return latest;
            ::poll(nullptr, 0, count_interval_ms);
        }
    }

    void gather(publisher_range from, step_result& result) {
        message_board board(from, settings_.members);
        std::string line = "end";
        for (const auto each : sent_) line += " " + std::to_string(each);
        for (const auto& each : holders_) {
            each->tell(line);
            read_report(*each, board, result);
        }
        result.delivered = board.deliveries();
        result.last = board.last();
    }

    static void read_report(worker& from, message_board& board, step_result& result) {
        for (;;) {
            auto words = from.hear();
            std::string kind;
            words >> kind;
            if (kind == "done") return;
            if (kind == "faults") {
                delivery_faults f;
                words >> f.lost >> f.duplicated >> f.reordered >> f.strays;
                result.faults += f;
            } else if (kind == "bucket") {
                std::size_t bucket = 0;
                std::uint64_t times = 0;
                while (words >> bucket >> times) result.latency.add_bucket(bucket, times);
            } else if (kind == "message") {
                stamp which;
                std::uint64_t receivers = 0;
                std::int64_t latest = 0;
                words >> which.publisher >> which.seq >> receivers >> latest;
                board.note(which, receivers, std::chrono::nanoseconds(latest));
            } else {
                fail("a Python worker says '" + kind + "'");
            }
        }
    }

    [[nodiscard]] std::uint64_t cpu_ns() const {
        std::uint64_t total = process_cpu_ns(sender_->pid());
        for (const auto& each : holders_) total += process_cpu_ns(each->pid());
        return total;
    }

    target_settings settings_;
    std::unique_ptr<worker> sender_;
    std::vector<std::unique_ptr<worker>> holders_;
    std::vector<std::uint32_t> sent_;
};

}  // namespace

std::unique_ptr<fanout_target> make_worker_target(const target_settings& settings) {
    return std::make_unique<worker_target>(settings);
}

}  // namespace bench

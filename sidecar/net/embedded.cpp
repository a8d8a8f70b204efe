#include "sidecar/net/embedded.hpp"

#include <hiredis/hiredis.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "sidecar/net/child_process.hpp"
#include "sidecar/net/data_directory.hpp"
#include "sidecar/net/log.hpp"

namespace sidecar {
namespace {

using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds poll_interval{20};
constexpr milliseconds first_restart_delay{100};
constexpr milliseconds stable_after{10'000};  // a server that ran so long starts with a short delay again

std::string system_error() {
    return std::strerror(errno);
}

// Whether a server at the socket answers, be it that it is still loading.
bool answers_ping(const std::string& socket_path) {
    const timeval patience{0, 500'000};
    redisContext* connection = redisConnectUnixWithTimeout(socket_path.c_str(), patience);
    if (connection == nullptr) return false;
    bool answered = false;
    if (connection->err == 0 && redisSetTimeout(connection, patience) == REDIS_OK) {
        auto* reply = static_cast<redisReply*>(redisCommand(connection, "PING"));
        answered = reply != nullptr && (reply->type == REDIS_REPLY_STATUS ||
                                        std::string_view(reply->str, reply->len).starts_with("LOADING"));
        if (reply != nullptr) freeReplyObject(reply);
    }
    redisFree(connection);
    return answered;
}

std::string last_lines(const std::string& path) {
    constexpr std::size_t lines_max = 3;
    std::deque<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.empty()) continue;
        lines.push_back(line);
        if (lines.size() > lines_max) lines.pop_front();
    }
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "" : " | ") + line;
    return text.empty() ? "it wrote no log" : "its log ends: " + text;
}

}  // namespace

// All children are started and awaited on one thread: PR_SET_PDEATHSIG follows the thread that forked.
class embedded_redis::supervisor {
public:
    explicit supervisor(embedded_settings settings) : settings_(std::move(settings)) {}
    ~supervisor() { stop(); }

    std::optional<std::string> start() {
        if (auto bad = prepare()) return bad;
        std::unique_lock lock(mutex_);
        stopping_ = false;
        outcome_known_ = false;
        thread_ = std::thread([this] { run(); });
        changed_.wait(lock, [this] { return outcome_known_; });
        if (failure_.empty()) return std::nullopt;
        lock.unlock();
        stop();
        return "--embedded: " + failure_;
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
        directory_.release();
    }

    [[nodiscard]] const std::string& socket_path() const { return directory_.socket_path(); }
    [[nodiscard]] int process_id() const { return pid_.load(); }
    [[nodiscard]] unsigned restarts() const { return restarts_.load(); }

private:
    std::optional<std::string> prepare();

    void run();
    bool spawn();
    // Until the server answers, ends, is too slow or stop() is called. Empty = it answers.
    std::string await_ready();
    // True once the child has ended; its end is described in end_.
    bool reap();
    void await_end();
    void end_child();
    void announce(std::string failure);
    // False when stop() was called.
    bool sleep_for(milliseconds time);

    embedded_settings settings_;
    std::string program_;
    data_directory directory_;
    std::string end_;
    std::atomic<pid_t> pid_{0};
    std::atomic<unsigned> restarts_{0};

    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    bool outcome_known_ = false;
    std::string failure_;
    std::thread thread_;
};

std::optional<std::string> embedded_redis::supervisor::prepare() {
    const std::optional<std::string> program = find_program(settings_.program);
    if (!program)
        return "--embedded: " + settings_.program + " is not on PATH; install it or give --redis URL";
    program_ = *program;
    return directory_.claim(settings_.data_dir, settings_.ready_timeout_ms);
}

bool embedded_redis::supervisor::spawn() {
    child_start start;
    start.program = program_;
    start.arguments = {"--port",
                       "0",
                       "--unixsocket",
                       directory_.socket_path(),
                       "--unixsocketperm",
                       "600",
                       "--dir",
                       directory_.path(),
                       "--appendonly",
                       "yes",
                       "--appendfsync",
                       "everysec",
                       "--save",
                       "3600 1 300 100 60 10000",
                       "--daemonize",
                       "no",
                       "--logfile",
                       directory_.log_file()};
    start.output_file = directory_.log_file();
    start.kept_descriptor = directory_.lock_descriptor();
    const pid_t child = start_child(start);
    if (child < 0) end_ = "cannot start it: " + system_error();
    pid_ = std::max(child, 0);
    return child > 0;
}

bool embedded_redis::supervisor::reap() {
    int status = 0;
    const pid_t child = pid_.load();
    if (child == 0) return true;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
    end_ = ended == child ? describe_end(status) : "awaited by someone else";
    pid_ = 0;
    return true;
}

std::string embedded_redis::supervisor::await_ready() {
    const auto deadline = steady::now() + milliseconds(settings_.ready_timeout_ms);
    while (!answers_ping(directory_.socket_path())) {
        if (reap())
            return settings_.program + " ended at once with " + end_ + "; " +
                   last_lines(directory_.log_file());
        if (steady::now() > deadline)
            return settings_.program + " did not answer within " +
                   std::to_string(settings_.ready_timeout_ms) + " ms; " + last_lines(directory_.log_file());
        if (!sleep_for(poll_interval)) return "stopped while starting";
    }
    return {};
}

void embedded_redis::supervisor::run() {
    std::string failure = spawn() ? await_ready() : end_;
    const bool failed = !failure.empty();
    announce(std::move(failure));
    if (failed) return end_child();
    log_event(log_level::info, "embedded redis-server started",
              {{"pid", std::to_string(pid_.load())}, {"data", directory_.path()}});

    milliseconds delay = first_restart_delay;
    for (;;) {
        const auto started = steady::now();
        await_end();
        if (pid_ != 0) return end_child();
        if (steady::now() - started > stable_after) delay = first_restart_delay;
        log_event(log_level::error, "embedded redis-server ended",
                  {{"cause", end_}, {"log", last_lines(directory_.log_file())}});
        if (!sleep_for(delay)) return;
        delay = std::min(delay * 2, milliseconds(settings_.restart_delay_ms_max));
        if (!spawn()) continue;
        ++restarts_;
        log_event(log_level::warn, "embedded redis-server restarted", {{"pid", std::to_string(pid_.load())}});
    }
}

void embedded_redis::supervisor::announce(std::string failure) {
    {
        const std::lock_guard lock(mutex_);
        failure_ = std::move(failure);
        outcome_known_ = true;
    }
    changed_.notify_all();
}

// Returns when the child has ended (pid_ is 0) or stop() was called.
void embedded_redis::supervisor::await_end() {
    while (!reap())
        if (!sleep_for(poll_interval)) return;
}

void embedded_redis::supervisor::end_child() {
    if (reap()) return;
    ::kill(pid_, SIGTERM);
    const auto deadline = steady::now() + milliseconds(settings_.stop_timeout_ms);
    while (!reap()) {
        if (steady::now() > deadline) {
            log_event(log_level::warn, "embedded redis-server killed", {{"cause", "did not stop in time"}});
            ::kill(pid_, SIGKILL);
            while (!reap()) std::this_thread::sleep_for(poll_interval);
            return;
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

bool embedded_redis::supervisor::sleep_for(milliseconds time) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, time, [this] { return stopping_; });
}

embedded_redis::embedded_redis(embedded_settings settings)
    : supervisor_(std::make_unique<supervisor>(std::move(settings))) {}

embedded_redis::~embedded_redis() = default;

std::optional<std::string> embedded_redis::start() {
    return supervisor_->start();
}
const std::string& embedded_redis::socket_path() const {
    return supervisor_->socket_path();
}
int embedded_redis::process_id() const {
    return supervisor_->process_id();
}
unsigned embedded_redis::restarts() const {
    return supervisor_->restarts();
}
void embedded_redis::stop() {
    supervisor_->stop();
}

}  // namespace sidecar

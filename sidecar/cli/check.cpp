#include "sidecar/cli/check.hpp"

#include <hiredis/hiredis.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string_view>

#include "sidecar/cli/tls_bridge.hpp"

namespace sidecar {
namespace {

using steady = std::chrono::steady_clock;

struct reply_deleter {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
struct context_deleter {
    void operator()(redisContext* context) const { redisFree(context); }
};
using reply_ptr = std::unique_ptr<redisReply, reply_deleter>;

std::string random_key() {
    std::random_device random;
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "__sidecar:check:%08x%08x", random(), random());
    return text.data();
}

timeval as_timeval(std::chrono::milliseconds time) {
    return {time.count() / 1000, static_cast<suseconds_t>((time.count() % 1000) * 1000)};
}

// One db's conversation. A step returns false after setting what went wrong.
class conversation {
public:
    conversation(const check_options& options, int db) : options_(options), db_(db) {}

    bool run() {
        return timed("connect", [this] { return connect(); }) &&
               (options_.url.password.empty() || timed("auth", [this] { return authenticate(); })) &&
               timed("select",
                     [this] {
                         return expect({"SELECT", std::to_string(db_)}, "OK");
                     }) &&
               timed("ping", [this] { return expect({"PING"}, "PONG"); }) &&
               timed("write+read+delete", [this] { return use_key(); }) &&
               timed("publish", [this] { return publish(); });
    }

    [[nodiscard]] std::string line() const {
        const std::string head = "db " + std::to_string(db_);
        const std::string where = masked(options_.url);
        if (!why_.empty()) return head + " FAILED at " + failed_step_ + ": " + why_ + " (" + where + ")\n";
        return head + " ok " + where + times_ + "\n";
    }

private:
    template <class Step>
    bool timed(std::string_view name, Step step) {
        const auto started = steady::now();
        if (!step()) {
            failed_step_ = name;
            return false;
        }
        std::array<char, 32> text{};
        const std::chrono::duration<double, std::milli> taken = steady::now() - started;
        std::snprintf(text.data(), text.size(), " %.1f ms", taken.count());
        times_ += ", " + std::string(name) + text.data();
        return true;
    }

    bool fail(std::string why) {
        why_ = std::move(why);
        return false;
    }

    bool connect() {
        const redis_url& url = options_.url;
        const timeval patience = as_timeval(options_.timeout);
        if (url.scheme == url_scheme::tls) {
            auto opened = tls_bridge::open(url, options_.ca_file, options_.timeout);
            if (auto* why = std::get_if<std::string>(&opened)) return fail(std::move(*why));
            bridge_ = std::get<0>(std::move(opened));
            context_.reset(redisConnectFd(bridge_->take_descriptor()));
        } else if (url.scheme == url_scheme::unix_socket) {
            context_.reset(redisConnectUnixWithTimeout(url.path.c_str(), patience));
        } else {
            context_.reset(redisConnectWithTimeout(url.host.c_str(), url.port, patience));
        }
        if (context_ == nullptr) return fail("out of memory");
        if (context_->err != 0) return fail(context_->errstr);
        if (redisSetTimeout(context_.get(), patience) != REDIS_OK) return fail(context_->errstr);
        return true;
    }

    bool authenticate() {
        const redis_url& url = options_.url;
        if (url.user.empty()) return expect({"AUTH", url.password}, "OK");
        return expect({"AUTH", url.user, url.password}, "OK");
    }

    bool use_key() {
        const std::string key = random_key();
        const std::string value = random_key();
        return expect({"SET", key, value, "EX", "30"}, "OK") && expect({"GET", key}, value) &&
               expect_number({"DEL", key}, 1);
    }

    // A name that belongs to the db, so that the strict policy lets it pass.
    bool publish() {
        return expect_number({"PUBLISH", "/" + std::to_string(db_) + ".__sidecar:check", "check"},
                             std::nullopt);
    }

    // nullptr after fail().
    reply_ptr ask(const std::vector<std::string>& words) {
        std::vector<const char*> texts;
        std::vector<std::size_t> sizes;
        for (const std::string& word : words) {
            texts.push_back(word.data());
            sizes.push_back(word.size());
        }
        reply_ptr reply(static_cast<redisReply*>(
            redisCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(), sizes.data())));
        if (reply == nullptr) {
            const bool late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
            fail(words.front() + ": " + (late ? "no answer in time" : context_->errstr));
        } else if (reply->type == REDIS_REPLY_ERROR) {
            fail(words.front() + ": " + std::string(reply->str, reply->len));
            reply.reset();
        }
        return reply;
    }

    bool expect(const std::vector<std::string>& words, std::string_view wanted) {
        const reply_ptr reply = ask(words);
        if (reply == nullptr) return false;
        const bool text = reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_STRING;
        if (text && std::string_view(reply->str, reply->len) == wanted) return true;
        return fail(words.front() + ": an answer of another kind than expected");
    }

    bool expect_number(const std::vector<std::string>& words, std::optional<long long> wanted) {
        const reply_ptr reply = ask(words);
        if (reply == nullptr) return false;
        if (reply->type == REDIS_REPLY_INTEGER && reply->integer == wanted.value_or(reply->integer))
            return true;
        return fail(words.front() + ": an answer of another kind than expected");
    }

    const check_options& options_;
    int db_;
    // The context closes its end of the bridge before the bridge ends.
    std::unique_ptr<tls_bridge> bridge_;
    std::unique_ptr<redisContext, context_deleter> context_;
    std::string times_;
    std::string failed_step_;
    std::string why_;
};

}  // namespace

check_report check_databases(const check_options& options) {
    check_report report;
    for (const int db : options.databases) {
        conversation one(options, db);
        report.good = one.run() && report.good;
        report.text += one.line();
    }
    return report;
}

}  // namespace sidecar

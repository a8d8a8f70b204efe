// Wires the process together: shards, listeners, HTTP, signals, reload, drain.
#include "sidecar/net/server.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <future>
#include <numeric>
#include <optional>
#include <random>
#include <stdexcept>

#include "sidecar/config/load.hpp"
#include "sidecar/control/broker_control.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"
#include "sidecar/http/broker_routes.hpp"
#include "sidecar/http/server.hpp"
#include "sidecar/net/descriptor_budget.hpp"
#include "sidecar/net/embedded.hpp"
#include "sidecar/net/heap.hpp"
#include "sidecar/net/log.hpp"
#include "sidecar/net/shard.hpp"
#include "sidecar/net/tls_context.hpp"

namespace sidecar {

namespace {

constexpr std::uint32_t log_lines_per_second_max = 20;  // of one kind and thread
constexpr std::chrono::milliseconds scrape_time_max{2'000};
constexpr std::chrono::seconds upstream_wait_max{1};

const char* policy_name(policy_mode mode) {
    switch (mode) {
        case policy_mode::strict:
            return "strict";
        case policy_mode::audit:
            return "audit";
        case policy_mode::open:
            break;
    }
    return "open";
}

log_level level_of(char c) {
    switch (c) {
        case 'e':
            return log_level::error;
        case 'w':
            return log_level::warn;
        case 'd':
            return log_level::debug;
        default:
            return log_level::info;
    }
}

void write_log(char level, std::string_view event,
               const std::vector<std::pair<std::string, std::string>>& fields) {
    static thread_local log_limiter limiter(log_lines_per_second_max);
    std::vector<log_field> given;
    given.reserve(fields.size());
    for (const auto& [key, value] : fields) given.push_back({key, value});
    limiter.event(level_of(level), event, event, given, std::chrono::steady_clock::now());
}

// Every client is a descriptor, and so is every upstream connection.
void fit_into_descriptor_limit(config& settings) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::uint32_t fitting = clients_within(limit.rlim_cur, settings);
    if (fitting == settings.clients_max) return;
    const auto needed = settings.clients_max + descriptors_beside_clients(settings);
    log_event(log_level::warn, "descriptor limit is low: fewer clients than max-clients are possible",
              {{"limit", std::to_string(limit.rlim_cur)},
               {"needed", std::to_string(needed)},
               {"clients", std::to_string(fitting)}});
    settings.clients_max = fitting;
}

std::string random_hex() {
    std::random_device device;
    std::string out;
    for (int i = 0; i < 5; ++i) {
        std::array<char, 9> part{};
        std::snprintf(part.data(), part.size(), "%08x", static_cast<unsigned>(device()));
        out += part.data();
    }
    return out;
}

class server {
public:
    server(const config& settings, const std::vector<std::string>& args) : settings_(settings), args_(args) {}

    int run() {
        configure_log(settings_.log_level, settings_.log_json ? log_format::json : log_format::text);
        fit_into_descriptor_limit(settings_);
        if (settings_.embedded) start_embedded();
        make_broker_control();
        start_shards();
        start_http();
        listen();
        for (auto& s : shards_) s->start();
        if (broker_) broker_->start();
        wait_for_upstream();
        announce();
        wait_for_signals();
        tend_heap();
        io_.run();
        if (http_) http_->stop();
        if (broker_) broker_->stop();
        for (auto& s : shards_) s->stop();
        if (!settings_.unix_path.empty()) ::unlink(settings_.unix_path.c_str());
        if (embedded_) embedded_->stop();
        log_event(log_level::info, "stopped");
        flush_log();
        return 0;
    }

private:
    void start_embedded() {
        embedded_settings e;
        e.data_dir = settings_.data_dir;
        embedded_ = std::make_unique<embedded_redis>(std::move(e));
        if (const auto error = embedded_->start()) throw std::runtime_error(*error);
        redis_url url;
        url.scheme = url_scheme::unix_socket;
        url.path = embedded_->socket_path();
        settings_.redis.fill(url);
        settings_.redis_password.clear();
    }

    void start_shards() {
        process_.shards = settings_.threads;
        process_.run_id = random_hex();
        process_.start_unix_time = std::time(nullptr);
        process_.log = write_log;
        process_.post = [this](int index, process_state::message m) {
            shards_[static_cast<std::size_t>(index)]->post(std::move(m));
        };
        policy_ = settings_.policy;
        runtime_ = std::make_shared<const runtime>(settings_);
        runtimes_.push_back(runtime_);
        std::shared_ptr<tls_context> upstream_tls;
        for (const auto& url : settings_.redis)
            if (url.scheme == url_scheme::tls && !upstream_tls)
                upstream_tls = tls_context::for_upstream(settings_.tls);
        for (int i = 0; i < settings_.threads; ++i)
            shards_.push_back(std::make_unique<shard>(i, process_, runtime_, upstream_tls));
    }

    void listen() {
        for (const auto& where : settings_.listen)
            if (!where.host.empty()) redis_.push_back(listen_everywhere(where, nullptr));
        if (!settings_.tls.listen.empty()) {
            const auto context = tls_context::for_clients(settings_.tls);
            for (const auto& where : settings_.tls.listen) tls_.push_back(listen_everywhere(where, context));
        }
        if (settings_.unix_path.empty()) return;
        const auto socket = listen_unix(settings_.unix_path);
        for (std::size_t i = 1; i < shards_.size(); ++i)
            shards_[i]->listen_on(::dup(socket.descriptor), nullptr, true);
        shards_[0]->listen_on(socket.descriptor, nullptr, true);
    }

    // One socket per shard on the same port; the kernel spreads the clients.
    endpoint listen_everywhere(const endpoint& where, const std::shared_ptr<tls_context>& tls) {
        auto socket = listen_tcp(where, port_use::first);
        endpoint bound = socket.where;
        shards_[0]->listen_on(socket.descriptor, tls, false);
        for (std::size_t i = 1; i < shards_.size(); ++i)
            shards_[i]->listen_on(listen_tcp(bound, port_use::further).descriptor, tls, false);
        return bound;
    }

    void make_broker_control() {
        if (settings_.broker.mode == broker_mode::off) return;
        broker_hooks hooks;
        hooks.connect = [this](int db) {
            std::array<int, 2> ends{};
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return -1;
            ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
            shards_[0]->adopt(ends[1], db);
            return ends[0];
        };
        hooks.unix_us = [] {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
        };
        hooks.random_id = random_hex;
        hooks.push_rules = [this](const std::shared_ptr<const broker::delivery_rules>& rules) {
            const auto taken = ask_shards<bool>([rules](shard_core& core) {
                core.set_delivery_rules(rules);
                return true;
            });
            return taken.size() == shards_.size();
        };
        hooks.open_clients = [this]() -> std::optional<std::vector<std::uint64_t>> {
            using ids = std::vector<std::uint64_t>;
            const auto parts = ask_shards<ids>([](shard_core& core) {
                ids open;
                core.each_client([&](const session& s) { open.push_back(s.id()); });
                return open;
            });
            if (parts.size() != shards_.size()) return std::nullopt;
            ids all;
            for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
            return all;
        };
        // All in one turn of each shard: a worker that loses one socket closes the others itself.
        hooks.close_clients = [this](const std::vector<std::uint64_t>& ids) {
            const auto closed = ask_shards<std::size_t>([ids](shard_core& core) {
                std::size_t count = 0;
                for (const std::uint64_t id : ids) {
                    session* client = core.find_session(id);
                    if (client == nullptr || client->control()) continue;
                    client->kill();
                    ++count;
                }
                return count;
            });
            return std::accumulate(closed.begin(), closed.end(), std::size_t{0});
        };
        broker_ = std::make_unique<broker_control>(settings_.broker, std::move(hooks));
        process_.broker_notes = [this](broker::note_batch batch) { broker_->take_notes(std::move(batch)); };
    }

    void start_http() {
        http_settings h;
        h.listen = settings_.http;
        h.token = settings_.http_token;
        h.operator_token = settings_.http_operator_token;
        http_backend backend;
        backend.metrics_text = [this] {
            return metrics_text() + (broker_ ? broker_->metrics_text() : std::string());
        };
        backend.ready = [this] { return ready(); };
        backend.status = [this] {
            process_status s;
            s.uptime_seconds = static_cast<std::uint64_t>(std::time(nullptr) - process_.start_unix_time);
            s.policy = policy_name(policy_.load());
            s.threads = process_.shards;
            s.clients = process_.clients.load();
            s.state = draining_ ? "draining" : "serving";
            return s;
        };
        if (broker_) {
            backend.run_on_control = [this](std::function<void()> job) {
                return broker_->run(std::move(job));
            };
            backend.add_routes = [this](http_routes& routes) { add_broker_routes(routes, *broker_); };
        }
        http_ = std::make_unique<http_server>(std::move(h), std::move(backend));
        if (const auto error = http_->start()) throw std::runtime_error(*error);
    }

    // Asks every shard and waits, for a bounded time, for those that answer.
    template <class T>
    std::vector<T> ask_shards(const std::function<T(shard_core&)>& question) {
        std::vector<std::future<T>> answers;
        for (auto& s : shards_) {
            auto promise = std::make_shared<std::promise<T>>();
            answers.push_back(promise->get_future());
            s->post([promise, question](shard_core& core) { promise->set_value(question(core)); });
        }
        const auto deadline = std::chrono::steady_clock::now() + scrape_time_max;
        std::vector<T> result;
        for (auto& a : answers)
            if (a.wait_until(deadline) == std::future_status::ready) result.push_back(a.get());
        return result;
    }

    std::string metrics_text() {
        struct part {
            metrics numbers;
            std::vector<std::string> names;
        };
        const auto parts = ask_shards<std::shared_ptr<part>>([](shard_core& core) {
            auto p = std::make_shared<part>(part{core.snapshot(), {}});
            for (std::size_t i = 0; i < core.commands.size(); ++i)
                p->names.emplace_back(core.commands.at_index(static_cast<std::uint16_t>(i)).name);
            return p;
        });
        metrics sum;
        std::vector<std::string> names;
        for (const auto& p : parts) {
            sum += p->numbers;
            if (p->names.size() > names.size()) names = p->names;
        }
        return sum.render(names);
    }

    readiness ready() {
        using states = std::vector<database_state>;
        const auto parts = ask_shards<states>([](shard_core& core) {
            states out;
            for (int db = 0; db < database_count; ++db) {
                const auto& u = core.upstream_of(db);
                database_state s;
                s.db = db;
                s.url_masked = masked(u.url);
                s.ok = u.control->ready() && !u.refused && !u.down_since;
                s.state = s.ok              ? "ready"
                          : u.refused       ? "wrong password"
                          : u.cause.empty() ? "connecting"
                                            : u.cause;
                out.push_back(std::move(s));
            }
            return out;
        });
        readiness r;
        r.ok = parts.size() == shards_.size() && !draining_;
        for (const auto& part : parts) {
            if (r.databases.empty()) r.databases = part;
            for (std::size_t i = 0; i < part.size(); ++i) {
                if (part[i].ok) continue;
                r.ok = false;
                r.databases[i] = part[i];
            }
        }
        return r;
    }

    // Clients are served from here on either way; but who starts when we say `ready` shall find us ready.
    void wait_for_upstream() {
        const auto deadline = std::chrono::steady_clock::now() + upstream_wait_max;
        while (!ready().ok && std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }

    void announce() {
        std::string line = "ready redis=";
        for (std::size_t i = 0; i < redis_.size(); ++i) line += (i > 0 ? "," : "") + to_string(redis_[i]);
        for (std::size_t i = 0; i < tls_.size(); ++i) line += (i > 0 ? "," : " tls=") + to_string(tls_[i]);
        if (!settings_.unix_path.empty()) line += " unix=" + settings_.unix_path;
        if (!settings_.http.host.empty()) line += " http=" + to_string(http_->local_endpoint());
        std::printf("%s\n", line.c_str());
        std::fflush(stdout);
        log_event(log_level::info, "serving",
                  {{"version", SIDECAR_VERSION},
                   {"threads", std::to_string(settings_.threads)},
                   {"policy", policy_name(settings_.policy)},
                   {"upstream", masked(settings_.redis[0])}});
    }

    void wait_for_signals() {
        signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
            if (ec) return;
            if (signal == SIGHUP) {
                reload();
                return wait_for_signals();
            }
            if (draining_) return io_.stop();  // asked twice: at once
            drain();
            wait_for_signals();
        });
    }

    void tend_heap() {
        heap_.tend(std::chrono::steady_clock::now());
        heap_timer_.expires_after(heap_pause_min);
        heap_timer_.async_wait([this](const boost::system::error_code& ec) {
            if (!ec) tend_heap();
        });
    }

    void reload() {
        auto loaded = load_config(args_, process_environment);
        if (const auto* error = std::get_if<config_error>(&loaded)) {
            log_event(log_level::error, "reload refused, the old configuration stays",
                      {{"cause", error->line}});
            return;
        }
        config fresh = std::get<config>(std::move(loaded));
        if (settings_.embedded) {
            fresh.redis = settings_.redis;
            fresh.redis_password.clear();
        }
        for (const auto& flag : restart_needed(settings_, fresh))
            log_event(log_level::warn, "needs a restart to change", {{"setting", flag}});
        // What cannot change while running keeps its old value.
        fresh.listen = settings_.listen;
        fresh.unix_path = settings_.unix_path;
        fresh.http = settings_.http;
        fresh.redis = settings_.redis;
        fresh.threads = settings_.threads;
        fresh.leases_max = settings_.leases_max;
        settings_ = fresh;
        fit_into_descriptor_limit(settings_);
        policy_ = settings_.policy;
        configure_log(settings_.log_level, settings_.log_json ? log_format::json : log_format::text);
        http_->set_tokens(settings_.http_token, settings_.http_operator_token);
        runtime_ = std::make_shared<const runtime>(settings_);
        runtimes_.push_back(runtime_);
        for (auto& s : shards_) s->post([r = runtime_](shard_core& core) { core.reload(r); });
        log_event(log_level::info, "configuration reloaded");
    }

    void drain() {
        draining_ = true;
        log_event(log_level::info, "draining", {{"clients", std::to_string(process_.clients.load())}});
        for (auto& s : shards_) s->begin_drain();
        drain_deadline_ = std::chrono::steady_clock::now() + settings_.drain;
        watch_drain();
    }

    void watch_drain() {
        const bool all =
            std::all_of(shards_.begin(), shards_.end(), [](const auto& s) { return s->drained(); });
        if (all || std::chrono::steady_clock::now() >= drain_deadline_) {
            if (!all)
                log_event(log_level::warn, "drain time is over",
                          {{"clients", std::to_string(process_.clients.load())}});
            return io_.stop();
        }
        timer_.expires_after(std::chrono::milliseconds(10));
        timer_.async_wait([this](const boost::system::error_code& ec) {
            if (!ec) watch_drain();
        });
    }

    config settings_;
    std::vector<std::string> args_;
    boost::asio::io_context io_{1};
    // Blocked from here on, so that no thread started later dies of them.
    boost::asio::signal_set signals_{io_, SIGINT, SIGTERM, SIGHUP};
    boost::asio::steady_timer timer_{io_};
    boost::asio::steady_timer heap_timer_{io_};
    heap_keeper heap_;
    std::chrono::steady_clock::time_point drain_deadline_{};
    process_state process_;
    std::shared_ptr<const runtime> runtime_;
    std::vector<std::shared_ptr<const runtime>> runtimes_;  // sessions may still point at an old one's users
    std::unique_ptr<embedded_redis> embedded_;
    std::vector<std::unique_ptr<shard>> shards_;
    std::unique_ptr<broker_control> broker_;
    std::unique_ptr<http_server> http_;
    std::vector<endpoint> redis_;
    std::vector<endpoint> tls_;
    std::atomic<bool> draining_{false};
    std::atomic<policy_mode> policy_{policy_mode::strict};  // for the HTTP thread
};

}  // namespace

int serve(const config& settings, const std::vector<std::string>& args) {
    try {
        server s(settings, args);
        return s.run();
    } catch (const std::exception& error) {
        flush_log();
        std::fprintf(stderr, "sidecar: %s\n", error.what());
        return 1;
    }
}

}  // namespace sidecar

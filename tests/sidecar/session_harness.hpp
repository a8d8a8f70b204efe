#pragma once
// A shard without sockets: clients are strings, upstream is fake_redis. A turn goes as in the I/O layer:
// events, finish_turn, then what became dirty is flushed until nothing is. Upstream answers at once unless
// told to hold its replies.

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <set>

#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"
#include "tests/sidecar/fake_redis.hpp"

namespace tests {

using namespace sidecar;
using sidecar::link;  // not the system call
using std::chrono::milliseconds;

struct test_client {
    session* side = nullptr;
    std::string received;
    bool closed = false;
    bool reads = true;
    std::uint64_t id = 0;
};

class session_harness {
public:
    explicit session_harness(config settings = relaxed())
        : settings_(std::make_shared<const runtime>(settings)) {
        process_.post = [this](int, process_state::message m) { posted_.push_back(std::move(m)); };
        process_.run_id = "0000";
        core = std::make_unique<shard_core>(0, process_, settings_);
        core->set_now(now_);
        pass(milliseconds(0));
    }

    // Questions the shard still has under way end before it does.
    ~session_harness() {
        for (link* l : core->links()) l->retire();
    }
    session_harness(const session_harness&) = delete;
    session_harness& operator=(const session_harness&) = delete;

    // The policy that refuses least, so that what a test forwards reaches upstream unchanged.
    static config relaxed() {
        config c;
        c.policy = policy_mode::open;
        return c;
    }
    static config strict() { return config{}; }

    // --- clients
    test_client& connect(bool tls = false) {
        client_address address;
        address.tls = tls;
        address.remote = "10.0.0.1:" + std::to_string(50'000 + clients_.size());
        address.local = "10.0.0.2:6379";
        auto& client = *clients_.emplace_back(std::make_unique<test_client>());
        client.side = &core->open_session(address);
        client.id = client.side->id();
        client.side->io = &client;
        return client;
    }
    void send(test_client& client, std::string_view bytes) {
        if (client.closed) return;
        client.side->on_bytes(bytes);
        if (client.side->wants_close()) core->mark_dirty(*client.side);
        turn();
    }
    void command(test_client& client, std::initializer_list<std::string_view> args) {
        send(client, resp::command(args));
    }
    std::string ask(test_client& client, std::initializer_list<std::string_view> args) {
        command(client, args);
        return take(client);
    }
    static std::string take(test_client& client) { return std::exchange(client.received, {}); }
    void end_of_stream(test_client& client) {
        if (client.closed) return;
        client.side->on_end_of_stream();
        core->mark_dirty(*client.side);
        turn();
    }
    void breaks(test_client& client) {
        if (client.closed) return;
        client.side->on_broken();
        core->mark_dirty(*client.side);
        turn();
    }

    // --- upstream
    fake_redis redis;
    bool reachable = true;
    bool answers = true;                        // otherwise replies wait for deliver()
    std::size_t write_max = std::string::npos;  // bytes of each link that upstream still takes

    // Hands over at most `bytes` of the replies that wait on each link.
    void deliver(std::size_t bytes = std::string::npos) {
        for (auto& [l, c] : snapshot_of_wires()) deliver_on(*l, *c, bytes);
        turn();
    }
    void lose_links(std::string_view cause = "closed by Redis") {
        for (auto& [l, c] : snapshot_of_wires()) close(*l, cause);
        turn();
    }
    void lose_links(link_lane lane) {
        for (auto& [l, c] : snapshot_of_wires())
            if (l->key().lane == lane) close(*l, "closed by Redis");
        turn();
    }
    [[nodiscard]] std::size_t connections(link_lane lane) const {
        std::size_t count = 0;
        for (const auto& [l, c] : wires_) count += l->key().lane == lane ? 1U : 0U;
        return count;
    }
    // Commands that a lane's connections have received after their handshake.
    [[nodiscard]] std::string seen_on(link_lane lane) const {
        std::string out;
        for (const auto& [l, c] : wires_)
            if (l->key().lane == lane)
                for (const auto& args : c->seen) out += (out.empty() ? "" : " ") + upper(args[0]);
        return out;
    }
    void forget_seen() {
        for (auto& [l, c] : wires_) c->seen.clear();
    }

    // --- time
    void pass(milliseconds time) {
        now_ += time;
        core->set_now(now_);
        core->on_time();
        turn();
    }
    // In the steps of the I/O layer's timer.
    void pass_slowly(milliseconds time) {
        for (; time > milliseconds(0); time -= milliseconds(10)) pass(milliseconds(10));
    }

    void turn() {
        for (int round = 0; round < 1000; ++round) {
            core->finish_turn();
            auto messages = std::exchange(posted_, {});
            for (auto& m : messages) m(*core);
            auto links = std::exchange(core->dirty_links, {});
            for (link* l : links) l->dirty = false;
            for (link* l : links) serve(*l);
            auto sessions = std::exchange(core->dirty_sessions, {});
            for (session* s : sessions) s->dirty = false;
            for (session* s : sessions) serve(*s);
            if (links.empty() && sessions.empty() && messages.empty() && !move_replies()) return;
        }
        FAIL("the shard does not come to rest");
    }

    [[nodiscard]] const counters& count() const { return core->stats.count; }

    std::unique_ptr<shard_core> core;

private:
    using wire = std::pair<link*, fake_connection*>;

    std::vector<wire> snapshot_of_wires() { return {wires_.begin(), wires_.end()}; }

    void serve(link& l) {
        if (l.io == nullptr) {
            if (!l.wants_open(now_)) return;
            l.on_opening();
            if (!reachable) return l.on_closed("connection refused", now_);
            wires_[&l] = redis.connect();
            l.io = wires_[&l];
            l.on_open();
        }
        if (l.wants_close()) return close(l, "closed by the sidecar");
        std::array<std::string_view, 3> pieces;
        std::size_t left = write_max;
        while (l.has_output() && left > 0) {
            const std::size_t count = l.gather(pieces);
            REQUIRE(count > 0);
            std::string bytes;
            for (std::size_t i = 0; i < count; ++i) bytes += pieces[i];
            bytes.resize(std::min(bytes.size(), left));
            if (left != std::string::npos) left -= bytes.size();
            l.on_written(bytes.size());
            const bool greeting = !l.ready();
            auto& c = *wires_.at(&l);
            redis.receive(c, bytes);
            if (greeting) {
                deliver_on(l, c, std::string::npos);
                if (l.wants_close()) return close(l, "closed by the sidecar");
                c.seen.clear();
            }
        }
    }

    bool move_replies() {
        if (!answers) return false;
        bool moved = false;
        for (auto& [l, c] : snapshot_of_wires()) moved = deliver_on(*l, *c, std::string::npos) || moved;
        return moved;
    }

    bool deliver_on(link& l, fake_connection& c, std::size_t bytes_max) {
        if (c.output.empty()) return false;
        const std::string bytes = c.output.substr(0, bytes_max);
        c.output.erase(0, bytes.size());
        l.on_bytes(bytes);
        return true;
    }

    void close(link& l, std::string_view cause) {
        redis.disconnect(wires_.at(&l));
        wires_.erase(&l);
        l.io = nullptr;
        l.on_closed(cause, now_);
    }

    void serve(session& s) {
        auto* client = static_cast<test_client*>(s.io);
        if (client == nullptr) return;
        std::array<std::string_view, 4> pieces;
        while (client->reads && s.life() != session_life::closed && !s.output().empty()) {
            const std::size_t count = s.output().gather(pieces);
            std::size_t bytes = 0;
            for (std::size_t i = 0; i < count; ++i) {
                client->received += pieces[i];
                bytes += pieces[i].size();
            }
            s.on_sent(bytes);
        }
        if (!s.wants_close()) return;
        s.io = nullptr;
        client->closed = true;
        client->side = nullptr;
        s.on_broken();
        core->dispose_later(s);
    }

    std::shared_ptr<const runtime> settings_;
    process_state process_;
    std::vector<process_state::message> posted_;
    std::vector<std::unique_ptr<test_client>> clients_;
    std::map<link*, fake_connection*> wires_;
    time_point now_{std::chrono::seconds(1000)};
};

}  // namespace tests

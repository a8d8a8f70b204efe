#pragma once
// A shard without sockets: clients are strings, upstream is fake_redis. A turn goes as in the I/O layer:
// events, finish_turn, then what became dirty is flushed until nothing is. Upstream answers at once unless
// told to hold its replies. No test framework in here: a fuzzer drives it as well.

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include "broker/transcript.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/shard_core.hpp"
#include "tests/sidecar/fake_redis.hpp"

namespace tests {

using namespace sidecar;
using sidecar::link;  // not the system call
using std::chrono::milliseconds;

struct test_client final : client_io {
    session* side = nullptr;
    std::string received;
    bool closed = false;
    bool reads = true;
    bool ended = false;  // and the sidecar has not been told yet
    std::uint64_t id = 0;

    [[nodiscard]] bool peer_has_ended() const override { return ended; }
};

// One upstream connection and what the kernel holds of it.
struct test_wire {
    link* side = nullptr;
    fake_connection* redis = nullptr;
    std::string on_the_way;  // written by the sidecar, not yet read by Redis
    int number = 0;
    std::size_t rest = 0;  // for a test that delivers a reply in pieces
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

    bool arrives = true;  // otherwise what is written stays on its way until arrive()

    // The connections that are up, in the order they came.
    [[nodiscard]] std::vector<test_wire*> wires() const {
        std::vector<test_wire*> all;
        for (const auto& w : wires_) all.push_back(w.get());
        return all;
    }
    // Redis reads at most `bytes` of what is on its way.
    void arrive(test_wire& w, std::size_t bytes = std::string::npos) {
        read_what_came(w, bytes);
        turn();
    }
    void arrive() {
        for (auto* w : wires()) read_what_came(*w, std::string::npos);
        turn();
    }
    void deliver(test_wire& w, std::size_t bytes = std::string::npos) {
        deliver_on(w, bytes);
        turn();
    }
    void lose(test_wire& w, std::string_view cause = "closed by Redis") {
        close(w, cause);
        turn();
    }

    // Hands over at most `bytes` of the replies that wait on each link.
    void deliver(std::size_t bytes = std::string::npos) {
        for (auto* w : wires()) deliver_on(*w, bytes);
        turn();
    }
    void lose_links(std::string_view cause = "closed by Redis") {
        for (auto* w : wires()) close(*w, cause);
        turn();
    }
    void lose_links(link_lane lane) {
        for (auto* w : wires())
            if (w->side->key().lane == lane) close(*w, "closed by Redis");
        turn();
    }
    [[nodiscard]] std::size_t connections(link_lane lane) const {
        std::size_t count = 0;
        for (const auto& w : wires_) count += w->side->key().lane == lane ? 1U : 0U;
        return count;
    }
    // Commands that a lane's connections have received after their handshake.
    [[nodiscard]] std::string seen_on(link_lane lane) const {
        std::string out;
        for (const auto& w : wires_)
            if (w->side->key().lane == lane)
                for (const auto& args : w->redis->seen) out += (out.empty() ? "" : " ") + upper(args[0]);
        return out;
    }
    void forget_seen() {
        for (auto& w : wires_) w->redis->seen.clear();
    }

    // --- what a broker's observer is told, from now on
    void listen() {
        process_.broker_notes = [this](const broker::note_batch& batch) {
            transcript_.read(batch, [this](const broker::wire_note& note) { broker::append(noted, note); });
        };
    }
    std::string noted;
    [[nodiscard]] process_state& process() { return process_; }

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
        throw std::logic_error("the shard does not come to rest");
    }

    [[nodiscard]] const counters& count() const { return core->stats.count; }

    std::unique_ptr<shard_core> core;

private:
    static test_wire& wire_of(link& l) { return *static_cast<test_wire*>(l.io); }

    void serve(link& l) {
        if (l.io == nullptr) {
            if (!l.wants_open(now_)) return;
            l.on_opening();
            if (!reachable) return l.on_closed("connection refused", now_);
            auto& w = *wires_.emplace_back(std::make_unique<test_wire>());
            w.side = &l;
            w.redis = redis.connect();
            w.number = ++wires_made_;
            l.io = &w;
            l.on_open();
        }
        test_wire& w = wire_of(l);
        if (l.wants_close()) return close(w, "closed by the sidecar");
        std::array<std::string_view, 3> pieces;
        std::size_t left = write_max;
        while (l.has_output() && left > 0) {
            const std::size_t count = l.gather(pieces);
            if (count == 0) throw std::logic_error("a link with output has pieces to send");
            std::string bytes;
            for (std::size_t i = 0; i < count; ++i) bytes += pieces[i];
            bytes.resize(std::min(bytes.size(), left));
            if (left != std::string::npos) left -= bytes.size();
            l.on_written(bytes.size());
            const bool greeting = !l.ready();
            if (arrives || greeting) {
                redis.receive(*w.redis, bytes);
            } else {
                w.on_the_way += bytes;
            }
            if (greeting) {
                deliver_on(w, std::string::npos);
                if (l.wants_close()) return close(w, "closed by the sidecar");
                w.redis->seen.clear();
            }
        }
    }

    void read_what_came(test_wire& w, std::size_t bytes_max) {
        const std::string bytes = w.on_the_way.substr(0, bytes_max);
        w.on_the_way.erase(0, bytes.size());
        redis.receive(*w.redis, bytes);
    }

    bool move_replies() {
        if (!answers) return false;
        bool moved = false;
        for (auto* w : wires()) moved = deliver_on(*w, std::string::npos) || moved;
        return moved;
    }

    bool deliver_on(test_wire& w, std::size_t bytes_max) {
        if (w.redis->output.empty()) return false;
        const std::string bytes = w.redis->output.substr(0, bytes_max);
        w.redis->output.erase(0, bytes.size());
        w.side->on_bytes(bytes);
        return true;
    }

    void close(test_wire& w, std::string_view cause) {
        link& l = *w.side;
        redis.disconnect(w.redis);
        std::erase_if(wires_, [&](const auto& each) { return each.get() == &w; });
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
    broker::transcript transcript_;
    std::vector<process_state::message> posted_;
    std::vector<std::unique_ptr<test_client>> clients_;
    std::vector<std::unique_ptr<test_wire>> wires_;
    int wires_made_ = 0;
    time_point now_{std::chrono::seconds(1000)};
};

}  // namespace tests

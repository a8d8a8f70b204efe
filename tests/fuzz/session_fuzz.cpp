// The whole core without sockets: a few clients, an upstream held in memory, and everything that may go wrong
// between them. See session_script.hpp for how a run is told.
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "resp/reply_scanner.hpp"
#include "tests/fuzz/session_script.hpp"
#include "tests/sidecar/session_harness.hpp"

namespace {

using namespace tests;

struct outcome {
    std::string received;
    std::size_t expected = 0;  // replies
    bool counted = true;       // every reply to come is known
    bool closed = false;
};
using outcomes = std::array<outcome, clients_max>;

sidecar::config settings_of(const story& s) {
    auto c = s.strict ? session_harness::strict() : session_harness::relaxed();
    c.leases_max = static_cast<std::uint32_t>(s.leases);
    if (s.small_output) c.client_output_bytes_max = 4'096;
    return c;
}

class performance {
public:
    explicit performance(const story& s) : story_(s), world_(settings_of(s)) {
        for (auto& client : clients_) client = &world_.connect();
    }

    // `next_piece` gives the lengths in which a client's bytes arrive.
    template <class Next>
    outcomes run(Next&& next_piece) {
        for (const auto& h : story_.events) {
            if (h.what == event::send) {
                send(h, next_piece);
            } else {
                happen(h);
            }
        }
        settle();
        for (std::size_t i = 0; i < clients_max; ++i) {
            results_[i].received = clients_[i]->received;
            results_[i].closed = clients_[i]->closed;
        }
        check_nothing_remains();
        return results_;
    }

private:
    template <class Next>
    void send(const happening& h, Next&& next_piece) {
        auto& client = *clients_[h.client];
        auto& result = results_[h.client];
        if (ended_[h.client]) return;
        if (h.replies == 0) result.counted = false;
        result.expected += h.replies;
        std::string_view bytes = h.bytes;
        while (!bytes.empty()) {
            const std::size_t size = std::min<std::size_t>(next_piece(), bytes.size());
            world_.send(client, bytes.substr(0, size));
            bytes.remove_prefix(size);
        }
    }

    void happen(const happening& h) {
        auto& client = *clients_[h.client];
        switch (h.what) {
            case event::hold:
                world_.answers = !world_.answers;
                return world_.turn();
            case event::deliver:
                return world_.deliver(h.amount);
            case event::push:
                return world_.redis.push("list0", h.bytes), world_.turn();
            case event::ends:
                ended_[h.client] = true;
                results_[h.client].counted = false;
                return world_.end_of_stream(client);
            case event::breaks:
                ended_[h.client] = true;
                return world_.breaks(client);
            case event::lose:
                if (const auto wires = world_.wires(); !wires.empty())
                    world_.lose(*wires[h.amount % wires.size()]);
                return;
            case event::refuse:
                world_.reachable = !world_.reachable;
                return;
            case event::time:
                return world_.pass(milliseconds(h.amount * h.amount / 8));
            case event::deafen:
                client.reads = !client.reads;
                if (client.side != nullptr) world_.core->mark_dirty(*client.side);
                return world_.turn();
            case event::way:
                world_.arrives = !world_.arrives;
                if (world_.arrives) world_.arrive();
                return;
            case event::send:
                return;
        }
    }

    // Everything works again, and all that can be answered is.
    void settle() {
        world_.reachable = world_.arrives = world_.answers = true;
        world_.arrive();
        for (auto* client : clients_) {
            client->reads = true;
            if (client->side != nullptr) world_.core->mark_dirty(*client->side);
        }
        world_.deliver();
        for (int i = 0; i < 4; ++i) world_.pass(milliseconds(500));
        // Whoever waits for an element gets one; who waits for a lease that another keeps is closed.
        for (int i = 0; i < 200 && waiting(); ++i) {
            for (std::size_t c = 0; c < clients_max; ++c)
                world_.redis.push("list" + std::to_string(c), "late");
            world_.pass(milliseconds(100));
        }
    }

    [[nodiscard]] bool waiting() const {
        return std::any_of(clients_.begin(), clients_.end(), [](const auto* c) {
            return c->side != nullptr && c->side->stalled() != stall::none;
        });
    }

    // All clients gone: no session, lease, command, parked call or subscription is left behind.
    void check_nothing_remains() {
        for (std::size_t i = 0; i < clients_max; ++i) {
            if ((story_.seed >> i & 1U) != 0) {
                world_.end_of_stream(*clients_[i]);
            } else {
                world_.breaks(*clients_[i]);
            }
        }
        for (int i = 0; i < 30; ++i) world_.pass(milliseconds(200));
        auto& core = *world_.core;
        core.each_session([](const session& left) {
            std::fprintf(stderr, "session %d is left: life %d, stall %d, in flight %u\n",
                         static_cast<int>(left.id()), static_cast<int>(left.life()),
                         static_cast<int>(left.stalled()), left.in_flight());
        });
        for (const auto* l : core.links())
            if (l->in_flight() > 0 && core.session_count() > 0)
                std::fprintf(stderr, "a link of lane %d, db %d has %zu commands in flight, state %d: %s\n",
                             static_cast<int>(l->key().lane), static_cast<int>(l->key().database),
                             l->in_flight(), static_cast<int>(l->state()),
                             std::string(l->front_command()).c_str());
        require(core.session_count() == 0, "no session outlives its client");
        require(core.leases.in_use() == 0, "no lease stays in use");
        require(core.leases.waiting() == 0, "nobody waits for a lease");
        require(core.polls.empty(), "nothing is polled for");
        require(!core.process.registry.any_pending(), "no subscription is pending");
        require(!core.process.registry.any_subscribed(), "no subscription is left");
        for (const auto* l : core.links()) require(l->in_flight() == 0, "no command is left on a link");
    }

    const story& story_;
    session_harness world_;
    std::array<test_client*, clients_max> clients_{};
    std::array<bool, clients_max> ended_{};
    outcomes results_;
};

// For whoever looks at a finding: SIDECAR_FUZZ_TELL=1 prints what happens in it.
void tell(const story& s) {
    static constexpr const char* names[] = {"send", "hold",   "deliver", "push",   "ends", "breaks",
                                            "lose", "refuse", "time",    "deafen", "way"};
    std::fprintf(stderr, "strict %d apart %d leases %zu\n", s.strict, s.apart, s.leases);
    for (const auto& h : s.events) {
        std::fprintf(stderr, "%zu %s %zu ", h.client, names[static_cast<int>(h.what)], h.amount);
        for (const char c : h.bytes) std::fprintf(stderr, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c & 0xff);
        std::fputc('\n', stderr);
    }
}

// Replies in `bytes` but for messages; nullopt when the bytes are not replies from end to end.
std::optional<std::size_t> count_replies(std::string_view bytes) {
    std::size_t count = 0;
    while (!bytes.empty()) {
        resp::reply_scanner scanner;
        const auto step = scanner.scan(bytes);
        if (step.status != resp::reply_status::complete) return std::nullopt;
        const auto reply = bytes.substr(0, step.bytes);
        bytes.remove_prefix(step.bytes);
        const auto head = reply.substr(reply.find('\n') + 1);
        const bool message = head.starts_with("$7\r\nmessage") || head.starts_with("$8\r\npmessage") ||
                             head.starts_with("$10\r\ninvalidate");
        if (!message) ++count;
    }
    return count;
}

// Marks in a client's output are its own; those of ECHO come in the order of the commands, each once.
void check_marks(std::string_view received, std::size_t client) {
    int last = 0;
    for (const char sign : {'#', '~'})
        for (auto at = received.find(sign); at != std::string_view::npos; at = received.find(sign, at + 1)) {
            const auto mark = received.substr(at + 1, 7);
            if (mark.size() < 7 || mark[1] != '.' || mark[6] != sign) continue;
            require(mark[0] == static_cast<char>('0' + client), "a client sees its own replies only");
            if (sign != '#') continue;
            const int serial = std::stoi(std::string(mark.substr(2, 4)));
            require(serial > last, "replies come in the order of their commands, each once");
            last = serial;
        }
}

void check(const outcomes& results) {
    for (std::size_t i = 0; i < clients_max; ++i) {
        const auto& r = results[i];
        check_marks(r.received, i);
        if (r.closed) continue;
        const auto count = count_replies(r.received);
        require(count.has_value(), "an open client has received whole replies");
        if (!r.counted || *count == r.expected) continue;
        std::fprintf(stderr, "client %zu: %zu replies to %zu commands:\n%s\n", i, *count, r.expected,
                     r.received.c_str());
        require(false, "as many replies as commands");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    choices from(data, size);
    const story s = read_story(from);
    if (std::getenv("SIDECAR_FUZZ_TELL") != nullptr) tell(s);
    const auto whole = performance(s).run([] { return std::string::npos; });
    check(whole);
    cutter cuts(s.seed);
    const auto cut = performance(s).run([&] { return cuts.next(); });
    check(cut);
    for (std::size_t i = 0; s.apart && i < clients_max; ++i) {
        if (whole[i].received == cut[i].received) continue;
        std::fprintf(stderr, "client %zu, whole:\n%s\ncut:\n%s\n", i, whole[i].received.c_str(),
                     cut[i].received.c_str());
        require(false, "any cutting gives the same replies");
    }
    return 0;
}

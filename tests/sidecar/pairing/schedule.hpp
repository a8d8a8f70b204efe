#pragma once
// One run of a scenario: a few clients with their scripts, upstream, and what the network may do between
// them, one event at a time.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "resp/reply_scanner.hpp"
#include "tests/sidecar/pairing/script.hpp"
#include "tests/sidecar/session_harness.hpp"

namespace tests::pairing {

// What a Redis or a sidecar that is wrong would do; the check must see each.
enum class sabotage : std::uint8_t {
    none,
    swapped_replies,  // two answers the wrong way round
    repeated_writes,  // a write reaches Redis twice
    lost_reply,
    lost_put_back,  // what goes back does not arrive
    lost_message,
};

// How much may go wrong in one schedule.
struct faults {
    int losses = 0;        // of links with something at stake
    int halves = 0;        // replies that arrive in two pieces
    int outages = 0;       // longer than the hold
    bool plugged = false;  // at first nothing the sidecar writes gets into its sockets
    bool coarse = false;   // Redis reads all that came at once, and its replies come at once
    sabotage wrong = sabotage::none;
    std::size_t leases = 2;
};

struct client_state {
    script plan;
    test_client* side = nullptr;
    std::size_t next = 0;  // step
    std::vector<expectation> sent;
    bool left = false;  // by its own script
    bool may_be_closed = false;
    int reads_hit = 0;  // losses while a read of it was under way
};

class schedule {
public:
    schedule(std::string_view kinds, const faults& f) : faults_(f), world_(settings(f)) {
        for (std::size_t i = 0; i < kinds.size(); ++i) {
            client_state c;
            c.plan = script_of(kinds[i], static_cast<int>(i));
            c.side = &world_.connect();
            clients_.push_back(std::move(c));
        }
        for (int client = 0; client < 4; ++client)
            for (int n = 1; n < 5; ++n) {
                const std::string tag = std::to_string(client) + "." + std::to_string(n);
                world_.redis.strings["r" + tag] = "value of " + tag;
                world_.redis.strings["w" + tag] = "old " + tag;
            }
        world_.answers = world_.arrives = false;
        if (f.plugged) world_.write_max = 0;
        plugged_ = f.plugged;
    }

    std::size_t choices() {
        gather_choices();
        return choices_.size();
    }
    void take(std::size_t which) {
        if (choices_.empty()) gather_choices();
        const choice chosen = choices_.at(which);
        told_ += told_.empty() ? chosen.name() : " " + chosen.name();
        perform(chosen);
        choices_.clear();
    }
    [[nodiscard]] std::uint64_t fingerprint() const { return std::hash<std::string>{}(portrait()); }
    [[nodiscard]] const std::string& told() const { return told_; }
    void finish();  // verdict.hpp

private:
    enum class event : std::uint8_t { step, arrive, deliver, half, lose, time, outage, unplug };
    struct choice {
        event what{};
        std::size_t whom = 0;
        [[nodiscard]] std::string name() const {
            static constexpr const char* names[] = {"step", "arrive", "deliver", "half",
                                                    "lose", "time",   "outage",  "unplug"};
            return names[static_cast<int>(what)] + std::to_string(whom);
        }
    };

    static config settings(const faults& f) {
        auto c = session_harness::relaxed();
        c.leases_max = static_cast<std::uint32_t>(f.leases);
        return c;
    }

    void gather_choices() {
        choices_.clear();
        for (std::size_t i = 0; i < clients_.size(); ++i)
            if (clients_[i].next < clients_[i].plan.size()) choices_.push_back({event::step, i});
        const auto wires = world_.wires();
        for (std::size_t i = 0; i < wires.size(); ++i) {
            if (!wires[i]->on_the_way.empty()) choices_.push_back({event::arrive, i});
            if (!wires[i]->redis->output.empty()) {
                choices_.push_back({event::deliver, i});
                if (halves_ < faults_.halves && !wires[i]->side->mid_reply())
                    choices_.push_back({event::half, i});
            }
        }
        const bool busy = !choices_.empty();
        if (plugged_) choices_.push_back({event::unplug, 0});
        for (std::size_t i = 0; losses_ < faults_.losses && i < wires.size(); ++i)
            if (at_stake(*wires[i])) choices_.push_back({event::lose, i});
        // Time matters while a connection is away; at the end all the time there is passes anyway.
        if (losses_ == 0 || !busy) return;
        if (times_ < 1) choices_.push_back({event::time, 0});
        if (outages_ < faults_.outages) choices_.push_back({event::outage, 0});
    }

    static bool at_stake(const test_wire& w) {
        const auto lane = w.side->key().lane;
        if (lane == link_lane::control) return false;
        return w.side->in_flight() > 0 || w.side->holder != nullptr || !w.redis->channels.empty();
    }

    void perform(const choice& chosen) {
        switch (chosen.what) {
            case event::step:
                return take_step(clients_[chosen.whom]);
            case event::arrive:
                return arrive(*world_.wires()[chosen.whom]);
            case event::deliver:
                return deliver(*world_.wires()[chosen.whom], 1);
            case event::half:
                ++halves_;
                return deliver(*world_.wires()[chosen.whom], 2);
            case event::lose:
                ++losses_;
                note_loss(*world_.wires()[chosen.whom]);
                return world_.lose(*world_.wires()[chosen.whom]);
            case event::time:
                ++times_;
                return world_.pass(milliseconds(60));
            case event::outage:
                ++outages_;
                for (auto& c : clients_)
                    if (answered(c) < c.sent.size()) c.may_be_closed = true;
                world_.reachable = false;
                world_.pass_slowly(milliseconds(20));
                world_.pass(milliseconds(3'500));
                world_.reachable = true;
                return world_.pass(milliseconds(1'500));
            case event::unplug:
                return unplug();
        }
    }

    void unplug() {
        plugged_ = false;
        world_.write_max = std::string::npos;
        for (link* l : world_.core->links())
            if (!l->dirty) world_.core->on_link_dirty(*l);
        world_.turn();
    }

    void take_step(client_state& c) {
        const step& s = c.plan[c.next++];
        switch (s.what) {
            case deed::send:
                if (c.side->closed) return;
                note_messages_due(s);
                order_ += std::to_string(&c - clients_.data());
                c.sent.insert(c.sent.end(), s.replies.begin(), s.replies.end());
                return world_.send(*c.side, s.bytes);
            case deed::end:
                c.left = true;
                return world_.end_of_stream(*c.side);
            case deed::vanish:
                c.left = true;
                return world_.breaks(*c.side);
            case deed::outside:
                pushed_.push_back(s.bytes);
                world_.redis.push("list", s.bytes);
                return world_.turn();
        }
    }

    // The next command reaches Redis; a coarse one with all behind it.
    void arrive(test_wire& w) {
        if (faults_.coarse) {
            world_.arrive(w);
            return;
        }
        resp::command_scanner scanner;
        resp::scanned_command found;
        if (scanner.scan(w.on_the_way, resp::peer_trust::known, found) != resp::scan_status::command)
            throw std::logic_error("only whole commands are written");
        const bool write = found.args[0] == "SET";
        const std::string command = w.on_the_way.substr(0, found.bytes);
        if (faults_.wrong == sabotage::lost_put_back && found.args[0] == "EVAL")
            w.on_the_way.replace(0, found.bytes, resp::command({"ECHO", "nothing"}));
        if (faults_.wrong == sabotage::lost_message && found.args[0] == "PUBLISH")
            w.on_the_way.replace(0, found.bytes, resp::command({"ECHO", "nothing"}));
        const std::size_t before = w.redis->output.size();
        scanner.scan(w.on_the_way, resp::peer_trust::known, found);
        world_.arrive(w, found.bytes);
        auto& output = w.redis->output;
        if (faults_.wrong == sabotage::lost_reply && write) output.resize(before);
        if (faults_.wrong == sabotage::repeated_writes && write) {
            const std::size_t once = output.size();
            world_.redis.receive(*w.redis, command);
            output.resize(once);
        }
        if (faults_.wrong == sabotage::swapped_replies && before > 0 && reply_bytes(output) < output.size())
            std::rotate(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(reply_bytes(output)),
                        output.end());
    }

    static std::size_t reply_bytes(std::string_view bytes) {
        resp::reply_scanner scanner;
        return scanner.scan(bytes).bytes;
    }

    void deliver(test_wire& w, std::size_t parts) {
        if (faults_.coarse) return world_.deliver(w);
        // The rest of a reply cut before is no reply by itself.
        const std::size_t whole = w.side->mid_reply() ? w.rest : reply_bytes(w.redis->output);
        const std::size_t bytes = (whole + parts - 1) / parts;
        w.rest = whole - bytes;
        world_.deliver(w, bytes);
    }

    // verdict.hpp
    static std::vector<std::string> replies_of(std::string_view received, std::vector<std::string>& messages);
    static std::size_t answered(const client_state& c);
    void note_loss(const test_wire& w);
    void note_messages_due(const step& s);
    void settle();
    void judge_client(std::size_t index);
    void judge_elements();
    void judge_remains();
    [[noreturn]] void object(const std::string& what) const;
    [[nodiscard]] std::string portrait() const;

    faults faults_;
    session_harness world_;
    std::vector<client_state> clients_;
    std::vector<choice> choices_;
    std::vector<std::string> pushed_;
    std::vector<std::pair<std::size_t, std::string>> due_;  // messages that must reach a client
    std::string told_;
    std::string order_;  // in which clients sent their steps
    int losses_ = 0;
    int halves_ = 0;
    int times_ = 0;
    int outages_ = 0;
    bool plugged_ = false;
};

}  // namespace tests::pairing

#include "tests/sidecar/pairing/verdict.hpp"

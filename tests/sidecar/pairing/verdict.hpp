#pragma once
// What must hold at the end of every schedule, and the state of one under way as text. The second half of
// schedule.hpp.

#include <map>
#include <set>

#include "tests/sidecar/pairing/schedule.hpp"

namespace tests::pairing {

inline void schedule::object(const std::string& what) const {
    std::string text = what + "\nafter: " + told_ + "\n";
    for (const auto& c : clients_)
        text += "received: " + c.side->received + (c.side->closed ? "(closed)\n" : "\n");
    throw std::logic_error(text);
}

// Whole replies in order, without messages.
inline std::vector<std::string> schedule::replies_of(std::string_view received,
                                                     std::vector<std::string>& messages) {
    std::vector<std::string> replies;
    while (!received.empty()) {
        resp::reply_scanner scanner;
        const auto found = scanner.scan(received);
        if (found.status != resp::reply_status::complete) break;
        const auto reply = received.substr(0, found.bytes);
        received.remove_prefix(found.bytes);
        auto& list = reply.starts_with("*3\r\n$7\r\nmessage\r\n") ? messages : replies;
        list.emplace_back(reply);
    }
    return replies;
}

inline std::size_t schedule::answered(const client_state& c) {
    std::vector<std::string> messages;
    return replies_of(c.side->received, messages).size();
}

// Who may be closed because this connection is lost: whoever loses state or a write's outcome with it.
inline void schedule::note_loss(const test_wire& w) {
    const auto lane = w.side->key().lane;
    for (auto& c : clients_) {
        if (c.side->closed) continue;
        const link* lease = c.side->side->lease();
        if (lane == link_lane::lease && lease == w.side) c.may_be_closed = true;
        if (lane != link_lane::main || lease != nullptr || plugged_) continue;
        bool read_hit = false;
        for (std::size_t i = answered(c); i < c.sent.size(); ++i) {
            const nature kind = c.sent[i].kind;
            if (kind == nature::read) {
                read_hit = true;
            } else if (kind != nature::pop && kind != nature::subscribe) {
                c.may_be_closed = true;
            }
        }
        // A read is repeated once, and not when part of its reply has been passed on.
        c.reads_hit += read_hit ? 1 : 0;
        if (read_hit && (c.reads_hit > 1 || w.side->mid_reply())) c.may_be_closed = true;
    }
}

// A message published now reaches everybody who has been told of his subscription and keeps it.
inline void schedule::note_messages_due(const step& s) {
    for (const auto& reply : s.replies) {
        if (reply.writes.empty() || reply.writes[0] != "PUBLISH") continue;
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            const auto& c = clients_[i];
            const bool stays = c.plan.size() == 1 && !c.sent.empty() && c.sent[0].kind == nature::subscribe;
            if (stays && answered(c) == 1) due_.emplace_back(i, bulk(reply.writes[2]));
        }
    }
}

inline void schedule::settle() {
    world_.answers = world_.arrives = true;
    unplug();
    world_.arrive();
    world_.deliver();
    const auto busy = [&] {
        return std::any_of(clients_.begin(), clients_.end(), [&](const client_state& c) {
            const std::size_t got = answered(c);
            if (c.side->closed || got == c.sent.size()) return false;
            return c.sent[got].kind != nature::pop || !world_.redis.lists["list"].empty();
        });
    };
    for (int i = 0; i < 100 && busy(); ++i) world_.pass(milliseconds(i < 10 ? 10 : 100));
}

inline void schedule::judge_client(std::size_t index) {
    const auto& c = clients_[index];
    const std::string who = "client " + std::to_string(index) + ": ";
    std::vector<std::string> messages;
    const auto replies = replies_of(c.side->received, messages);
    if (replies.size() > c.sent.size()) object(who + "more replies than commands");
    const bool open = !c.side->closed;
    if (!open && !c.left && !c.may_be_closed) object(who + "closed without need");
    if (open && replies.size() < c.sent.size() && c.sent[replies.size()].kind != nature::pop)
        object(who + "a command was not answered");
    for (std::size_t i = 0; i < c.sent.size(); ++i) {
        const auto& e = c.sent[i];
        const int executed = e.writes.empty() ? 0 : world_.redis.executed[e.writes];
        if (executed > 1) object(who + "a write was executed twice");
        if (i >= replies.size()) continue;
        const auto& reply = replies[i];
        const bool nil = e.kind == nature::guarded && reply == "*-1\r\n";
        const bool fits = e.kind == nature::pop ? reply.starts_with("*2\r\n$4\r\nlist\r\n$")
                          : e.reply.empty()     ? reply.starts_with(':')
                                                : reply == e.reply || nil;
        if (!fits) object(who + "reply " + std::to_string(i) + " is not that of its command: " + reply);
        if (!e.writes.empty() && executed != (nil ? 0 : 1)) object(who + "acknowledged and not executed");
    }
    const std::set<std::string> distinct(messages.begin(), messages.end());
    if (distinct.size() != messages.size()) object(who + "a message came twice");
    if (losses_ > 0 || c.left) return;
    for (const auto& [whom, text] : due_)
        if (whom == index && c.side->received.find(text) == std::string::npos)
            object(who + "a message did not come");
}

// Each element is in the list or with one client. What a dying connection takes along is counted.
inline void schedule::judge_elements() {
    for (const auto& [command, times] : world_.redis.executed)
        if (command[0] == "RPUSH" && times > 0) pushed_.push_back(command[2]);
    const auto& list = world_.redis.lists["list"];
    for (const auto& element : pushed_) {
        auto found = std::count(list.begin(), list.end(), element);
        for (const auto& c : clients_) {
            std::vector<std::string> messages;
            for (const auto& reply : replies_of(c.side->received, messages))
                if (reply == "*2\r\n" + bulk("list") + bulk(element)) ++found;
        }
        // A put-back whose answer is lost is repeated: it would rather double an element than lose it.
        if (found > 1 && world_.count().put_backs_failed == 0) object("an element was delivered twice");
        if (found == 0 && world_.count().pops_unknown == 0) object("an element was lost");
    }
}

// All clients gone, nothing is left behind.
inline void schedule::judge_remains() {
    for (auto& c : clients_) world_.breaks(*c.side);
    for (int i = 0; i < 10; ++i) world_.pass(milliseconds(i < 5 ? 20 : 150));
    auto& core = *world_.core;
    if (core.session_count() != 0) object("a session is left");
    if (core.leases.in_use() != 0 || core.leases.waiting() != 0) object("a lease is in use");
    if (!core.polls.empty()) object("something is polled for");
    if (core.process.registry.any_pending() || core.process.registry.any_subscribed())
        object("a subscription is left");
    for (const auto* l : core.links())
        if (l->in_flight() != 0) object("a command is left on a link");
}

inline void schedule::finish() {
    settle();
    for (std::size_t i = 0; i < clients_.size(); ++i) judge_client(i);
    const bool waits = std::any_of(clients_.begin(), clients_.end(), [](const client_state& c) {
        return !c.side->closed && answered(c) < c.sent.size();
    });
    if (waits && !world_.redis.lists["list"].empty()) object("an element and a waiting client do not meet");
    judge_remains();
    judge_elements();
}

// Everything that decides what can happen next: what each client has sent and received, where it stands with
// the sidecar, what lies on each connection, and what Redis holds.
inline std::string schedule::portrait() const {
    std::string out;
    const auto add = [&](const auto&... parts) {
        const auto one = [&](const auto& part) {
            if constexpr (std::is_convertible_v<decltype(part), std::string_view>) {
                out += part;
            } else {
                out += std::to_string(static_cast<long long>(part));
            }
            out += '\x01';
        };
        (one(parts), ...);
    };
    add(losses_, halves_, times_, outages_, plugged_, pushed_.size(), due_.size());
    for (const auto& c : clients_) {
        add(c.next, c.side->closed, c.left, c.may_be_closed, c.reads_hit, c.side->received);
        if (const session* s = c.side->side)
            add(s->stalled(), s->in_flight(), s->life(), s->client_list_line(), s->blocked());
    }
    add(order_);
    const auto links = world_.core->links();
    for (const link* l : links) {
        const auto* w = static_cast<const test_wire*>(l->io);
        const auto& key = l->key();
        add(key.lane, key.protocol, key.database, l->state(), l->in_flight(), l->kept_bytes(), l->mid_reply(),
            l->holder != nullptr ? l->holder->id() : 0, l->retired(), w != nullptr);
        if (w == nullptr) continue;
        const auto& r = *w->redis;
        add(w->on_the_way, r.input, r.output, r.multi, r.watching, r.touched, r.queued.size(),
            r.channels.size(), w->rest);
        for (const auto& word : r.blocked) add(word);
    }
    if (const auto list = world_.redis.lists.find("list"); list != world_.redis.lists.end())
        for (const auto& element : list->second) add(element);
    for (const auto& [command, times] : world_.redis.executed) {
        for (const auto& word : command) add(word);
        add(times);
    }
    return out;
}

}  // namespace tests::pairing

#pragma once
// What small clients do in the exhaustive check of pairing, and what each may be answered. Every reply
// carries a tag that only this step of this client can have, as far as the command allows.

#include <string>
#include <string_view>
#include <vector>

#include "resp/writer.hpp"
#include "tests/sidecar/fake_redis.hpp"

namespace tests::pairing {

enum class deed : std::uint8_t {
    send,     // bytes of one or several commands
    end,      // the client sends its last byte
    vanish,   // its socket fails
    outside,  // somebody who does not use the sidecar pushes an element
};

enum class nature : std::uint8_t {
    read,       // may be repeated
    write,      // never; unknown outcome closes the client
    exec,       // likewise
    guarded,    // EXEC behind WATCH: nil when the key may have changed
    pop,        // is asked again when its connection is lost
    subscribe,  // is asked again likewise
    number,     // PUBLISH and RPUSH: a write answered by a number
};

struct expectation {
    nature kind{};
    std::string reply;  // exactly; empty = a number
    words writes;       // what an answer says was executed
};

struct step {
    deed what = deed::send;
    std::string bytes;
    std::vector<expectation> replies;
};
using script = std::vector<step>;

inline std::string bulk(std::string_view text) {
    std::string out;
    resp::append_bulk(out, text);
    return out;
}

// Makes the steps of one client: `tag(n)` is unique in the scenario.
class steps_of {
public:
    explicit steps_of(int client) : client_(client) {}

    step read() {
        const std::string t = tag();
        return {deed::send, resp::command({"GET", "r" + t}), {{nature::read, bulk("value of " + t), {}}}};
    }
    step write() {
        const words w = set();
        return {deed::send, joined(w), {{nature::write, bulk("old " + w[1].substr(1)), w}}};
    }
    step whole() { return both({multi(), queued_set(), exec()}); }
    std::vector<step> typed() { return {multi(), queued_set(), exec()}; }
    step watch() {
        watches_ = true;
        return {deed::send, resp::command({"WATCH", "watched"}), {{nature::write, "+OK\r\n", {}}}};
    }
    step pop() { return {deed::send, resp::command({"BLPOP", "list", "0"}), {{nature::pop, {}, {}}}}; }
    step push() {
        const words w{"RPUSH", "list", "element " + tag()};
        return {deed::send, joined(w), {{nature::number, {}, w}}};
    }
    step subscribe() {
        return {deed::send,
                resp::command({"SUBSCRIBE", "channel"}),
                {{nature::subscribe, "*3\r\n" + bulk("subscribe") + bulk("channel") + ":1\r\n", {}}}};
    }
    step unsubscribe() {
        return {deed::send,
                resp::command({"UNSUBSCRIBE", "channel"}),
                {{nature::subscribe, "*3\r\n" + bulk("unsubscribe") + bulk("channel") + ":0\r\n", {}}}};
    }
    step publish() {
        const words w{"PUBLISH", "channel", "message " + tag()};
        return {deed::send, joined(w), {{nature::number, {}, w}}};
    }
    static step vanish() { return {deed::vanish, {}, {}}; }
    static step end() { return {deed::end, {}, {}}; }
    step outside() { return {deed::outside, "element " + tag(), {}}; }

    // Several steps that arrive in one piece.
    static step both(const std::vector<step>& parts) {
        step all;
        for (const auto& part : parts) {
            all.bytes += part.bytes;
            all.replies.insert(all.replies.end(), part.replies.begin(), part.replies.end());
        }
        return all;
    }

private:
    static std::string joined(const words& parts) {
        const std::vector<std::string_view> views(parts.begin(), parts.end());
        std::string out;
        resp::append_command(out, views);
        return out;
    }
    std::string tag() { return std::to_string(client_) + "." + std::to_string(++made_); }
    words set() {
        const std::string t = tag();
        return {"SET", "w" + t, "new " + t, "GET"};
    }
    static step multi() { return {deed::send, resp::command({"MULTI"}), {{nature::write, "+OK\r\n", {}}}}; }
    step queued_set() {
        set_ = set();
        return {deed::send, joined(set_), {{nature::write, "+QUEUED\r\n", {}}}};
    }
    step exec() {
        const std::string reply = "*1\r\n" + bulk("old " + set_[1].substr(1));
        return {
            deed::send, resp::command({"EXEC"}), {{watches_ ? nature::guarded : nature::exec, reply, set_}}};
    }

    int client_;
    int made_ = 0;
    bool watches_ = false;
    words set_;
};

// Each letter is a kind of client.
inline constexpr std::string_view all_kinds = "rwpmtabulsonxyzg";

inline script script_of(char kind, int client) {
    steps_of s(client);
    switch (kind) {
        case 'r':
            return {s.read()};
        case 'w':
            return {s.write()};
        case 'p':
            return {s.read(), s.write()};
        case 'm':
            return {s.whole()};
        case 't':
            return s.typed();
        case 'a':
            return {s.watch(), s.whole()};
        case 'b':
            return {s.pop()};
        case 'u':
            return {s.push()};
        case 'l':
            return {steps_of::both({s.write(), s.read(), s.write()})};
        case 's':
            return {s.subscribe()};
        case 'o':
            return {s.subscribe(), s.unsubscribe()};
        case 'n':
            return {s.publish()};
        case 'x':
            return {s.write(), steps_of::vanish()};
        case 'y':
            return {s.pop(), steps_of::end()};
        case 'z':
            return {steps_of::both({s.watch(), s.read()}), steps_of::vanish()};
        case 'g':
            return {s.outside()};
        default:
            return {};
    }
}

}  // namespace tests::pairing

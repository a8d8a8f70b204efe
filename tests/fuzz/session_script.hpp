#pragma once
// A fuzzer's bytes read as the story of a few clients, upstream and the network between them.

#include <string>
#include <vector>

#include "resp/writer.hpp"
#include "tests/fuzz/target.hpp"

namespace tests {

inline constexpr std::size_t clients_max = 4;

enum class event : std::uint8_t {
    send,     // a client's bytes, in pieces where the run wants them
    hold,     // upstream holds its replies from now on, or no longer
    deliver,  // some bytes of the replies held
    push,     // an element arrives in a list
    ends,     // a client sends its last byte
    // --- from here on: what makes the outcome depend on the moment
    breaks,  // a client's socket fails
    lose,    // a link is lost
    refuse,  // upstream cannot be reached from now on, or again
    time,
    deafen,  // a client stops reading, or reads again
    way,     // what is written stays on its way to upstream, or no longer
};

struct happening {
    event what{};
    std::size_t client = 0;
    std::size_t amount = 0;
    std::string bytes;
    std::size_t replies = 0;  // how many the bytes are answered by; 0 = not known
};

struct story {
    bool strict = false;
    bool apart = false;  // no client touches what another does, and nothing fails: a cutting changes nothing
    bool small_output = false;
    std::size_t leases = 1;
    std::uint8_t seed = 0;
    std::vector<happening> events;
};

// Bytes of one or several whole commands. `#client.serial#` marks what only this client may ever see again,
// in this order; `~…~` what only it may see, in any order.
class command_maker {
public:
    command_maker(choices& from, const story& told) : from_(from), story_(told) {}

    happening make(std::size_t client) {
        client_ = client;
        happening h{event::send, client, 0, {}, 1};
        switch (from_.pick(32)) {
            case 0:
            case 1:
            case 2:
                h.bytes = echo();
                break;
            case 3:
                h.bytes = command({"SET", key(), mark('~')});
                break;
            case 4:
                h.bytes = command({"GET", key()});
                break;
            case 5:
                h.bytes = command({"INCR", "n" + key()});
                break;
            case 6:
                h.bytes = command({"MULTI"});
                break;
            case 7:
                h.bytes = command({"EXEC"});
                break;
            case 8:
                h.bytes = command({"DISCARD"});
                break;
            case 9:
                h.bytes = command({"WATCH", key()});
                break;
            case 10:
                h.bytes = command({"UNWATCH"});
                break;
            case 11:
                h.bytes =
                    command({"MULTI"}) + echo() + command({"SET", key(), mark('~')}) + command({"EXEC"});
                h.replies = 4;
                break;
            case 12:
                h.bytes = command({"RPUSH", shared("list"), element()});
                break;
            case 13:
            case 14:
                h.bytes = command({"BLPOP", shared("list"), "0"});
                break;
            case 15:
                h.bytes = command({"SUBSCRIBE", shared("channel")});
                break;
            case 16:
                h.bytes = command({"UNSUBSCRIBE", shared("channel")});
                break;
            case 17:
                h.bytes = command({"PSUBSCRIBE", shared("chan") + "*"});
                break;
            case 18:
                h.bytes = command({"PUBLISH", shared("channel"), "message"});
                break;
            case 19:
                h.bytes = command({"SELECT", std::to_string(from_.pick(4))});
                break;
            case 20:
                h.bytes = command({"HELLO", from_.pick(2) == 0 ? "3" : "2"});
                break;
            case 21:
                h.bytes = command({"CLIENT", "SETNAME", "name"});
                break;
            case 22:
                h.bytes = command({"RESET"});
                break;
            case 23:
                h.bytes = command({"PING", mark('~')});
                break;
            case 24:
                h.bytes = command({"CLIENT", "GETNAME"});
                break;
            case 25:
                h.bytes = command({"COPY", key(), key() + "2"});
                break;
            case 26:
                h.bytes = command({"WAIT", "0", "0"});
                break;
            case 27:
                h.bytes = command({"EVAL", "return 1", "1", key()});
                break;
            case 28:
                reply_mode(h);
                break;
            case 29:
                about_others(h);
                break;
            case 30:
                h.bytes = "\r\nECHO '" + mark('#') + "'\r\n*0\r\n";
                break;
            default:
                raw(h);
        }
        return h;
    }

    std::string element() { return "element" + std::to_string(++elements_); }
    [[nodiscard]] std::string shared(std::string_view kind) const {
        return std::string(kind) + std::to_string(story_.apart ? client_ : 0);
    }

private:
    // Words of any kind, that live as long as the call.
    static std::string command(const std::vector<std::string>& words) {
        const std::vector<std::string_view> views(words.begin(), words.end());
        std::string out;
        resp::append_command(out, views);
        return out;
    }
    std::string echo() { return command({"ECHO", mark('#')}); }
    std::string mark(char sign) {
        return sign + std::to_string(client_) + "." + std::to_string(1000 + ++serial_) + sign;
    }
    [[nodiscard]] std::string key() const { return "key" + std::to_string(client_); }

    void reply_mode(happening& h) {
        static constexpr std::string_view modes[] = {"ON", "OFF", "SKIP"};
        h.bytes = command({"CLIENT", "REPLY", std::string(modes[from_.pick(3)])});
        h.replies = 0;
    }

    // Commands that speak of other clients, whose answer depends on the moment.
    void about_others(happening& h) {
        if (story_.apart) {
            h.bytes = echo();
            return;
        }
        const std::string id = std::to_string(1 + from_.pick(clients_max));
        switch (from_.pick(7)) {
            case 0:
                h.bytes = command({"CLIENT", "LIST"});
                break;
            case 1:
                h.bytes = command({"CLIENT", "KILL", "ID", id, "SKIPME", "no"});
                break;
            case 2:
                h.bytes = command({"CLIENT", "UNBLOCK", id, from_.pick(2) == 0 ? "ERROR" : "TIMEOUT"});
                break;
            case 3:
                h.bytes = command({"SIDECAR", "CLIENTS"});
                break;
            case 4:
                h.bytes = command({"CLIENT", "TRACKING", "ON"});
                break;
            case 5:
                h.bytes = command({"PUBSUB", "NUMSUB", shared("channel")});
                break;
            default:
                h.bytes = command({"MONITOR"});
                h.replies = 0;
        }
    }

    void raw(happening& h) {
        h.replies = 0;
        for (std::size_t left = from_.byte() % 64; left > 0 && from_.left() > 0; --left) {
            const char c = static_cast<char>(from_.byte());
            h.bytes += c == '#' || c == '~' ? '_' : c;
        }
    }

    choices& from_;
    const story& story_;
    std::size_t client_ = 0;
    int serial_ = 0;
    int elements_ = 0;
};

inline story read_story(choices& from) {
    constexpr std::size_t events_max = 200;
    story s;
    const auto flags = from.byte();
    s.strict = (flags & 1U) != 0;
    s.apart = (flags & 2U) != 0;
    s.small_output = (flags & 4U) != 0;
    s.leases = 1 + (flags >> 3U) % 4U;
    // Enough for all: whether one waits for another would depend on the cutting.
    if (s.apart) s.leases = 16;
    s.seed = from.byte();
    command_maker maker(from, s);
    while (from.left() > 0 && s.events.size() < events_max) {
        const std::size_t client = from.pick(clients_max);
        const std::size_t choice = from.pick(s.apart ? 20 : 28);
        if (choice < 15) {
            s.events.push_back(maker.make(client));
            continue;
        }
        happening h{static_cast<event>(choice < 17 ? 1 : choice - 15), client, 0, {}, 0};
        if (choice >= 26) h.what = event::way;
        if (h.what == event::push && s.apart) h.what = event::deliver;
        h.amount = from.byte();
        h.bytes = h.what == event::push ? maker.element() : "";
        s.events.push_back(std::move(h));
    }
    return s;
}

}  // namespace tests

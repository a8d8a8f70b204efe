#pragma once
// As much of Redis as the core's tests need, in memory: strings, lists, transactions, blocking pops and
// pub/sub, over connections that are byte strings. What real Redis answers is the business of the suites that
// run one; here only pairing, order and state matter.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/command_scanner.hpp"
#include "resp/writer.hpp"

namespace tests {

using words = std::vector<std::string>;

// 0 for what is no number.
inline long long to_number(const std::string& text) {
    long long number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

inline std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
}

class fake_redis;

struct fake_connection {
    int id = 0;
    std::string input;
    std::string output;  // not yet read by the sidecar
    int protocol = 2;
    int database = 0;
    std::string user = "default";
    bool multi = false;
    bool executing = false;  // EXEC's commands: none of them blocks
    bool aborted = false;
    bool watching = false;
    bool touched = false;  // a watched key changed
    std::vector<words> queued;
    words blocked;  // a pop that waits; what comes behind it waits too
    std::set<std::string> channels;
    std::set<std::string> patterns;
    std::vector<words> seen;  // commands after the handshake, as they came
};

class fake_redis {
public:
    std::map<std::string, std::string> strings;
    std::map<std::string, std::deque<std::string>> lists;
    std::vector<fake_connection*> connections;
    std::string version = "7.0.15";
    std::string password;
    std::map<std::string, std::string> scripted;  // command name → reply, instead of the real one
    std::vector<std::pair<int, words>> log;       // every command, with the connection's db
    std::map<words, int> executed;                // how often each was run, by EXEC or at once

    fake_connection* connect() {
        auto* c = new fake_connection;
        c->id = ++ids_;
        connections.push_back(c);
        return c;
    }
    void disconnect(fake_connection* c) {
        std::erase(connections, c);
        delete c;
    }
    ~fake_redis() {
        for (auto* c : connections) delete c;
    }
    fake_redis() = default;
    fake_redis(const fake_redis&) = delete;
    fake_redis& operator=(const fake_redis&) = delete;

    void receive(fake_connection& c, std::string_view bytes) {
        c.input.append(bytes);
        run(c);
    }

    [[nodiscard]] int count_of(const std::string& name) const {
        return static_cast<int>(std::count_if(
            log.begin(), log.end(), [&](const auto& item) { return upper(item.second[0]) == name; }));
    }

    void push(const std::string& key, const std::string& element) {
        lists[key].push_back(element);
        serve_blocked();
    }

    int publish(const std::string& channel, const std::string& message) {
        int receivers = 0;
        for (auto* c : connections) {
            if (c->channels.count(channel) != 0) {
                push_frame(*c, {"message", channel, message});
                ++receivers;
            }
            for (const auto& pattern : c->patterns)
                if (channel.rfind(pattern.substr(0, pattern.find('*')), 0) == 0) {
                    push_frame(*c, {"pmessage", pattern, channel, message});
                    ++receivers;
                }
        }
        return receivers;
    }

private:
    static std::string bulk(const std::string& text) {
        std::string out;
        resp::append_bulk(out, text);
        return out;
    }
    static std::string number(long long n) { return ":" + std::to_string(n) + "\r\n"; }
    static std::string null(const fake_connection& c) { return c.protocol == 3 ? "_\r\n" : "$-1\r\n"; }
    static std::string null_array(const fake_connection& c) { return c.protocol == 3 ? "_\r\n" : "*-1\r\n"; }
    static void push_frame(fake_connection& c, const words& parts) {
        c.output += (c.protocol == 3 ? ">" : "*") + std::to_string(parts.size()) + "\r\n";
        for (const auto& part : parts) c.output += bulk(part);
    }

    void run(fake_connection& c) {
        resp::command_scanner scanner;
        resp::scanned_command found;
        while (c.blocked.empty() &&
               scanner.scan(c.input, resp::peer_trust::known, found) == resp::scan_status::command) {
            const words args(found.args.begin(), found.args.end());
            c.input.erase(0, found.bytes);
            log.emplace_back(c.database, args);
            c.seen.push_back(args);
            c.output += answer(c, args);
        }
    }

    std::string answer(fake_connection& c, const words& args) {
        const std::string name = upper(args[0]);
        if (const auto it = scripted.find(name); it != scripted.end()) return it->second;
        if (c.multi && name != "EXEC" && name != "DISCARD" && name != "MULTI" && name != "WATCH") {
            if (!arity_fits(name, args)) {
                c.aborted = true;
                return bad_arity(name);
            }
            c.queued.push_back(args);
            return "+QUEUED\r\n";
        }
        return execute(c, name, args);
    }

    static bool is_subscription(const std::string& name) {
        return name == "SUBSCRIBE" || name == "PSUBSCRIBE" || name == "SSUBSCRIBE" || name == "UNSUBSCRIBE" ||
               name == "PUNSUBSCRIBE" || name == "SUNSUBSCRIBE";
    }

    static std::string bad_arity(const std::string& name) {
        std::string lower;
        for (const char c : name) lower += static_cast<char>(std::tolower(c));
        return "-ERR wrong number of arguments for '" + lower + "' command\r\n";
    }
    static bool arity_fits(const std::string& name, const words& args) {
        if (name == "GET" || name == "INCR") return args.size() == 2;
        static const std::map<std::string, std::size_t> at_least{
            {"SET", 3},  {"ECHO", 2},    {"RPUSH", 3}, {"PTTL", 2}, {"BLPOP", 3},  {"LMPOP", 4},
            {"EVAL", 4}, {"PUBLISH", 3}, {"HELLO", 2}, {"AUTH", 2}, {"SELECT", 2}, {"CLIENT", 2}};
        const auto it = at_least.find(name);
        return it == at_least.end() || args.size() >= it->second;
    }

    std::string execute(fake_connection& c, const std::string& name, const words& args) {
        if (!arity_fits(name, args)) return bad_arity(name);
        ++executed[args];
        if (name == "PING") return args.size() > 1 ? bulk(args[1]) : "+PONG\r\n";
        if (name == "ECHO") return bulk(args[1]);
        if (name == "SET") return set(c, args);
        if (name == "GET") return strings.count(args[1]) != 0 ? bulk(strings[args[1]]) : null(c);
        if (name == "INCR") {
            touch(c);
            auto& text = strings[args[1]];
            text = std::to_string(to_number(text) + 1);
            return number(to_number(text));
        }
        if (name == "RPUSH") {
            push(args[1], args[2]);
            return number(static_cast<long long>(lists[args[1]].size()));
        }
        if (name == "PTTL") return number(-1);
        if (name == "BLPOP") return pop(c, args);
        if (name == "LMPOP") return multi_pop(c, args);
        if (name == "MULTI" || name == "EXEC" || name == "DISCARD" || name == "WATCH" || name == "UNWATCH")
            return transaction(c, name);
        if (name == "PUBLISH") return number(publish(args[1], args[2]));
        if (is_subscription(name)) return subscription(c, name, args);
        if (name == "DEL") return number(static_cast<int>(strings.erase(args[1])));
        if (name == "EVAL") {
            if (to_number(args[2]) >= 5) return place(args);
            // Only put-backs come here: key, token, TTL, elements.
            if (args.size() < 6) return "-ERR this fake runs put-backs only\r\n";
            if (!strings.emplace(args[4], "").second) return number(0);
            for (std::size_t i = 6; i < args.size(); ++i) lists[args[3]].push_front(args[i]);
            serve_blocked();
            return number(1);
        }
        if (name == "COMMAND") return "*0\r\n";
        return connection(c, name, args);
    }

    // A broker's message into a list: token, reserve, list, marks, paced tasks, hashes; message and end.
    std::string place(const words& args) {
        if (!strings.emplace(args[3], "").second) return number(0);
        const auto arguments = 3 + static_cast<std::size_t>(to_number(args[2]));
        auto& list = lists[args[5]];
        if (args[arguments + 1] == "RPUSH") {
            list.push_back(args[arguments]);
        } else {
            list.push_front(args[arguments]);
        }
        serve_blocked();
        return number(1);
    }

    std::string set(fake_connection& c, const words& args) {
        touch(c);
        const bool had = strings.count(args[1]) != 0;
        const std::string before = std::exchange(strings[args[1]], args[2]);
        if (args.size() < 4 || upper(args[3]) != "GET") return "+OK\r\n";
        return had ? bulk(before) : null(c);
    }

    void touch(const fake_connection& by) {
        for (auto* c : connections)
            if (c != &by && c->watching) c->touched = true;
    }

    std::string connection(fake_connection& c, const std::string& name, const words& args) {
        if (name == "SELECT") {
            c.database = static_cast<int>(to_number(args[1]));
            return "+OK\r\n";
        }
        if (name == "AUTH") {
            if (args.back() == password || args.size() == 3) {
                c.user = args.size() == 3 ? args[1] : "default";
                return "+OK\r\n";
            }
            return "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        }
        if (name == "HELLO") {
            c.protocol = args[1] == "3" ? 3 : 2;
            return "%1\r\n" + bulk("version") + bulk(version);
        }
        if (name == "ACL") return "+OK\r\n";
        if (name == "CLIENT") {
            const std::string sub = upper(args[1]);
            if (sub == "ID") return number(c.id);
            if (sub == "UNBLOCK")
                return unblock(static_cast<int>(args.size() > 2 ? to_number(args[2]) : 0),
                               args.size() > 3 && upper(args[3]) == "ERROR");
            return "+OK\r\n";
        }
        return "-ERR unknown command '" + args[0] + "', with args beginning with: \r\n";
    }

    std::string transaction(fake_connection& c, const std::string& name) {
        if (name == "WATCH") {
            if (c.multi) return "-ERR WATCH inside MULTI is not allowed\r\n";
            c.watching = true;
            return "+OK\r\n";
        }
        if (name == "UNWATCH") {
            c.watching = c.touched = false;
            return "+OK\r\n";
        }
        if (name == "MULTI") {
            if (c.multi) return "-ERR MULTI calls can not be nested\r\n";
            c.multi = true;
            return "+OK\r\n";
        }
        if (!c.multi) return "-ERR " + name + " without MULTI\r\n";
        const auto commands = std::exchange(c.queued, {});
        const bool aborted = std::exchange(c.aborted, false);
        const bool touched = std::exchange(c.touched, false);
        c.multi = c.watching = false;
        if (name == "DISCARD") return "+OK\r\n";
        if (aborted) return "-EXECABORT Transaction discarded because of previous errors.\r\n";
        if (touched) return null_array(c);
        std::string out = "*" + std::to_string(commands.size()) + "\r\n";
        c.executing = true;
        for (const auto& command : commands) out += execute(c, upper(command[0]), command);
        c.executing = false;
        return out;
    }

    std::string pop(fake_connection& c, const words& args) {
        for (std::size_t i = 1; i + 1 < args.size(); ++i) {
            auto& list = lists[args[i]];
            if (list.empty()) continue;
            const std::string element = list.front();
            list.pop_front();
            return "*2\r\n" + bulk(args[i]) + bulk(element);
        }
        if (c.executing) return null_array(c);
        c.blocked = args;
        return {};
    }

    // LMPOP numkeys key … LEFT, which BLPOP is asked as when it has no connection of its own.
    std::string multi_pop(fake_connection& c, const words& args) {
        const auto keys = static_cast<std::size_t>(std::max(0LL, to_number(args[1])));
        for (std::size_t i = 2; i < std::min(keys + 2, args.size()); ++i) {
            const auto& key = args[i];
            auto& list = lists[key];
            if (list.empty()) continue;
            const std::string element = list.front();
            list.pop_front();
            return "*2\r\n" + bulk(key) + "*1\r\n" + bulk(element);
        }
        return null_array(c);
    }

    void serve_blocked() {
        for (auto* c : connections) {
            if (c->blocked.empty()) continue;
            const words call = std::exchange(c->blocked, {});
            c->output += pop(*c, call);
            if (c->blocked.empty()) run(*c);
        }
    }

    std::string unblock(int id, bool as_error) {
        for (auto* c : connections) {
            if (c->id != id || c->blocked.empty()) continue;
            c->blocked.clear();
            c->output += as_error ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n" : null_array(*c);
            run(*c);
            return number(1);
        }
        return number(0);
    }

    std::string subscription(fake_connection& c, const std::string& name, const words& args) {
        auto& names = name[0] == 'P' ? c.patterns : c.channels;
        std::string verb;
        for (const char letter : name) verb += static_cast<char>(std::tolower(letter));
        for (std::size_t i = 1; i < args.size(); ++i) {
            if (name.find("UNSUB") == std::string::npos) {
                names.insert(args[i]);
            } else {
                names.erase(args[i]);
            }
            c.output += (c.protocol == 3 ? ">3\r\n" : "*3\r\n") + bulk(verb) + bulk(args[i]) +
                        number(static_cast<long long>(c.channels.size() + c.patterns.size()));
        }
        return {};
    }

    int ids_ = 1000;
};

}  // namespace tests

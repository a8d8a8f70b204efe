#pragma once
// Notes what is sent and answers what the test has prepared: by the first words of a command, else null.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "broker/redis_port.hpp"

class recording_redis : public broker::redis_port {
public:
    std::vector<broker::redis_command> sent;
    std::map<std::string, std::deque<resp::value>> answers;  // by name, or "NAME key"; the last one stays

    [[nodiscard]] std::vector<resp::value> pipeline(std::span<const broker::redis_command> given) override {
        std::vector<resp::value> replies;
        for (const auto& command : given) {
            sent.push_back(command);
            replies.push_back(answer(command));
        }
        return replies;
    }

    // The last command of this name.
    [[nodiscard]] const broker::redis_command* last(std::string_view name) const {
        for (auto it = sent.rbegin(); it != sent.rend(); ++it)
            if (it->front() == name) return &*it;
        return nullptr;
    }
    [[nodiscard]] std::size_t count(std::string_view name) const {
        std::size_t found = 0;
        for (const auto& command : sent) found += command.front() == name ? 1 : 0;
        return found;
    }

private:
    resp::value answer(const broker::redis_command& command) {
        for (const std::string& name :
             {command.front() + (command.size() > 1 ? " " + command[1] : ""), command.front()}) {
            const auto it = answers.find(name);
            if (it == answers.end()) continue;
            resp::value reply = it->second.front();
            if (it->second.size() > 1) it->second.pop_front();
            return reply;
        }
        return {};
    }
};

inline resp::value number(std::int64_t of) {
    resp::value value;
    value.type = resp::kind::integer;
    value.integer = of;
    return value;
}

inline resp::value bulk(std::string text) {
    resp::value value;
    value.type = resp::kind::bulk;
    value.text = std::move(text);
    return value;
}

inline resp::value error(std::string text) {
    resp::value value = bulk(std::move(text));
    value.type = resp::kind::error;
    return value;
}

inline resp::value array(std::vector<resp::value> items) {
    resp::value value;
    value.type = resp::kind::array;
    value.items = std::move(items);
    return value;
}

inline resp::value texts(const std::vector<std::string>& items) {
    std::vector<resp::value> values;
    for (const auto& each : items) values.push_back(bulk(each));
    return array(std::move(values));
}

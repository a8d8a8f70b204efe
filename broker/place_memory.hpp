#pragma once
// Where messages were last seen, so that what was shown can be found again in a queue of a million. Bounded;
// what was seen longest ago is forgotten first.

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace broker {

struct remembered_place {
    std::string key;  // the list
    std::string queue;
    int step = 0;
    std::int64_t position = 0;  // from the right
};

class place_memory {
public:
    explicit place_memory(std::size_t entries_max = 20'000) : entries_max_(entries_max) {}

    void remember(const std::string& tag, remembered_place where);
    [[nodiscard]] std::optional<remembered_place> find(std::string_view tag) const;
    void forget(std::string_view tag);
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    using entry = std::pair<std::string, remembered_place>;

    std::size_t entries_max_;
    std::list<entry> entries_;                                                 // the newest first
    std::unordered_map<std::string_view, std::list<entry>::iterator> by_tag_;  // views of the entries
};

}  // namespace broker

#pragma once
// What applications call their things, learnt from what they send: `global_keyprefix` from binding sets and
// channels, the priority separator and steps from the order of BRPOP's keys (step by step, within a step
// queue by queue), the names of the unacked hash and index. A list's broker, queue and priority are worked
// out when asked, so that what is learnt later corrects what was seen earlier.

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/kombu_names.hpp"
#include "broker/observer_views.hpp"

namespace broker {

struct list_name {
    broker_id broker;
    std::string queue;
    int priority = 0;
};

class name_learner {
public:
    // Each returns whether something new was learnt.
    bool saw_binding(std::uint8_t db, std::string_view key);      // `<prefix>_kombu.binding.<exchange>`
    bool saw_channel(std::uint8_t db, std::string_view channel);  // `<prefix>/<db>.celeryev/…`
    bool saw_pop(std::uint8_t db, std::span<const std::string_view> keys);

    // A result's key, on which it is told and waited for: `<prefix>celery-task-meta-<id>`.
    bool saw_result(std::uint8_t db, std::string_view channel);

    // What stands before the keys of results on this db, besides nothing; bounded.
    [[nodiscard]] std::vector<std::string> result_prefixes(std::uint8_t db) const;
    [[nodiscard]] std::uint64_t result_prefixes_refused() const { return results_refused_; }
    [[nodiscard]] broker_id broker_of(std::uint8_t db, std::string_view key) const;
    [[nodiscard]] list_name list_of(std::uint8_t db, std::string_view key) const;
    [[nodiscard]] std::vector<naming> namings(const broker_id& broker) const;
    // Counts what was learnt; what was derived from an older state is to be derived again.
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    void set_unacked_key(const broker_id& broker, std::string_view key);
    void set_index_key(const broker_id& broker, std::string_view key);
    [[nodiscard]] std::string unacked_key(const broker_id& broker) const;
    [[nodiscard]] std::string index_key(const broker_id& broker) const;

private:
    static constexpr std::size_t prefixes_max = 200;
    static constexpr std::size_t result_prefixes_max = 50;
    static constexpr std::size_t styles_max = 8;
    static constexpr std::size_t bases_max = 2'000;

    struct learnt_style {
        naming style;
        std::set<std::string, std::less<>> bases;  // queues popped with it, with the prefix
    };

    bool add_prefix(std::uint8_t db, std::string_view prefix);
    bool add_style(std::uint8_t db, const learnt_lists& lists);

    std::map<std::uint8_t, std::set<std::string, std::less<>>> prefixes_;
    std::map<std::uint8_t, std::set<std::string, std::less<>>> results_;
    std::map<broker_id, std::vector<learnt_style>> styles_;
    std::map<broker_id, std::string> unacked_;
    std::map<broker_id, std::string> index_;
    std::uint64_t generation_ = 0;
    std::uint64_t results_refused_ = 0;
};

}  // namespace broker

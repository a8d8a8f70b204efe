#pragma once
// The doctor: what is wrong or about to go wrong with a broker, each with the evidence it rests on and what
// to do about it. A finding is only made of what was seen; nothing is concluded from what is unknown.

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/observer.hpp"
#include "broker/redis_facts.hpp"

namespace broker {

enum class severity : std::uint8_t { info, warning, critical };

struct finding {
    std::string id;  // kind, e.g. "visibility-timeouts-differ"
    severity level = severity::warning;
    broker_id broker;
    std::string subject;  // the queue, worker, exchange or key it is about; empty: the broker
    std::string title;
    std::string remedy;
    boost::json::object evidence;
};

[[nodiscard]] std::string_view to_text(severity);

// Of one db; the most severe first, and stable between calls.
[[nodiscard]] std::vector<finding> find_problems(const observer& from, std::uint8_t db,
                                                 const redis_facts& facts, std::int64_t now_us);

// The two halves: what traffic shows, what Redis holds.
void find_in_traffic(const observer& from, std::uint8_t db, std::int64_t now_us, std::vector<finding>& into);
void find_in_queues(const observer& from, std::uint8_t db, std::int64_t now_us, std::vector<finding>& into);
void find_in_redis(const observer& from, std::uint8_t db, const redis_facts& facts, std::int64_t now_us,
                   std::vector<finding>& into);

}  // namespace broker

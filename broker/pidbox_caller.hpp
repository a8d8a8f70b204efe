#pragma once
// Remote control of workers without Celery: a request is published, each worker pushes its reply to a list of
// ours, and how many will reply is known from PUBLISH. The list and its binding are removed again whatever
// happens, and expire on their own should we die between.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/observer_views.hpp"
#include "broker/redis_port.hpp"

namespace broker {

enum class pidbox_wait : std::uint8_t { replies, nothing };  // whether the caller wants answers

struct pidbox_call {
    std::string method;
    boost::json::object arguments;
    std::vector<std::string> nodes;  // empty: all workers
    pidbox_wait wait = pidbox_wait::replies;
    std::int64_t timeout_us = 1'000'000;
};

struct pidbox_answer {
    std::uint64_t listeners = 0;  // how many mailboxes took the request
    std::map<std::string, boost::json::value> replies;
    std::vector<std::string> missing;  // of the nodes that were named
    std::string error;                 // Redis refused; empty otherwise
};

class pidbox_caller {
public:
    // `now_us`: a clock, as waiting for replies takes time; `fresh_uuid`: a new one at each call.
    pidbox_caller(redis_port& redis, std::function<std::int64_t()> now_us,
                  std::function<std::string()> fresh_uuid)
        : redis_(redis), now_us_(std::move(now_us)), fresh_uuid_(std::move(fresh_uuid)) {}

    [[nodiscard]] pidbox_answer call(const broker_id& broker, const pidbox_call& what);

private:
    void collect(const std::string& list, const std::string& ticket, const pidbox_call& what,
                 pidbox_answer& into);

    redis_port& redis_;
    std::function<std::int64_t()> now_us_;
    std::function<std::string()> fresh_uuid_;
};

// The operations by the names the API gives them. nullopt and `error` set when an argument is missing or
// wrong. ping, stats, active, reserved, scheduled, revoked, registered, conf, report, clock, queues, query,
// revoke, rate-limit, time-limit, add-consumer, cancel-consumer, pool-grow, pool-shrink, pool-restart,
// autoscale, enable-events, disable-events, shutdown.
[[nodiscard]] std::optional<pidbox_call> pidbox_operation(std::string_view name,
                                                          const boost::json::object& given,
                                                          std::string& error);

}  // namespace broker

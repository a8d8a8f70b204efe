#pragma once
// Task events counted under the labels that celery-exporter uses, so that dashboards made for it work:
// name, hostname (the part of the node's name behind @), queue_name, and exception for failures. Series are
// bounded; what finds no room is counted under the name "other".

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "broker/histogram.hpp"
#include "broker/observer_views.hpp"

namespace broker {

// What celery-exporter's histograms have by default.
inline constexpr double runtime_bounds_s[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                              0.5,   0.75, 1,     2.5,  5,     7.5, 10};
inline constexpr double queue_wait_bounds_s[] = {0.05, 0.1, 0.25, 0.5, 1,   2.5, 5,
                                                 10,   30,  60,   120, 300, 600, 1800};

class celery_counters {
public:
    // `type` as in events: "task-succeeded". Others than the eight that are exported are ignored.
    void count(std::string_view type, const task_record& task);
    void sent(const task_record& task, std::string_view origin);
    void ran(const task_record& task, double seconds);
    void waited(const task_record& task, double seconds);
    // Whose hostname has gone for long is forgotten.
    void forget_host(std::string_view host);

    // Prometheus text of all of it.
    void write(std::string& into) const;

private:
    static constexpr std::size_t series_max = 5'000;
    using labels = std::tuple<std::string, std::string, std::string>;  // name, hostname, queue_name

    [[nodiscard]] labels labels_of(const task_record& task, std::string_view node) const;
    template <typename Map>
    auto& at(Map& map, labels which, std::string exception = {});

    using counter = std::map<std::pair<labels, std::string>, std::uint64_t>;
    std::map<std::string, counter, std::less<>> counters_;  // by "sent", "received", …
    std::map<std::pair<labels, std::string>, histogram> runtime_;
    std::map<std::pair<labels, std::string>, histogram> wait_;
};

// "celery@host" → "host".
[[nodiscard]] std::string_view hostname_of(std::string_view node);
// "ValueError('no')" → "ValueError"; "UnknownException" when it does not look so.
[[nodiscard]] std::string exception_class(std::string_view repr);

}  // namespace broker

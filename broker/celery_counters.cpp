#include "broker/celery_counters.hpp"

#include <array>
#include <utility>

#include "broker/metric_text.hpp"

namespace broker {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> counted{
    {{"sent", "Messages of tasks seen on their way into a queue"},
     {"received", "Events task-received"},
     {"started", "Events task-started"},
     {"succeeded", "Events task-succeeded"},
     {"failed", "Events task-failed"},
     {"rejected", "Events task-rejected"},
     {"revoked", "Events task-revoked"},
     {"retried", "Events task-retried"}}};

void write_histograms(std::string& into, std::string_view name, std::string_view help, const auto& of) {
    if (of.empty()) return;
    metric_head(into, name, "histogram", help);
    for (const auto& [key, values] : of) {
        const auto& [task, host, queue] = key.first;
        metric_histogram(into, name, {{"name", task}, {"hostname", host}, {"queue_name", queue}}, values);
    }
}

}  // namespace

std::string_view hostname_of(std::string_view node) {
    const std::size_t at = node.find('@');
    return at == std::string_view::npos ? node : node.substr(at + 1);
}

std::string exception_class(std::string_view repr) {
    std::size_t end = 0;
    const auto is_word = [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    while (end < repr.size() && is_word(repr[end])) ++end;
    if (end == 0 || end == repr.size() || repr[end] != '(' || end > 100) return "UnknownException";
    return std::string(repr.substr(0, end));
}

celery_counters::labels celery_counters::labels_of(const task_record& task, std::string_view node) const {
    return {task.name.substr(0, 200), std::string(hostname_of(node).substr(0, 200)),
            task.queue.empty() ? "celery" : task.queue.substr(0, 200)};
}

template <typename Map>
auto& celery_counters::at(Map& map, labels which, std::string exception) {
    std::pair key(std::move(which), std::move(exception));
    if (map.size() >= series_max && !map.contains(key)) key = {{"other", "", ""}, ""};
    return map[std::move(key)];
}

void celery_counters::count(std::string_view type, const task_record& task) {
    if (!type.starts_with("task-") || type == "task-sent") return;
    const std::string_view what = type.substr(5);
    bool known = false;
    for (const auto& [name, help] : counted) {
        if (name == "sent") continue;
        known |= name == what;
    }
    if (!known || task.name.empty()) return;
    // The other counters of the same labels are there from the first event on, at zero, so that rates are
    // right.
    for (const auto& [name, help] : counted) {
        if (name == "sent") continue;
        const bool this_one = name == what;
        const std::string exception = name == "failed" && this_one ? exception_class(task.exception) : "";
        at(counters_[std::string(name)], labels_of(task, task.worker), exception) += this_one ? 1 : 0;
    }
}

void celery_counters::sent(const task_record& task, std::string_view origin) {
    if (task.name.empty()) return;
    ++at(counters_["sent"], labels_of(task, origin));
}

void celery_counters::ran(const task_record& task, double seconds) {
    if (task.name.empty()) return;
    auto& map = runtime_;
    std::pair key(labels_of(task, task.worker), std::string());
    if (map.size() >= series_max && !map.contains(key)) key.first = {"other", "", ""};
    map.try_emplace(std::move(key), runtime_bounds_s).first->second.add(seconds);
}

void celery_counters::waited(const task_record& task, double seconds) {
    if (task.name.empty()) return;
    auto& map = wait_;
    std::pair key(labels_of(task, task.worker), std::string());
    if (map.size() >= series_max && !map.contains(key)) key.first = {"other", "", ""};
    map.try_emplace(std::move(key), queue_wait_bounds_s).first->second.add(seconds);
}

void celery_counters::forget_host(std::string_view host) {
    const auto of_host = [&](const auto& each) { return std::get<1>(each.first.first) == host; };
    for (auto& [name, map] : counters_) {
        if (name != "sent") std::erase_if(map, of_host);
    }
    std::erase_if(runtime_, of_host);
    std::erase_if(wait_, of_host);
}

void celery_counters::write(std::string& into) const {
    for (const auto& [what, help] : counted) {
        const auto found = counters_.find(what);
        if (found == counters_.end()) continue;
        const std::string name = "celery_task_" + std::string(what) + "_total";
        metric_head(into, name, "counter", help);
        for (const auto& [key, value] : found->second) {
            const auto& [task, host, queue] = key.first;
            metric_labels given{{"name", task}, {"hostname", host}, {"queue_name", queue}};
            if (what == "failed") given.emplace_back("exception", key.second);
            metric_line(into, name, given, static_cast<double>(value));
        }
    }
    write_histograms(into, "celery_task_runtime", "Runtimes of tasks that succeeded, in seconds", runtime_);
    write_histograms(into, "celery_task_queue_wait_time",
                     "From publishing (or ETA) to the consumer, in seconds", wait_);
}

}  // namespace broker

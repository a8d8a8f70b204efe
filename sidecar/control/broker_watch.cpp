#include "sidecar/control/broker_watch.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "broker/broker_metrics.hpp"
#include "broker/metric_text.hpp"

namespace sidecar {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t look_every_us = 10 * second_us;
// Pool sizes change seldom; workers that do not answer are asked ever less often.
constexpr std::int64_t stats_first_us = 60 * second_us;
constexpr std::int64_t stats_last_us = 3'600 * second_us;
constexpr std::int64_t stats_wait_us = second_us / 2;
constexpr std::size_t orphans_per_second = 200;
constexpr std::size_t unfit_max = 10'000;

std::int64_t whole(const boost::json::value& from, std::string_view name) {
    const auto* const object = from.if_object();
    const auto* const found = object == nullptr ? nullptr : object->if_contains({name.data(), name.size()});
    return found != nullptr && found->is_int64() ? found->get_int64() : -1;
}

}  // namespace

broker_watch::broker_watch(const broker_settings& settings, broker::observer& observer, watch_hooks hooks)
    : settings_(settings),
      hooks_(std::move(hooks)),
      observer_(observer),
      metrics_(std::make_shared<const std::string>()) {}

void broker_watch::every_second(const broker::store_counts& store) {
    const std::int64_t now_us = hooks_.unix_us();
    if (settings_.orphans == orphan_mode::restore) restore_orphans();
    if (now_us - looked_us_ >= look_every_us) look_now();
    ask_stats(now_us);
    std::string text = broker::broker_metrics_text(observer_, findings_, store, now_us);
    constexpr std::string_view restored = "sidecar_broker_orphans_restored_total";
    broker::metric_head(text, restored, "counter", "Orphans put back to the head of their queue");
    broker::metric_line(text, restored, {}, static_cast<double>(restored_));
    auto shared = std::make_shared<const std::string>(std::move(text));
    const std::lock_guard lock(mutex_);
    metrics_ = std::move(shared);
}

void broker_watch::restore_orphans() {
    auto orphans = observer_.orphans();
    // Whatever was taken first runs first again: it is put to the head last.
    std::sort(orphans.begin(), orphans.end(),
              [](const auto& one, const auto& other) { return one.taken_us > other.taken_us; });
    std::size_t count = 0;
    for (const broker::orphan_view& each : orphans) {
        if (unfit_.contains(each.tag)) continue;
        if (++count > orphans_per_second) return;
        const restore_outcome outcome = hooks_.restore(each);
        if (outcome == restore_outcome::not_now) return;
        if (outcome == restore_outcome::unfit) {
            if (unfit_.size() < unfit_max) unfit_.insert(each.tag);
            continue;
        }
        if (outcome == restore_outcome::done) ++restored_;
        observer_.forget_unacked(each.tag);
    }
}

void broker_watch::look_now() {
    looked_us_ = hooks_.unix_us();
    findings_.clear();
    for (const int db : settings_.dbs) {
        const auto number = static_cast<std::uint8_t>(db);
        const auto facts = gatherers_[db].gather(observer_, number, hooks_.redis(db), looked_us_);
        auto found = broker::find_problems(observer_, number, facts, looked_us_);
        std::move(found.begin(), found.end(), std::back_inserter(findings_));
    }
}

void broker_watch::ask_stats(std::int64_t now_us) {
    std::map<broker::broker_id, std::set<std::string>> online;
    for (const broker::worker_view& each : observer_.workers())
        if (each.state == broker::liveness::online && !each.node.empty())
            online[each.broker].insert(each.node);
    for (const auto& [broker, nodes] : online) {
        survey& asked = surveys_.try_emplace(broker, survey{0, stats_first_us, {}}).first->second;
        const bool has_new =
            !std::includes(asked.nodes.begin(), asked.nodes.end(), nodes.begin(), nodes.end());
        // A worker that has just come is not waited for long, nor asked before it listens.
        if (has_new) asked.due_us = now_us + 3 * second_us;
        asked.nodes = nodes;
        if (now_us < asked.due_us) continue;
        broker::pidbox_call call;
        call.method = "stats";
        call.timeout_us = stats_wait_us;
        const broker::pidbox_answer answer = control(broker, call);
        asked.pause_us =
            answer.replies.empty() ? std::min(2 * asked.pause_us, stats_last_us) : stats_first_us;
        asked.due_us = hooks_.unix_us() + asked.pause_us;
    }
}

broker::pidbox_answer broker_watch::control(const broker::broker_id& broker,
                                            const broker::pidbox_call& call) {
    broker::pidbox_caller caller(hooks_.redis(broker.db), hooks_.unix_us, hooks_.fresh_uuid);
    broker::pidbox_answer answer = caller.call(broker, call);
    if (call.method != "stats") return answer;
    for (const auto& [node, reply] : answer.replies) {
        const auto* const object = reply.if_object();
        const auto* const pool = object == nullptr ? nullptr : object->if_contains("pool");
        if (pool == nullptr) continue;
        observer_.on_stats(broker, node, whole(*pool, "max-concurrency"), whole(reply, "prefetch_count"));
    }
    return answer;
}

std::string broker_watch::metrics_text() const {
    std::shared_ptr<const std::string> text;
    {
        const std::lock_guard lock(mutex_);
        text = metrics_;
    }
    return *text;
}

}  // namespace sidecar

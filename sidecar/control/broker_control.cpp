#include "sidecar/control/broker_control.hpp"

#include <unistd.h>

#include <array>

#include "broker/edit_envelope.hpp"
#include "broker/envelope.hpp"
#include "broker/metric_text.hpp"
#include "broker/wire_note.hpp"
#include "sidecar/control/rule_snapshot.hpp"

namespace sidecar {

namespace {

constexpr std::int64_t second_us = 1'000'000;
// What is being done when the process ends has so long to be done with Redis.
constexpr std::chrono::milliseconds stop_patience{1'000};
constexpr std::int64_t retain_pause_us = 30'000'000;
constexpr std::int64_t count_pause_us = 10'000'000;
constexpr std::int64_t near_end_elements = 256;  // of a list with marks that are looked at each second

broker::observer_limits observer_limits_of(const broker_settings& settings) {
    broker::observer_limits limits;
    limits.orphan_after_us =
        std::chrono::duration_cast<std::chrono::microseconds>(settings.orphan_after).count();
    return limits;
}

// What was given when it was started was checked then.
broker::masking mask_of(const broker_settings& settings) {
    std::vector<std::string> patterns = settings.mask;
    if (patterns.empty()) patterns.emplace_back(broker::default_mask);
    std::string error;
    return broker::masking::make(patterns, error).value_or(broker::masking());
}

std::string machine_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

broker::operations_limits limits_of(const broker_settings& settings) {
    broker::operations_limits limits;
    limits.trash_ttl_ms = settings.trash_ttl.count();
    return limits;
}

}  // namespace

broker_control::broker_control(broker_settings settings, broker_hooks hooks)
    : settings_(std::move(settings)),
      hooks_(std::move(hooks)),
      observer_(observer_limits_of(settings_)),
      peers_(hooks_.random_id(), machine_name()),
      watch_(settings_, observer_,
             {.redis = [this](int db) -> broker::redis_port& { return desks_.at(db)->redis; },
              .unix_us = hooks_.unix_us,
              .fresh_uuid = hooks_.random_id,
              .restore = [this](const broker::orphan_view& orphan) { return restore(orphan); }}),
      mask_(mask_of(settings_)) {
    observer_.set_event_sink([this](const broker::broker_id&, std::string_view type, std::string_view json) {
        if (events_.listened()) events_.publish(type, json);
    });
    for (const int db : settings_.dbs)
        desks_[db] = std::make_unique<broker_desk>(
            db, [this, db] { return hooks_.connect(db); }, hooks_.random_id, limits_of(settings_));
}

broker_control::~broker_control() {
    stop();
}

void broker_control::start() {
    thread_.start({[this](const broker::note_batch& batch) { on_batch(batch); }, [this] { on_gap(); },
                   [this] { on_tick(); }});
}

void broker_control::stop() {
    thread_.stop(stop_patience, [this] {
        for (auto& [db, each] : desks_) each->redis.give_up();
    });
}

broker_desk* broker_control::desk(int db) {
    const auto it = desks_.find(db);
    return it == desks_.end() ? nullptr : it->second.get();
}

broker::broker_layout broker_control::layout_of(int db, const std::string& prefix) const {
    const broker::broker_id id{static_cast<std::uint8_t>(db), prefix};
    broker::broker_layout layout;
    layout.prefix = prefix;
    const auto namings = observer_.namings(id);
    if (!namings.empty()) {
        layout.separator = namings.front().separator;
        layout.steps = namings.front().steps;
    }
    layout.unacked = observer_.unacked_key(id);
    layout.unacked_index = observer_.unacked_index_key(id);
    return layout;
}

void broker_control::on_batch(const broker::note_batch& batch) {
    transcript_.read(batch, [this](const broker::wire_note& note) { on_note(note); });
}

void broker_control::on_note(const broker::wire_note& note) {
    observer_.on_note(note);
    // A mark is over once the shard that delivered has carried it out.
    if (note.kind != broker::wire_kind::withheld) return;
    broker_desk* where = desk(note.db);
    if (where == nullptr || (note.extra != "deleted" && note.extra != "moved")) return;
    const std::string tag = broker::tag_of(note.text);
    if (where->rules.find(broker::rule_kind::mark, tag) != nullptr)
        (void)where->rules.clear(broker::rule_kind::mark, tag);
}

void broker_control::on_gap() {
    transcript_.on_gap();
    observer_.on_gap(now_us());
}

bool broker_control::push_rules() {
    auto rules = std::make_shared<broker::delivery_rules>();
    for (const auto& [db, each] : desks_) {
        std::vector<broker::broker_layout> layouts;
        for (const auto& prefix : each->catalog.prefixes()) layouts.push_back(layout_of(db, prefix));
        add_rules(*rules, db, each->rules, layouts);
    }
    return hooks_.push_rules(std::move(rules));
}

void broker_control::on_tick() {
    for (auto& [db, each] : desks_) each->catalog.step();
    if (now_us() - second_us_ < second_us) return;
    second_us_ = now_us();
    observer_.tick(second_us_);
    for (auto& [db, each] : desks_) every_second(*each);
    if (second_us_ - retained_us_ > retain_pause_us) retain_clients();
    if (second_us_ - counted_us_ > count_pause_us) drop_settled();
    if (!desks_.empty()) watch_.every_second(desks_.begin()->second->store.counts());
}

// A client whose end was told in a batch that got lost would stay for ever.
void broker_control::retain_clients() {
    retained_us_ = second_us_;
    if (const auto open = hooks_.open_clients()) observer_.retain_clients(*open, second_us_);
}

const broker::unacked_counts& broker_control::unacked_counts(broker_desk& desk,
                                                             const broker::broker_layout& layout) {
    const broker::broker_id id{static_cast<std::uint8_t>(desk.db), layout.prefix};
    const auto queue_of = [&](std::string_view exchange, std::string_view routing_key) {
        if (!exchange.empty())
            for (const auto& binding : desk.catalog.bindings(layout))
                if (binding.exchange == exchange && binding.routing_key == routing_key) return binding.queue;
        return std::string(routing_key);
    };
    return desk.census.take(layout, observer_, id, queue_of, now_us());
}

// What was acknowledged past this process is not held any more: counting finds out.
void broker_control::drop_settled() {
    counted_us_ = second_us_;
    for (const auto& [db, each] : desks_)
        for (const std::string& prefix : each->catalog.prefixes())
            (void)unacked_counts(*each, layout_of(db, prefix));
}

std::string broker_control::metrics_text() const {
    std::string text = watch_.metrics_text();
    constexpr std::string_view dropped = "sidecar_broker_notes_dropped_total";
    broker::metric_head(text, dropped, "counter", "Batches of notes that found no room");
    broker::metric_line(text, dropped, {}, static_cast<double>(thread_.dropped_batches()));
    return text;
}

restore_outcome broker_control::restore(const broker::orphan_view& orphan) {
    broker_desk* const where = desk(orphan.broker.db);
    if (where == nullptr || orphan.list.empty()) return restore_outcome::unfit;
    const resp::value value = where->redis.call({"HGET", orphan.hash, orphan.tag});
    if (broker::is_error(value)) return restore_outcome::not_now;
    if (!value.is_text()) return restore_outcome::gone;
    const auto entry = broker::read_unacked(value.text);
    if (!entry) return restore_outcome::unfit;
    broker::envelope_edit edit;
    edit.redelivered = true;
    const auto element = broker::edit_envelope(entry->element, edit);
    if (!element) return restore_outcome::unfit;
    const auto done = where->operations.restore_unacked(
        layout_of(orphan.broker.db, orphan.broker.prefix), {orphan.tag, value.text}, *element, orphan.list,
        {.by = "sidecar", .reason = "its worker is gone", .now_us = now_us()});
    if (done.outcome == broker::change_outcome::done) return restore_outcome::done;
    return done.outcome == broker::change_outcome::gone ? restore_outcome::gone : restore_outcome::not_now;
}

void broker_control::every_second(broker_desk& desk) {
    desk.rules.expire(static_cast<double>(now_us()) / 1e6);
    if (desk.rules.refresh()) push_rules();
    desk.operations.expire_trash(now_us());
    carry_out_marks(desk);
    const auto db = static_cast<std::uint8_t>(desk.db);
    if (!desk.store.loaded()) (void)desk.store.load(observer_, desk.redis, now_us());
    // What outlives the process lies in the first db alone: tags are unique over all.
    if (&desk == desks_.begin()->second.get()) {
        desk.store.save(observer_, desk.redis, now_us());
        peers_.exchange(desk.redis, observer_.worker_places(), now_us());
        observer_.set_elsewhere(peers_.others());
    }
    for (const std::string& prefix : desk.catalog.prefixes()) {
        const broker::broker_layout layout = layout_of(desk.db, prefix);
        for (const std::string& queue : desk.catalog.queues(layout)) {
            for (const int step : layout.steps) observer_.know_list(db, layout.list_key(queue, step));
        }
    }
    desk.store.measure(observer_, db, desk.redis, now_us());
}

void broker_control::carry_out_marks(broker_desk& desk) {
    std::set<std::string> lists;
    for (const auto& [tag, mark] : desk.rules.all(broker::rule_kind::mark)) lists.insert(mark.list);
    for (const auto& list : lists) carry_out_marks(desk, list);
}

// What has come near the end where it would be delivered is done there and then.
void broker_control::carry_out_marks(broker_desk& desk, const std::string& list) {
    auto elements = desk.inspector.next_elements(list, near_end_elements);
    for (std::size_t i = elements.size(); i-- > 0;) {  // what is taken out moves none that comes after it
        broker::listed_message message;
        message.element = std::move(elements[i]);
        message.size = message.element.size();
        message.tag = broker::tag_of(message.element);
        message.key = list;
        message.position = static_cast<std::int64_t>(i) + 1;
        const broker::rule* mark = desk.rules.find(broker::rule_kind::mark, message.tag);
        if (mark == nullptr) continue;
        const std::string target = mark->target;
        const auto done =
            desk.operations.carry_out(message, target.empty() ? std::string() : message.element, target);
        if (done.outcome == broker::change_outcome::done)
            (void)desk.rules.clear(broker::rule_kind::mark, message.tag);
    }
}

}  // namespace sidecar

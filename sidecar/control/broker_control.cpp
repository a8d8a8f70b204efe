#include "sidecar/control/broker_control.hpp"

namespace sidecar {

broker_control::broker_control(broker_settings settings, broker_hooks hooks)
    : settings_(std::move(settings)), hooks_(std::move(hooks)) {
    for (const int db : settings_.dbs)
        desks_[db] = std::make_unique<broker_desk>(db, [this, db] { return hooks_.connect(db); });
}

broker_control::~broker_control() {
    stop();
}

void broker_control::start() {
    thread_.start(
        {[this](std::string_view batch) { on_batch(batch); }, [this] { on_gap(); }, [this] { on_tick(); }});
}

void broker_control::stop() {
    thread_.stop();
}

broker_desk* broker_control::desk(int db) {
    const auto it = desks_.find(db);
    return it == desks_.end() ? nullptr : it->second.get();
}

broker::broker_layout broker_control::layout_of(int, const std::string& prefix) const {
    broker::broker_layout layout;
    layout.prefix = prefix;
    layout.unacked = prefix + "unacked";
    layout.unacked_index = prefix + "unacked_index";
    return layout;
}

void broker_control::on_batch(std::string_view) {}

void broker_control::on_gap() {}

void broker_control::on_tick() {
    for (auto& [db, each] : desks_) each->catalog.step();
}

}  // namespace sidecar

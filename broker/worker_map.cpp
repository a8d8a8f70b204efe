#include "broker/worker_map.hpp"

#include <algorithm>

namespace broker {
namespace {

// Clocks and network put a worker's heartbeat a little beside the loss of its sockets.
constexpr std::int64_t reconnect_slack_us = 500'000;
// Another sidecar learns of a worker, writes it down and is read, each once a second.
constexpr std::int64_t news_travel_us = 3'000'000;

}  // namespace

std::string_view host_of(std::string_view address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string_view::npos || address.find('/') != std::string_view::npos) return address;
    return address.substr(0, colon);
}

client_record* worker_map::client(std::uint64_t id, std::uint8_t db, std::int64_t at_us) {
    auto found = clients_.find(id);
    if (found == clients_.end()) {
        if (clients_.size() >= clients_max_) {
            ++refused_;
            return nullptr;
        }
        found = clients_.try_emplace(id).first;
        found->second.id = id;
        found->second.connected_us = at_us;
    }
    found->second.db = db;
    found->second.seen_us = std::max(found->second.seen_us, at_us);
    return &found->second;
}

const client_record* worker_map::find(std::uint64_t id) const {
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : &found->second;
}

process_record& worker_map::process_of(client_record& client) {
    if (client.process == 0) client.process = client.id;
    const auto [found, fresh] = processes_.try_emplace(client.process);
    process_record& process = found->second;
    if (fresh) {
        process.host = host_of(client.address);
        process.started_us = client.connected_us;
        if (client.broker) process.broker = *client.broker;
        (client.gone_us == 0 ? process.open : process.gone).insert(client.id);
        process.gone_us = client.gone_us;
    }
    return process;
}

const process_record* worker_map::process(std::uint64_t id) const {
    const auto found = processes_.find(id);
    return found == processes_.end() ? nullptr : &found->second;
}

void worker_map::gone(std::uint64_t id, std::int64_t at_us) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    client_record& client = found->second;
    client.gone_us = at_us;
    client.waits = false;
    const auto of = processes_.find(client.process);
    if (client.process == 0 || of == processes_.end()) {
        clients_.erase(found);
        return;
    }
    process_record& process = of->second;
    process.open.erase(id);
    process.gone.insert(id);
    if (process.open.empty()) process.gone_us = at_us;
}

void worker_map::saved(std::uint64_t id) {
    const auto found = clients_.find(id);
    const auto of = found == clients_.end() ? processes_.end() : processes_.find(found->second.process);
    if (of != processes_.end()) ++of->second.put_backs;
}

std::uint64_t worker_map::merge(std::uint64_t one, std::uint64_t other) {
    if (one == other) return one;
    process_record& kept = processes_.at(one);
    process_record moved = std::move(processes_.at(other));
    processes_.erase(other);
    for (const auto* const members : {&moved.open, &moved.gone}) {
        for (const std::uint64_t id : *members) clients_.at(id).process = one;
    }
    kept.open.merge(moved.open);
    kept.gone.merge(moved.gone);
    kept.consumes |= moved.consumes;
    kept.started_us = std::min(kept.started_us, moved.started_us);
    kept.last_poll_us = std::max(kept.last_poll_us, moved.last_poll_us);
    kept.gone_us = kept.open.empty() ? std::max(kept.gone_us, moved.gone_us) : 0;
    kept.put_backs += moved.put_backs;
    if (moved.node_tie > kept.node_tie) {
        kept.node = moved.node;
        kept.node_tie = moved.node_tie;
    }
    for (auto& [name, node] : nodes_) {
        if (node.process == other) node.process = one;
    }
    return one;
}

void worker_map::tie_clients(std::uint64_t one, std::uint64_t other) {
    const auto first = clients_.find(one);
    const auto second = clients_.find(other);
    if (first == clients_.end() || second == clients_.end() || one == other) return;
    if (host_of(first->second.address) != host_of(second->second.address)) return;
    process_of(first->second);
    process_of(second->second);
    merge(first->second.process, second->second.process);
}

node_record* worker_map::node(const broker_id& broker, std::string_view name, std::int64_t at_us) {
    const auto key = std::pair(broker, std::string(name));
    auto found = nodes_.find(key);
    if (found == nodes_.end()) {
        if (nodes_.size() >= workers_max_) {
            ++refused_;
            return nullptr;
        }
        found = nodes_.try_emplace(key).first;
        found->second.broker = broker;
        found->second.node = name;
    }
    found->second.seen_us = std::max(found->second.seen_us, at_us);
    return &found->second;
}

void worker_map::tie_node(client_record& client, const broker_id& broker, std::string_view name) {
    node_record* const named = node(broker, name, client.seen_us);
    if (named == nullptr || client.gone_us != 0) return;
    process_record& process = process_of(client);
    process.broker = broker;
    process.node = name;
    process.node_tie = tie::proven;
    if (named->process != client.process) {
        const auto before = processes_.find(named->process);
        // The same process with one more socket; another one when the first is gone or lives elsewhere.
        const bool lives = before != processes_.end() && !before->second.open.empty();
        if (lives && before->second.host == process.host) merge(client.process, named->process);
    }
    named->process = client.process;
    named->said_offline = false;
    named->gone_us = 0;
}

void worker_map::node_left(const broker_id& broker, std::string_view name, std::int64_t at_us) {
    const auto found = nodes_.find({broker, std::string(name)});
    if (found == nodes_.end()) return;
    found->second.said_offline = true;
    found->second.seen_us = at_us;
}

void worker_map::node_heard(const broker_id& broker, std::string_view name, const node_news& news,
                            std::int64_t at_us) {
    node_record* const told = node(broker, name, at_us);
    if (told == nullptr) return;
    if (news.type == "worker-offline") {
        told->said_offline = true;
        return;
    }
    if (!news.type.starts_with("worker-")) return;
    // The name alone does not tell a process: in a container every one is number 1. Whoever goes on forwards
    // its clock with every event.
    const bool begins_anew =
        news.type == "worker-online" && told->clock && news.clock && *news.clock == *told->clock;
    const bool another = begins_anew || (told->pid && news.pid && *told->pid != *news.pid) ||
                         (told->processed && news.processed && *news.processed < *told->processed) ||
                         (told->clock && news.clock && *news.clock < *told->clock);
    if (another) told->restarted_us = at_us;
    told->said_offline = false;
    told->heartbeat_us = at_us;
    if (news.type == "worker-online" || told->online_us == 0 || another) told->online_us = at_us;
    if (news.freq) told->every_s = *news.freq;
    if (news.timestamp) told->skew_s = *news.timestamp - static_cast<double>(at_us) / 1e6;
    if (news.pid) told->pid = news.pid;
    if (news.active) told->active = news.active;
    if (news.processed) told->processed = news.processed;
    if (news.clock) told->clock = news.clock;
    if (!news.load.empty()) told->load = news.load;
    if (!news.software.empty()) told->software = news.software;
    if (!news.system.empty()) told->system = news.system;
}

// A consumer without a name and a node without a consumer on one address are one worker when there is no
// choice, or when they connected together and nobody else did.
void worker_map::assume_ties() {
    struct side {
        std::uint64_t process;
        std::int64_t started_us;
        const node_record* node;
    };
    std::map<std::string, std::pair<std::vector<side>, std::vector<side>>> by_host;
    for (const auto& [id, process] : processes_) {
        if (process.gone_us != 0 || !process.consumes || process.node_tie == tie::proven) continue;
        by_host[process.host].first.push_back({id, process.started_us, nullptr});
    }
    for (const auto& [key, node] : nodes_) {
        const auto of = processes_.find(node.process);
        if (of == processes_.end() || of->second.gone_us != 0 || of->second.consumes) continue;
        by_host[of->second.host].second.push_back({node.process, of->second.started_us, &node});
    }
    for (auto& [host, sides] : by_host) {
        auto& [consumers, named] = sides;
        for (const side& consumer : consumers) {
            const auto distance = [&](const side& each) {
                return std::abs(each.started_us - consumer.started_us);
            };
            std::sort(named.begin(), named.end(),
                      [&](const side& a, const side& b) { return distance(a) < distance(b); });
            const bool only = consumers.size() == 1 && named.size() == 1;
            const bool nearest = named.size() > 1 && distance(named[0]) < 2'000'000 &&
                                 distance(named[1]) > 4 * distance(named[0]) + 500'000;
            process_record& process = processes_.at(consumer.process);
            process.node_tie = only || nearest ? tie::assumed : tie::none;
            process.node = only || nearest ? named[0].node->node : "";
            if (only || nearest) process.broker = named[0].node->broker;
        }
    }
}

void worker_map::tick(std::int64_t now_us, std::int64_t forget_us,
                      const std::set<std::uint64_t>& still_needed) {
    assume_ties();
    for (auto& [key, node] : nodes_) {
        const auto of = processes_.find(node.process);
        const bool open = of != processes_.end() && of->second.gone_us == 0;
        if (!open && of != processes_.end() && node.gone_us == 0) node.gone_us = of->second.gone_us;
    }
    std::erase_if(nodes_, [&](const auto& each) {
        const node_record& node = each.second;
        const auto of = processes_.find(node.process);
        const bool open = of != processes_.end() && of->second.gone_us == 0;
        return !open && node.seen_us < now_us - forget_us && node.heartbeat_us < now_us - forget_us;
    });
    for (auto each = processes_.begin(); each != processes_.end();) {
        process_record& process = each->second;
        // Of a process that lives, old sockets are only kept while a message refers to them.
        std::erase_if(process.gone, [&](std::uint64_t id) {
            const bool old = clients_.at(id).gone_us < now_us - forget_us;
            if (!old || still_needed.contains(id)) return false;
            clients_.erase(id);
            return true;
        });
        each = process.open.empty() && process.gone.empty() ? processes_.erase(each) : std::next(each);
    }
}

owner_view worker_map::owner(std::uint64_t client_id, std::int64_t now_us,
                             std::int64_t orphan_after_us) const {
    owner_view view;
    const client_record* const client = find(client_id);
    const process_record* const of = client == nullptr ? nullptr : process(client->process);
    if (of == nullptr) return view;
    view.process = client->process;
    view.clients.assign(of->open.begin(), of->open.end());
    view.address = client->address;
    view.node = of->node;
    if (of->gone_us == 0) {
        view.state = owner_state::alive;
        return view;
    }
    view.gone_us = of->gone_us;
    const std::int64_t patience_us = orphan_after_us + (elsewhere_.others ? news_travel_us : 0);
    view.state = now_us - of->gone_us < patience_us ? owner_state::leaving : owner_state::orphan;
    const auto node = of->node.empty() ? nodes_.end() : nodes_.find({of->broker, of->node});
    if (node != nodes_.end() && !node->second.said_offline &&
        node->second.heartbeat_us > of->gone_us + reconnect_slack_us &&
        node->second.restarted_us < of->gone_us && now_us - node->second.heartbeat_us < 30'000'000 &&
        node->second.online_us != 0) {
        view.state = owner_state::reconnected;
    }
    if (elsewhere_.holds(of->host, of->node)) view.state = owner_state::reconnected;
    return view;
}

}  // namespace broker

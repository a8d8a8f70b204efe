// SIDECAR …: the console, in the spirit of PgBouncer's SHOW, over the Redis protocol so that redis-cli is its
// terminal.
#include <algorithm>
#include <map>

#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/text_case.hpp"

namespace sidecar {

namespace {

using row = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view lane_names[] = {"main", "bulk", "lease", "subscription", "control"};
constexpr std::string_view role_names[] = {"confined", "readonly", "full"};
constexpr std::string_view state_names[] = {"idle", "connecting", "greeting", "ready", "waiting"};
constexpr std::string_view stall_names[] = {"active",    "drain",   "lease",  "blocked",
                                            "subscribe", "publish", "remote", "backpressure"};

void add_fields(std::string& out, const row& r) {
    for (const auto& [key, value] : r) out.append(key).append(1, '\x1f').append(value).append(1, '\x1f');
}

// Rows cross threads as text: fields split by \x1f, rows by \x1e.
void add_row(std::string& out, const row& r) {
    add_fields(out, r);
    out += '\x1e';
}

std::string to_reply(const std::vector<std::string>& parts, int protocol) {
    std::vector<row> rows;
    for (const auto& part : parts) {
        for (std::size_t at = 0; at < part.size();) {
            const std::size_t end = part.find('\x1e', at);
            row r;
            while (at < end) {
                const std::size_t mid = part.find('\x1f', at);
                const std::size_t stop = part.find('\x1f', mid + 1);
                r.emplace_back(part.substr(at, mid - at), part.substr(mid + 1, stop - mid - 1));
                at = stop + 1;
            }
            rows.push_back(std::move(r));
            at = end + 1;
        }
    }
    std::string out;
    resp::append_array_header(out, rows.size());
    for (const auto& r : rows) {
        resp::append_map_header(out, r.size(), protocol);
        for (const auto& [key, value] : r) {
            resp::append_bulk(out, key);
            resp::append_bulk(out, value);
        }
    }
    return out;
}

std::string pools_of(shard_core& shard) {
    std::string out;
    for (link* l : shard.links()) {
        const auto& k = l->key();
        const auto& url = shard.upstreams()[k.upstream]->url;
        const bool lease = k.lane == link_lane::lease;
        add_row(out, {{"shard", std::to_string(shard.index)},
                      {"upstream", masked(url)},
                      {"db", std::to_string(k.database)},
                      {"resp", std::to_string(k.protocol)},
                      {"lane", std::string(lane_names[static_cast<int>(k.lane)])},
                      {"user", std::string(role_names[static_cast<int>(k.role)])},
                      {"state", std::string(state_names[static_cast<int>(l->state())])},
                      {"in_flight", std::to_string(l->in_flight())},
                      {"kept_bytes", std::to_string(l->kept_bytes())},
                      {"bytes_in", std::to_string(l->bytes_in())},
                      {"bytes_out", std::to_string(l->bytes_out())},
                      {"losses", std::to_string(l->losses())},
                      {"leased", lease ? "yes" : "no"}});
    }
    return out;
}

std::string clients_of(shard_core& shard) {
    std::string out;
    shard.each_client([&](session& s) {
        if (s.life() == session_life::closed) return;
        add_row(out, {{"id", std::to_string(s.id())},
                      {"shard", std::to_string(shard.index)},
                      {"addr", s.address().remote},
                      {"tls", s.address().tls ? "yes" : "no"},
                      {"user", s.who().name},
                      {"name", s.name()},
                      {"db", std::to_string(s.database())},
                      {"state", std::string(stall_names[static_cast<int>(s.stalled())])},
                      {"leased", s.leased() ? "yes" : "no"},
                      {"kind", std::string(s.kind())},
                      {"in_flight", std::to_string(s.in_flight())}});
    });
    return out;
}

// Numbers to be summed over shards.
std::string stats_of(shard_core& shard) {
    const metrics m = shard.snapshot();
    const row r{{"clients", std::to_string(m.now.clients)},
                {"clients_blocked", std::to_string(m.now.clients_blocked)},
                {"clients_subscribed", std::to_string(m.now.clients_subscribed)},
                {"clients_accepted", std::to_string(m.count.clients_accepted)},
                {"commands", std::to_string(m.calls_total())},
                {"local_commands", std::to_string(m.count.local_commands)},
                {"whole_transactions", std::to_string(m.count.whole_transactions)},
                {"leases_in_use", std::to_string(m.now.leases_in_use)},
                {"leases_idle", std::to_string(m.now.leases_idle)},
                {"lease_waiters", std::to_string(m.now.lease_waiters)},
                {"leases_granted", std::to_string(m.count.leases_granted)},
                {"parked_calls", std::to_string(m.count.parked_calls)},
                {"put_backs", std::to_string(m.count.put_backs)},
                {"pops_unknown", std::to_string(m.count.pops_unknown)},
                {"policy_refusals", std::to_string(m.refusals_total())},
                {"links_ready", std::to_string(m.now.links_ready)},
                {"links_lost", std::to_string(m.count.links_lost)},
                {"subscribed_names", std::to_string(m.now.channels)},
                {"messages_delivered", std::to_string(m.count.messages_delivered)},
                {"client_input_bytes", std::to_string(m.count.bytes_from_clients)},
                {"client_output_bytes", std::to_string(m.count.bytes_to_clients)}};
    std::string out;
    add_fields(out, r);
    return out;
}

std::vector<std::pair<std::string, std::uint64_t>> summed(const std::vector<std::string>& parts) {
    std::vector<std::pair<std::string, std::uint64_t>> sums;
    for (const auto& part : parts) {
        std::size_t i = 0;
        for (std::size_t at = 0; at < part.size(); ++i) {
            const std::size_t mid = part.find('\x1f', at);
            const std::size_t stop = part.find('\x1f', mid + 1);
            if (i == sums.size()) sums.emplace_back(part.substr(at, mid - at), 0);
            sums[i].second += std::stoull(part.substr(mid + 1, stop - mid - 1));
            at = stop + 1;
        }
    }
    return sums;
}

std::string slowlog_of(shard_core& shard) {
    std::string out;
    for (const auto& e : shard.slow.entries()) {
        std::string text;
        for (const auto& arg : e.args) {
            if (!text.empty()) text += ' ';
            for (const char c : arg) text += c >= ' ' && c <= '~' ? c : '.';
        }
        add_row(out, {{"shard", std::to_string(shard.index)},
                      {"id", std::to_string(e.id)},
                      {"time", std::to_string(e.unix_time)},
                      {"duration_us", std::to_string(e.duration_us)},
                      {"db", std::to_string(e.database)},
                      {"addr", e.client_address},
                      {"name", e.client_name},
                      {"command", text}});
    }
    return out;
}

constexpr std::string_view help_lines[] = {
    "SIDECAR <subcommand>. Subcommands are:",
    "CLIENTS",
    "    One row per connected client: address, user, db, what it waits for.",
    "HELP",
    "    This text.",
    "POOLS",
    "    One row per upstream connection: db, lane, state, commands in flight, bytes.",
    "SLOWLOG [RESET]",
    "    Slow commands with the address of the client that sent them.",
    "STATS",
    "    Counters summed over all shards.",
    "VERSION",
    "    The version of the sidecar.",
};

}  // namespace

session::step session::console(const command& c) {
    if (entries_ > 0) return wait_for(stall::drain);
    if (user_->database_mask != ~0U && c.args.size() > 1) {
        reply_error("NOPERM this user is limited to some dbs and may not use the console");
        return step::consumed;
    }
    const std::string sub = c.args.size() > 1 ? upper(c.args[1]) : "HELP";
    const int protocol = protocol_;
    const auto rows = [protocol](const std::vector<std::string>& parts) { return to_reply(parts, protocol); };
    ++shard_.stats.of(database_, c.spec->index).calls;
    if (sub == "POOLS") {
        ask_shards(pools_of, rows);
    } else if (sub == "CLIENTS") {
        ask_shards(clients_of, rows);
    } else if (sub == "SLOWLOG" && c.args.size() > 2 && upper(c.args[2]) == "RESET") {
        ask_shards(
            [](shard_core& s) {
                s.slow.clear();
                return std::string();
            },
            [](const std::vector<std::string>&) { return std::string("+OK\r\n"); });
    } else if (sub == "SLOWLOG") {
        ask_shards(slowlog_of, rows);
    } else if (sub == "STATS") {
        ask_shards(stats_of, [protocol](const std::vector<std::string>& parts) {
            const auto sums = summed(parts);
            std::string out;
            resp::append_map_header(out, sums.size(), protocol);
            for (const auto& [key, value] : sums) {
                resp::append_bulk(out, key);
                resp::append_integer(out, static_cast<std::int64_t>(value));
            }
            return out;
        });
    } else if (sub == "VERSION") {
        std::string out;
        resp::append_bulk(out, SIDECAR_VERSION);
        reply(out);
    } else if (sub == "HELP") {
        std::string out;
        resp::append_array_header(out, std::size(help_lines));
        for (const auto line : help_lines) resp::append_simple(out, line);
        reply(out);
    } else {
        reply_error("ERR unknown subcommand '" + std::string(c.args[1].substr(0, 128)) +
                    "'. Try SIDECAR HELP.");
    }
    return step::consumed;
}

session::step session::info_sidecar() {
    if (entries_ > 0) return wait_for(stall::drain);
    const auto& up = shard_.upstream_of(database_);
    std::string head =
        "# Sidecar\r\nsidecar_version:" SIDECAR_VERSION "\r\nrun_id:" + shard_.process.run_id +
        "\r\nuptime_in_seconds:" + std::to_string(shard_.unix_time() - shard_.process.start_unix_time) +
        "\r\nshards:" + std::to_string(shard_.process.shards) + "\r\nupstream:" + masked(up.url) +
        "\r\nupstream_version:" + up.version + "\r\nupstream_status:" + (up.down_since ? "down" : "up") +
        "\r\n";
    ask_shards(stats_of, [protocol = protocol_, head](const std::vector<std::string>& parts) {
        std::string text = head;
        for (const auto& [key, value] : summed(parts)) text += key + ":" + std::to_string(value) + "\r\n";
        std::string out;
        resp::append_verbatim(out, text, protocol);
        return out;
    });
    return step::consumed;
}

}  // namespace sidecar

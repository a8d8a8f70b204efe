// CLIENT LIST, KILL and UNBLOCK: they speak of the sidecar's clients, on all shards, never of its upstream
// pool.
#include <algorithm>
#include <memory>

#include "resp/number.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/text_case.hpp"

namespace sidecar {

namespace {

constexpr std::string_view syntax_error = "ERR syntax error";

struct client_filter {
    std::vector<std::uint64_t> ids;
    std::string address, local_address, user_name, kind;
    std::optional<std::uint64_t> skip;

    [[nodiscard]] bool fits(const session& s) const {
        if (!ids.empty() && std::find(ids.begin(), ids.end(), s.id()) == ids.end()) return false;
        if (!address.empty() && s.address().remote != address) return false;
        if (!local_address.empty() && s.address().local != local_address) return false;
        if (!user_name.empty() && s.who().name != user_name) return false;
        if (!kind.empty() && s.kind() != kind) return false;
        return !skip || *skip != s.id();
    }
};

bool known_kind(std::string& kind) {
    std::transform(kind.begin(), kind.end(), kind.begin(), to_lower);
    return kind == "normal" || kind == "pubsub" || kind == "master" || kind == "replica" || kind == "slave";
}

}  // namespace

std::string_view session::kind() const {
    return subscribed() ? "pubsub" : "normal";
}

// `running` is the command that asks, which Redis shows as the last one.
std::string session::client_list_line(std::string_view running) const {
    const auto seconds = [&](time_point since) {
        return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(shard_.now() - since).count());
    };
    std::string flags;  // in Redis's order
    if (streaming_) flags += 'O';
    if (subscribed()) flags += 'P';
    if (tx_) flags += 'x';
    if (blocked()) flags += 'b';
    if (tracking_) flags += 't';
    if (tracking_ && tracking_broadcast_) flags += 'B';
    if (life_ == session_life::draining || life_ == session_life::flushing) flags += 'c';
    if (address_.unix_socket) flags += 'U';
    if (no_evict_) flags += 'e';
    if (no_touch_) flags += 'T';
    if (flags.empty()) flags = "N";
    const std::string qbuf = std::to_string(input_.size() - input_at_);
    const std::string out = std::to_string(output_.size());
    const auto count = [&](int kind) { return std::to_string(subs_ ? subs_->names[kind].size() : 0); };
    const std::string last = !running.empty()           ? std::string(running)
                             : last_command_ != nullptr ? std::string(last_command_->name)
                                                        : "NULL";
    return "id=" + std::to_string(id_) + " addr=" + address_.remote + " laddr=" + address_.local +
           " fd=" + std::to_string(address_.descriptor) + " name=" + name_ + " age=" + seconds(created_at_) +
           " idle=" + seconds(running.empty() ? last_command_at_ : shard_.now()) + " flags=" + flags +
           " db=" + std::to_string(database_) + " sub=" + count(0) + " psub=" + count(1) +
           " ssub=" + count(2) + " multi=" + (tx_ ? std::to_string(tx_->size()) : "-1") + " qbuf=" + qbuf +
           " qbuf-free=0 argv-mem=0 multi-mem=0" + " rbs=0 rbp=0 obl=" + out + " oll=0 omem=" + out +
           " tot-mem=" + std::to_string(sizeof(session) + input_.capacity() + output_.size()) +
           " events=r cmd=" + last + " user=" + user_->name + " redir=-1 resp=" + std::to_string(protocol_) +
           (upstream_is_at_least("7.2") ? " lib-name=" + library_name_ + " lib-ver=" + library_version_
                                        : std::string());
}

// Asks every shard, this one included, and answers the client when all have spoken.
void session::ask_shards(const std::function<std::string(shard_core&)>& question,
                         const std::function<std::string(const std::vector<std::string>&)>& answer) {
    stall_ = stall::remote;
    const bool silent = reply_mode_ != reply_mode::on;
    const auto home = shard_.index;
    const auto client = id_;
    auto& process = shard_.process;
    const int shards = process.shards;
    auto parts = std::make_shared<std::vector<std::string>>();
    for (int i = 0; i < shards; ++i) {
        process.post(i, [=, &process](shard_core& there) {
            std::string part = question(there);
            process.post(home, [=, part = std::move(part)](shard_core& back) {
                parts->push_back(part);
                if (static_cast<int>(parts->size()) < shards) return;
                session* s = back.find_session(client);
                if (s == nullptr || s->life_ == session_life::closed) return;
                const std::string text = answer(*parts);
                if (!silent) s->append_output(text);
                if (s->life_ == session_life::draining) return s->close_after_flush();
                s->wake(stall::remote);
            });
        });
    }
}

session::step session::client_list(args_view args) {
    if (entries_ > 0) return wait_for(stall::drain);
    client_filter filter;
    if (args.size() == 4 && equals_ignoring_case(args[2], "type")) {
        filter.kind = args[3];
        if (!known_kind(filter.kind)) {
            reply_error("ERR Unknown client type '" + std::string(args[3]) + "'");
            return step::consumed;
        }
    } else if (args.size() > 3 && equals_ignoring_case(args[2], "id")) {
        for (const auto arg : args.subspan(3)) {
            const auto id = resp::parse_number(arg);
            if (!id || *id < 1) {
                reply_error("ERR Invalid client ID");
                return step::consumed;
            }
            filter.ids.push_back(static_cast<std::uint64_t>(*id));
        }
    } else if (args.size() != 2) {
        reply_error(syntax_error);
        return step::consumed;
    }
    if (user_->database_mask != ~0U) filter.user_name = user_->name;  // a limited user sees its own
    ask_shards(
        [filter](shard_core& shard) {
            std::string lines;
            shard.each_client([&](session& s) {
                if (s.life() != session_life::closed && filter.fits(s)) lines += s.client_list_line() + "\n";
            });
            return lines;
        },
        [protocol = protocol_](const std::vector<std::string>& parts) {
            std::string all;
            for (const auto& part : parts) all += part;
            std::string out;
            resp::append_verbatim(out, all, protocol);
            return out;
        });
    return step::consumed;
}

void session::kill() {
    close_now("killed");
}

session::step session::client_kill(args_view args) {
    if (entries_ > 0) return wait_for(stall::drain);
    client_filter filter;
    const bool old_style = args.size() == 3;
    if (old_style) {
        filter.address = args[2];
    } else {
        bool skip_me = true;
        for (std::size_t i = 2; i + 1 < args.size(); i += 2) {
            const auto key = args[i];
            const auto text = args[i + 1];
            if (equals_ignoring_case(key, "id")) {
                const auto id = resp::parse_number(text);
                if (!id || *id < 1) {
                    reply_error("ERR client-id should be greater than 0");
                    return step::consumed;
                }
                filter.ids.push_back(static_cast<std::uint64_t>(*id));
            } else if (equals_ignoring_case(key, "addr")) {
                filter.address = text;
            } else if (equals_ignoring_case(key, "laddr")) {
                filter.local_address = text;
            } else if (equals_ignoring_case(key, "user")) {
                filter.user_name = text;
                if (shard_.settings().users.find(text) == nullptr) {
                    reply_error("ERR No such user '" + std::string(text) + "'");
                    return step::consumed;
                }
            } else if (equals_ignoring_case(key, "type")) {
                filter.kind = text;
                if (!known_kind(filter.kind)) {
                    reply_error("ERR Unknown client type '" + std::string(text) + "'");
                    return step::consumed;
                }
            } else if (equals_ignoring_case(key, "skipme") &&
                       (equals_ignoring_case(text, "yes") || equals_ignoring_case(text, "no"))) {
                skip_me = equals_ignoring_case(text, "yes");
            } else {
                reply_error(syntax_error);
                return step::consumed;
            }
        }
        if (args.size() % 2 != 0 || args.size() < 4) {
            reply_error(syntax_error);
            return step::consumed;
        }
        if (skip_me) filter.skip = id_;
    }
    if (user_->database_mask != ~0U) filter.user_name = user_->name;
    // The asker itself goes last, after its answer.
    const bool self = filter.fits(*this);
    ask_shards(
        [filter, me = id_](shard_core& shard) {
            std::vector<session*> chosen;
            shard.each_client([&](session& s) {
                if (s.life() != session_life::closed && filter.fits(s) && s.id() != me) chosen.push_back(&s);
            });
            for (session* s : chosen) s->kill();
            return std::to_string(chosen.size());
        },
        [this, self, old_style](const std::vector<std::string>& parts) {
            std::int64_t sum = self ? 1 : 0;
            for (const auto& part : parts) sum += std::stoll(part);
            std::string out;
            if (!old_style) {
                resp::append_integer(out, sum);
            } else if (sum > 0) {
                out = "+OK\r\n";
            } else {
                resp::append_error(out, "ERR No such client");
            }
            if (self) end_input();
            return out;
        });
    return step::consumed;
}

session::step session::client_unblock(args_view args) {
    if (entries_ > 0) return wait_for(stall::drain);
    auto how = parked_call::unblock_as::timeout;
    if (args.size() > 4) {
        reply_error("ERR unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.");
        return step::consumed;
    }
    if (args.size() == 4) {
        if (equals_ignoring_case(args[3], "error")) {
            how = parked_call::unblock_as::error;
        } else if (!equals_ignoring_case(args[3], "timeout")) {
            reply_error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
            return step::consumed;
        }
    }
    const auto id = resp::parse_number(args[2]);
    if (!id) {
        reply_error("ERR value is not an integer or out of range");
        return step::consumed;
    }
    ask_shards(
        [target = static_cast<std::uint64_t>(*id), how](shard_core& shard) -> std::string {
            session* s = shard.find_session(target);
            return s != nullptr && s->unblock(how) ? "1" : "0";
        },
        [](const std::vector<std::string>& parts) {
            const bool any = std::find(parts.begin(), parts.end(), "1") != parts.end();
            return any ? std::string(":1\r\n") : std::string(":0\r\n");
        });
    return step::consumed;
}

}  // namespace sidecar

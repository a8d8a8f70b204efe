// A script that does not end. Redis answers every other connection -BUSY then, but reads nothing more of the
// one that the script came by, and here that is everybody's. So what would go out behind a script that has
// run for a while is held back; PING over the control connection tells how it stands:
//
//   no answer (yet)  Redis does nothing else either: wait
//   PONG             the script is over, its reply on the way: the link writes again with the next byte read
//   -BUSY            what is held back gets that answer, as from Redis; clients can do something about it
//
// The script's own client waits for it: Redis would read its next command behind it, too.

#include "resp/writer.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

namespace {

constexpr std::chrono::microseconds script_time_min = std::chrono::milliseconds(50);
constexpr std::chrono::milliseconds script_ping_interval{50};
constexpr std::string_view aborted = "EXECABORT Transaction discarded because of previous errors.";

bool may_run_script(verb id) {
    return id == verb::eval || id == verb::evalsha || id == verb::fcall || id == verb::exec;
}

}  // namespace

void shard_core::ping(upstream& u) {
    u.pinged_at = now_;
    u.ping_outstanding = true;
    ask(*u.control, resp::command({"PING"}), [this, &u](std::string_view reply) {
        u.ping_outstanding = false;
        u.busy.clear();
        if (!u.control->ready()) return;
        u.down_since.reset();
        u.cause.clear();
        if (!reply.starts_with("-BUSY ")) return;
        u.busy = reply.substr(1, reply.find('\r') - 1);
        watch_scripts(u);
    });
}

// The script's owner, if one has been written and nothing answered for a while. It need not be the front
// command: Redis keeps the replies of a pipeline until it has come to the end of what it had read.
const reply_owner* shard_core::runs_long_script(link& which) const {
    const link_lane lane = which.key().lane;
    if (!which.front_was_sent() || (lane != link_lane::main && lane != link_lane::bulk)) return nullptr;
    const upstream_entry& front = which.front();
    if (now_us_ - front.submitted_us < static_cast<std::uint32_t>(script_time_min.count())) return nullptr;
    if ((front.flags & entry_flag::partial) != 0) return nullptr;
    const reply_owner* caller = nullptr;
    (void)which.disown_written([&](const upstream_entry& entry) {
        if (caller == nullptr && may_run_script(commands.at_index(entry.command).id)) caller = entry.owner;
        return false;
    });
    return caller;
}

void shard_core::watch_scripts(upstream& u) {
    bool holding = false;
    for (auto& l : links_) {
        if (l->key().upstream != u.index) continue;
        const reply_owner* const caller = runs_long_script(*l);
        if (caller == nullptr) continue;
        l->hold_back();
        holding = true;
        if (!u.busy.empty()) refuse_waiting(*l, caller, u.busy);
    }
    if (!holding && u.busy.empty()) return;
    if (u.control->ready() && !u.ping_outstanding && now_ - u.pinged_at >= script_ping_interval) ping(u);
}

// What only reads and has gone out behind the script is answered too, and Redis's own answer dropped when it
// comes; what may write waits, since Redis will run it. A transaction of which nothing has gone out is
// answered as Redis does: MULTI is accepted, EXEC aborts.
void shard_core::refuse_waiting(link& which, const reply_owner* caller, const std::string& busy) {
    const auto is_ours = [](const upstream_entry& entry) {
        return entry.owner == nullptr || entry.use == reply_use::internal ||
               (entry.flags & (entry_flag::unbounded | entry_flag::unanswered)) != 0;
    };
    bool behind = false;
    auto refused = which.disown_written([&](const upstream_entry& entry) {
        const verb id = commands.at_index(entry.command).id;
        behind = behind || may_run_script(id);
        const bool reads = (entry.flags & entry_flag::readonly) != 0 || id == verb::ping || id == verb::echo;
        return behind && reads && !is_ours(entry) && entry.is_plain_forward() && entry.owner != caller &&
               (entry.flags & entry_flag::in_transaction) == 0;
    });
    bool before = false;
    const auto unsent = which.take_unsent([&](const upstream_entry& entry) {
        const bool begun = (entry.flags & entry_flag::in_transaction) != 0 && !before;
        before = !is_ours(entry) && !begun && entry.owner != caller;
        return before;
    });
    refused.insert(refused.end(), unsent.begin(), unsent.end());
    for (const upstream_entry& entry : refused) answer_busy(entry, busy);
}

void shard_core::answer_busy(const upstream_entry& entry, const std::string& busy) {
    const verb id = commands.at_index(entry.command).id;
    std::string reply;
    if (id == verb::multi) {
        resp::append_simple(reply, "OK");
    } else {
        resp::append_error(reply, id == verb::exec ? aborted : std::string_view(busy));
        ++stats.of(entry.database, entry.command).errors;
    }
    ++stats.count.commands_refused_busy;
    if (entry.note != 0) tap.failed(entry.note);
    entry.owner->on_reply(entry, reply, true);
}

}  // namespace sidecar

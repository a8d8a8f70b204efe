// What a broker's observer is told of a client, and what is done with a message on its way to one.
#include "broker/delivery_scripts.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"
#include "sidecar/core/text_case.hpp"

namespace sidecar {

using broker::traffic;
using broker::wire_kind;
using broker::wire_note;

namespace {

constexpr std::size_t deliveries_bytes_max = std::size_t{1} << 20;

bool names_client(std::span<const std::string_view> args) {
    if (args.size() < 2) return false;
    return args.size() > 2 &&
           (equals_ignoring_case(args[0], "hello") || equals_ignoring_case(args[1], "setname") ||
            equals_ignoring_case(args[1], "setinfo"));
}

}  // namespace

wire_note session::about(wire_kind kind) const {
    wire_note note;
    note.kind = kind;
    note.db = database_;
    note.client = id_;
    note.at_us = shard_.unix_time_us();
    return note;
}

// What stands before anything else that is told of the client.
void session::announce() {
    announced_ = true;
    wire_note note = about(wire_kind::connected);
    note.text = address_.remote;
    shard_.tap.tell(note);
    note.kind = wire_kind::named;
    const std::pair<std::string_view, std::string_view> names[] = {
        {"name", name_}, {"lib-name", library_name_}, {"lib-ver", library_version_}};
    for (const auto& [key, text] : names) {
        if (text.empty()) continue;
        note.key = key;
        note.text = text;
        shard_.tap.tell(note);
    }
}

// What was submitted to `target` last, when it is not just a command that tells of itself.
void session::observe_special(link& target, const command_spec& spec, args_view args) {
    using part = broker::command_record::part;
    const traffic means = spec.traffic;
    if (broker::ends_transaction(means)) {
        const auto deliveries = std::exchange(tx_deliveries_, nullptr);
        const bool noted = deliveries && means == traffic::commit;
        return record_last(target, part::ends, noted ? shard_.tap.expect(*deliveries) : 0);
    }
    if (!broker::tells_itself(means)) return;
    const part is = tx_ == nullptr ? part::alone : part::queued;
    if (means != traffic::take_note || !broker::notes_delivery(args)) return record_last(target, is);
    std::string delivery;
    broker_tap::add_delivery(delivery, args[1], args[2]);
    if (tx_ == nullptr) return record_last(target, is, shard_.tap.expect(delivery));
    if (!tx_deliveries_) tx_deliveries_ = std::make_unique<std::string>();
    if (tx_deliveries_->size() < deliveries_bytes_max) *tx_deliveries_ += delivery;
    record_last(target, is);
}

// Of a transaction of which all lies in the link's queue, one command behind the other.
void session::observe_whole(link& target, const whole_transaction& whole) {
    const bool delivers = whole.delivers_at != std::string_view::npos;
    record(target, broker::command_record::part::whole,
           static_cast<std::uint32_t>(whole.bytes_behind_multi()),
           delivers ? broker_tap::expect_from(static_cast<std::uint32_t>(whole.delivers_at)) : 0);
}

// Of a long transaction, or one of which something goes elsewhere: command by command, as one typed step by
// step. `deliveries` are those noted so far.
void session::observe_part(link& target, const whole_transaction::part& part, std::string& deliveries) {
    if (part.spec->id == verb::exec)
        return record_last(target, broker::command_record::part::ends, shard_.tap.expect(deliveries));
    if (!part.is_observed) return;
    record_last(target, broker::command_record::part::queued);
    resp::scanned_command& scanned = shard_.ahead_scratch;
    if (part.spec->traffic == traffic::take_note && deliveries.size() < deliveries_bytes_max &&
        resp::command_scanner().scan(part.bytes, resp::peer_trust::known, scanned) ==
            resp::scan_status::command &&
        broker::notes_delivery(scanned.args))
        broker_tap::add_delivery(deliveries, scanned.args[1], scanned.args[2]);
}

// A transaction that ends without EXEC or DISCARD: upstream is not asked to end it.
void session::forget_transaction() {
    tx_deliveries_.reset();
    if (tx_ != nullptr && announced_) shard_.tap.record_reset({id_, shard_.unix_time_us(), database_});
    tx_.reset();
}

// Of a command that was answered here.
void session::observe_local(const command& c) {
    const traffic means = c.spec->traffic;
    const bool subscribes = means == traffic::listen || means == traffic::listen_to_pattern ||
                            means == traffic::leave || means == traffic::leave_pattern;
    if (!subscribes && means != traffic::name) return;
    if (life_ == session_life::closed) return;
    const bool known = announced_;
    if (!known) announce();
    if (subscribes) {
        std::string notes;
        broker::append_notes(notes, means, c.args, about({}));
        shard_.tap.tell_all(notes);
    } else if (known && names_client(c.args)) {
        announce();
    }
}

void session::observe_wait(const broker::blocking_call& call) {
    if (!announced_) announce();
    std::string keys;
    for (const auto& key : call.keys) {
        if (!keys.empty()) keys += '\n';
        keys += key;
    }
    const std::string timeout = call.timeout ? std::to_string(call.timeout->count()) : "0";
    wire_note note = about(wire_kind::waits);
    note.text = keys;
    note.extra = timeout;
    shard_.tap.tell(note);
}

void session::observe_wait_over() {
    if (shard_.watches(database_)) shard_.tap.tell(about(wire_kind::waits_over));
}

void session::observe_pop(std::string_view key, std::string_view message) {
    if (!announced_) announce();
    wire_note note = about(wire_kind::popped);
    note.key = key;
    broker::set_message(note, &wire_note::text, message);
    shard_.tap.tell(note);
}

void session::observe_end() {
    if (!std::exchange(announced_, false)) return;
    shard_.gate.client_gone(id_);
    shard_.tap.tell(about(wire_kind::gone));
}

std::optional<session::step> session::steer(const command& c) {
    const bool usual = lease_ == nullptr && reply_mode_ == reply_mode::on && tx_ == nullptr;
    if (!usual) return std::nullopt;
    if (c.spec->traffic == traffic::push_left) return steer_push(c);
    if (c.args.size() != 2) return std::nullopt;
    shard_.gate.asks_again(database_, id_);
    std::vector<std::string> tokens;
    if (shard_.gate.closes_queues(database_)) {
        const admission given = shard_.gate.admit(database_, {std::string(c.args[1])});
        tokens = given.tokens;
        if (given.keys.empty()) {
            reply(protocol_ == 2 ? "$-1\r\n" : "_\r\n");
            return step::consumed;
        }
    }
    const auto [done, number] = guard_forward(c, reply_use::steered, 0);
    if (number) {
        extras_[*number].text = c.args[1];
        tokens.insert(tokens.begin(), c.spec->traffic == traffic::pop_left ? "LPOP" : "RPOP");
        extras_[*number].names = std::move(tokens);
    }
    return done;
}

// The same push into the list where a draining queue's messages wait; empty when its queue is not draining.
std::string session::diverted(const command& c) {
    if (c.spec->traffic != traffic::push_left || c.args.size() < 3 || c.args.size() < c.argument_count)
        return {};
    if (!shard_.gate.drains(database_, c.args[1])) return {};
    const std::string held = broker::held_list(c.args[1]);
    std::vector<std::string_view> words(c.args.begin(), c.args.end());
    words[1] = held;
    std::string bytes;
    resp::append_command(bytes, words);
    if (!announced_) announce();
    wire_note note = about(wire_kind::withheld);
    note.key = c.args[1];
    note.extra = "drained";
    for (const auto message : c.args.subspan(2)) {
        broker::set_message(note, &wire_note::text, message);
        shard_.tap.tell(note);
        ++shard_.stats.count.broker_withheld;
    }
    return bytes;
}

std::optional<session::step> session::steer_push(const command& c) {
    if (main_link() == nullptr) return wait_for(stall::drain);
    const std::string bytes = diverted(c);
    if (bytes.empty()) return std::nullopt;
    command elsewhere = c;
    elsewhere.bytes = bytes;
    elsewhere.args = {};  // what it was to do is not told
    return forward(elsewhere);
}

bool session::goes_again(const upstream_entry& entry, extra& x) {
    if (entry.use == reply_use::guard) return send_script_again(entry, x);
    return entry.use == reply_use::steered && pop_again(entry, x);
}

// What it popped is kept from the client: it pops once more.
bool session::pop_again(const upstream_entry& entry, extra& x) {
    const auto value = resp::parse_value(x.reply);
    const bool found = value && value->type == resp::kind::bulk;
    shard_.gate.give_back(entry.database, {x.names.begin() + 1, x.names.end()},
                          found ? std::string_view(x.text) : std::string_view{});
    x.names.resize(1);
    if (!found) return false;
    const bool right = x.names.front() == "RPOP";
    using where = broker::popped::where;
    const broker::popped what{x.text, right ? where::list_tail : where::list_head, {value->text}, {}};
    const broker_gate::arrival to{entry.database, id_, {}};
    if (shard_.gate.pass(to, what) != broker_gate::passage::kept) {
        observe_pop(x.text, value->text);
        return false;
    }
    if (shard_.gate.closed(entry.database, x.text)) {
        x.reply = protocol_ == 2 ? "$-1\r\n" : "_\r\n";
        return false;
    }
    const std::string bytes = resp::command({x.names.front(), x.text});
    x.reply.clear();
    upstream_entry again = entry;
    again.submitted_us = shard_.now_us();
    again.flags &= static_cast<std::uint16_t>(~(entry_flag::retried | entry_flag::partial));
    ++entries_;
    unanswered_bytes_ += bytes.size();
    shard_.shared_link(shard_.key_for(entry.database, protocol_, role(), link_lane::main))
        .submit(again, bytes);
    extras_[entry.number] = std::move(x);
    return true;
}

}  // namespace sidecar

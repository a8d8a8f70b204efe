// CH.*: the native channel layer. Every command takes its place in the pipeline and is answered by the
// channel_service, here or on another shard; a CH.RECV that waits delays nobody but the replies behind it.
#include <charconv>

#include "resp/writer.hpp"
#include "sidecar/core/session.hpp"

namespace sidecar {

namespace {

namespace native = channels::native;

constexpr std::size_t shared_bytes_min = 16U << 10;  // larger frames are referred to, smaller ones copied

constexpr std::string_view help_lines[] = {
    "CH.<command>: a layer of channels and groups. Commands are:",
    "CH.HELLO prefix process [EXPIRY s] [GEXPIRY s] [CAP n] [CHCAP n] [CAPRULE GLOB pattern n ...]",
    "    [GRACE s] [MAXMSG bytes]   First: the layer, the process of this connection, and its terms.",
    "    CAPRULE knows no regexes: what they say goes with each CH.SEND as CAP.",
    "CH.SEND channel payload [EX ms] [ID key] [CAP n]   CAP is the capacity, whatever CH.HELLO says.",
    "CH.RECV process|channel [ACK seq] [HELD n] [COUNT n] [BLOCK ms]   BLOCK is at most 4500.",
    "CH.ACK process seq [HELD n]",
    "CH.GADD group channel [channel ...]",
    "CH.GADDM channel group [group ...]",
    "CH.GREM group channel [channel ...]",
    "CH.GREMALL channel [channel ...]",
    "CH.GSEND group payload [EXCEPT n channel ...] [ID key] [HIST n seconds] [STATS]",
    "CH.GCOUNT group",
    "CH.GMEMBERS group [CURSOR c] [COUNT n]",
    "CH.GROUPS pattern [CURSOR c] [COUNT n]",
    "CH.HIST group [SINCE epoch:offset] [LIMIT n]",
    "CH.ID key [ms]",
    "CH.FLUSH [prefix]",
    "CH.STATS",
    "CH.INFO",
    "CH.HELP",
};

std::string help_reply() {
    std::string out;
    resp::append_array_header(out, std::size(help_lines));
    for (const auto line : help_lines) resp::append_simple(out, line);
    return out;
}

std::string info_reply(const shard_core& shard, int protocol, const channel_agreement* agreed) {
    std::string out;
    const auto field = [&](std::string_view name, std::string_view value) {
        resp::append_bulk(out, name);
        resp::append_bulk(out, value);
    };
    resp::append_map_header(out, 5, protocol);
    field("node", shard.process.run_id);
    field("version", SIDECAR_VERSION);
    field("shards", std::to_string(shard.process.shards));
    field("prefix", agreed != nullptr ? agreed->layer.prefix : std::string());
    field("process", agreed != nullptr ? agreed->process : std::string());
    return out;
}

// "*3" or "*5" and the sequence number: what differs between the receivers of one message.
std::string_view head_of(const channels::message_queue::entry& message, std::array<char, 40>& room) {
    char* at = room.data();
    *at++ = '*';
    *at++ = static_cast<char>('0' + message.what->elements());
    *at++ = '\r';
    *at++ = '\n';
    *at++ = ':';
    at = std::to_chars(at, room.data() + room.size() - 2, message.seq).ptr;
    *at++ = '\r';
    *at++ = '\n';
    return {room.data(), static_cast<std::size_t>(at - room.data())};
}

}  // namespace

// One function per command that the words can ask for.
struct session::run_channel_command {
    session& self;
    channel_caller who;

    [[nodiscard]] channel_service& service() const { return *self.shard_.layer_service; }
    [[nodiscard]] const shared_agreement& by() const { return self.seat_->agreed; }

    void operator()(const native::mistake&) const {}
    void operator()(const native::hello& what) const { self.say_channel_hello(who, what); }
    void operator()(const native::send& what) const { service().send(who, by(), what); }
    void operator()(const native::receive& what) const {
        if (what.block.count() > 0) ++self.seat_->receiving;
        service().receive(who, by(), what);
    }
    void operator()(const native::acknowledge& what) const { service().acknowledge(who, by(), what); }
    void operator()(const native::join& what) const { service().join(who, by(), what.pairs); }
    void operator()(const native::leave& what) const { service().leave_groups(who, by(), what.pairs); }
    void operator()(const native::leave_all& what) const { service().leave_all(who, by(), what.channels); }
    void operator()(const native::group_send& what) const { service().group_send(who, by(), what); }
    void operator()(const native::once& what) const { service().once(who, by(), what); }
    void operator()(const native::history& what) const { service().history(who, by(), what); }
    void operator()(const native::count& what) const { service().count(who, by(), what.group); }
    void operator()(const native::members& what) const { service().members(who, by(), what); }
    void operator()(const native::groups& what) const { service().groups(who, by(), what); }
    void operator()(const native::flush& what) const { service().flush(who, by(), what.prefix); }
    void operator()(const native::stats&) const { service().stats(who, by()); }
    void operator()(const native::info&) const {
        const channel_agreement* agreed = self.seat_ != nullptr ? by().get() : nullptr;
        self.on_channel_answer(who, info_reply(self.shard_, self.protocol_, agreed));
    }
    void operator()(const native::help&) const { self.on_channel_answer(who, help_reply()); }
};

session::step session::channel_command(const command& c) {
    auto& counted = shard_.stats.of(database_, c.spec->index);
    if (!serves_channels(shard_.settings().settings, database_)) {
        ++counted.calls;
        ++counted.errors;
        reply_error("ERR the channel layer is not on db " + std::to_string(database_) +
                    " (see --channels-dbs)");
        return step::consumed;
    }
    const std::uint64_t bytes_max =
        seat_ != nullptr ? seat_->agreed->terms.message_bytes_max : native::message_bytes_limit;
    const native::command asked = native::parse(c.args, bytes_max);
    const bool greets = std::holds_alternative<native::hello>(asked);
    const bool needs_hello = !greets && !std::holds_alternative<native::info>(asked) &&
                             !std::holds_alternative<native::help>(asked);
    // What was asked under the old terms is over before new ones hold.
    if (greets && entries_ > 0) return wait_for(stall::drain);
    ++counted.calls;
    std::string_view error;
    if (const auto* wrong = std::get_if<native::mistake>(&asked)) {
        error = wrong->error;
    } else if (needs_hello && (seat_ == nullptr || seat_->agreed->layer.database != database_)) {
        error = "NOHELLO say CH.HELLO first";
    }
    if (!error.empty()) {
        ++counted.errors;
        ++shard_.stats.count.channel_errors;
        reply_error(error);
        return step::consumed;
    }
    channel_caller who;
    who.shard = shard_.index;
    who.session = id_;
    who.number = pipeline_.issue();
    who.command_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(c.bytes.size(), UINT32_MAX));
    who.protocol = protocol_;
    who.shows = reply_mode_ == reply_mode::on ? answer_kind::shown : answer_kind::silent;
    if (const auto* receive = std::get_if<native::receive>(&asked)) who.waits = receive->block.count() > 0;
    ++entries_;
    ++channel_calls_;
    unanswered_bytes_ += who.command_bytes;
    std::visit(run_channel_command{*this, who}, asked);
    return step::consumed;
}

void session::say_channel_hello(const channel_caller& who, const native::hello& what) {
    leave_layer();
    auto agreed = std::make_shared<channel_agreement>();
    agreed->layer = {database_, std::string(what.prefix)};
    agreed->process = what.process;
    agreed->terms = what.agreed;
    agreed->owner = channels::home_shard(agreed->layer, what.process, shard_.process.shards);
    seat_ = std::make_unique<layer_seat>();
    seat_->agreed = agreed;
    shard_.layer_service->hello(who, std::move(agreed));
}

// The connection is no longer one of its process's; what it may not have been given goes back.
void session::leave_layer() {
    if (seat_ == nullptr) return;
    for (auto& each : seat_->unsent)
        if (output_.sent_total() <= each.begins_at)
            shard_.layer_store->put_back(each.layer, each.channel, std::move(each.messages));
    seat_->unsent.clear();
    const auto agreed = seat_->agreed;
    seat_.reset();
    shard_.layer_service->leave(agreed, id_);
    shard_.layer_service->forget_normal_readers(id_);
}

void session::on_channel_refused(const shared_agreement& agreed) {
    if (seat_ != nullptr && seat_->agreed == agreed) seat_.reset();
}

void session::forget_sent_messages() {
    std::erase_if(seat_->unsent, [&](const auto& each) { return output_.sent_total() > each.begins_at; });
}

void session::channel_call_over(const channel_caller& who) {
    --channel_calls_;
    if (who.waits && seat_ != nullptr && seat_->receiving > 0) --seat_->receiving;
    upstream_entry answered;
    answered.bytes = who.command_bytes;
    entry_gone(answered);
}

void session::on_channel_answer(const channel_caller& who, std::string_view bytes) {
    emit(who.number, who.shows == answer_kind::shown ? bytes : std::string_view{}, true);
    channel_call_over(who);
}

void session::on_channel_messages(const channel_caller& who, channel_messages messages) {
    std::string& head = shard_.scratch;
    head.clear();
    resp::append_array_header(head, messages.size());
    const bool next = pipeline_.is_next(who.number);
    const bool shown = life_ != session_life::closed && who.shows == answer_kind::shown;
    auto& count = shard_.stats.count;
    if (shown && next) append_output(head);
    std::array<char, 40> room;
    for (const auto& each : messages) {
        if (!shown) break;
        const auto& frame = each.what->frame;
        if (!next || each.what->is_notice()) {
            auto& gathered = next ? shard_.scratch : head;
            if (next) gathered.clear();
            gathered.append(head_of(each, room));
            gathered.append(each.what->is_notice() ? channels::notice_frame(*each.what, who.protocol)
                                                   : frame);
            if (next) append_output(gathered);
            continue;
        }
        append_output(head_of(each, room));
        if (frame.size() < shared_bytes_min) {
            append_output(frame);
            count.channel_bytes_copied += frame.size();
        } else {
            output_.append_shared(shared_frame(each.what, &frame));
            count.channel_bytes_shared += frame.size();
        }
    }
    emit(who.number, shown && !next ? std::string_view(head) : std::string_view{}, true);
    channel_call_over(who);
}

void session::on_normal_messages(const channel_caller& who, channel_messages messages,
                                 const channels::layer_ref& layer, const std::string& channel,
                                 const std::vector<channels::spooled_message>& popped) {
    if (life_ != session_life::closed && who.shows == answer_kind::shown && seat_ != nullptr)
        seat_->unsent.push_back({output_.appended_total(), layer, channel, popped});
    on_channel_messages(who, messages);
}

}  // namespace sidecar

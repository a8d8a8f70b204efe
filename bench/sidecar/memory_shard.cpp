#include "bench/sidecar/memory_shard.hpp"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "resp/command_scanner.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

constexpr int rounds_max = 100;

void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

}  // namespace

memory_shard::memory_shard(const sidecar::config& settings)
    : settings_(std::make_shared<const sidecar::runtime>(settings)), core_(0, process_, settings_) {
    process_.broker_notes = [](const broker::note_batch&) {};
    process_.post = [this](int, sidecar::process_state::message m) { posted_.push_back(std::move(m)); };
    process_.run_id = "0000";
    core_.set_now(now_);
    core_.on_time();
    settle();
}

memory_shard::~memory_shard() {
    for (sidecar::link* l : core_.links()) l->retire();
}

void memory_shard::open_clients(std::size_t count, std::string_view greeting) {
    for (std::size_t i = 0; i < count; ++i) {
        sidecar::client_address address;
        address.remote = "10.0.0.1:" + std::to_string(10'000 + i);
        address.local = "10.0.0.2:6379";
        sidecar::session& s = core_.open_session(address);
        s.io = this;
        clients_.push_back(&s);
        if (!greeting.empty()) s.on_bytes(greeting);
        settle();
    }
}

void memory_shard::turn(std::string_view command, std::string_view reply) {
    now_ += std::chrono::microseconds(100);
    core_.set_now(now_);
    for (sidecar::session* s : clients_) s->on_bytes(command);
    core_.finish_turn();
    write_links();
    if (replies_.size() != reply.size() * clients_.size()) {
        replies_.clear();
        for (std::size_t i = 0; i < clients_.size(); ++i) replies_ += reply;
    }
    require(written_.size() == 1, "one shared link carries everything");
    written_.front()->on_bytes(replies_);
    core_.finish_turn();
    write_clients();
}

void memory_shard::publish(std::string_view frame) {
    now_ += std::chrono::microseconds(100);
    core_.set_now(now_);
    sidecar::link* listener = core_.upstreams().front()->listener;
    require(listener != nullptr && listener->ready(), "a client is subscribed");
    listener->on_bytes(frame);
    core_.finish_turn();
    write_clients();
}

void memory_shard::write_links() {
    written_.clear();
    for (sidecar::link* l : std::exchange(core_.dirty_links, {})) {
        l->dirty = false;
        if (l->io == nullptr) {
            if (!l->wants_open(now_)) continue;
            l->on_opening();
            l->io = &wires_[l];
            l->on_open();
        }
        std::array<std::string_view, 64> pieces;
        bool wrote = false;
        while (l->has_output()) {
            std::size_t bytes = 0;
            const std::size_t count = l->gather(pieces);
            for (std::size_t i = 0; i < count; ++i) {
                bytes += pieces[i].size();
                if (settling_) wires_[l].input += pieces[i];
            }
            l->on_written(bytes);
            bytes_out_ += bytes;
            wrote = true;
        }
        if (wrote) written_.push_back(l);
    }
}

void memory_shard::write_clients() {
    for (sidecar::session* s : std::exchange(core_.dirty_sessions, {})) {
        s->dirty = false;
        std::array<std::string_view, 64> pieces;
        while (!s->output().empty()) {
            std::size_t bytes = 0;
            const std::size_t count = s->output().gather(pieces);
            for (std::size_t i = 0; i < count; ++i) bytes += pieces[i].size();
            s->on_sent(bytes);
            bytes_out_ += bytes;
        }
        require(!s->wants_close(), "no client is closed");
    }
}

// Turns, with upstream's answers, until nothing is left to do.
void memory_shard::settle() {
    settling_ = true;
    for (int round = 0; round < rounds_max; ++round) {
        core_.finish_turn();
        for (auto& message : std::exchange(posted_, {})) message(core_);
        const bool busy = !core_.dirty_links.empty() || !core_.dirty_sessions.empty();
        write_links();
        for (sidecar::link* l : std::exchange(written_, {}))
            if (const std::string replies = answer_all(wires_[l]); !replies.empty()) l->on_bytes(replies);
        write_clients();
        if (!busy) {
            settling_ = false;
            return;
        }
    }
    throw std::logic_error("the shard does not come to rest");
}

std::string memory_shard::answer_all(wire& connection) {
    std::string out;
    resp::command_scanner scanner;
    resp::scanned_command found;
    while (scanner.scan(connection.input, resp::peer_trust::known, found) == resp::scan_status::command) {
        const auto name = found.args.front();
        if (name == "HELLO") {
            out += "%1\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n";
        } else if (name == "PING") {
            out += "+PONG\r\n";
        } else if (name == "COMMAND") {
            out += "*0\r\n";
        } else if (name == "CLIENT" && found.args[1] == "ID") {
            out += ":1\r\n";
        } else if (name == "SUBSCRIBE") {
            for (std::size_t i = 1; i < found.args.size(); ++i) {
                resp::append_push_header(out, 3);
                resp::append_bulk(out, "subscribe");
                resp::append_bulk(out, found.args[i]);
                resp::append_integer(out, ++connection.subscriptions);
            }
        } else {
            out += "+OK\r\n";
        }
        connection.input.erase(0, found.bytes);
    }
    return out;
}

}  // namespace bench

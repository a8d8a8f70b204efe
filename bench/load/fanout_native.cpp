// The native channel layer: a connection for each process, which receives in a loop of CH.RECV with the ACK
// of what came before; its members are fanned out here, as the Django package does.

#include <unistd.h>

#include <string>
#include <vector>

#include "bench/load/fanout_sockets.hpp"
#include "bench/load/mix.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

constexpr std::string_view prefix = "bench";
constexpr std::size_t names_per_command = 500;

class native_target final : public socket_target {
public:
    explicit native_target(const target_settings& settings)
        : socket_target(settings), group_("fanout." + settings.name) {}

    void open() override {
        open_publisher();
        hello(0, "sender");
        const std::uint32_t processes = std::min(settings().processes, settings().members);
        for (std::uint32_t i = 0; i < processes; ++i) {
            process fresh;
            fresh.name = "bench." + std::to_string(::getpid()) + "-" + std::to_string(i);
            fresh.members = (settings().members + processes - 1 - i) / processes;
            fresh.wire = open_wire();
            hello(fresh.wire, fresh.name);
            join(fresh);
            all_.push_back(fresh);
        }
        for (process& each : all_) receive(each);
    }

protected:
    void append_publish(std::string& out, std::string_view payload) override {
        out += resp::command({"CH.GSEND", group_, payload});
    }

    [[nodiscard]] std::vector<std::uint32_t> members_by_log() const override {
        std::vector<std::uint32_t> members;
        for (const process& each : all_) members.push_back(each.members);
        return members;
    }

    std::size_t on_bytes(std::size_t wire, std::string_view bytes) override {
        const std::size_t log = wire - all_.front().wire;
        process& at = all_[log];
        std::size_t all = 0;
        for (std::size_t used = 0; all < bytes.size(); all += used) {
            const auto reply = resp::parse_value(bytes.substr(all), used);
            if (!reply) break;
            if (reply->type == resp::kind::error) fail("CH.RECV: " + reply->text);
            for (const resp::value& entry : reply->items) take(log, at, entry);
            receive(at);
        }
        return all;
    }

private:
    struct process {
        std::string name;
        std::uint32_t members = 0;
        std::size_t wire = 0;
        std::int64_t seen = 0;  // seq
    };

    void hello(std::size_t wire, std::string_view name) {
        (void)ask(wire, resp::command({"CH.HELLO", prefix, name, "CAP", "1000000"}), 1);
    }

    void join(const process& who) {
        for (std::uint32_t first = 0; first < who.members; first += names_per_command) {
            std::vector<std::string> names;
            for (std::uint32_t i = first; i < who.members && names.size() < names_per_command; ++i)
                names.push_back(who.name + "!" + std::to_string(i));
            std::vector<std::string_view> args{"CH.GADD", group_};
            args.insert(args.end(), names.begin(), names.end());
            std::string command;
            resp::append_command(command, args);
            (void)ask(who.wire, command, 1);
        }
    }

    void receive(const process& who) {
        const std::string seen = std::to_string(who.seen);
        net().send(who.wire,
                   who.seen == 0
                       ? resp::command({"CH.RECV", who.name, "COUNT", "100", "BLOCK", "4000"})
                       : resp::command({"CH.RECV", who.name, "ACK", seen, "COUNT", "100", "BLOCK", "4000"}));
    }

    // A group message: seq, "", payload, group, the channels left out. Others are notices of memberships.
    void take(std::size_t log, process& at, const resp::value& entry) {
        if (entry.items.size() < 3) return;
        at.seen = std::max(at.seen, entry.items[0].integer);
        if (entry.items.size() == 5 && entry.items[2].is_text()) arrived(log, entry.items[2].text);
    }

    std::string group_;
    std::vector<process> all_;
};

}  // namespace

std::unique_ptr<fanout_target> make_native_target(const target_settings& settings) {
    return std::make_unique<native_target>(settings);
}

}  // namespace bench

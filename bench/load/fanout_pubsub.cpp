// Redis pub/sub: a connection for each receiver, all subscribed to one channel.

#include <string>
#include <vector>

#include "bench/load/fanout_sockets.hpp"
#include "bench/load/mix.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

class pubsub_target final : public socket_target {
public:
    explicit pubsub_target(const target_settings& settings)
        : socket_target(settings), channel_("asgi_fanout_" + settings.name) {
        head_ = "*3\r\n";
        resp::append_bulk(head_, "message");
        resp::append_bulk(head_, channel_);
    }

    void open() override {
        open_publisher();
        for (std::uint32_t i = 0; i < settings().members; ++i) {
            const std::size_t wire = open_wire();
            if (i == 0) first_ = wire;
            (void)ask(wire, resp::command({"SUBSCRIBE", channel_}), 1);
        }
    }

protected:
    void append_publish(std::string& out, std::string_view payload) override {
        out += resp::command({"PUBLISH", channel_, payload});
    }

    [[nodiscard]] std::vector<std::uint32_t> members_by_log() const override {
        return std::vector<std::uint32_t>(settings().members, 1);
    }

    // Only messages of the one channel come here.
    std::size_t on_bytes(std::size_t wire, std::string_view bytes) override {
        std::size_t used = 0;
        while (bytes.size() - used > head_.size()) {
            std::string_view rest = bytes.substr(used);
            if (!rest.starts_with(head_)) fail("a subscriber got something else than a message");
            rest.remove_prefix(head_.size());
            const std::size_t line = rest.find("\r\n");
            if (line == std::string_view::npos || rest.front() != '$') break;
            std::size_t length = 0;
            for (const char digit : rest.substr(1, line - 1))
                length = length * 10 + static_cast<std::size_t>(digit - '0');
            if (rest.size() < line + 2 + length + 2) break;
            arrived(wire - first_, rest.substr(line + 2, length));
            used += head_.size() + line + 2 + length + 2;
        }
        return used;
    }

private:
    std::string channel_;  // one for each target: they may share a Redis
    std::string head_;
    std::size_t first_ = 0;  // wire of the first receiver
};

}  // namespace

std::unique_ptr<fanout_target> make_pubsub_target(const target_settings& settings) {
    return std::make_unique<pubsub_target>(settings);
}

}  // namespace bench

#include "channels/envelope.hpp"

#include "resp/writer.hpp"

namespace channels {

namespace {

constexpr std::size_t headers_bytes = 64;

void append_body(envelope& made, std::string_view body) {
    resp::append_bulk(made.frame, body);
    made.body_bytes = body.size();
    made.body_at = made.frame.size() - body.size() - 2;
}

}  // namespace

shared_envelope direct_envelope(std::string_view channel, std::string_view body) {
    auto made = std::make_shared<envelope>();
    made->channel = channel;
    made->frame.reserve(channel.size() + body.size() + headers_bytes);
    resp::append_bulk(made->frame, channel);
    append_body(*made, body);
    return made;
}

shared_envelope group_envelope(std::string_view group, std::string_view body,
                               const std::vector<std::string>& except) {
    auto made = std::make_shared<envelope>();
    made->group = group;
    made->except = except;
    made->frame.reserve(group.size() + body.size() + headers_bytes);
    resp::append_bulk(made->frame, {});
    append_body(*made, body);
    resp::append_bulk(made->frame, group);
    resp::append_array_header(made->frame, except.size());
    for (const auto& channel : except) resp::append_bulk(made->frame, channel);
    return made;
}

shared_envelope notice_envelope(notice tells, std::string_view channel, std::string_view group) {
    auto made = std::make_shared<envelope>();
    made->channel = channel;
    made->group = group;
    made->tells = tells;
    made->frame = notice_frame(*made, 2);
    return made;
}

std::string notice_frame(const envelope& message, int protocol) {
    std::string out;
    resp::append_bulk(out, message.channel);
    resp::append_null(out, protocol);
    resp::append_bulk(out, message.group);
    resp::append_integer(out, message.tells == notice::joined ? 1 : 0);
    return out;
}

shared_envelope envelope_of(const spooled_message& message) {
    const std::string_view body = message.body ? std::string_view(*message.body) : std::string_view{};
    return message.group.empty() ? direct_envelope(message.channel, body)
                                 : group_envelope(message.group, body, message.except);
}

spooled_message spooled(const envelope& message, std::int64_t expires_in_ms) {
    return {message.channel, message.group, message.except,
            std::make_shared<const std::string>(message.body()), expires_in_ms};
}

}  // namespace channels

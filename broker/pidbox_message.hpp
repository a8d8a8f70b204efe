#pragma once
// Remote control as workers speak it: a request is broadcast on /{db}.celery.pidbox, each worker pushes its
// reply to the list <oid>.reply.celery.pidbox. Only the messages are made here; who publishes, binds the
// reply list, waits and cleans up is the caller's.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/decode.hpp"

namespace broker {

struct pidbox_request {
    std::string method;
    boost::json::object arguments;
    std::vector<std::string> destination;  // node names; empty: every worker
    std::string pattern;                   // with matcher: glob or pcre
    std::string matcher;
    std::string ticket;     // empty: no reply is wanted
    std::string reply_oid;  // whose list the replies go to
    std::string tag;        // a fresh uuid
    double expires_s = 0;   // unix time after which workers ignore it; 0: never
};

// The payload to publish.
[[nodiscard]] std::string pidbox_payload(const pidbox_request& request);
// The request of a payload seen on the wire, whoever sent it.
[[nodiscard]] std::optional<pidbox_request> read_pidbox_request(std::string_view payload);

struct pidbox_reply {
    std::string ticket;
    std::string node;
    boost::json::value content;
};
// An element of a reply list.
[[nodiscard]] std::optional<pidbox_reply> read_pidbox_reply(std::string_view element,
                                                            const decode_limits& limits = {});

// What belongs to an oid.
[[nodiscard]] std::string pidbox_reply_queue(std::string_view oid);
// The member of _kombu.binding.reply.celery.pidbox that makes workers find the list.
[[nodiscard]] std::string pidbox_reply_binding(std::string_view oid);

}  // namespace broker

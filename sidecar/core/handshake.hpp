#pragma once
// What an upstream connection says before it carries anyone's commands, and the check of each answer:
//
//   AUTH/HELLO with the upstream password → CLIENT SETNAME → SELECT db → ACL SETUSER + AUTH as the confined
//   user (strict policy) → CLIENT ID → PING
//
// All of it goes out in one write. SELECT comes before the confined user, who may not select.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/value.hpp"

namespace sidecar {

struct handshake_settings {
    std::string user;  // empty = default user
    std::string password;
    int protocol = 2;
    int database = 0;
    std::string client_name;
    // The confined user; no name = stay who we are.
    std::string confined_user;
    std::string confined_password;
    std::vector<std::string> confined_rules;
};

enum class handshake_state : std::uint8_t {
    more,  // answers are missing
    ready,
    not_yet,  // upstream is loading, or has no room for us: try again soon
    refused,  // wrong password: try again slowly
    failed,   // the answer makes no sense, or is an error that waiting does not heal
};

class handshake {
public:
    explicit handshake(const handshake_settings& settings);

    [[nodiscard]] const std::string& bytes_to_send() const { return out_; }
    handshake_state on_reply(const resp::value& reply);

    [[nodiscard]] const std::string& cause() const { return cause_; }  // of any outcome but ready
    [[nodiscard]] std::int64_t upstream_client_id() const { return client_id_; }
    // False when upstream forbids ACL SETUSER and the link goes on as the full user.
    [[nodiscard]] bool confined() const { return confined_; }
    [[nodiscard]] const std::string& server_version() const { return version_; }

private:
    enum class step : std::uint8_t { hello, auth, set_name, select, set_user, become_user, client_id, ping };
    handshake_state judge(step at, const resp::value& reply);

    std::vector<step> steps_;
    std::size_t next_ = 0;
    std::string out_;
    std::string cause_;
    std::string version_;
    std::int64_t client_id_ = 0;
    bool confined_ = true;
};

}  // namespace sidecar

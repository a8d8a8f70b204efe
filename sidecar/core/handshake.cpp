#include "sidecar/core/handshake.hpp"

#include "resp/writer.hpp"

namespace sidecar {

namespace {

bool starts_with(const std::string& text, std::string_view prefix) {
    return text.rfind(prefix, 0) == 0;
}

bool means_not_yet(const std::string& error) {
    return starts_with(error, "LOADING") || starts_with(error, "MASTERDOWN") || starts_with(error, "BUSY ") ||
           starts_with(error, "ERR max number of clients");
}

}  // namespace

handshake::handshake(const handshake_settings& s) {
    const std::string user = s.user.empty() ? "default" : s.user;
    if (s.protocol == 3) {
        steps_.push_back(step::hello);
        out_ += s.password.empty() ? resp::command({"HELLO", "3"})
                                   : resp::command({"HELLO", "3", "AUTH", user, s.password});
    } else if (!s.password.empty()) {
        steps_.push_back(step::auth);
        out_ +=
            s.user.empty() ? resp::command({"AUTH", s.password}) : resp::command({"AUTH", user, s.password});
    }
    if (!s.client_name.empty()) {
        steps_.push_back(step::set_name);
        out_ += resp::command({"CLIENT", "SETNAME", s.client_name});
    }
    if (s.database != 0) {
        steps_.push_back(step::select);
        out_ += resp::command({"SELECT", std::to_string(s.database)});
    }
    if (!s.confined_user.empty()) {
        steps_.push_back(step::set_user);
        std::vector<std::string> words{"ACL", "SETUSER", s.confined_user};
        words.insert(words.end(), s.confined_rules.begin(), s.confined_rules.end());
        words.push_back(">" + s.confined_password);
        std::vector<std::string_view> args(words.begin(), words.end());
        resp::append_command(out_, args);
        steps_.push_back(step::become_user);
        out_ += resp::command({"AUTH", s.confined_user, s.confined_password});
    }
    steps_.push_back(step::client_id);
    out_ += resp::command({"CLIENT", "ID"});
    steps_.push_back(step::ping);
    out_ += resp::command({"PING"});
}

handshake_state handshake::on_reply(const resp::value& reply) {
    const handshake_state verdict = judge(steps_[next_], reply);
    if (verdict != handshake_state::more) return verdict;
    ++next_;
    return next_ == steps_.size() ? handshake_state::ready : handshake_state::more;
}

handshake_state handshake::judge(step at, const resp::value& reply) {
    const bool error = reply.type == resp::kind::error;
    if (error) {
        cause_ = reply.text;
        if (means_not_yet(reply.text)) return handshake_state::not_yet;
        if (starts_with(reply.text, "WRONGPASS") || starts_with(reply.text, "NOAUTH") ||
            starts_with(reply.text, "ERR invalid password")) {
            if (at != step::become_user || confined_) return handshake_state::refused;
        }
    }
    switch (at) {
        case step::hello:
            if (error) return handshake_state::failed;
            if (const auto* version = reply.find("version")) version_ = version->text;
            break;
        case step::set_user:
            if (error) confined_ = false;
            break;
        case step::auth:
            // "AUTH called without any password configured": the server wants none, which is no obstacle.
            if (error && !starts_with(cause_, "ERR AUTH <password> called without") &&
                !starts_with(cause_, "ERR Client sent AUTH"))
                return handshake_state::refused;
            break;
        case step::become_user:
        case step::set_name:
            break;  // a name and the confinement are wishes
        case step::select:
        case step::ping:
            if (error) return handshake_state::failed;
            break;
        case step::client_id:
            client_id_ = reply.integer;
            break;
    }
    return handshake_state::more;
}

}  // namespace sidecar

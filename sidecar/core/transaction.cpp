#include "sidecar/core/transaction.hpp"

#include <algorithm>

#include "resp/number.hpp"
#include "resp/reply_scanner.hpp"

namespace sidecar {

void transaction::queued_placeholder(std::vector<std::string> local_command) {
    rewrites_.push_back({count_++, std::move(local_command), {}, {}});
}

void transaction::queued_publish(channels::name_kind kind, std::string channel) {
    rewrites_.push_back({count_++, {}, kind, std::move(channel)});
}

bool transaction::publishes() const {
    return std::any_of(rewrites_.begin(), rewrites_.end(),
                       [](const rewritten& r) { return r.local_command.empty(); });
}

std::string transaction::rewrite(std::string_view exec_reply, const rewriter& with) const {
    const std::size_t header_end = exec_reply.find("\r\n");
    if (rewrites_.empty() || exec_reply.empty() || exec_reply.front() != '*' ||
        header_end == std::string_view::npos)
        return std::string(exec_reply);
    const auto length = resp::parse_number(exec_reply.substr(1, header_end - 1));
    if (!length || *length < 0 || static_cast<std::size_t>(*length) != count_) return std::string(exec_reply);

    std::string out(exec_reply.substr(0, header_end + 2));
    std::string_view rest = exec_reply.substr(header_end + 2);
    auto next = rewrites_.begin();
    for (std::size_t i = 0; i < count_ && !rest.empty(); ++i) {
        resp::reply_scanner scanner;
        const auto step = scanner.scan(rest);
        const auto element = rest.substr(0, step.bytes);
        rest.remove_prefix(step.bytes);
        if (next == rewrites_.end() || next->index != i) {
            out.append(element);
            continue;
        }
        out += next->local_command.empty() ? with.correct_publish(next->kind, next->channel, element)
                                           : with.run_local(next->local_command);
        ++next;
    }
    return out;
}

}  // namespace sidecar

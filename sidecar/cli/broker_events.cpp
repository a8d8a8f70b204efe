// `sidecar events`: the stream of server-sent events, a line each.

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/cli/units.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

text_style style_of(std::string_view type) {
    if (type.ends_with("succeeded") || type.ends_with("online")) return text_style::good;
    if (type.ends_with("failed") || type.ends_with("offline") || type.ends_with("rejected"))
        return text_style::bad;
    if (type.ends_with("retried") || type.ends_with("revoked")) return text_style::warning;
    return text_style::plain;
}

std::string line_of(const std::string& type, const json::value& event) {
    static constexpr std::array members{
        member_column{"", "task"},          member_column{"", "name"},
        member_column{"id=", "id"},         member_column{"queue=", "queue"},
        member_column{"node=", "node"},     member_column{"runtime=", "runtime"},
        member_column{"result=", "result"}, member_column{"exception=", "exception"},
        member_column{"by=", "who"},        member_column{"count=", "count"},
    };
    const double at = number_of(event, "at", number_of(event, "timestamp", -1));
    std::string line = (at < 0 ? std::string(12, ' ') : time_of_day_text(at)) + "  ";
    std::string name = shown(type);
    name.resize(std::max<std::size_t>(name.size(), 16), ' ');
    line += styled(name, style_of(type));
    for (const member_column& one : members)
        if (member(event, one.path) != nullptr)
            line += "  " + std::string(one.title) + cell_of(event, one).text;
    return line + "\n";
}

}  // namespace

int run_events(const invocation& call) {
    const api_client client = client_of(call);
    const std::vector<std::string> wanted = call.values("--type");
    const auto limit = number_option(call, "--limit", 1, 1'000'000'000);
    std::uint64_t count = 0;
    client.stream("/events", [&](const server_event& event) {
        boost::system::error_code ec;
        const json::value data = json::parse(event.data, ec);
        std::string type = ec ? std::string() : text_of(data, "type");
        if (type.empty()) type = event.name;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), type) == wanted.end())
            return stream_step::go_on;
        print_text(call.has("--json") ? json_text(data, json_layout::line) + "\n" : line_of(type, data));
        return limit && ++count >= *limit ? stream_step::enough : stream_step::go_on;
    });
    if (limit && count >= *limit) return exit_status::good;
    throw command_failure(exit_status::failed, "the sidecar ended the stream");
}

}  // namespace sidecar

// `sidecar top`: one screen, drawn again and again, left with q.

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <charconv>
#include <chrono>
#include <csignal>

#include "sidecar/cli/broker_commands.hpp"
#include "sidecar/cli/json_view.hpp"
#include "sidecar/cli/terminal.hpp"
#include "sidecar/cli/units.hpp"

namespace sidecar {
namespace {

namespace json = boost::json;

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) {
    interrupted = 1;
}

// Keys one by one and a screen of its own; what was there before comes back at the end, also after Ctrl-C.
class own_screen {
public:
    own_screen() {
        if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        changed_ = true;
        struct sigaction action {};
        action.sa_handler = interrupt;
        sigaction(SIGINT, &action, nullptr);
        sigaction(SIGTERM, &action, nullptr);
        print_text("\x1b[?1049h\x1b[?25l");
    }
    ~own_screen() {
        if (!changed_) return;
        tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        static constexpr std::string_view leave = "\x1b[?25h\x1b[?1049l";
        [[maybe_unused]] const auto written = write(STDOUT_FILENO, leave.data(), leave.size());
    }
    own_screen(const own_screen&) = delete;
    own_screen& operator=(const own_screen&) = delete;

private:
    termios before_{};
    bool changed_ = false;
};

struct sort_key {
    std::string_view path;
    std::string_view name;
};
constexpr std::array sort_keys{sort_key{"ready", "ready"}, sort_key{"unacked", "unacked"},
                               sort_key{"oldest_seconds", "age"}, sort_key{"in_per_second", "incoming"}};

constexpr std::array queue_columns{
    member_column{"QUEUE", "name", shown_as::text, cell_width::may_shrink},
    member_column{"STATE", "state", shown_as::state},
    member_column{"READY", "ready", shown_as::count},
    member_column{"UNACKED", "unacked", shown_as::count},
    member_column{"OLDEST", "oldest_seconds", shown_as::duration},
    member_column{"IN/s", "in_per_second", shown_as::rate},
    member_column{"OUT/s", "out_per_second", shown_as::rate},
    member_column{"ACK/s", "ack_per_second", shown_as::rate},
    member_column{"CONSUMERS", "consumers", shown_as::count},
};

constexpr std::array worker_columns{
    member_column{"WORKER", "node", shown_as::text, cell_width::may_shrink},
    member_column{"STATE", "state", shown_as::state},
    member_column{"ACTIVE", "active", shown_as::count},
    member_column{"UNACKED", "unacked", shown_as::count},
    member_column{"PROCESSED", "processed", shown_as::count},
    member_column{"ASKED", "last_poll_seconds", shown_as::duration},
    member_column{"QUEUES", "queues", shown_as::list, cell_width::may_shrink},
};

double total_of(const json::array& items, std::string_view path) {
    double total = 0;
    for (const json::value& item : items) total += number_of(item, path);
    return total;
}

struct snapshot {
    json::array queues;
    json::array workers;
    json::array findings;
};

snapshot fetch(const api_client& client) {
    return {items_of(client.get("/queues")), items_of(client.get("/workers")),
            items_of(client.get("/findings"))};
}

std::string summary_line(const snapshot& seen) {
    const auto alive = std::count_if(seen.workers.begin(), seen.workers.end(), [](const json::value& worker) {
        return text_of(worker, "state") == "online";
    });
    return count_text(static_cast<std::int64_t>(seen.queues.size())) + " queues  " +
           count_text(static_cast<std::int64_t>(total_of(seen.queues, "ready"))) + " ready  " +
           count_text(static_cast<std::int64_t>(total_of(seen.queues, "unacked"))) + " unacked  in " +
           rate_text(total_of(seen.queues, "in_per_second")) + "/s  out " +
           rate_text(total_of(seen.queues, "out_per_second")) + "/s  " + count_text(alive) + " of " +
           count_text(static_cast<std::int64_t>(seen.workers.size())) + " workers online";
}

void append_lines(std::vector<std::string>& lines, const std::string& text) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
}

// Findings first below the queues' heads: they are why somebody looks. Each part has a share of the rows.
std::string screen_of(snapshot seen, const sort_key& order, screen_size size) {
    std::stable_sort(seen.queues.begin(), seen.queues.end(),
                     [&](const json::value& one, const json::value& other) {
                         return number_of(one, order.path) > number_of(other, order.path);
                     });
    std::vector<std::string> lines{
        styled(cut_to_width(summary_line(seen), size.columns), text_style::reverse), ""};
    const std::size_t rows = size.rows > 10 ? size.rows : 10;
    const std::size_t findings = std::min<std::size_t>(seen.findings.size(), rows / 4);
    for (std::size_t place = 0; place < findings; ++place) {
        const json::value& finding = seen.findings[place];
        const table_cell severity = cell_of(finding, {"", "severity", shown_as::state});
        lines.push_back(
            styled(severity.text, severity.style) + "  " +
            cut_to_width(shown(text_of(finding, "title")), size.columns - severity.text.size() - 2));
    }
    if (findings > 0) lines.emplace_back();
    const std::size_t workers = std::min<std::size_t>(seen.workers.size() + 2, (rows - lines.size()) / 2);
    std::vector<std::string> queue_lines;
    append_lines(queue_lines, table_of(seen.queues, queue_columns).text(size.columns));
    queue_lines.resize(std::min(queue_lines.size(), rows - lines.size() - workers - 1));
    lines.insert(lines.end(), queue_lines.begin(), queue_lines.end());
    lines.emplace_back();
    append_lines(lines, table_of(seen.workers, worker_columns).text(size.columns));
    lines.resize(std::min(lines.size(), rows - 1));
    lines.push_back(
        styled("q ends  s order: " + std::string(order.name) + "  space asks at once", text_style::dim));
    std::string text = "\x1b[H";
    for (const std::string& line : lines) text += line + "\x1b[K\r\n";
    text.resize(text.size() - 2);
    return text + "\x1b[J";
}

enum class key { none, end, order, now };

key wait_for_key(std::chrono::milliseconds patience) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&input, 1, static_cast<int>(patience.count()));
    if (interrupted != 0) return key::end;
    if (ready < 0) return key::now;  // the window has another size
    char letter = '\0';
    if (ready == 0) return key::none;
    if (read(STDIN_FILENO, &letter, 1) != 1) return key::end;
    if (letter == 'q' || letter == 'Q') return key::end;
    return letter == 's' ? key::order : key::now;
}

}  // namespace

int run_top(const invocation& call) {
    const api_client client = client_of(call);
    if (!stdout_is_terminal() || isatty(STDIN_FILENO) != 1) bad_usage("top needs a terminal");
    std::uint64_t seconds = 2;
    if (const std::string given = call.value("--watch").value_or(""); !given.empty())
        seconds = number_option(call, "--watch", 1, 3600).value_or(2);
    snapshot seen = fetch(client);  // what cannot work says so before the screen changes
    const own_screen screen;
    std::size_t order = 0;
    while (true) {
        print_text(screen_of(seen, sort_keys[order], stdout_size()));
        const key pressed = wait_for_key(std::chrono::seconds(seconds));
        if (pressed == key::end) return exit_status::good;
        if (pressed == key::order) {
            order = (order + 1) % sort_keys.size();
            continue;
        }
        try {
            seen = fetch(client);
        } catch (const command_failure& failure) {
            if (failure.status() != exit_status::failed) throw;
            print_text("\x1b[H" +
                       styled(cut_to_width(shown(failure.what()), stdout_size().columns), text_style::bad) +
                       "\x1b[K");
            if (wait_for_key(std::chrono::seconds(seconds)) == key::end) return exit_status::good;
        }
    }
}

}  // namespace sidecar

#pragma once
// The commands that look at Celery's queues and steer them: clients of a sidecar's HTTP API. What each takes
// stands in the table of broker_commands(); this file's functions are what they share.

#include <boost/json/value.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sidecar/cli/api_client.hpp"
#include "sidecar/cli/arguments.hpp"
#include "sidecar/cli/commands.hpp"

namespace sidecar {

[[nodiscard]] std::span<const cli_command> broker_commands();
[[nodiscard]] std::span<const option_spec> common_options();  // --url, --token, …

// Parses, runs, says on stderr what went wrong; the exit status. Ctrl-C ends it quietly.
[[nodiscard]] int run_broker_command(const cli_command& command, const std::vector<std::string>& args);

// The script that teaches a shell the commands; fails for a shell that is neither bash nor zsh.
int run_completion(const invocation& call);

// The sidecar that --url, --token, --broker, --db and --timeout name.
[[nodiscard]] api_client client_of(const invocation& call);

// A number of at least `least` given as an option.
[[nodiscard]] std::optional<std::uint64_t> number_option(const invocation& call, std::string_view option,
                                                         std::uint64_t least, std::uint64_t most);

// "?a=b&c=d" of the pairs whose value is not empty; values are encoded.
[[nodiscard]] std::string query_of(const std::vector<std::pair<std::string_view, std::string>>& pairs);

// Prints what `fetch` gets: as JSON with --json, else as `view` makes it; again and again with --watch.
using fetch_function = std::function<boost::json::value(const api_client&)>;
using view_function = std::function<std::string(const boost::json::value&)>;
int show(const invocation& call, const fetch_function& fetch, const view_function& view);

[[noreturn]] void bad_usage(const std::string& line);
void print_text(const std::string& text);  // to stdout; a reader that is gone ends the command

// Lists what is put aside under /dead or /held, a page.
int list_aside(const invocation& call, std::string_view what);

// Reads.
int run_queues(const invocation& call);
int run_peek(const invocation& call);
int run_task(const invocation& call);
int run_unacked(const invocation& call);
int run_workers(const invocation& call);
int run_events(const invocation& call);
int run_findings(const invocation& call);
int run_audit(const invocation& call);
int run_top(const invocation& call);
// Changes.
int run_pause(const invocation& call);
int run_resume(const invocation& call);
int run_drain(const invocation& call);
int run_rate(const invocation& call);
int run_move(const invocation& call);
int run_requeue(const invocation& call);
int run_delete(const invocation& call);
int run_edit(const invocation& call);
int run_dead(const invocation& call);
int run_held(const invocation& call);
int run_restore(const invocation& call);
int run_purge(const invocation& call);
int run_undo(const invocation& call);
int run_revoke(const invocation& call);

}  // namespace sidecar

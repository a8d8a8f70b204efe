// What is decided about one command by its words: its place in the table, the policy's verdict, whether it
// blocks, how it is asked again, and how what it popped goes back.
#include <algorithm>

#include "broker/blocking_call.hpp"
#include "broker/put_back.hpp"
#include "resp/command_scanner.hpp"
#include "resp/reply_scanner.hpp"
#include "resp/value.hpp"
#include "resp/writer.hpp"
#include "sidecar/core/policy.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace tests;
using arguments = std::vector<std::string_view>;

const sidecar::command_table& table() {
    static const sidecar::command_table commands;
    return commands;
}

// Exactly one command, and it reads back as some words.
arguments words_of(std::string_view bytes, resp::scanned_command& out) {
    resp::command_scanner scanner;
    require(scanner.scan(bytes, resp::peer_trust::known, out) == resp::scan_status::command,
            "what goes upstream is a command");
    require(out.bytes == bytes.size(), "and nothing but one");
    return out.args;
}

void check_policy(const arguments& args) {
    static const sidecar::policy strict{sidecar::policy_mode::strict};
    static const sidecar::policy open{sidecar::policy_mode::open};
    const auto* spec = table().find(args[0]);
    if (spec == nullptr || !spec->arity_fits(args.size())) return;
    const bool container = spec->has(sidecar::command_flag::container) && args.size() > 1;
    const auto* sub = container ? table().find_sub(*spec, args[1]) : nullptr;
    for (int db = 0; db < 3; ++db) {
        const auto verdict = strict.check(db, {}, *spec, sub, args);
        if (verdict) {
            require(strict.must_check(*spec), "what may be refused is always checked");
            require(!verdict->error.empty() && verdict->error.find_first_of("\r\n") == std::string::npos,
                    "a refusal is one line");
        }
        require(!open.check(db, {}, *spec, sub, args), "open policy refuses no user without limits");
        sidecar::user reader;
        reader.readonly = true;
        if (spec->has(sidecar::command_flag::write))
            require(strict.check(db, reader, *spec, sub, args).has_value(), "a reader writes nothing");
    }
}

void check_reply(const broker::blocking_call& call, std::string_view reply, int protocol) {
    const auto answer = broker::reply_from_poll(call, reply, protocol);
    if (answer) {
        resp::reply_scanner scanner;
        const auto step = scanner.scan(*answer);
        require(step.status == resp::reply_status::complete && step.bytes == answer->size(),
                "a poll's answer is one reply");
    }
    const auto popped = broker::read_popped(call, reply);
    if (!popped) return;
    require(call.pops(), "only what pops has popped");
    require(!popped->elements.empty(), "what goes back is something");
    const bool scored = popped->from == broker::popped::where::sorted_set;
    require(popped->scores.size() == (scored ? popped->elements.size() : 0), "each member has its score");
    resp::scanned_command out;
    const std::string command = broker::put_back_command(*popped, 1000, "token");
    const auto words = words_of(command, out);
    for (const auto& element : popped->elements)
        require(std::find(words.begin(), words.end(), element) != words.end(), "every element goes back");
}

void check_blocking(const arguments& args, std::string_view reply) {
    broker::blocking_call call;
    if (broker::parse_blocking(args, call) != broker::blocking_parse::blocking) return;
    require(call.timeout_index < call.args.size() && !call.keys.empty(), "a call has keys and a timeout");
    resp::scanned_command out;
    for (const auto remaining : {1, 999, 1'000'000'000}) {
        const std::string again = call.with_timeout(std::chrono::milliseconds(remaining));
        const auto words = words_of(again, out);
        require(words.size() == call.args.size(), "only the timeout changes");
        for (std::size_t i = 0; i < words.size(); ++i)
            require(i == call.timeout_index || words[i] == call.args[i], "no other word changes");
        broker::blocking_call shorter;
        require(broker::parse_blocking(words, shorter) == broker::blocking_parse::blocking &&
                    shorter.timeout && shorter.timeout->count() > 0,
                "it still blocks, and not for ever");
        require(shorter.coalescing_key() == call.coalescing_key(), "and asks the same");
    }
    if (!call.dollar_ids().empty()) return;
    const std::string poll = call.as_poll();
    broker::blocking_call twin;
    require(broker::parse_blocking(words_of(poll, out), twin) != broker::blocking_parse::blocking,
            "a poll does not block");
    for (const int protocol : {2, 3}) {
        resp::reply_scanner scanner;
        require(scanner.scan(broker::timeout_reply(call, protocol)).status == resp::reply_status::complete,
                "nil is a reply");
        check_reply(call, reply, protocol);
    }
}

}  // namespace

// A command, as its client would send it, and behind it one reply.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    resp::command_scanner scanner;
    resp::scanned_command scanned;
    if (input.empty() || scanner.scan(input, resp::peer_trust::known, scanned) != resp::scan_status::command)
        return 0;
    check_policy(scanned.args);
    std::string_view reply = input.substr(scanned.bytes);
    resp::reply_scanner end;
    const auto step = end.scan(reply);
    reply = step.status == resp::reply_status::complete ? reply.substr(0, step.bytes) : "*-1\r\n";
    check_blocking(scanned.args, reply);
    return 0;
}

#include "channels/native_scripts.hpp"

#include <catch2/catch.hpp>

#include "channels/node_message.hpp"
#include "channels/sha1.hpp"
#include "resp/command_scanner.hpp"

using namespace channels;

namespace {

std::vector<std::string> words_of(const std::string& bytes) {
    resp::command_scanner scanner;
    resp::scanned_command found;
    REQUIRE(scanner.scan(bytes, resp::peer_trust::known, found) == resp::scan_status::command);
    REQUIRE(found.bytes == bytes.size());
    return {found.args.begin(), found.args.end()};
}

resp::value text(std::string bytes) {
    resp::value v;
    v.type = resp::kind::bulk;
    v.text = std::move(bytes);
    return v;
}
resp::value number(std::int64_t n) {
    resp::value v;
    v.type = resp::kind::integer;
    v.integer = n;
    return v;
}
resp::value list(std::vector<resp::value> items) {
    resp::value v;
    v.type = resp::kind::array;
    v.items = std::move(items);
    return v;
}

}  // namespace

TEST_CASE("native_scripts: a call names its script, keys, layer and node, and ends with the body") {
    native_call call(script::send, {1, "asgi"}, "node", {"jobs", "60000"});
    call.declare("q:jobs");
    call.body = std::make_shared<const std::string>("payload");
    const auto words = words_of(call.by_sha1());
    CHECK(words == std::vector<std::string>{"EVALSHA", text_of(script::send).sha1, "4", "__sidecar:ch:homes",
                                            "__sidecar:ch:nodes", "__sidecar:ch:dead",
                                            "__sidecar:ch:asgi:q:jobs", "__sidecar:ch:asgi:", "asgi", "1",
                                            "node", "jobs", "60000", "payload"});
    auto whole = words_of(call.with_text());
    CHECK(whole[0] == "EVAL");
    CHECK(sha1_hex(whole[1]) == words[1]);
    CHECK(std::vector<std::string>(whole.begin() + 2, whole.end()) ==
          std::vector<std::string>(words.begin() + 2, words.end()));
    CHECK(call.bytes() > call.body->size());
}

TEST_CASE("native_scripts: every script is loaded once") {
    const auto commands = load_commands();
    REQUIRE(commands.size() == script_count);
    for (std::size_t i = 0; i < commands.size(); ++i) {
        const auto words = words_of(commands[i]);
        CHECK(words[1] == "LOAD");
        CHECK(sha1_hex(words[2]) == text_of(static_cast<script>(i)).sha1);
        // No search for keys, and nothing that waits.
        CHECK(words[2].find("'KEYS'") == std::string::npos);
        CHECK(words[2].find("'SCAN'") == std::string::npos);
    }
}

TEST_CASE("native_scripts: waiting messages are read, what is damaged is left out") {
    spooled_message message;
    message.channel = "jobs";
    message.body = std::make_shared<const std::string>("x");
    auto items = read_waiting(
        list({number(100), text(encode_spooled(message, "n1")), number(50), text("damaged"), number(7)}));
    REQUIRE(items.size() == 1);
    CHECK(items[0].origin == "n1");
    CHECK(items[0].message.expires_in_ms == 100);
    CHECK(messages_of(std::move(items))[0].channel == "jobs");
}

TEST_CASE("native_scripts: memberships are read") {
    const auto all = read_memberships(list({text("room p!a"), number(5'000), text("damaged"), number(1)}));
    REQUIRE(all.size() == 1);
    CHECK(all[0].group == "room");
    CHECK(all[0].channel == "p!a");
    CHECK(all[0].expires_in_ms == 5'000);
}

#include "sidecar/core/transaction.hpp"

#include <catch2/catch.hpp>

using sidecar::transaction;
using kind = channels::name_kind;

namespace {

struct rewriting {
    std::vector<std::string> ran;
    std::string operator()(const transaction& tx, std::string_view reply) {
        transaction::rewriter with;
        with.run_local = [this](const std::vector<std::string>& words) {
            std::string line;
            for (const auto& word : words) line += (line.empty() ? "" : " ") + word;
            ran.push_back(line);
            return "+local " + line + "\r\n";
        };
        with.correct_publish = [this](kind k, std::string_view channel, std::string_view element) {
            ran.push_back((k == kind::shard_channel ? "spublish " : "publish ") + std::string(channel) + " " +
                          std::string(element.substr(0, element.size() - 2)));
            return std::string(":100\r\n");
        };
        return tx.rewrite(reply, with);
    }
};

}  // namespace

TEST_CASE("an EXEC without anything of ours is untouched") {
    transaction tx;
    tx.queued();
    tx.queued();
    CHECK(tx.untouched());
    CHECK(tx.size() == 2);
    rewriting run;
    CHECK(run(tx, "*2\r\n:1\r\n:2\r\n") == "*2\r\n:1\r\n:2\r\n");
    CHECK(run.ran.empty());
}

TEST_CASE("placeholders are replaced and run, publishes corrected, all else kept byte for byte") {
    transaction tx;
    tx.queued();
    tx.queued_placeholder({"CLIENT", "SETNAME", "x"});
    tx.queued_publish(kind::channel, "news");
    tx.queued();
    tx.queued_placeholder({"SELECT", "0"});
    CHECK_FALSE(tx.untouched());
    CHECK(tx.size() == 5);
    rewriting run;
    const std::string nested = "*2\r\n$4\r\na\r\nb\r\n%1\r\n+k\r\n*-1\r\n";
    CHECK(run(tx, "*5\r\n" + nested + "$7\r\nsidecar\r\n:3\r\n-ERR no\r\n$7\r\nsidecar\r\n") ==
          "*5\r\n" + nested + "+local CLIENT SETNAME x\r\n:100\r\n-ERR no\r\n+local SELECT 0\r\n");
    CHECK(run.ran == std::vector<std::string>{"CLIENT SETNAME x", "publish news :3", "SELECT 0"});
}

TEST_CASE("an EXEC that did not run has no local effect") {
    transaction tx;
    tx.queued_placeholder({"CLIENT", "SETNAME", "x"});
    tx.queued();
    for (const auto* reply :
         {"*-1\r\n", "_\r\n", "-EXECABORT Transaction discarded because of previous errors.\r\n",
          "*1\r\n:1\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", "+OK\r\n", ""}) {
        rewriting run;
        CHECK(run(tx, reply) == reply);
        CHECK(run.ran.empty());
    }
}

TEST_CASE("only placeholders") {
    transaction tx;
    tx.queued_placeholder({"CLIENT", "ID"});
    rewriting run;
    CHECK(run(tx, "*1\r\n$7\r\nsidecar\r\n") == "*1\r\n+local CLIENT ID\r\n");
}

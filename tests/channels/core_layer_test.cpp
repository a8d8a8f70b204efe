#include <catch2/catch.hpp>

#include "channels/core_layer.hpp"

using namespace channels;

namespace {

constexpr std::string_view cleanup_hash = "8d28fb4c84249684940e751f9f15170eb9a96e1a";
constexpr std::string_view group_send_hash = "5bcf6ea1d6c02c00f44e7030f4f9772a199deaf1";
constexpr std::string_view flush_hash = "4d71449255c78343266920db788a2fc84a93ca58";

layer_command of(std::string_view name, std::vector<std::string_view> args) {
    args.insert(args.begin(), name);
    return recognise_layer(name, args);
}

layer_step step(std::string_view name, const std::vector<std::string_view>& args) {
    return of(name, args).step;
}

}  // namespace

TEST_CASE("scripts are known by their hash and the shape of their arguments", "[channels]") {
    const auto cleanup = of("evalsha", {cleanup_hash, "0", "asgispecific.a!", "asgispecific.a!$inflight"});
    CHECK(cleanup.step == layer_step::cleanup);
    CHECK(cleanup.key == "asgispecific.a!");
    CHECK_FALSE(cleanup.script_text);
    CHECK(step("evalsha", {cleanup_hash, "0", "a", "b$inflight"}) == layer_step::other);
    CHECK(step("evalsha", {cleanup_hash, "2", "a", "a$inflight"}) == layer_step::other);
    CHECK(step("evalsha", {cleanup_hash, "0", "a"}) == layer_step::other);

    CHECK(step("evalsha", {group_send_hash, "1", "k", "payload", "100", "1.5", "60"}) ==
          layer_step::group_send);
    CHECK(step("evalsha", {group_send_hash, "2", "k", "payload", "100", "1.5", "60"}) == layer_step::other);
    CHECK(step("evalsha", {group_send_hash, "-1", "1.5", "60"}) == layer_step::other);
    CHECK(step("evalsha", {flush_hash, "0", "asgi*"}) == layer_step::flush);
    CHECK(step("evalsha", {"0000000000000000000000000000000000000000", "0", "asgi*"}) == layer_step::other);
}

TEST_CASE("a text of the right length is another script still", "[channels]") {
    const std::string text(262, ' ');
    CHECK(step("eval", {text, "0", "a", "a$inflight"}) == layer_step::other);
    CHECK(step("eval", {"return 1", "0", "a"}) == layer_step::other);
    CHECK(step("eval", {"return 1"}) == layer_step::other);
}

TEST_CASE("the hash of each step with a script is told", "[channels]") {
    CHECK(script_hash(layer_step::cleanup) == cleanup_hash);
    CHECK(script_hash(layer_step::group_send) == group_send_hash);
    CHECK(script_hash(layer_step::flush) == flush_hash);
    CHECK(script_hash(layer_step::receive).empty());
}

TEST_CASE("the steps of a receive", "[channels]") {
    CHECK(of("bzpopmin", {"asgispecific.a!", "5"}).key == "asgispecific.a!");
    CHECK(step("bzpopmin", {"a", "b", "5"}) == layer_step::other);

    const auto confirm = of("zadd", {"asgijobs$inflight", "1732.5", "member"});
    CHECK(confirm.step == layer_step::confirm);
    CHECK(confirm.key == "asgijobs");
    CHECK(confirm.score == "1732.5");
    CHECK(confirm.member == "member");
    CHECK(step("zadd", {"asgijobs$inflight", "NX", "1", "m"}) == layer_step::other);

    const auto clean = of("zpopmin", {"asgijobs$inflight"});
    CHECK(clean.step == layer_step::clean);
    CHECK(clean.key == "asgijobs");
    CHECK(step("zpopmin", {"asgijobs"}) == layer_step::other);
    CHECK(step("zpopmin", {"asgijobs$inflight", "2"}) == layer_step::other);
}

TEST_CASE("the steps of sending and of groups", "[channels]") {
    CHECK(step("zadd", {"asgijobs", "1732.5", "payload"}) == layer_step::enqueue);
    CHECK(step("zadd", {"asgi:group:room", "1732.5", "specific.a!b"}) == layer_step::group_add);
    CHECK(step("zrem", {"asgi:group:room", "specific.a!b"}) == layer_step::group_discard);
    CHECK(step("zrem", {"scores", "somebody"}) == layer_step::other);
    CHECK(step("zremrangebyscore", {"asgijobs", "0", "1732000000"}) == layer_step::trim);
    CHECK(step("zremrangebyscore", {"scores", "0", "100"}) == layer_step::other);
    CHECK(step("zremrangebyscore", {"scores", "(1", "1732000000"}) == layer_step::other);
    CHECK(step("expire", {"asgi:group:room", "86400"}) == layer_step::expire);
    CHECK(step("expire", {"chat.a!", "60"}) == layer_step::expire);
    CHECK(step("expire", {"session", "60"}) == layer_step::other);
}

TEST_CASE("only what leaves the same state when run twice is idempotent", "[channels]") {
    CHECK(is_idempotent(of("zadd", {"asgijobs$inflight", "1", "m"})));
    CHECK(is_idempotent(of("zadd", {"asgi:group:room", "1", "c"})));
    CHECK(is_idempotent(of("zrem", {"asgi:group:room", "c"})));
    CHECK(is_idempotent(of("zremrangebyscore", {"asgijobs", "0", "1732000000"})));
    CHECK(is_idempotent(of("expire", {"asgijobs", "60"})));
    CHECK(is_idempotent(of("evalsha", {cleanup_hash, "0", "a", "a$inflight"})));
    CHECK_FALSE(is_idempotent(of("zadd", {"asgijobs", "1", "payload"})));
    CHECK_FALSE(is_idempotent(of("evalsha", {group_send_hash, "1", "k", "p", "100", "1.5", "60"})));
    CHECK_FALSE(is_idempotent(of("evalsha", {flush_hash, "0", "asgi*"})));
    CHECK_FALSE(is_idempotent(of("bzpopmin", {"a!", "5"})));
    CHECK(is_idempotent(of("zpopmin", {"a!$inflight"})));
    CHECK_FALSE(is_idempotent(of("zpopmin", {"asgijobs$inflight"})));
}

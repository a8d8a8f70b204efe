#include "sidecar/control/redis_client.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <thread>

#include <array>

using sidecar::redis_client;

namespace {

// The other end of a connection: reads until it has so many bytes, then answers.
class scripted_end {
public:
    int open(std::size_t expected, std::string answer) {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
        ++connections;
        if (thread_.joinable()) thread_.join();
        thread_ = std::thread([end = ends[1], expected, answer = std::move(answer)] {
            std::array<char, 4096> buffer{};
            for (std::size_t got = 0; got < expected;) {
                const auto n = ::read(end, buffer.data(), buffer.size());
                if (n <= 0) break;
                got += static_cast<std::size_t>(n);
            }
            [[maybe_unused]] const auto written = ::write(end, answer.data(), answer.size());
            ::close(end);
        });
        return ends[0];
    }
    ~scripted_end() {
        if (thread_.joinable()) thread_.join();
    }
    int connections = 0;

private:
    std::thread thread_;
};

}  // namespace

TEST_CASE("redis_client gives each command its reply", "[redis_client]") {
    scripted_end end;
    redis_client client([&] { return end.open(20, "+OK\r\n*2\r\n:7\r\n$-1\r\n-ERR no\r\n"); });
    const std::vector<broker::redis_command> commands{{"SET", "a", "b"}, {"X"}, {"Y"}};
    const auto replies = client.pipeline(commands);
    REQUIRE(replies.size() == 3);
    CHECK(replies[0].text == "OK");
    REQUIRE(replies[1].items.size() == 2);
    CHECK(replies[1].items[0].integer == 7);
    CHECK(replies[1].items[1].type == resp::kind::null);
    CHECK(broker::is_error(replies[2]));
    CHECK_FALSE(broker::is_gone(replies[2]));
}

TEST_CASE("redis_client tells of a lost connection and asks for another", "[redis_client]") {
    scripted_end end;
    redis_client client(
        [&] { return end.connections == 0 ? end.open(10, "+OK\r\n") : end.open(5, ":1\r\n"); });
    const std::vector<broker::redis_command> commands{{"A"}, {"B"}};
    const auto replies = client.pipeline(commands);
    CHECK(replies[0].text == "OK");
    CHECK(broker::is_gone(replies[1]));
    CHECK(client.call({"C"}).integer == 1);
    CHECK(end.connections == 2);
    redis_client nowhere([] { return -1; });
    CHECK(broker::is_gone(nowhere.call({"PING"})));
}

TEST_CASE("redis_client waits only so long, and refuses what is too large", "[redis_client]") {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    redis_client client([&] { return ends[0]; }, {std::chrono::milliseconds(50), 100});
    CHECK(broker::is_gone(client.call({"PING"})));
    CHECK(client.call({"SET", "a", std::string(200, 'x')}).text == broker::redis_refused);
    ::close(ends[1]);
}

TEST_CASE("redis_client ends at once when it is told to give up, and asks nobody from then on",
          "[redis_client]") {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    redis_client client([&] { return ::dup(ends[0]); }, {std::chrono::minutes(5), 1024});
    std::thread other([&] {
        std::array<char, 64> buffer{};
        [[maybe_unused]] const auto asked = ::read(ends[1], buffer.data(), buffer.size());
        client.give_up();
    });
    CHECK(broker::is_gone(client.call({"PING"})));
    other.join();
    CHECK(broker::is_gone(client.call({"PING"})));
    ::close(ends[0]);
    ::close(ends[1]);
}

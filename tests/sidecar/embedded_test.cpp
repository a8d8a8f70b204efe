#include <catch2/catch.hpp>

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "sidecar/net/child_process.hpp"
#include "sidecar/net/embedded.hpp"
#include "sidecar/net/log.hpp"

using namespace sidecar;

namespace {

class temporary_dir {
public:
    temporary_dir() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
    ~temporary_dir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_dir(const temporary_dir&) = delete;
    temporary_dir& operator=(const temporary_dir&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/embedded-test-XXXXXX";
};

bool redis_is_missing() {
    if (find_program("redis-server")) return false;
    WARN("redis-server is not on PATH: this case is skipped");
    return true;
}

bool becomes_true(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

// The answer as text, empty if there is none.
std::string ask(const std::string& socket_path, const char* command) {
    redisContext* connection = redisConnectUnixWithTimeout(socket_path.c_str(), {2, 0});
    std::string text;
    if (connection != nullptr && connection->err == 0) {
        auto* reply = static_cast<redisReply*>(redisCommand(connection, command));
        if (reply != nullptr && reply->str != nullptr) text.assign(reply->str, reply->len);
        if (reply != nullptr) freeReplyObject(reply);
    }
    if (connection != nullptr) redisFree(connection);
    return text;
}

bool is_alive(int process_id) {
    return ::kill(process_id, 0) == 0;
}

void write_program(const std::string& path, const std::string& script) {
    std::ofstream(path) << "#!/bin/sh\n" << script;
    ::chmod(path.c_str(), 0700);
}

class quiet_log {
public:
    quiet_log() { configure_log("off", log_format::text); }
    ~quiet_log() { configure_log("info", log_format::text); }
};

}  // namespace

TEST_CASE("the embedded server answers on a private socket and keeps its data", "[embedded]") {
    if (redis_is_missing()) return;
    const quiet_log quiet;
    const temporary_dir dir;
    const std::string data = dir.path() + "/deep/data";
    int process = 0;
    {
        embedded_redis server({.data_dir = data});
        const auto bad = server.start();
        REQUIRE_FALSE(bad);
        process = server.process_id();
        CHECK(ask(server.socket_path(), "PING") == "PONG");
        CHECK(ask(server.socket_path(), "SET kept yes") == "OK");
        struct stat entry {};
        REQUIRE(::stat(data.c_str(), &entry) == 0);
        CHECK((entry.st_mode & 0777U) == 0700);
        REQUIRE(::stat(server.socket_path().c_str(), &entry) == 0);
        CHECK((entry.st_mode & 0777U) == 0600);
        server.stop();
        server.stop();
        CHECK(server.process_id() == 0);
    }
    CHECK_FALSE(is_alive(process));
    embedded_redis again({.data_dir = data});
    REQUIRE_FALSE(again.start());
    CHECK(ask(again.socket_path(), "GET kept") == "yes");
}

TEST_CASE("an embedded server that dies is started again", "[embedded]") {
    if (redis_is_missing()) return;
    const quiet_log quiet;
    const temporary_dir dir;
    embedded_redis server({.data_dir = dir.path()});
    REQUIRE_FALSE(server.start());
    for (unsigned times = 1; times <= 2; ++times) {
        REQUIRE(::kill(server.process_id(), SIGKILL) == 0);
        CHECK(becomes_true([&] { return server.restarts() == times; }));
        CHECK(becomes_true([&] { return ask(server.socket_path(), "PING") == "PONG"; }));
    }
}

TEST_CASE("a data directory is used by one server at a time", "[embedded]") {
    if (redis_is_missing()) return;
    const quiet_log quiet;
    const temporary_dir dir;
    embedded_redis first({.data_dir = dir.path()});
    REQUIRE_FALSE(first.start());
    embedded_settings impatient{.data_dir = dir.path()};
    impatient.ready_timeout_ms = 50;
    CHECK(embedded_redis(impatient).start().value_or("") ==
          "--data-dir: " + dir.path() + " is in use by another sidecar or its redis-server");
    CHECK(ask(first.socket_path(), "PING") == "PONG");
}

TEST_CASE("a path too long for a socket puts the socket elsewhere", "[embedded]") {
    if (redis_is_missing()) return;
    const quiet_log quiet;
    const temporary_dir dir;
    std::string socket;
    {
        embedded_redis server({.data_dir = dir.path() + "/" + std::string(100, 'x')});
        REQUIRE_FALSE(server.start());
        socket = server.socket_path();
        CHECK(socket.find("/tmp/sidecar-") == 0);
        CHECK(ask(socket, "PING") == "PONG");
    }
    CHECK_FALSE(std::filesystem::exists(std::filesystem::path(socket).parent_path()));
}

TEST_CASE("the embedded server ends when its parent is killed", "[embedded]") {
    if (redis_is_missing()) return;
    const quiet_log quiet;
    const temporary_dir dir;
    const std::string note = dir.path() + "/process";
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);  // the orphan becomes ours to collect
    const pid_t parent = ::fork();
    if (parent == 0) {
        embedded_redis server({.data_dir = dir.path() + "/data"});
        if (server.start()) ::_exit(1);
        std::ofstream(note + ".new") << server.process_id();
        ::rename((note + ".new").c_str(), note.c_str());
        for (;;) ::pause();
    }
    REQUIRE(parent > 0);
    CHECK(becomes_true([&] { return std::filesystem::exists(note); }));
    int child = 0;
    std::ifstream(note) >> child;
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    REQUIRE(child > 0);
    CHECK(becomes_true([&] { return ::waitpid(child, nullptr, WNOHANG) == child; }));
}

TEST_CASE("what hinders the embedded server is said in one line", "[embedded]") {
    const quiet_log quiet;
    const temporary_dir dir;
    const auto error = [&](embedded_settings settings) {
        return embedded_redis(settings).start().value_or("started");
    };

    CHECK(error({.data_dir = dir.path(), .program = "no-such-redis-server"}) ==
          "--embedded: no-such-redis-server is not on PATH; install it or give --redis URL");

    const std::string failing = dir.path() + "/failing";
    write_program(failing, "echo one\necho two\necho three\necho the fourth and last line\nexit 3\n");
    CHECK(error({.data_dir = dir.path() + "/a", .program = failing}) ==
          "--embedded: " + failing +
              " ended at once with exit status 3; its log ends: two | three | the fourth and last line");

    const std::string silent = dir.path() + "/silent";
    write_program(silent, "exec sleep 1000\n");
    embedded_settings slow{.data_dir = dir.path() + "/b", .program = silent};
    slow.ready_timeout_ms = 50;
    CHECK(error(slow) == "--embedded: " + silent + " did not answer within 50 ms; it wrote no log");

    std::ofstream(dir.path() + "/file") << "x";
    const std::string plain_file = dir.path() + "/file";
    CHECK(error({.data_dir = plain_file, .program = silent}) ==
          "--data-dir: " + plain_file + " is not a directory");
    CHECK(error({.data_dir = plain_file + "/below", .program = silent}).find("--data-dir: cannot make ") ==
          0);
}

TEST_CASE("a server that ignores SIGTERM is killed in the end", "[embedded]") {
    const quiet_log quiet;
    const temporary_dir dir;
    const std::string stubborn = dir.path() + "/stubborn";
    write_program(stubborn, "trap '' TERM\nwhile :; do sleep 0.01; done\n");
    embedded_settings settings{.data_dir = dir.path() + "/data", .program = stubborn};
    settings.ready_timeout_ms = 50;
    settings.stop_timeout_ms = 50;
    embedded_redis server(settings);
    CHECK(server.start());
    CHECK(server.process_id() == 0);
}

#include "broker/worker_map.hpp"

#include "catch2/catch.hpp"

using namespace broker;

namespace {

constexpr std::int64_t second = 1'000'000;
const broker_id home{2, ""};

struct map_with {
    worker_map map{100, 100};

    client_record& client(std::uint64_t id, std::string_view address, std::int64_t at_us) {
        client_record* const made = map.client(id, 2, at_us);
        made->address = address;
        return *made;
    }
    void consumer(std::uint64_t id, std::string_view address, std::int64_t at_us) {
        map.process_of(client(id, address, at_us)).consumes = true;
    }
    void node(std::uint64_t id, std::string_view address, std::string_view name, std::int64_t at_us) {
        map.tie_node(client(id, address, at_us), home, name);
    }
    std::string node_of(std::uint64_t id) { return map.process(map.find(id)->process)->node; }
};

}  // namespace

TEST_CASE("worker_map assumes that the only consumer of an address is its only node",
          "[broker][worker_map]") {
    map_with of;
    of.consumer(1, "10.0.0.1:1", second);
    of.node(2, "10.0.0.1:2", "a@x", second);
    of.consumer(3, "10.0.0.2:1", second);
    of.map.tick(2 * second, 600 * second, {});
    CHECK(of.node_of(1) == "a@x");
    CHECK(of.node_of(3).empty());
    CHECK(of.map.find(1)->process != of.map.find(2)->process);
}

TEST_CASE("worker_map takes a worker-online with the clock of the one before for another process",
          "[broker][worker_map]") {
    worker_map map{100, 100};
    node_news online;
    online.type = "worker-online";
    online.clock = 5;
    online.processed = 0;
    map.node_heard(home, "a@x", online, second);
    CHECK(map.nodes().at({home, "a@x"}).restarted_us == 0);
    map.node_heard(home, "a@x", online, 3 * second);
    CHECK(map.nodes().at({home, "a@x"}).restarted_us == 3 * second);
    online.clock = 9;
    map.node_heard(home, "a@x", online, 6 * second);
    CHECK(map.nodes().at({home, "a@x"}).restarted_us == 3 * second);
}

TEST_CASE("worker_map does not guess between two, unless they connected far apart", "[broker][worker_map]") {
    map_with of;
    of.consumer(1, "10.0.0.1:1", second);
    of.node(2, "10.0.0.1:2", "a@x", second + 100'000);
    const bool together = GENERATE(true, false);
    const std::int64_t later = together ? second + 300'000 : 60 * second;
    of.consumer(3, "10.0.0.1:3", later);
    of.node(4, "10.0.0.1:4", "b@x", later + 50'000);
    of.map.tick(100 * second, 600 * second, {});
    if (!together) {
        CHECK(of.node_of(1) == "a@x");
        CHECK(of.node_of(3) == "b@x");
    } else {
        CHECK(of.node_of(1).empty());
        CHECK(of.node_of(3).empty());
    }
}

TEST_CASE("worker_map ties clients of one address only", "[broker][worker_map]") {
    map_with of;
    of.consumer(1, "10.0.0.1:1", second);
    of.client(2, "10.0.0.1:2", second);
    of.client(3, "10.0.0.2:2", second);
    of.map.tie_clients(1, 2);
    of.map.tie_clients(1, 3);
    CHECK(of.map.find(1)->process == of.map.find(2)->process);
    CHECK(of.map.find(1)->process != of.map.find(3)->process);
    of.map.gone(1, 5 * second);
    CHECK(of.map.owner(1, 20 * second, 5 * second).state == owner_state::alive);
    of.map.gone(2, 6 * second);
    CHECK(of.map.owner(1, 7 * second, 5 * second).state == owner_state::leaving);
    CHECK(of.map.owner(1, 12 * second, 5 * second).state == owner_state::orphan);
    of.map.tick(5'000 * second, 600 * second, {1});
    CHECK(of.map.find(1) != nullptr);
    CHECK(of.map.find(2) == nullptr);
    of.map.tick(5'000 * second, 600 * second, {});
    CHECK(of.map.find(1) == nullptr);
    CHECK(of.map.owner(1, 1, 1).state == owner_state::unknown);
}

TEST_CASE("host_of leaves the port away", "[broker][worker_map]") {
    CHECK(host_of("10.0.0.1:123") == "10.0.0.1");
    CHECK(host_of("[::1]:123") == "[::1]");
    CHECK(host_of("/run/a.sock:0") == "/run/a.sock:0");
    CHECK(host_of("").empty());
}

#include "sidecar/net/descriptor_budget.hpp"

#include <catch2/catch.hpp>

using namespace sidecar;

TEST_CASE("clients leave descriptors for upstream connections") {
    config settings;
    settings.clients_max = 10'000;
    settings.leases_max = 512;
    settings.threads = 4;
    CHECK(descriptors_beside_clients(settings) == 640);
    CHECK(clients_within(1'000'000, settings) == 10'000);
    CHECK(clients_within(10'640, settings) == 10'000);
    CHECK(clients_within(10'639, settings) == 9'999);
    CHECK(clients_within(2'000, settings) == 1'360);
    // So few that not everything fits: half and half.
    CHECK(clients_within(1'024, settings) == 512);
    CHECK(clients_within(64, settings) == 32);
    CHECK(clients_within(0, settings) == 1);
}

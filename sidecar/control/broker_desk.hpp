#pragma once
// What the control thread keeps for one of the broker's dbs: its connection to Redis and the classes that
// read and change what lies there.

#include <string>

#include "broker/inspector.hpp"
#include "broker/observer_store.hpp"
#include "broker/operations.hpp"
#include "broker/queue_catalog.hpp"
#include "broker/rule_book.hpp"
#include "broker/unacked_census.hpp"
#include "broker/unacked_reader.hpp"
#include "sidecar/control/redis_client.hpp"

namespace sidecar {

struct broker_desk {
    broker_desk(int which, std::function<int()> connect, std::function<std::string()> random_id,
                broker::operations_limits limits)
        : db(which),
          redis(std::move(connect)),
          inspector(redis),
          catalog(redis),
          unacked(redis),
          census(redis),
          rules(redis),
          operations(redis, std::move(random_id), limits) {
        inspector.set_hidden(
            [this](std::string_view tag) { return rules.find(broker::rule_kind::mark, tag) != nullptr; });
    }

    const int db;
    redis_client redis;
    broker::inspector inspector;
    broker::queue_catalog catalog;
    broker::unacked_reader unacked;
    broker::unacked_census census;
    broker::rule_book rules;
    broker::operations operations;
    broker::observer_store store;
};

}  // namespace sidecar

#pragma once
// What the control thread keeps for one of the broker's dbs: its connection to Redis and the classes that
// read and change what lies there.

#include <string>

#include "broker/inspector.hpp"
#include "broker/queue_catalog.hpp"
#include "sidecar/control/redis_client.hpp"

namespace sidecar {

struct broker_desk {
    broker_desk(int which, std::function<int()> connect)
        : db(which), redis(std::move(connect)), inspector(redis), catalog(redis) {}

    const int db;
    redis_client redis;
    broker::inspector inspector;
    broker::queue_catalog catalog;
};

}  // namespace sidecar

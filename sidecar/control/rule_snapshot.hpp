#pragma once
// The rule books of all dbs as the shards apply them.

#include <vector>

#include "broker/broker_layout.hpp"
#include "broker/delivery_rules.hpp"
#include "broker/rule_book.hpp"

namespace sidecar {

// Queues of an application with a priority separator of its own are named by each of their lists, too: shards
// know kombu's alone.
void add_rules(broker::delivery_rules& into, int db, const broker::rule_book& book,
               const std::vector<broker::broker_layout>& layouts);

}  // namespace sidecar

#pragma once
// The rule books of all dbs as the shards apply them.

#include <memory>

#include "broker/delivery_rules.hpp"
#include "broker/rule_book.hpp"

namespace sidecar {

void add_rules(broker::delivery_rules& into, int db, const broker::rule_book& book);

}  // namespace sidecar

#pragma once
// The observer's figures as Prometheus text: under sidecar's names, and under celery-exporter's.

#include <span>
#include <string>

#include "broker/findings.hpp"
#include "broker/observer.hpp"
#include "broker/observer_store.hpp"

namespace broker {

[[nodiscard]] std::string broker_metrics_text(const observer& from, std::span<const finding> findings,
                                              const store_counts& store, std::int64_t now_us);

}  // namespace broker

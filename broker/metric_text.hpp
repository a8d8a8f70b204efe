#pragma once
// Prometheus's text format, written line by line.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/histogram.hpp"

namespace broker {

using metric_labels = std::vector<std::pair<std::string_view, std::string_view>>;

// `type`: counter, gauge, histogram. Once for each name, before its lines.
void metric_head(std::string& into, std::string_view name, std::string_view type, std::string_view help);
// Label values are escaped; bytes that are not UTF-8 become '?'.
void metric_line(std::string& into, std::string_view name, const metric_labels& labels, double value);
void metric_histogram(std::string& into, std::string_view name, const metric_labels& labels,
                      const histogram& values);

}  // namespace broker

#pragma once
#include <chrono>

namespace sidecar {

// Time comes into the core as a value; only the I/O layer asks what time it is.
using time_point = std::chrono::steady_clock::time_point;

}  // namespace sidecar

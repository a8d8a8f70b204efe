#include "broker/histogram.hpp"

#include <algorithm>

namespace broker {

void histogram::add(double seconds) {
    if (!(seconds > 0)) seconds = 0;
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), seconds);
    ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
    ++count_;
    sum_ += seconds;
}

}  // namespace broker

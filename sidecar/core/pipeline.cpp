#include "sidecar/core/pipeline.hpp"

namespace sidecar {

void pipeline::park(number n, std::string_view bytes, bool complete) {
    auto& slot = parked_[n];
    slot.bytes.append(bytes);
    slot.complete = complete;
    parked_bytes_ += bytes.size();
}

}  // namespace sidecar

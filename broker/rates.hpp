#pragma once
// How many a second, over the last ten and the last sixty seconds: one small count for each of the last
// sixty-four seconds. The second that has just begun is left out, as it would make every rate look low.

#include <array>
#include <cstdint>

namespace broker {

class rate_meter {
public:
    void add(std::int64_t now_us, std::uint32_t count = 1);
    // Mean of the `window_s` full seconds before now's; of fewer when counting began later. 1 ≤ window_s
    // ≤ 60.
    [[nodiscard]] double per_second(std::int64_t now_us, int window_s) const;

private:
    static constexpr std::int64_t slots = 64;

    std::array<std::uint32_t, slots> in_second_{};
    std::int64_t first_second_ = 0;  // 0: nothing counted yet
    std::int64_t last_second_ = 0;
};

}  // namespace broker

#pragma once
// Depth-first search over everything that may happen next. A run cannot be copied, so each path begins anew
// and repeats the choices that led to where it branches off. A state that was seen before is not followed
// again.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace tests::pairing {

struct search_size {
    std::size_t endings = 0;      // schedules followed to their end and judged
    std::size_t transitions = 0;  // events tried, each from another state or by another choice
    double schedules = 0;         // different ones, counted through the states they share
    search_size& operator+=(const search_size& other) {
        endings += other.endings;
        transitions += other.transitions;
        schedules += other.schedules;
        return *this;
    }
};

// `make()` gives a fresh run: choices() says how many things may happen next, take(i) lets one happen,
// fingerprint() names the state, finish() judges a run without choices left.
template <class Make>
search_size explore(Make&& make) {
    struct fork {
        std::uint64_t state;
        std::size_t of;
        std::size_t taken = 0;
        double schedules = 0;
    };
    std::vector<fork> path;
    std::unordered_map<std::uint64_t, double> seen;  // how many schedules begin in a state
    search_size size;
    while (true) {
        auto run = make();
        for (const auto& f : path) run.take(f.taken);
        double below = 0;
        while (true) {
            ++size.transitions;
            const auto state = run.fingerprint();
            if (const auto it = seen.find(state); it != seen.end()) {
                below = it->second;
                break;
            }
            const std::size_t count = run.choices();
            if (count == 0) {
                run.finish();
                ++size.endings;
                below = seen[state] = 1;
                break;
            }
            path.push_back({state, count});
            run.take(0);
        }
        while (!path.empty()) {
            auto& last = path.back();
            last.schedules += below;
            if (++last.taken < last.of) break;
            below = seen[last.state] = last.schedules;
            path.pop_back();
        }
        if (path.empty()) {
            size.schedules = below;
            return size;
        }
    }
}

}  // namespace tests::pairing

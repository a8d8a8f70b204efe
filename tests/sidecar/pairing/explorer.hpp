#pragma once
// Depth-first search over everything that may happen next. A run cannot be copied, so each path begins anew
// and repeats the choices that led to where it branches off. A state that was seen before is not followed
// again.

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace tests::pairing {

struct search_size {
    std::size_t schedules = 0;  // followed to their end and judged
    std::size_t joined = 0;     // ended in a state seen before
    std::size_t states = 0;
    search_size& operator+=(const search_size& other) {
        schedules += other.schedules;
        joined += other.joined;
        states += other.states;
        return *this;
    }
};

// `make()` gives a fresh run: choices() says how many things may happen next, take(i) lets one happen,
// fingerprint() names the state, finish() judges a run without choices left.
template <class Make>
search_size explore(Make&& make) {
    struct fork {
        std::size_t taken;
        std::size_t of;
    };
    std::vector<fork> path;
    std::unordered_set<std::uint64_t> seen;
    search_size size;
    while (true) {
        auto run = make();
        for (const auto& f : path) run.take(f.taken);
        bool known = !seen.insert(run.fingerprint()).second;
        for (std::size_t count = run.choices(); !known && count > 0; count = run.choices()) {
            path.push_back({0, count});
            run.take(0);
            known = !seen.insert(run.fingerprint()).second;
        }
        if (known) {
            ++size.joined;
        } else {
            run.finish();
            ++size.schedules;
        }
        while (!path.empty() && path.back().taken + 1 == path.back().of) path.pop_back();
        if (path.empty()) break;
        ++path.back().taken;
    }
    size.states = seen.size();
    return size;
}

}  // namespace tests::pairing

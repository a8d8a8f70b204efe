#include "broker/list_weight.hpp"

#include <array>

namespace broker {

namespace {

constexpr std::int64_t unlimited = 1'000'000;
constexpr std::int64_t light_list_bytes = 8 << 20;  // copied whole in less than 10 ms
constexpr std::int64_t small_mean_bytes = 8 << 10;
constexpr std::int64_t medium_mean_bytes = 64 << 10;
constexpr std::int64_t a_few = 4;

}  // namespace

std::int64_t elements_at_once(std::int64_t length, std::int64_t bytes) {
    if (length <= 1) return 1;
    if (bytes <= 0) return a_few;
    if (bytes <= light_list_bytes) return unlimited;
    const std::int64_t mean = bytes / length;
    if (mean <= small_mean_bytes) return unlimited;
    return mean <= medium_mean_bytes ? a_few : 1;
}

std::int64_t elements_at_once(redis_port& redis, const std::string& key) {
    const std::array<redis_command, 2> questions{
        redis_command{"LLEN", key}, {"MEMORY", "USAGE", key, "SAMPLES", std::to_string(weighed_nodes)}};
    const auto answers = redis.pipeline(questions);
    return elements_at_once(answers[0].integer, is_error(answers[1]) ? 0 : answers[1].integer);
}

}  // namespace broker

#pragma once
// The kinds of load; what each is like stands in mix_kinds().

#include <memory>

#include "bench/load/mix.hpp"

namespace bench {

std::unique_ptr<mix> make_celery_mix(const mix_settings& settings);
std::unique_ptr<mix> make_django_mix(const mix_settings& settings);
std::unique_ptr<mix> make_cache_mix(const mix_settings& settings);
std::unique_ptr<mix> make_transactions(const mix_settings& settings);
std::unique_ptr<mix> make_untransacted(const mix_settings& settings);
std::unique_ptr<mix> make_echo_check(const mix_settings& settings);

}  // namespace bench

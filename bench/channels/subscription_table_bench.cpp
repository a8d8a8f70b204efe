#include "channels/subscription_table.hpp"

#include <memory>

#include "bench/micro/cases.hpp"

namespace bench {

namespace {

constexpr std::size_t names = 1000;

std::string name_of(std::size_t number) {
    return "asgi.specific." + std::to_string(number) + "!inbox";
}

struct filled_table {
    filled_table() {
        for (std::size_t i = 0; i < names; ++i) {
            table.want(channels::name_kind::channel, name_of(i));
            table.on_confirmed(channels::name_kind::channel, name_of(i));
            table.join(channels::name_kind::channel, name_of(i), nullptr);
        }
        keep(table.take_commands());
    }
    channels::subscription_table table;
};

}  // namespace

void add_subscription_table_cases(std::vector<micro_case>& cases) {
    cases.push_back({"channels/subscription_table/find_of_1000", 1, [] {
                         auto filled = std::make_shared<filled_table>();
                         return [filled, name = name_of(names / 2)] {
                             keep(filled->table.find(channels::name_kind::channel, name));
                         };
                     }});
    cases.push_back({"channels/subscription_table/join_and_leave", 1, [] {
                         auto filled = std::make_shared<filled_table>();
                         return [filled, name = name_of(names)] {
                             auto& table = filled->table;
                             table.want(channels::name_kind::channel, name);
                             table.leave(channels::name_kind::channel, name, nullptr);
                             keep(table.take_commands());
                         };
                     }});
}

}  // namespace bench

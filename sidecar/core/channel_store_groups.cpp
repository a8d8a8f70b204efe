// Groups: membership, what is sent to them, who is in them, and their history.
#include <utility>

#include "channels/native_scripts.hpp"
#include "sidecar/core/channel_store.hpp"
#include "sidecar/core/shard_core.hpp"

namespace sidecar {

using channels::native_call;
using channels::node_message;
using channels::script;

namespace {

constexpr std::size_t pairs_per_call_max = 300;

count_answer number_in(call_failure failure, const resp::value& reply) {
    return {failure == call_failure::none, reply.integer};
}

page_answer page_in(call_failure failure, const resp::value& reply) {
    page_answer page;
    if (failure != call_failure::none || reply.items.size() != 2) return page;
    page.ok = true;
    page.cursor = reply.items[0].text;
    for (const auto& name : reply.items[1].items) page.names.push_back(name.text);
    return page;
}

history_answer history_in(call_failure failure, const resp::value& reply) {
    history_answer answer;
    if (failure != call_failure::none || reply.items.size() != 4) return answer;
    answer.ok = true;
    answer.epoch = reply.items[0].text;
    answer.top = static_cast<std::uint64_t>(reply.items[1].integer);
    answer.recovered = reply.items[2].integer == 1;
    const auto& items = reply.items[3].items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        answer.items.emplace_back(static_cast<std::uint64_t>(items[i].integer), items[i + 1].text);
    return answer;
}

// The sum over several calls that were made for one.
struct partial_count {
    std::size_t missing = 0;
    count_answer sum{true, 0};
    std::function<void(count_answer)> done;
    void add(const count_answer& part) {
        sum.ok = sum.ok && part.ok;
        sum.number += part.number;
        if (--missing == 0 && done) done(sum);
    }
};

}  // namespace

void channel_store::run_in_batches(std::vector<native_call> calls, callback<count_answer> done) {
    auto parts = std::make_shared<partial_count>();
    parts->missing = calls.size();
    parts->done = std::move(done);
    for (auto& c : calls)
        run(std::move(c), [parts](call_failure failure, const resp::value& reply) {
            parts->add(number_in(failure, reply));
        });
}

void channel_store::join(const layer_ref& layer, std::vector<std::pair<std::string, std::string>> pairs,
                         std::int64_t group_expiry_ms, callback<count_answer> done) {
    const std::string expiry = std::to_string(group_expiry_ms);
    std::vector<native_call> calls;
    for (std::size_t i = 0; i < pairs.size() || i == 0; ++i) {
        if (i % pairs_per_call_max == 0) calls.push_back(call(script::join, layer));
        if (pairs.empty()) break;
        calls.back().add(pairs[i].first);
        calls.back().add(pairs[i].second);
        calls.back().add(expiry);
    }
    run_in_batches(std::move(calls), std::move(done));
}

void channel_store::leave(const layer_ref& layer, std::vector<std::pair<std::string, std::string>> pairs,
                          callback<count_answer> done) {
    std::vector<native_call> calls;
    for (std::size_t i = 0; i < pairs.size() || i == 0; ++i) {
        if (i % pairs_per_call_max == 0) calls.push_back(call(script::leave, layer));
        if (pairs.empty()) break;
        calls.back().add(pairs[i].first);
        calls.back().add(pairs[i].second);
    }
    run_in_batches(std::move(calls), std::move(done));
}

void channel_store::leave_all(const layer_ref& layer, names channels, callback<count_answer> done) {
    std::vector<native_call> calls;
    for (std::size_t i = 0; i < channels.size() || i == 0; ++i) {
        if (i % pairs_per_call_max == 0) calls.push_back(call(script::leave_all, layer));
        if (channels.empty()) break;
        calls.back().add(channels[i]);
    }
    run_in_batches(std::move(calls), std::move(done));
}

namespace {

group_answer group_answer_in(call_failure failure, const resp::value& reply) {
    group_answer answer;
    if (failure != call_failure::none || reply.items.empty()) {
        answer.result = failure == call_failure::not_sent ? store_result::unavailable : store_result::unknown;
        return answer;
    }
    const auto& items = reply.items;
    answer.result = items[0].text == "duplicate" ? store_result::duplicate : store_result::ok;
    if (items.size() < 9) return answer;
    const auto number = [&](std::size_t i) { return static_cast<std::uint64_t>(items[i].integer); };
    answer.nodes = static_cast<std::uint32_t>(number(1));
    answer.processes = number(2);
    answer.spooled = number(3);
    answer.spool_dropped = number(4);
    answer.members = number(5);
    answer.offset = number(6);
    answer.epoch = items[7].text;
    answer.claims = number(8);
    return answer;
}

}  // namespace

void channel_store::group_send(const layer_ref& layer, const group_wish& wish,
                               const callback<group_answer>& done) {
    auto answer = std::make_shared<group_answer>();
    node_message m;
    m.verb = channels::node_verb::group;
    m.layer = layer;
    m.name = wish.group;
    m.names = wish.except;
    m.expiry_ms = wish.expiry_ms;
    m.origin = shard_.process.run_id;
    if (wish.tallied)
        m.request = begin_request([answer, done](const request& r) {
            answer->others = r.tally;
            done(*answer);
        });
    channels::spooled_message waiting;
    waiting.group = wish.group;
    waiting.except = wish.except;
    const std::size_t bytes = wish.body->size();
    const std::string epoch = shard_.process.run_id.substr(0, 12) + "." + std::to_string(shard_.index) + "." +
                              std::to_string(++last_epoch_);
    native_call c =
        call(script::group_send, layer,
             {wish.group, std::to_string(wish.expiry_ms), std::to_string(wish.capacity), wish.id,
              channels::head_of(m, bytes), channels::spool_head(waiting, m.origin, bytes),
              " " + channels::join_names(wish.except) + " ", std::to_string(wish.history_items_max),
              std::to_string(wish.history_ttl_ms), epoch});
    c.declare("g:" + wish.group);
    c.declare("go:" + wish.group);
    c.body = wish.body;
    run(std::move(c), [this, id = m.request, answer, done](call_failure failure, const resp::value& reply) {
        *answer = group_answer_in(failure, reply);
        if (id == 0) return done(*answer);
        expect(id, answer->nodes);
    });
}

void channel_store::count(const layer_ref& layer, std::string_view group, callback<count_answer> done) {
    run(call(script::count, layer, {group}),
        [done = std::move(done)](call_failure failure, const resp::value& reply) {
            done(number_in(failure, reply));
        });
}

void channel_store::members(const layer_ref& layer, std::string_view group, std::string_view cursor,
                            std::uint32_t count, callback<page_answer> done) {
    run(call(script::members, layer, {group, cursor, std::to_string(count)}),
        [done = std::move(done)](call_failure failure, const resp::value& reply) {
            done(page_in(failure, reply));
        });
}

void channel_store::groups(const layer_ref& layer, std::string_view pattern, std::string_view cursor,
                           std::uint32_t count, callback<page_answer> done) {
    run(call(script::groups, layer, {pattern, cursor, std::to_string(count)}),
        [done = std::move(done)](call_failure failure, const resp::value& reply) {
            done(page_in(failure, reply));
        });
}

void channel_store::history(const layer_ref& layer, const history_wish& wish, callback<history_answer> done) {
    run(call(script::history, layer,
             {wish.group, wish.epoch, std::to_string(wish.offset), std::to_string(wish.limit)}),
        [done = std::move(done)](call_failure failure, const resp::value& reply) {
            done(history_in(failure, reply));
        });
}

}  // namespace sidecar

#include "sidecar/core/channel_store.hpp"

#include <utility>

#include "sidecar/core/shard_core.hpp"

namespace sidecar {

channel_store::channel_store(shard_core& shard) : shard_(shard) {}
channel_store::~channel_store() = default;

template <class T>
void channel_store::later(callback<T> done, T answer) {
    shard_.process.post(shard_.index, [done = std::move(done), answer = std::move(answer)](shard_core&) {
        if (done) done(answer);
    });
}

void channel_store::claim(const layer_ref&, std::string_view, std::int64_t, callback<claim_answer> done) {
    later(std::move(done), claim_answer{true, {}, {}});
}

void channel_store::release(const layer_ref&, std::string_view) {}

void channel_store::send(const layer_ref&, std::string_view, channels::shared_payload, std::uint64_t,
                         std::int64_t, std::string_view, callback<store_result> done) {
    later(std::move(done), store_result::ok);
}

void channel_store::receive(const layer_ref&, std::string_view, std::uint32_t, std::int64_t,
                            callback<receive_answer> done) {
    later(std::move(done), receive_answer{true, {}});
}

void channel_store::put_back(const layer_ref&, std::string_view, std::vector<channels::spooled_message>) {}

void channel_store::join(const layer_ref&, std::vector<std::pair<std::string, std::string>> pairs,
                         std::int64_t, callback<count_answer> done) {
    later(std::move(done), count_answer{true, static_cast<std::int64_t>(pairs.size())});
}

void channel_store::leave(const layer_ref&, std::vector<std::pair<std::string, std::string>> pairs,
                          callback<count_answer> done) {
    later(std::move(done), count_answer{true, static_cast<std::int64_t>(pairs.size())});
}

void channel_store::leave_all(const layer_ref&, names, callback<count_answer> done) {
    later(std::move(done), count_answer{true, 0});
}

void channel_store::group_send(const layer_ref&, group_wish, callback<group_answer> done) {
    group_answer answer;
    answer.result = store_result::ok;
    later(std::move(done), std::move(answer));
}

void channel_store::count(const layer_ref&, std::string_view, callback<count_answer> done) {
    later(std::move(done), count_answer{true, 0});
}

void channel_store::members(const layer_ref&, std::string_view, std::string_view, std::uint32_t,
                            callback<page_answer> done) {
    later(std::move(done), page_answer{true, "0", {}});
}

void channel_store::groups(const layer_ref&, std::string_view, std::string_view, std::uint32_t,
                           callback<page_answer> done) {
    later(std::move(done), page_answer{true, "0", {}});
}

void channel_store::history(const layer_ref&, history_wish, callback<history_answer> done) {
    later(std::move(done), history_answer{true, {}, 0, false, {}});
}

void channel_store::once(const layer_ref&, std::string_view, std::int64_t, callback<store_result> done) {
    later(std::move(done), store_result::ok);
}

void channel_store::flush(const layer_ref&, callback<store_result> done) {
    later(std::move(done), store_result::ok);
}

void channel_store::on_time(time_point) {}

}  // namespace sidecar

// A turn of the core: clients' commands go through sessions, policy, link and pairing, replies the way back.

#include <memory>
#include <stdexcept>

#include "bench/micro/cases.hpp"
#include "bench/sidecar/memory_shard.hpp"
#include "resp/writer.hpp"

namespace bench {

namespace {

struct exchange_kind {
    const char* name;
    std::size_t clients;
    std::size_t commands;  // of each client
    std::string request;
    std::string reply;
};

std::string repeated(std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
}

std::string bulk(std::size_t size) {
    std::string out;
    resp::append_bulk(out, std::string(size, 'v'));
    return out;
}

std::vector<exchange_kind> kinds() {
    const std::string get = resp::command({"GET", "key:000000000042"});
    const std::string set_4k = resp::command({"SET", "key:000000000042", std::string(4096, 'v')});
    const std::string notes = resp::command({"ZADD", "unacked_index", "1700000000.5", "tag"}) +
                              resp::command({"HSET", "unacked", "tag", std::string(800, 't')});
    const std::string transaction = resp::command({"MULTI"}) + notes + resp::command({"EXEC"});
    return {
        {"sidecar/session/get_50_clients", 50, 1, get, bulk(16)},
        {"sidecar/session/get_1000_clients", 1000, 1, get, bulk(16)},
        {"sidecar/session/get_50_clients_pipeline_16", 50, 16, repeated(get, 16), repeated(bulk(16), 16)},
        {"sidecar/session/get_4k_50_clients", 50, 1, get, bulk(4096)},
        {"sidecar/session/set_4k_50_clients", 50, 1, set_4k, "+OK\r\n"},
        {"sidecar/session/two_commands", 50, 2, notes, ":1\r\n:1\r\n"},
        {"sidecar/session/transaction_of_two", 50, 4, transaction,
         "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n"},
    };
}

}  // namespace

void add_session_cases(std::vector<micro_case>& cases) {
    for (const exchange_kind& kind : kinds())
        cases.push_back({kind.name, kind.clients * kind.commands, [kind] {
                             auto shard = std::make_shared<memory_shard>();
                             // What they say first opens the shared link.
                             shard->open_clients(kind.clients, resp::command({"SET", "a", "b"}));
                             const std::uint64_t before = shard->bytes_out();
                             shard->turn(kind.request, kind.reply);
                             const std::size_t bytes = kind.request.size() + kind.reply.size();
                             if (shard->bytes_out() - before != kind.clients * bytes)
                                 throw std::logic_error("what went in does not come out");
                             return [shard, kind] { shard->turn(kind.request, kind.reply); };
                         }});
}

}  // namespace bench

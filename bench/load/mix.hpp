#pragma once
// What a load sends. The loop asks a mix for each client's next batch, sends it in one piece, and asks again
// when all of it is answered.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

class mix {
public:
    mix() = default;
    virtual ~mix() = default;
    mix(const mix&) = delete;
    mix& operator=(const mix&) = delete;

    // Appends what a new client says first, before anything is counted; returns the number of replies.
    virtual std::size_t greet(std::size_t client, std::string& out);
    // Appends the client's next batch and returns the number of its replies; 0 where there is nothing to do
    // for it now: it is asked again once another client's batch is answered.
    virtual std::size_t next(std::size_t client, std::string& out) = 0;
    // Every counted reply, whole. An error ends the load unless a mix overrides this.
    virtual void on_reply(std::size_t client, std::string_view reply);
};

// What a reply or a server did that no load can go on with.
[[noreturn]] void fail(std::string_view what);

struct mix_settings {
    std::size_t clients = 50;
    std::size_t value = 300;
    std::size_t keys = 2000;
};

struct mix_kind {
    const char* name;
    const char* help;
    std::unique_ptr<mix> (*make)(const mix_settings&);
};

const std::vector<mix_kind>& mix_kinds();

}  // namespace bench

#include "channels/native_lua.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "channels/sha1.hpp"

// What the scripts do is shown against a real Redis, in tests/layer.

TEST_CASE("native_lua: each script has a text of its own and the name Redis gives it") {
    std::set<std::string> names;
    for (int i = 0; i < channels::script_count; ++i) {
        const auto& text = channels::text_of(static_cast<channels::script>(i));
        CHECK(text.sha1 == channels::sha1_hex(text.body));
        names.insert(text.sha1);
    }
    CHECK(names.size() == channels::script_count);
}

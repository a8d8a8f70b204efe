#include <catch2/catch.hpp>

#include "sidecar/config/load.hpp"
#include "sidecar/config/options.hpp"

using namespace sidecar;

TEST_CASE("help names every flag with its variable and default", "[config]") {
    const std::string help = serve_help();
    for (const setting& entry : all_settings()) {
        INFO(entry.flag);
        CHECK(help.find("  --" + std::string(entry.flag) + " ") != std::string::npos);
        const std::string shown(entry.default_note.empty() ? entry.default_text : entry.default_note);
        CHECK(help.find("[" + std::string(entry.env) + (shown.empty() ? "" : "; default " + shown) + "]") !=
              std::string::npos);
    }
}

#pragma once
// A configuration loaded from arguments, an environment that is a map, and a file that lives as long as its
// test.

#include <catch2/catch.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "sidecar/config/load.hpp"

namespace config_fixture {

using variables = std::map<std::string, std::string>;

class temporary_file {
public:
    explicit temporary_file(const std::string& text) {
        const int descriptor = ::mkstemp(path_.data());
        REQUIRE(descriptor >= 0);
        ::close(descriptor);
        std::ofstream(path_) << text;
    }
    ~temporary_file() { ::unlink(path_.c_str()); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/sidecar-config-XXXXXX";
};

inline std::variant<sidecar::config, sidecar::config_error> load(const std::vector<std::string>& args,
                                                                 const variables& environment = {}) {
    return sidecar::load_config(args, [&](const std::string& name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        return found == environment.end() ? std::nullopt : std::optional(found->second);
    });
}

inline sidecar::config good(const std::vector<std::string>& args, const variables& environment = {}) {
    const auto outcome = load(args, environment);
    if (const auto* bad = std::get_if<sidecar::config_error>(&outcome)) FAIL(bad->line);
    return std::get<sidecar::config>(outcome);
}

inline std::string error(const std::vector<std::string>& args, const variables& environment = {}) {
    const auto outcome = load(args, environment);
    const auto* bad = std::get_if<sidecar::config_error>(&outcome);
    return bad == nullptr ? "accepted" : bad->line;
}

inline sidecar::config good_file(const std::string& text) {
    const temporary_file file(text);
    return good({"--config", file.path()});
}

// The error without the name of the file in front.
inline std::string file_error(const std::string& text) {
    const temporary_file file(text);
    std::string line = error({"--config", file.path()});
    for (std::size_t at = line.find(file.path()); at != std::string::npos; at = line.find(file.path()))
        line.replace(at, file.path().size(), "FILE");
    return line;
}

}  // namespace config_fixture

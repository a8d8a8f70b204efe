#pragma once
// The users clients may authenticate as: `default` with REDIS_PASSWORD, and those of the configuration file.
// Passwords are kept only as SHA-256 and compared in constant time.

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/core/policy.hpp"

namespace sidecar {

[[nodiscard]] std::string sha256_hex(std::string_view text);
[[nodiscard]] std::string hmac_sha256_hex(std::string_view key, std::string_view text);
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

class user_directory {
public:
    user_directory(std::string_view default_password, const std::vector<user_settings>& named);

    // The identity of a connection that has not authenticated; valid as long as the directory.
    [[nodiscard]] const user& default_user() const { return users_.front(); }
    // True when clients need not authenticate (no REDIS_PASSWORD).
    [[nodiscard]] bool open_to_all() const { return users_.front().nopass; }
    // nullptr when the name is unknown or the password is wrong; takes the same time either way.
    [[nodiscard]] const user* authenticate(std::string_view name, std::string_view password) const;
    [[nodiscard]] const user* find(std::string_view name) const;

private:
    std::vector<user> users_;  // front is `default`
};

}  // namespace sidecar

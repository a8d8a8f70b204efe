#include "sidecar/core/users.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>

namespace sidecar {
namespace {

using digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

std::string hex(std::span<const unsigned char> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const unsigned char byte : bytes) {
        out += digits[byte >> 4];
        out += digits[byte & 15U];
    }
    return out;
}

std::uint32_t mask_of(const std::vector<int>& databases) {
    if (databases.empty()) return ~0U;
    std::uint32_t mask = 0;
    for (const int db : databases) {
        if (db >= 0 && db < 32) mask |= 1U << db;
    }
    return mask;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
    digest out;
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), nullptr) != 1) return {};
    return hex(std::span(out.data(), size));
}

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
    digest out;
    unsigned int size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(), out.data(), &size) ==
        nullptr) {
        return {};
    }
    return hex(std::span(out.data(), size));
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

user_directory::user_directory(std::string_view default_password, const std::vector<user_settings>& named) {
    user everyone;
    everyone.name = "default";
    everyone.nopass = default_password.empty();
    if (!everyone.nopass) everyone.sha256_hex = sha256_hex(default_password);
    users_.push_back(std::move(everyone));
    for (const user_settings& settings : named) {
        const bool is_default = settings.name == "default";
        user& entry = is_default ? users_.front() : users_.emplace_back();
        entry.name = settings.name;
        entry.database_mask = mask_of(settings.databases);
        entry.readonly = settings.readonly;
        if (settings.sha256_hex.empty()) continue;
        entry.sha256_hex = settings.sha256_hex;
        entry.nopass = false;
    }
}

const user* user_directory::authenticate(std::string_view name, std::string_view password) const {
    // An unknown name costs the same hash and comparison as a known one. No digest spells like this one, so
    // that nothing equals it, nor the empty digest of a user without a password.
    static const std::string nobody(64, '-');
    const user* candidate = find(name);
    const std::string offered = sha256_hex(password);
    const bool equal = equal_in_constant_time(candidate != nullptr ? candidate->sha256_hex : nobody, offered);
    if (candidate == nullptr) return nullptr;
    return candidate->nopass || (equal && !offered.empty()) ? candidate : nullptr;
}

const user* user_directory::find(std::string_view name) const {
    for (const user& candidate : users_) {
        if (candidate.name == name) return &candidate;
    }
    return nullptr;
}

}  // namespace sidecar

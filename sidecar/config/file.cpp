// The configuration file: TOML, flat, its keys the names of the flags, and a table of users.

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "sidecar/config/given.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/text.hpp"
#include "sidecar/core/users.hpp"

namespace sidecar {
namespace {

struct reading_error {
    std::string why;  // follows the name of the file
};

using texts_or_error = std::variant<std::vector<std::string>, reading_error>;
using user_or_error = std::variant<user_settings, reading_error>;

std::string_view type_of(const toml::node& node) {
    if (node.is_string()) return "a text";
    if (node.is_boolean()) return "true or false";
    if (node.is_number()) return "a number";
    if (node.is_array()) return "a list";
    if (node.is_table()) return "a table";
    return "a date or time";
}

reading_error wrong_type(std::string_view expected, const toml::node& node) {
    return {"must be " + std::string(expected) + ", not " + std::string(type_of(node))};
}

texts_or_error list_texts(const toml::node& node) {
    if (const auto* text = node.as_string()) return split_list(text->get());
    const toml::array* list = node.as_array();
    if (list == nullptr) return wrong_type("a list of texts", node);
    std::vector<std::string> texts;
    for (const toml::node& element : *list) {
        const auto* text = element.as_string();
        if (text == nullptr) return wrong_type("a list of texts", element);
        texts.push_back(text->get());
    }
    return texts;
}

std::string number_text(const toml::node& node) {
    if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
    std::ostringstream text;
    text << node.as_floating_point()->get();
    return text.str();
}

texts_or_error number_texts(const toml::node& node) {
    if (node.is_integer()) return std::vector<std::string>{number_text(node)};
    if (const auto* text = node.as_string()) return split_list(text->get());
    const toml::array* list = node.as_array();
    if (list == nullptr) return wrong_type("a list of numbers", node);
    std::vector<std::string> texts;
    for (const toml::node& element : *list) {
        if (!element.is_integer()) return wrong_type("a list of numbers", element);
        texts.push_back(number_text(element));
    }
    return texts;
}

texts_or_error texts_of(const toml::node& node, value_kind kind) {
    const bool takes_text =
        kind == value_kind::text || kind == value_kind::size || kind == value_kind::duration;
    if (kind == value_kind::list) return list_texts(node);
    if (kind == value_kind::number_list) return number_texts(node);
    if (kind == value_kind::toggle) {
        const auto* flag = node.as_boolean();
        if (flag == nullptr) return wrong_type("true or false", node);
        return std::vector<std::string>{flag->get() ? "yes" : "no"};
    }
    if (takes_text && node.is_string()) return std::vector<std::string>{node.as_string()->get()};
    const bool number_fits = node.is_integer() || (kind == value_kind::duration && node.is_floating_point());
    if (kind != value_kind::text && number_fits) return std::vector<std::string>{number_text(node)};
    return wrong_type(kind == value_kind::number ? "a whole number"
                      : kind == value_kind::text ? "a text"
                                                 : "a number or a text",
                      node);
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<reading_error> read_databases(const toml::node& node, user_settings& user) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return wrong_type("a list of db numbers", node);
    if (list->empty()) return reading_error{"must name at least one db; leave it out for all"};
    for (const toml::node& element : *list) {
        const auto* number = element.as_integer();
        if (number == nullptr) return wrong_type("a list of db numbers", element);
        if (number->get() < 0 || number->get() >= database_count)
            return reading_error{"there is no db " + std::to_string(number->get()) + ", only 0, 1 and 2"};
        const int db = static_cast<int>(number->get());
        if (std::find(user.databases.begin(), user.databases.end(), db) == user.databases.end())
            user.databases.push_back(db);
    }
    std::sort(user.databases.begin(), user.databases.end());
    return std::nullopt;
}

std::optional<reading_error> read_user_key(std::string_view key, const toml::node& node,
                                           user_settings& user) {
    if (key == "dbs") return read_databases(node, user);
    if (key == "readonly") {
        const auto* flag = node.as_boolean();
        if (flag == nullptr) return wrong_type("true or false", node);
        user.readonly = flag->get();
        return std::nullopt;
    }
    if (key != "password" && key != "sha256")
        return reading_error{"unknown key; a user has password or sha256, dbs, readonly"};
    const auto* text = node.as_string();
    if (text == nullptr) return wrong_type("a text", node);
    if (!user.sha256_hex.empty()) return reading_error{"give either password or sha256, not both"};
    if (key == "password") {
        if (text->get().empty()) return reading_error{"the password is empty"};
        user.sha256_hex = sha256_hex(text->get());
    } else {
        user.sha256_hex = lower_case(text->get());
        if (!is_sha256(user.sha256_hex)) return reading_error{"is not a SHA-256 in 64 hex digits"};
    }
    return std::nullopt;
}

user_or_error read_user(std::string_view name, const toml::node& node) {
    const std::string path = "users." + std::string(name);
    const toml::table* keys = node.as_table();
    if (keys == nullptr) return reading_error{path + ": " + wrong_type("a table", node).why};
    if (name.empty() || name.find_first_of(" \t\r\n") != std::string_view::npos)
        return reading_error{path + ": a user's name is one word"};
    if (name == "default") return reading_error{path + ": the default user has the password of --password"};
    user_settings user;
    user.name = name;
    for (const auto& [key, value] : *keys)
        if (const auto bad = read_user_key(key.str(), value, user))
            return reading_error{path + "." + std::string(key.str()) + ": " + bad->why};
    if (user.sha256_hex.empty()) return reading_error{path + ": neither password nor sha256 is given"};
    return user;
}

std::optional<reading_error> read_users(const toml::node& node, std::vector<user_settings>& users) {
    const toml::table* names = node.as_table();
    if (names == nullptr) return reading_error{"users: " + wrong_type("a table of tables", node).why};
    for (const auto& [name, value] : *names) {
        user_or_error user = read_user(name.str(), value);
        if (auto* bad = std::get_if<reading_error>(&user)) return std::move(*bad);
        users.push_back(std::get<user_settings>(std::move(user)));
    }
    return std::nullopt;
}

std::optional<reading_error> read_setting(std::string_view key, const toml::node& node,
                                          const std::string& path, given_settings& settings) {
    std::string flag(key);
    std::replace(flag.begin(), flag.end(), '_', '-');
    const setting* entry = find_setting(flag);
    if (entry == nullptr) return reading_error{"unknown key " + in_quotes(key)};
    texts_or_error texts = texts_of(node, entry->kind);
    if (const auto* bad = std::get_if<reading_error>(&texts))
        return reading_error{std::string(key) + ": " + bad->why};
    given_setting given{std::get<0>(std::move(texts)), path + ": " + std::string(key), origin::file};
    if (!settings.emplace(entry->flag, std::move(given)).second)
        return reading_error{std::string(key) + ": given more than once"};
    return std::nullopt;
}

std::variant<std::string, reading_error> content_of(const std::string& path) {
    constexpr std::size_t bytes_max = 1U << 20U;
    std::ifstream file(path, std::ios::binary);
    if (!file) return reading_error{std::string("cannot read it: ") + std::strerror(errno)};
    std::string text(bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return reading_error{std::string("cannot read it: ") + std::strerror(errno)};
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > bytes_max) return reading_error{"larger than 1 MiB"};
    return text;
}

std::string describe(const toml::parse_error& error) {
    std::string text(error.description());
    std::replace(text.begin(), text.end(), '\n', ' ');
    return "line " + std::to_string(error.source().begin.line) + ": " + text;
}

}  // namespace

std::variant<file_content, config_error> read_file(const std::string& path, std::string_view name) {
    const auto refuse = [&](const std::string& why) {
        return config_error{std::string(name) + ": " + path + ": " + why};
    };
    std::variant<std::string, reading_error> text = content_of(path);
    if (const auto* bad = std::get_if<reading_error>(&text)) return refuse(bad->why);
    toml::table keys;
    try {
        keys = toml::parse(std::get<std::string>(text), path);
    } catch (const toml::parse_error& error) {
        return refuse(describe(error));
    }
    file_content content;
    for (const auto& [key, value] : keys) {
        const auto bad = key.str() == "users" ? read_users(value, content.users)
                                              : read_setting(key.str(), value, path, content.settings);
        if (bad) return refuse(bad->why);
    }
    return content;
}

}  // namespace sidecar

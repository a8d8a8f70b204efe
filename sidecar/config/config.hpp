#pragma once
// Every setting of `sidecar serve`, as plain values. Filled once by config/load, validated there,
// const ever after (SIGHUP builds a new one). The names, defaults and environment variables are the
// project's contract with its users; config/options.cpp holds the table that maps them.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

inline constexpr int database_count = 3;  // db 0 cache, db 1 channels, db 2 broker

enum class policy_mode : std::uint8_t { strict, audit, open };
enum class channels_mode : std::uint8_t { guard, passthrough };  // towards unmodified channels_redis
enum class broker_mode : std::uint8_t { observe, off };          // towards Celery's traffic
enum class orphan_mode : std::uint8_t { report, restore };       // of messages whose worker is gone

struct endpoint {      // HOST:PORT; port 0 lets the kernel choose
    std::string host;  // a name or an address without brackets; "*" = all interfaces; empty = off
    std::uint16_t port = 0;
    bool operator==(const endpoint&) const = default;
};

enum class url_scheme : std::uint8_t { tcp, tls, unix_socket };

struct redis_url {  // redis://[user:password@]host[:port], rediss://…, unix://[user:password@]/path
    url_scheme scheme = url_scheme::tcp;
    std::string host;
    std::uint16_t port = 6379;
    std::string path;  // of a unix socket; empty = the socket of the embedded redis-server
    std::string user;  // empty = the default user
    std::string password;
    bool operator==(const redis_url&) const = default;
};

// The URL for logs and errors: the password is never shown.
[[nodiscard]] std::string masked(const redis_url& url);

// "127.0.0.1:6379", "[::1]:6379", "*:6379", "off".
[[nodiscard]] std::string to_string(const endpoint& address);
[[nodiscard]] std::string_view to_string(policy_mode mode);
// True only for localhost and addresses of the loopback networks: what cannot be reached from elsewhere.
[[nodiscard]] bool is_loopback(const endpoint& address);

struct user_settings {  // [users.NAME] of the configuration file
    std::string name;
    std::string sha256_hex;      // of the password, lower case; a plain password is hashed when loaded
    std::vector<int> databases;  // empty = all
    bool readonly = false;
    bool operator==(const user_settings&) const = default;
};

struct tls_settings {
    std::vector<endpoint> listen;
    std::string certificate_file;
    std::string key_file;
    std::string ca_file;  // verifies clients when set, and upstream rediss:// certificates
    bool operator==(const tls_settings&) const = default;
};

struct broker_settings {
    broker_mode mode = broker_mode::observe;
    std::vector<int> dbs{2};
    bool reserve = false;  // a pop keeps its message in Redis until the worker has noted it
    orphan_mode orphans = orphan_mode::report;
    std::chrono::milliseconds orphan_after{5'000};
    std::uint32_t redeliveries_max = 0;  // beyond it a message is a dead letter; 0 = never
    bool dead_undecodable = false;       // what is no message of kombu's is a dead letter
    std::chrono::milliseconds trash_ttl{std::chrono::hours(24)};
    std::vector<std::string> mask;  // regular expressions: names of arguments whose values are hidden
    bool operator==(const broker_settings&) const = default;
};

struct config {
    std::vector<endpoint> listen{{"127.0.0.1", 6379}};
    std::string unix_path;
    endpoint http{"127.0.0.1", 8379};
    tls_settings tls;

    std::array<redis_url, database_count> redis;  // one upstream per db, all --redis by default
    bool embedded = false;
    std::string data_dir = "sidecar-data";

    std::string password;        // of clients; empty = no authentication
    std::string redis_password;  // used upstream where the URL names none
    std::vector<user_settings> users;
    policy_mode policy = policy_mode::strict;

    int threads = 1;
    std::uint32_t clients_max = 10'000;
    std::uint64_t client_output_bytes_max = 64ULL << 20;
    std::uint32_t leases_max = 512;
    std::chrono::milliseconds hold{3'000};
    std::chrono::milliseconds db0_hold{3'000};  // --db0-hold; follows --hold unless given
    std::chrono::milliseconds drain{10'000};
    std::chrono::milliseconds auth_timeout{10'000};         // of TLS handshake and authentication; 0 = none
    std::chrono::microseconds slowlog_slower_than{10'000};  // max() = off

    channels_mode channels = channels_mode::guard;
    std::vector<int> channels_dbs{1};
    // Type of the event that the pub/sub layer's consumers get after an outage; empty = none.
    std::string channels_on_disconnect;
    std::string channels_on_reconnect;

    broker_settings broker;

    std::string http_token;
    std::string http_operator_token;

    std::string log_level = "info";  // trace, debug, info, warn, error, off
    bool log_json = false;
};

// Channels layers live on this db: CH.* is served there, and channels_redis guarded unless it is passed
// through.
[[nodiscard]] bool serves_channels(const config& settings, int db);
[[nodiscard]] bool guards_channels(const config& settings, int db);
// Celery's traffic on this db is observed and steered.
[[nodiscard]] bool inspects_broker(const config& settings, int db);

// The password of a db's upstream: the URL's own, else redis_password; empty for the embedded redis-server.
[[nodiscard]] std::string upstream_password(const config& settings, int db);

}  // namespace sidecar

#include "sidecar/config/options.hpp"

#include <algorithm>
#include <limits>

#include "sidecar/config/setters.hpp"

namespace sidecar {
namespace {

using enum value_kind;
constexpr auto live = takes_effect::on_reload;
constexpr auto fixed = takes_effect::after_restart;

constexpr setting table[] = {
    {"listen", "SIDECAR_LISTEN", "Clients", "HOST:PORT", "127.0.0.1:6379", "",
     "address for Redis clients; repeatable; :PORT = all interfaces, off = none", list, fixed,
     set_list<parse_endpoint, &config::listen>, same<&config::listen>},
    {"unix", "SIDECAR_UNIX", "Clients", "PATH", "", "off", "unix socket for Redis clients", text, fixed,
     set<parse_socket_path, &config::unix_path>, same<&config::unix_path>},
    {"tls-listen", "SIDECAR_TLS_LISTEN", "Clients", "HOST:PORT", "", "off",
     "address for Redis clients over TLS; repeatable", list, fixed,
     set_list<parse_endpoint, &config::tls, &tls_settings::listen>,
     same<&config::tls, &tls_settings::listen>},
    {"tls-cert", "SIDECAR_TLS_CERT", "Clients", "FILE", "", "",
     "certificate chain of the TLS listeners (PEM)", text, fixed,
     set<parse_readable_file, &config::tls, &tls_settings::certificate_file>,
     same<&config::tls, &tls_settings::certificate_file>},
    {"tls-key", "SIDECAR_TLS_KEY", "Clients", "FILE", "", "", "private key of the TLS listeners (PEM)", text,
     fixed, set<parse_readable_file, &config::tls, &tls_settings::key_file>,
     same<&config::tls, &tls_settings::key_file>},
    {"tls-ca", "SIDECAR_TLS_CA", "Clients", "FILE", "", "",
     "authorities that client certificates and rediss:// upstreams are verified with (PEM)", text, fixed,
     set<parse_readable_file, &config::tls, &tls_settings::ca_file>,
     same<&config::tls, &tls_settings::ca_file>},

    {"redis", "SIDECAR_REDIS_URL", "Redis", "URL", "redis://127.0.0.1:6380", "",
     "upstream of all dbs: redis://, rediss:// or unix://", text, fixed, set_all_databases, always_same},
    {"embedded", "SIDECAR_EMBEDDED", "Redis", "", "", "off",
     "start a private redis-server for all dbs without a URL of their own", toggle, fixed, set_embedded,
     same<&config::embedded>},
    {"db0-redis", "SIDECAR_DB0_REDIS_URL", "Redis", "URL", "", "same as --redis", "upstream of db 0 (cache)",
     text, fixed, set_database<0>, same_database<0>},
    {"db1-redis", "SIDECAR_DB1_REDIS_URL", "Redis", "URL", "", "same as --redis",
     "upstream of db 1 (channels)", text, fixed, set_database<1>, same_database<1>},
    {"db2-redis", "SIDECAR_DB2_REDIS_URL", "Redis", "URL", "", "same as --redis", "upstream of db 2 (broker)",
     text, fixed, set_database<2>, same_database<2>},
    {"data-dir", "SIDECAR_DATA_DIR", "Redis", "PATH", "sidecar-data", "",
     "directory of the embedded redis-server", text, fixed, set<parse_path, &config::data_dir>,
     same<&config::data_dir>},

    {"password", "REDIS_PASSWORD", "Access", "TEXT", "", "none", "password of clients", text, live,
     set_password, same<&config::password>},
    {"redis-password", "SIDECAR_REDIS_PASSWORD", "Access", "TEXT", "", "same as --password",
     "password of the upstream, where its URL names none", text, live,
     set<parse_secret, &config::redis_password>, same<&config::redis_password>},
    {"policy", "SIDECAR_POLICY", "Access", "MODE", "strict", "",
     "strict (dbs kept apart), audit (count what strict would refuse) or open", text, live,
     set<parse_policy, &config::policy>, same<&config::policy>},
    {"http-token", "SIDECAR_HTTP_TOKEN", "Access", "TEXT", "", "none", "bearer token that may read over HTTP",
     text, live, set<parse_token, &config::http_token>, same<&config::http_token>},
    {"http-operator-token", "SIDECAR_HTTP_OPERATOR_TOKEN", "Access", "TEXT", "", "none",
     "bearer token that may also change things over HTTP", text, live,
     set<parse_token, &config::http_operator_token>, same<&config::http_operator_token>},

    {"channels", "SIDECAR_CHANNELS", "Channels", "MODE", "guard", "",
     "what is done for unmodified channels_redis: guard (no loss, no timeouts) or passthrough", text, live,
     set<parse_channels_mode, &config::channels>, same<&config::channels>},
    {"channels-dbs", "SIDECAR_CHANNELS_DBS", "Channels", "DB", "1", "",
     "db with channel layers (0 to 15); repeatable", number_list, live, set_dbs<&config::channels_dbs>,
     same<&config::channels_dbs>},
    {"channels-on-disconnect", "SIDECAR_CHANNELS_ON_DISCONNECT", "Channels", "TYPE", "", "off",
     "type of the message that pub/sub layer consumers get when Redis is lost", text, live,
     set<parse_event_type, &config::channels_on_disconnect>, same<&config::channels_on_disconnect>},
    {"channels-on-reconnect", "SIDECAR_CHANNELS_ON_RECONNECT", "Channels", "TYPE", "", "off",
     "the same for when their subscriptions stand again", text, live,
     set<parse_event_type, &config::channels_on_reconnect>, same<&config::channels_on_reconnect>},

    {"broker", "SIDECAR_BROKER", "Broker", "MODE", "observe", "",
     "what is done for Celery: observe (inspection, steering, no loss on delivery) or off", text, live,
     set<parse_broker_mode, &config::broker, &broker_settings::mode>,
     same<&config::broker, &broker_settings::mode>},
    {"broker-dbs", "SIDECAR_BROKER_DBS", "Broker", "DB", "2", "",
     "db with Celery queues (0 to 15); repeatable", number_list, live,
     set_dbs<&config::broker, &broker_settings::dbs>, same<&config::broker, &broker_settings::dbs>},
    {"broker-reserve", "SIDECAR_BROKER_RESERVE", "Broker", "", "", "off",
     "pops keep their message in Redis until the worker has noted it: safe from a crash of Redis too", toggle,
     live, set<parse_switch, &config::broker, &broker_settings::reserve>,
     same<&config::broker, &broker_settings::reserve>},
    {"broker-orphans", "SIDECAR_BROKER_ORPHANS", "Broker", "MODE", "report", "",
     "messages of workers that are gone: report, or restore them to their queue", text, live,
     set<parse_orphan_mode, &config::broker, &broker_settings::orphans>,
     same<&config::broker, &broker_settings::orphans>},
    {"broker-orphan-after", "SIDECAR_BROKER_ORPHAN_AFTER", "Broker", "TIME", "5s", "",
     "how long all connections of a worker must be gone for that", duration, live,
     set_milliseconds<&config::broker, &broker_settings::orphan_after>,
     same<&config::broker, &broker_settings::orphan_after>},
    {"broker-redeliveries-max", "SIDECAR_BROKER_REDELIVERIES_MAX", "Broker", "N", "0", "off",
     "a message delivered more than N times becomes a dead letter; 0 = never", number, live,
     set_number<0, 1'000'000, &config::broker, &broker_settings::redeliveries_max>,
     same<&config::broker, &broker_settings::redeliveries_max>},
    {"broker-dead-undecodable", "SIDECAR_BROKER_DEAD_UNDECODABLE", "Broker", "", "", "off",
     "what is no message of Celery's becomes a dead letter instead of breaking its worker", toggle, live,
     set<parse_switch, &config::broker, &broker_settings::dead_undecodable>,
     same<&config::broker, &broker_settings::dead_undecodable>},
    {"broker-trash-ttl", "SIDECAR_BROKER_TRASH_TTL", "Broker", "TIME", "24h", "",
     "how long deleted messages can be brought back; at most 8760h", duration, live, set_trash_ttl,
     same<&config::broker, &broker_settings::trash_ttl>},
    {"broker-mask", "SIDECAR_BROKER_MASK", "Broker", "REGEX",
     "password|secret|token|authorization|api_?key|cookie", "",
     "names of task arguments whose values are never shown; repeatable, in any case of letters", list, live,
     set_masks, same<&config::broker, &broker_settings::mask>},

    {"threads", "SIDECAR_THREADS", "Limits", "N", "", "cores, at most 4", "shards, one thread each (1 to 64)",
     number, fixed, set_number<1, 64, &config::threads>, same<&config::threads>},
    {"max-clients", "SIDECAR_MAX_CLIENTS", "Limits", "N", "10000", "", "client connections", number, live,
     set_number<1, 10'000'000, &config::clients_max>, same<&config::clients_max>},
    {"client-output-max", "SIDECAR_CLIENT_OUTPUT_MAX", "Limits", "SIZE", "64mb", "",
     "a client with more unread replies than this is closed", size, live,
     set_size<1024, &config::client_output_bytes_max>, same<&config::client_output_bytes_max>},
    {"max-leases", "SIDECAR_MAX_LEASES", "Limits", "N", "512", "",
     "upstream connections lent to transactions and blocking calls", number, fixed,
     set_number<1, 100'000, &config::leases_max>, same<&config::leases_max>},
    {"hold", "SIDECAR_HOLD", "Limits", "TIME", "3s", "", "how long commands wait for a lost upstream",
     duration, live, set_hold, same<&config::hold>},
    {"db0-hold", "SIDECAR_DB0_HOLD", "Limits", "TIME", "", "same as --hold", "the same for db 0", duration,
     live, set_milliseconds<&config::db0_hold>, same<&config::db0_hold>},
    {"drain", "SIDECAR_DRAIN", "Limits", "TIME", "10s", "", "how long a stop waits for what is in flight",
     duration, live, set_milliseconds<&config::drain>, same<&config::drain>},
    {"auth-timeout", "SIDECAR_AUTH_TIMEOUT", "Limits", "TIME", "10s", "",
     "how long a client may take for its TLS handshake and to authenticate; 0 = for ever", duration, live,
     set_milliseconds<&config::auth_timeout>, same<&config::auth_timeout>},

    {"http", "SIDECAR_HTTP", "Seen from outside", "HOST:PORT", "127.0.0.1:8379", "",
     "address of health, metrics and API; off = none", text, fixed, set<parse_endpoint, &config::http>,
     same<&config::http>},
    {"log-level", "SIDECAR_LOG_LEVEL", "Seen from outside", "LEVEL", "info", "",
     "trace, debug, info, warn, error or off", text, live, set<parse_log_level, &config::log_level>,
     same<&config::log_level>},
    {"log-json", "SIDECAR_LOG_JSON", "Seen from outside", "", "", "off", "one JSON object a line", toggle,
     live, set<parse_switch, &config::log_json>, same<&config::log_json>},
    {"slowlog-slower-than", "SIDECAR_SLOWLOG_SLOWER_THAN", "Seen from outside", "TIME", "10ms", "",
     "commands slower than this are kept in the slowlog; off = none", duration, live, set_slowlog,
     same<&config::slowlog_slower_than>},
};

}  // namespace

std::span<const setting> all_settings() {
    return table;
}

const setting* find_setting(std::string_view flag) {
    const auto found =
        std::find_if(std::begin(table), std::end(table), [&](const setting& s) { return s.flag == flag; });
    return found == std::end(table) ? nullptr : &*found;
}

std::string file_key(const setting& entry) {
    std::string key(entry.flag);
    std::replace(key.begin(), key.end(), '-', '_');
    return key;
}

}  // namespace sidecar

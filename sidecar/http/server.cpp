#include "sidecar/http/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <thread>

#include "sidecar/http/routes.hpp"
#include "sidecar/net/log.hpp"

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);

error_code open_acceptor(tcp::acceptor& acceptor, const tcp::endpoint& address) {
    error_code ec;
    acceptor.open(address.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec && address.address().is_v6() && address.address().is_unspecified())
        acceptor.set_option(asio::ip::v6_only(false), ec);
    if (!ec) acceptor.bind(address, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
        error_code ignored;
        acceptor.close(ignored);
    }
    return ec;
}

error_code listen_on(tcp::acceptor& acceptor, const endpoint& wanted) {
    if (wanted.host == "*") {
        // One dual-stack socket; plain IPv4 where the machine has no IPv6.
        if (!open_acceptor(acceptor, {tcp::v6(), wanted.port})) return {};
        return open_acceptor(acceptor, {tcp::v4(), wanted.port});
    }
    error_code ec;
    tcp::resolver resolver(acceptor.get_executor());
    const auto found = resolver.resolve(wanted.host, std::to_string(wanted.port), ec);
    for (const auto& entry : found) {
        ec = open_acceptor(acceptor, entry.endpoint());
        if (!ec) break;
    }
    return ec;
}

http_request view_of(const http::request<http::string_body>& message) {
    const auto view = [](beast::string_view text) { return std::string_view(text.data(), text.size()); };
    return {view(message.method_string()),
            view(message.target()),
            view(message[http::field::host]),
            view(message[http::field::origin]),
            view(message[http::field::authorization]),
            message.body()};
}

// The refusal that fits what was wrong with the bytes; nullopt where nobody is left to read it.
std::optional<http_response> refusal_of(error_code ec) {
    if (ec == http::error::header_limit) return problem(431, "the header is larger than 16 KiB");
    if (ec == http::error::body_limit) return problem(413, "the body is larger than 1 MiB");
    const bool malformed = ec.category() == http::make_error_code(http::error::bad_method).category() &&
                           ec != http::error::end_of_stream && ec != http::error::partial_message;
    if (malformed) return problem(400, "not an HTTP request: " + ec.message());
    return std::nullopt;
}

}  // namespace

class http_server::state {
public:
    state(http_settings settings, http_backend backend)
        : settings_(std::move(settings)),
          routes_(settings_.listen, std::move(backend), counters_),
          io_(1),
          acceptor_(io_) {
        routes_.set_tokens(settings_.token, settings_.operator_token);
    }

    std::optional<std::string> start() {
        if (settings_.listen.host.empty()) return std::nullopt;
        if (const error_code ec = listen_on(acceptor_, settings_.listen))
            return "--http: cannot listen on " + to_string(settings_.listen) + ": " + ec.message();
        error_code ignored;
        local_ = {settings_.listen.host, acceptor_.local_endpoint(ignored).port()};
        asio::co_spawn(io_, accept_all(), asio::detached);
        thread_ = std::thread([this] { io_.run(); });
        return std::nullopt;
    }

    void stop() {
        io_.stop();
        if (thread_.joinable()) thread_.join();
        error_code ignored;
        acceptor_.close(ignored);
    }

    void set_tokens(std::string token, std::string operator_token) {
        asio::post(io_, [this, token = std::move(token), operator_token = std::move(operator_token)] {
            routes_.set_tokens(token, operator_token);
        });
    }

    [[nodiscard]] const endpoint& local() const { return local_; }

private:
    struct open_connection {  // counts itself, however its coroutine ends
        explicit open_connection(http_counters& owner) : counters(owner) { ++counters.connections; }
        ~open_connection() { --counters.connections; }
        open_connection(const open_connection&) = delete;
        open_connection& operator=(const open_connection&) = delete;
        http_counters& counters;
    };

    asio::awaitable<void> accept_all();
    asio::awaitable<void> serve(tcp::socket socket);
    asio::awaitable<bool> respond(beast::tcp_stream& stream, http_response answer, bool head, bool keep_alive,
                                  unsigned version);
    [[nodiscard]] http_response answer(const http_request& request) const;
    void refuse(tcp::socket socket);

    // The io_context is declared after what its coroutines refer to, and so ends before it.
    http_settings settings_;
    http_counters counters_;
    http_routes routes_;
    endpoint local_;
    log_limiter limiter_{1};
    asio::io_context io_;
    tcp::acceptor acceptor_;
    std::thread thread_;
};

asio::awaitable<void> http_server::state::accept_all() {
    asio::steady_timer pause(io_);
    for (;;) {
        auto [ec, socket] = co_await acceptor_.async_accept(tuple_awaitable);
        if (ec == asio::error::operation_aborted) co_return;
        if (ec) {
            // Out of descriptors, most likely: others may free some.
            limiter_.event(log_level::warn, "accept", "http accept failed", {{"cause", ec.message()}},
                           std::chrono::steady_clock::now());
            pause.expires_after(std::chrono::milliseconds(100));
            auto [timer_ec] = co_await pause.async_wait(tuple_awaitable);
            if (timer_ec) co_return;
        } else if (counters_.connections >= settings_.limits.connections_max) {
            refuse(std::move(socket));
        } else {
            asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
        }
    }
}

void http_server::state::refuse(tcp::socket socket) {
    ++counters_.connections_refused;
    ++counters_.responses[503];
    constexpr std::string_view text =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: "
        "close\r\n\r\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    limiter_.event(log_level::warn, "limit", "http connection refused", {{"cause", "too many connections"}},
                   std::chrono::steady_clock::now());
}

http_response http_server::state::answer(const http_request& request) const {
    try {
        return routes_.answer(request);
    } catch (const std::exception& error) {
        log_event(log_level::error, "http handler failed",
                  {{"target", std::string(request.target)}, {"cause", error.what()}});
        return problem(500, "the answer could not be made; the log says why");
    }
}

asio::awaitable<void> http_server::state::serve(tcp::socket socket) {
    const open_connection counted(counters_);
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer(settings_.limits.header_bytes_max + settings_.limits.body_bytes_max + 4096);
    const std::chrono::milliseconds request_timeout(settings_.limits.request_timeout_ms);
    const std::chrono::milliseconds idle_timeout(settings_.limits.idle_timeout_ms);
    for (bool first = true;; first = false) {
        if (!first && buffer.size() == 0) {
            // Between requests a client may idle; once a request begins, its clock starts.
            stream.expires_after(idle_timeout);
            auto space = buffer.prepare(4096);
            auto [ec, count] = co_await stream.async_read_some(space, tuple_awaitable);
            if (ec) break;
            buffer.commit(count);
        }
        stream.expires_after(request_timeout);
        http::request_parser<http::string_body> parser;
        parser.header_limit(settings_.limits.header_bytes_max);
        parser.body_limit(settings_.limits.body_bytes_max);
        auto [ec, count] = co_await http::async_read(stream, buffer, parser, tuple_awaitable);
        if (ec == beast::error::timeout) ++counters_.timeouts;
        if (ec) {
            std::optional<http_response> refusal = refusal_of(ec);
            if (!refusal) break;
            co_await respond(stream, std::move(*refusal), false, false, 11);
            break;
        }
        const auto& message = parser.get();
        const bool keep_alive = message.keep_alive();
        http_response made = answer(view_of(message));
        const bool head = message.method() == http::verb::head;
        const bool more = co_await respond(stream, std::move(made), head, keep_alive, message.version());
        if (!more) break;
    }
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

// False when the connection is to be closed.
asio::awaitable<bool> http_server::state::respond(beast::tcp_stream& stream, http_response answer, bool head,
                                                  bool keep_alive, unsigned version) {
    ++counters_.responses[answer.status];
    http::response<http::string_body> message(static_cast<http::status>(answer.status), version);
    message.set(http::field::server, "sidecar");
    message.set(http::field::content_type, answer.content_type);
    for (const auto& [name, value] : answer.headers) message.set(name, value);
    message.keep_alive(keep_alive);
    message.content_length(answer.body.size());
    if (!head) message.body() = std::move(answer.body);
    stream.expires_after(std::chrono::milliseconds(settings_.limits.request_timeout_ms));
    http::response_serializer<http::string_body> serializer(message);
    auto [ec, count] = co_await http::async_write(stream, serializer, tuple_awaitable);
    if (ec == beast::error::timeout) ++counters_.timeouts;
    co_return !ec && keep_alive;
}

http_server::http_server(http_settings settings, http_backend backend)
    : state_(std::make_unique<state>(std::move(settings), std::move(backend))) {}

http_server::~http_server() {
    stop();
}

std::optional<std::string> http_server::start() {
    return state_->start();
}

endpoint http_server::local_endpoint() const {
    return state_->local();
}

void http_server::set_tokens(std::string token, std::string operator_token) {
    state_->set_tokens(std::move(token), std::move(operator_token));
}

void http_server::stop() {
    state_->stop();
}

}  // namespace sidecar

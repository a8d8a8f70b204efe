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
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <thread>

#include "sidecar/http/event_queue.hpp"
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

http_request view_of(const http::request<http::string_body>& message, std::string_view remote) {
    const auto view = [](beast::string_view text) { return std::string_view(text.data(), text.size()); };
    return {view(message.method_string()),
            view(message.target()),
            view(message[http::field::host]),
            view(message[http::field::origin]),
            view(message[http::field::authorization]),
            message.body(),
            view(message[http::field::content_type]),
            remote,
            view(message["Last-Event-ID"])};
}

// A request that outlives the buffers it was read from: it is answered on another thread.
struct kept_call {
    kept_call(routed found, const http_request& request, std::string_view by)
        : entry(*found.entry),
          parameters(std::move(found.parameters)),
          target(request.target),
          body(request.body),
          content_type(request.content_type),
          remote(request.remote),
          last_event_id(request.last_event_id),
          caller(by) {}

    [[nodiscard]] http_response answer() const {
        http_request request;
        request.method = entry.method;
        request.target = target;
        request.body = body;
        request.content_type = content_type;
        request.remote = remote;
        request.last_event_id = last_event_id;
        const std::string_view text = target;
        const std::size_t mark = text.find('?');
        return entry.handle(
            {request, parameters, mark == text.npos ? std::string_view() : text.substr(mark + 1), caller});
    }

    const route& entry;
    std::vector<std::string> parameters;
    std::string target, body, content_type, remote, last_event_id;
    std::string_view caller;
};

http_response failed(std::string_view target, const std::exception& error) {
    log_event(log_level::error, "http handler failed",
              {{"target", std::string(target)}, {"cause", error.what()}});
    return problem(500, "the answer could not be made; the log says why");
}

// Where the control thread leaves an answer for the coroutine that waits.
struct pending_answer {
    explicit pending_answer(asio::io_context& io) : done(io) {}
    std::optional<http_response> response;  // touched on the HTTP thread only
    asio::steady_timer done;
};

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
          backend_(std::move(backend)),
          routes_(settings_.listen, backend_, counters_),
          io_(1),
          acceptor_(io_) {
        if (backend_.add_routes) backend_.add_routes(routes_);
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
    asio::awaitable<http_response> answer(http_request request);
    asio::awaitable<http_response> answer_on_control(std::shared_ptr<kept_call> call);
    asio::awaitable<void> stream_events(beast::tcp_stream& stream, http_response answer, unsigned version);
    void refuse(tcp::socket socket);

    // The io_context is declared after what its coroutines refer to, and so ends before it.
    http_settings settings_;
    http_backend backend_;
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

// `request` is valid until the first suspension.
asio::awaitable<http_response> http_server::state::answer(http_request request) {
    routed found = routes_.find(request);
    if (found.entry == nullptr) co_return http_routes::finished(std::move(found.refusal));
    const std::string_view caller = routes_.caller(request);
    if (found.entry->place == route_place::control) {
        auto call = std::make_shared<kept_call>(std::move(found), request, caller);
        http_response made = co_await answer_on_control(std::move(call));
        co_return http_routes::finished(std::move(made));
    }
    http_response made;
    try {
        made = found.entry->handle({request, std::move(found.parameters), found.query, caller});
    } catch (const std::exception& error) {
        made = failed(request.target, error);
    }
    co_return http_routes::finished(std::move(made));
}

asio::awaitable<http_response> http_server::state::answer_on_control(std::shared_ptr<kept_call> call) {
    if (!backend_.run_on_control) co_return problem(404, "broker inspection is off: --broker observe");
    auto pending = std::make_shared<pending_answer>(io_);
    pending->done.expires_after(std::chrono::milliseconds(settings_.limits.control_timeout_ms));
    const bool taken = backend_.run_on_control([this, call, pending] {
        http_response made;
        try {
            made = call->answer();
        } catch (const std::exception& error) {
            made = failed(call->target, error);
        }
        asio::post(io_, [pending, made = std::move(made)]() mutable {
            pending->response = std::move(made);
            pending->done.cancel();
        });
    });
    if (!taken) co_return problem(503, "too many requests wait for the broker's control thread");
    co_await pending->done.async_wait(tuple_awaitable);
    if (!pending->response) co_return problem(504, "Redis did not answer in time");
    co_return std::move(*pending->response);
}

// Until the client leaves. What wakes this may come from any thread.
asio::awaitable<void> http_server::state::stream_events(beast::tcp_stream& stream, http_response answer,
                                                        unsigned version) {
    ++counters_.responses[answer.status];
    http::response<http::empty_body> head(static_cast<http::status>(answer.status), version);
    head.set(http::field::server, "sidecar");
    head.set(http::field::content_type, answer.content_type);
    for (const auto& [name, value] : answer.headers) head.set(name, value);
    head.keep_alive(false);
    http::response_serializer<http::empty_body> serializer(head);
    stream.expires_after(std::chrono::milliseconds(settings_.limits.request_timeout_ms));
    auto [head_ec, head_count] = co_await http::async_write_header(stream, serializer, tuple_awaitable);
    if (head_ec) co_return;
    const auto news = std::make_shared<asio::steady_timer>(io_);
    const auto queue = answer.events;
    queue->on_news([news, io = &io_] { asio::post(*io, [news] { news->cancel(); }); });
    std::string bytes = answer.body;
    for (;;) {
        bytes += queue->take();
        if (bytes.empty()) {
            news->expires_after(std::chrono::milliseconds(settings_.limits.event_pause_ms_max));
            auto [ec] = co_await news->async_wait(tuple_awaitable);
            // A comment keeps the connection alive, and finds out whether anybody is there.
            if (!ec) bytes = ": still here\n\n";
            continue;
        }
        stream.expires_after(std::chrono::milliseconds(settings_.limits.request_timeout_ms));
        const auto buffer = asio::buffer(bytes);
        auto [ec, count] = co_await asio::async_write(stream, buffer, tuple_awaitable);
        if (ec) co_return;
        bytes.clear();
    }
}

asio::awaitable<void> http_server::state::serve(tcp::socket socket) {
    const open_connection counted(counters_);
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer(settings_.limits.header_bytes_max + settings_.limits.body_bytes_max + 4096);
    const std::chrono::milliseconds request_timeout(settings_.limits.request_timeout_ms);
    const std::chrono::milliseconds idle_timeout(settings_.limits.idle_timeout_ms);
    error_code remote_ec;
    const auto peer = stream.socket().remote_endpoint(remote_ec);
    const std::string remote =
        remote_ec ? std::string() : to_string(endpoint{peer.address().to_string(), peer.port()});
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
        const http_request request = view_of(message, remote);
        http_response made = co_await answer(request);
        const bool head = message.method() == http::verb::head;
        if (made.events != nullptr && !head) {
            co_await stream_events(stream, std::move(made), message.version());
            break;
        }
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

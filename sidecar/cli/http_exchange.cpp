#include "sidecar/cli/http_exchange.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <memory>

#include "sidecar/cli/commands.hpp"

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t answer_bytes_max = 256UL << 20U;
constexpr std::chrono::seconds silence_max{60};

// A connection whose operations end within the target's timeout. Beast's deadlines work for asynchronous
// operations only, so each step is started as one and the context run until it is over.
class connection {
public:
    explicit connection(const api_target& target) : target_(target) {
        if (target.tls) {
            error_code ec;
            if (target.ca_file.empty())
                tls_.set_default_verify_paths(ec);
            else
                tls_.load_verify_file(target.ca_file, ec);
            if (ec) fail("--ca", ec);
            tls_.set_verify_mode(asio::ssl::verify_peer);
        }
        stream_ = std::make_unique<beast::ssl_stream<beast::tcp_stream>>(context_, tls_);
        open();
    }

    void send(http::request<http::string_body>& request) {
        step("sending", [&](auto done) {
            if (target_.tls)
                http::async_write(*stream_, request, std::move(done));
            else
                http::async_write(stream_->next_layer(), request, std::move(done));
        });
    }

    template <class Parser>
    void read(Parser& parser) {
        step("waiting for an answer", [&](auto done) {
            if (target_.tls)
                http::async_read(*stream_, buffer_, parser, std::move(done));
            else
                http::async_read(stream_->next_layer(), buffer_, parser, std::move(done));
        });
    }

    template <class Parser>
    void read_head(Parser& parser) {
        step("waiting for an answer", [&](auto done) {
            if (target_.tls)
                http::async_read_header(*stream_, buffer_, parser, std::move(done));
            else
                http::async_read_header(stream_->next_layer(), buffer_, parser, std::move(done));
        });
    }

    // The error is the caller's to judge.
    template <class Parser>
    error_code read_some(Parser& parser, std::chrono::seconds patience) {
        return try_step(patience, [&](auto done) {
            if (target_.tls)
                http::async_read_some(*stream_, buffer_, parser, std::move(done));
            else
                http::async_read_some(stream_->next_layer(), buffer_, parser, std::move(done));
        });
    }

    [[noreturn]] void fail(const std::string& what, const error_code& ec) const {
        const std::string why = ec == beast::error::timeout ? "no answer in time" : ec.message();
        throw command_failure(exit_status::failed,
                              what + " " + target_.host + ":" + target_.port + ": " + why);
    }

private:
    void open() {
        error_code ec;
        const auto found = tcp::resolver(context_).resolve(target_.host, target_.port, ec);
        if (ec) fail("resolving", ec);
        step("connecting to", [&](auto done) {
            beast::get_lowest_layer(*stream_).async_connect(
                found,
                [done = std::move(done)](const error_code& result, const auto&) mutable { done(result, 0); });
        });
        if (!target_.tls) return;
        SSL_set_tlsext_host_name(stream_->native_handle(), target_.host.c_str());
        stream_->set_verify_callback(asio::ssl::host_name_verification(target_.host));
        step("TLS with", [&](auto done) {
            stream_->async_handshake(
                asio::ssl::stream_base::client,
                [done = std::move(done)](const error_code& result) mutable { done(result, 0); });
        });
    }

    template <class Start>
    error_code try_step(std::chrono::milliseconds patience, Start start) {
        error_code result = asio::error::would_block;
        beast::get_lowest_layer(*stream_).expires_after(patience);
        start([&result](const error_code& ec, std::size_t) { result = ec; });
        context_.restart();
        context_.run();
        return result;
    }

    template <class Start>
    void step(const char* what, Start start) {
        if (const error_code ec = try_step(target_.timeout, std::move(start))) fail(what, ec);
    }

    const api_target& target_;
    asio::io_context context_;
    asio::ssl::context tls_{asio::ssl::context::tls_client};
    std::unique_ptr<beast::ssl_stream<beast::tcp_stream>> stream_;
    beast::flat_buffer buffer_;
};

http::request<http::string_body> request_of(const api_target& target, std::string_view method,
                                            const std::string& path, const std::string& body) {
    http::request<http::string_body> request;
    request.method_string(beast::string_view(method.data(), method.size()));
    request.target(path);
    request.version(11);
    const bool v6 = target.host.find(':') != std::string::npos;
    request.set(http::field::host, (v6 ? "[" + target.host + "]" : target.host) + ":" + target.port);
    request.set(http::field::user_agent, "sidecar/" SIDECAR_VERSION);
    request.set(http::field::connection, "close");
    if (!target.token.empty()) request.set(http::field::authorization, "Bearer " + target.token);
    if (!body.empty()) request.set(http::field::content_type, "application/json");
    request.body() = body;
    request.prepare_payload();
    return request;
}

template <class Message>
bool is_json(const Message& message) {
    return message[http::field::content_type].find("json") != beast::string_view::npos;
}

}  // namespace

http_text http_exchange(const api_target& target, std::string_view method, const std::string& path,
                        const std::string& body) {
    connection one(target);
    auto request = request_of(target, method, path, body);
    one.send(request);
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_bytes_max);
    one.read(parser);
    return {parser.get().result_int(), is_json(parser.get()), std::move(parser.get().body())};
}

http_text http_stream(const api_target& target, const std::string& path,
                      const std::function<stream_step(std::string_view)>& on_bytes) {
    connection one(target);
    auto request = request_of(target, "GET", path, "");
    request.set(http::field::accept, "text/event-stream");
    one.send(request);
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    one.read_head(parser);
    const unsigned status = parser.get().result_int();
    if (status != 200) {
        one.read(parser);
        return {status, is_json(parser.get()), std::move(parser.get().body())};
    }
    while (!parser.is_done()) {
        const error_code ec = one.read_some(parser, silence_max);
        const stream_step step = on_bytes(parser.get().body());
        parser.get().body().clear();
        if (step == stream_step::enough || ec == http::error::end_of_stream) break;
        if (ec) one.fail("the stream from", ec);
    }
    return {200, false, {}};
}

void event_parser::feed(std::string_view bytes) {
    for (const char letter : bytes)
        if (letter != '\r') waiting_ += letter;
}

bool event_parser::next(server_event& event) {
    for (std::size_t end = waiting_.find("\n\n"); end != std::string::npos; end = waiting_.find("\n\n")) {
        const std::string block = waiting_.substr(0, end + 1);
        waiting_.erase(0, end + 2);
        event = {};
        bool any = false;
        for (std::size_t begin = 0; begin < block.size();) {
            const std::size_t stop = block.find('\n', begin);
            const std::string_view line = std::string_view(block).substr(begin, stop - begin);
            begin = stop + 1;
            const std::size_t colon = line.find(':');
            if (colon == 0 || colon == std::string_view::npos) continue;  // a comment keeps the line open
            std::string_view value = line.substr(colon + 1);
            if (value.starts_with(' ')) value.remove_prefix(1);
            if (line.substr(0, colon) == "event") event.name = value;
            if (line.substr(0, colon) == "data") {
                if (any) event.data += '\n';
                event.data += value;
                any = true;
            }
        }
        if (any) return true;
    }
    return false;
}

}  // namespace sidecar

#pragma once
// A connected, non-blocking socket, plain or TLS. It moves bytes and decides nothing; whoever owns it waits
// for readiness. Could be replaced by io_uring without the owners noticing.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

using SSL = struct ssl_st;

namespace sidecar {

enum class io_outcome : std::uint8_t { ok, again, end, broken };

struct io_result {
    io_outcome outcome;
    std::size_t bytes = 0;
};

class transport {
public:
    explicit transport(int descriptor, SSL* tls = nullptr);  // owns both
    ~transport();
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    [[nodiscard]] io_result read(std::span<char> into);
    [[nodiscard]] io_result write(std::span<const std::string_view> pieces);
    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }
    [[nodiscard]] bool handshake_done() const;
    [[nodiscard]] const std::string& error() const { return error_; }  // of the last `broken`
    // TLS may hold bytes already read from the socket, of which epoll knows nothing.
    [[nodiscard]] bool has_buffered() const;
    void close();

private:
    io_result tls_failed(int result);

    int descriptor_;
    SSL* tls_;
    std::string error_;
};

}  // namespace sidecar

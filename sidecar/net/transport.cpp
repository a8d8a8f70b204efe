#include "sidecar/net/transport.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace sidecar {

namespace {

constexpr std::size_t pieces_max = 64;

// recv and send as bare system calls: the library's are cancellation points, which in a process with threads
// costs three to four per cent of an unpipelined command.
ssize_t receive(int descriptor, std::span<char> into) {
    return ::syscall(SYS_recvfrom, descriptor, into.data(), into.size(), 0, nullptr, nullptr);
}

ssize_t send(int descriptor, std::string_view bytes) {
    return ::syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
}

}  // namespace

transport::transport(int descriptor, SSL* tls) : descriptor_(descriptor), tls_(tls) {
    if (tls_ != nullptr) SSL_set_fd(tls_, descriptor_);
}

transport::~transport() {
    close();
}

void transport::close() {
    if (tls_ != nullptr) {
        ERR_clear_error();
        if (SSL_is_init_finished(tls_) != 0) SSL_shutdown(tls_);
        SSL_free(tls_);
        tls_ = nullptr;
    }
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

bool transport::handshake_done() const {
    return tls_ == nullptr || SSL_is_init_finished(tls_) != 0;
}

bool transport::has_buffered() const {
    return tls_ != nullptr && SSL_has_pending(tls_) != 0;
}

io_result transport::read(std::span<char> into) {
    if (tls_ != nullptr) {
        ERR_clear_error();
        std::size_t bytes = 0;
        const int result = SSL_read_ex(tls_, into.data(), into.size(), &bytes);
        if (result == 1) return {io_outcome::ok, bytes};
        return tls_failed(result);
    }
    const ssize_t bytes = receive(descriptor_, into);
    if (bytes > 0) return {io_outcome::ok, static_cast<std::size_t>(bytes)};
    if (bytes == 0) return {io_outcome::end};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {io_outcome::again};
    error_ = std::strerror(errno);
    return {io_outcome::broken};
}

io_result transport::write(std::span<const std::string_view> pieces) {
    if (tls_ != nullptr) {
        ERR_clear_error();
        std::size_t bytes = 0;
        const int result = SSL_write_ex(tls_, pieces[0].data(), pieces[0].size(), &bytes);
        if (result == 1) return {io_outcome::ok, bytes};
        return tls_failed(result);
    }
    ssize_t bytes = 0;
    if (pieces.size() == 1) {
        bytes = send(descriptor_, pieces[0]);
    } else {
        std::array<iovec, pieces_max> vectors;
        const std::size_t count = std::min(pieces.size(), pieces_max);
        for (std::size_t i = 0; i < count; ++i)
            vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = count;
        bytes = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    }
    if (bytes >= 0) return {io_outcome::ok, static_cast<std::size_t>(bytes)};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {io_outcome::again};
    error_ = std::strerror(errno);
    return {io_outcome::broken};
}

io_result transport::tls_failed(int result) {
    switch (SSL_get_error(tls_, result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return {io_outcome::again};
        case SSL_ERROR_ZERO_RETURN:
            return {io_outcome::end};
        case SSL_ERROR_SYSCALL:
            if (errno == 0) return {io_outcome::end};
            error_ = std::strerror(errno);
            return {io_outcome::broken};
        default:
            break;
    }
    const unsigned long code = ERR_peek_error();
    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return {io_outcome::end};
    std::array<char, 256> text{};
    ERR_error_string_n(code, text.data(), text.size());
    error_ = std::string("TLS: ") + text.data();
    const long verified = SSL_get_verify_result(tls_);
    if (verified != X509_V_OK) error_ += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
    return {io_outcome::broken};
}

}  // namespace sidecar

#include "net/tls/tls_connection.hpp"

#include "base/sys.hpp"
#include "io/polled_fd.hpp"
#include "net/tls/tls_configuration.hpp"
#include "net/tls/tls_error.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

namespace coir::detail {

// ---- the BIO -----------------------------------------------------------------------------------------------------

struct tls_connection::transport {
    static tls_connection& of(BIO* bio) noexcept { return *static_cast<tls_connection*>(::BIO_get_data(bio)); }

    static int read(BIO* bio, char* into, int bytes) noexcept {
        tls_connection& self = of(bio);
        ::BIO_clear_retry_flags(bio);
        const std::span buffer{reinterpret_cast<std::byte*>(into), static_cast<std::size_t>(bytes)};
        const auto attempt = [&] {
            return self.at_ != nullptr ? self.below().try_receive(*self.at_, buffer) : -EAGAIN;
        };
        long n = attempt();
        // OpenSSL knows no interrupted call: it would report that there is no data, and this fiber would wait for some.
        while (n == -EINTR) n = attempt();
        if (n >= 0) {
            self.at_end_ = n == 0;
            return static_cast<int>(n);
        }
        if (n == -EAGAIN)
            ::BIO_set_retry_read(bio);
        else
            self.fail(n);
        return -1;
    }

    /// Accepts all bytes; those that the socket does not accept are kept in `unsent_`.
    static int write(BIO* bio, const char* from, int bytes) noexcept try {
        tls_connection& self = of(bio);
        ::BIO_clear_retry_flags(bio);
        std::span rest{reinterpret_cast<const std::byte*>(from), static_cast<std::size_t>(bytes)};
        if (!self.has_unsent()) {
            const long n = self.send_now(rest);
            if (n >= 0) {
                rest = rest.subspan(static_cast<std::size_t>(n));
            } else if (n != -EAGAIN && n != -EINTR) {
                self.fail(n);
                return -1;
            }
        }
        self.unsent_.insert(self.unsent_.end(), rest.begin(), rest.end());
        return bytes;
    } catch (const std::bad_alloc&) {
        of(bio).fail(-ENOMEM);
        return -1;
    }

    static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) noexcept {
        switch (command) {
        case BIO_CTRL_FLUSH: return 1;
        case BIO_CTRL_EOF: return of(bio).at_end_ ? 1 : 0;
        default: return 0;
        }
    }

    static const BIO_METHOD* method() {
        static const BIO_METHOD* const made = [] {
            BIO_METHOD* const calls = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "coir");
            if (calls == nullptr) throw_tls_error("tls_stream: cannot create a BIO_METHOD");
            ::BIO_meth_set_read(calls, read);
            ::BIO_meth_set_write(calls, write);
            ::BIO_meth_set_ctrl(calls, control);
            return calls;
        }();
        return made;
    }
};

/// Sets errno too, since OpenSSL reads it: if the client has gone before a server has sent its session tickets, the
/// handshake still succeeds, and the server can read what the client has sent.
void tls_connection::fail(long error) noexcept {
    transport_error_ = error;
    errno = static_cast<int>(-error);
}

long tls_connection::send_now(std::span<const std::byte> bytes) noexcept {
    if (at_ != nullptr) return below().try_send(*at_, bytes);
    return sys::send(stream_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// ---- life --------------------------------------------------------------------------------------------------------

tls_connection::tls_connection(std::shared_ptr<tls_configuration> configuration, net::tcp_stream stream, side which)
    : configuration_{std::move(configuration)}, stream_{std::move(stream)} {
    ::ERR_clear_error();
    ssl_.reset(::SSL_new(configuration_->context()));
    BIO* const bio = ssl_ != nullptr ? ::BIO_new(transport::method()) : nullptr;
    if (bio == nullptr) throw_tls_error("tls_stream: cannot create an SSL object");
    ::BIO_set_data(bio, this);
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), this);
    if (which == side::client)
        ::SSL_set_connect_state(ssl_.get());
    else
        ::SSL_set_accept_state(ssl_.get());
}

tls_connection::~tls_connection() = default;

tls_connection& tls_connection::of(SSL* connection) noexcept {
    return *static_cast<tls_connection*>(SSL_get_app_data(connection));
}

socket& tls_connection::below() noexcept { return stream_.socket_; }

void tls_connection::close(ending how) noexcept {
    // In a forked process the parent owns the connection: only the parent may send records.
    const bool may_send_close_notify = how == ending::with_close_notify && !below().is_from_parent_process() &&
                                       !failure_ && !has_unsent() && is_handshake_done() &&
                                       (::SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0;
    if (may_send_close_notify && stream_.is_open()) {
        ::ERR_clear_error();
        ::SSL_shutdown(ssl_.get());
        ::ERR_clear_error();
    }
    stream_.close();
}

bool tls_connection::is_handshake_done() const noexcept { return ::SSL_is_init_finished(ssl_.get()) == 1; }

/// Whether a read can make progress. This check is cheaper than a call of OpenSSL that finds no data.
bool tls_connection::may_have_input(const descriptor& at) const noexcept {
    return at.readable || !is_handshake_done() || ::SSL_has_pending(ssl_.get()) != 0 ||
           (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

// ---- the peer ----------------------------------------------------------------------------------------------------

std::error_code tls_connection::expect(std::string_view host, std::uint16_t port) {
    if (host.ends_with('.')) host.remove_suffix(1);
    // The interface of an address like fe80::1%eth0 is this machine's matter; no certificate has it (RFC 6874).
    if (host.find(':') != host.npos) host = host.substr(0, host.find('%'));
    // With an empty name, OpenSSL would not check the host at all.
    if (host.empty() || host.find('\0') != host.npos) return std::make_error_code(std::errc::invalid_argument);
    const std::string name{host};
    server_ = name + " " + std::to_string(port);
    ::ERR_clear_error();

    SSL* const ssl = ssl_.get();
    const bool is_address = ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), name.c_str()) == 1;
    if (!is_address) {
        ::ERR_clear_error();
        ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (::SSL_set1_host(ssl, name.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, name.c_str()) != 1)
            return take_tls_error();
    }
    if (const tls_session known = configuration_->sessions.take(server_)) ::SSL_set_session(ssl, known.get());
    return {};
}

void tls_connection::install_callbacks(tls_configuration& made) noexcept {
    SSL_CTX* const context = made.context();
    ::SSL_CTX_sess_set_new_cb(context, keep_session);
    ::SSL_CTX_set_verify(context, ::SSL_CTX_get_verify_mode(context), record_refused);
}

/// Keeps a session of a client for resumption. Returns 1: this code now owns the session.
int tls_connection::keep_session(SSL* connection, SSL_SESSION* session) noexcept try {
    of(connection).configuration_->sessions.keep(of(connection).server_, tls_session{session});
    return 1;
} catch (const std::bad_alloc&) {
    return 1;  // `tls_session` has freed the session
}

namespace {

std::string to_string(const X509_NAME* name) {
    const std::unique_ptr<BIO, int (*)(BIO*)> text{::BIO_new(::BIO_s_mem()), ::BIO_free};
    ::X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253);
    char* begin = nullptr;
    const long bytes = BIO_get_mem_data(text.get(), &begin);
    return {begin, static_cast<std::size_t>(bytes)};
}

std::string to_string(const ASN1_TIME* time) {
    const std::unique_ptr<BIO, int (*)(BIO*)> text{::BIO_new(::BIO_s_mem()), ::BIO_free};
    ::ASN1_TIME_print(text.get(), time);
    char* begin = nullptr;
    const long bytes = BIO_get_mem_data(text.get(), &begin);
    return {begin, static_cast<std::size_t>(bytes)};
}

}  // namespace

/// Called for each certificate of a chain, with the verdict of OpenSSL (SSL_CTX_set_verify(3)), which it does not
/// change. Records the refused certificate.
int tls_connection::record_refused(int is_good, X509_STORE_CTX* chain) noexcept try {
    if (is_good != 0) return is_good;
    auto* const ssl = static_cast<SSL*>(::X509_STORE_CTX_get_ex_data(chain, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (const X509* const refused = ::X509_STORE_CTX_get_current_cert(chain)) {
        of(ssl).refused_ = "certificate of " + to_string(::X509_get_subject_name(refused)) + ", issued by " +
                           to_string(::X509_get_issuer_name(refused)) + ", valid from " +
                           to_string(::X509_get0_notBefore(refused)) + " to " +
                           to_string(::X509_get0_notAfter(refused));
    }
    return 0;
} catch (const std::bad_alloc&) {
    return 0;
}

std::string tls_connection::peer_subject() const {
    const X509* const shown = ::SSL_get0_peer_certificate(ssl_.get());
    return shown != nullptr ? to_string(::X509_get_subject_name(shown)) : std::string{};
}

// ---- calls -------------------------------------------------------------------------------------------------------

/// Repeats `call`, an OpenSSL operation, until it needs no more data from the peer. Returns 0 at the end of the peer's
/// stream.
template <class Call>
long tls_connection::perform(direction towards, const deadline& until, std::error_code& ec, const char* operation,
                             Call call) {
    constexpr long must_flush = LONG_MAX;
    for (;;) {
        ec = failure_;
        if (ec) return -1;
        const long result = below().complete(towards, until, ec, operation, [&](descriptor& at) noexcept {
            at_ = &at;
            const bool can_progress = towards == direction::write || may_have_input(at);
            const long outcome = can_progress ? outcome_of(call) : -EAGAIN;
            at_ = nullptr;
            std::error_code other;
            // The peer may be waiting for data that has not been sent yet. If another fiber is writing, that fiber
            // sends it.
            const bool must_send = has_unsent() && !below().is_busy(direction::write, other);
            return outcome == -EAGAIN && must_send ? must_flush : outcome;
        });
        if (ec && failure_) ec = failure_;
        if (result != must_flush) return result;
        flush(until, ec, operation);
        if (ec) return -1;
    }
}

/// Makes the OpenSSL call and converts its outcome. OpenSSL's error queue belongs to the thread, and other code may
/// have left errors in it, so it is cleared first.
template <class Call> long tls_connection::outcome_of(Call call) noexcept {
    if (::ERR_peek_error() != 0) ::ERR_clear_error();
    transport_error_ = 0;
    const int result = call();
    if (result > 0) return result;
    int kind = ::SSL_get_error(ssl_.get(), result);
    // After the peer's close_notify, OpenSSL reports a failed write as the end of the stream.
    if (kind == SSL_ERROR_ZERO_RETURN && transport_error_ != 0) kind = SSL_ERROR_SYSCALL;
    if (kind == SSL_ERROR_ZERO_RETURN) return 0;
    if (kind == SSL_ERROR_WANT_READ) return -EAGAIN;
    failure_ = cause_of_failure(kind);
    return -EPROTO;
}

std::error_code tls_connection::cause_of_failure(int kind) noexcept {
    const bool is_verdict = ERR_GET_REASON(::ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    const std::error_code reported = take_tls_error(std::errc::connection_aborted);
    if (kind == SSL_ERROR_SYSCALL && transport_error_ != 0) return error_of(transport_error_);
    const auto verdict = static_cast<int>(::SSL_get_verify_result(ssl_.get()));
    return is_verdict ? std::error_code{verdict, net::certificate_category()} : reported;
}

void tls_connection::flush(const deadline& until, std::error_code& ec, const char* operation) {
    while (has_unsent()) {
        const std::size_t n = below().write_by(
            [&] { return sys::send(stream_.native_handle(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL); }, until, ec,
            operation);
        if (ec) return;
        unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(n));
    }
    unsent_ = {};  // frees the memory: an idle connection does not need it
}

void tls_connection::handshake(const deadline& until, std::error_code& ec, const char* operation) {
    perform(direction::read, until, ec, operation, [this] { return ::SSL_do_handshake(ssl_.get()); });
    if (!ec) flush(until, ec, operation);
}

std::size_t tls_connection::read(std::span<std::byte> into, const deadline& until, std::error_code& ec,
                                 const char* operation) {
    if (below().is_busy(direction::read, ec)) return 0;
    const auto bytes = static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX));
    const long n =
        perform(direction::read, until, ec, operation, [&] { return ::SSL_read(ssl_.get(), into.data(), bytes); });
    return n < 0 ? 0 : static_cast<std::size_t>(n);
}

namespace {

constexpr std::size_t record_max = 16'384;  // RFC 8446, section 5.1

/// A buffer for one record, one per thread. On the heap: a plugin with that much thread-local memory cannot be loaded.
std::span<std::byte, record_max> record_buffer() {
    using record = std::array<std::byte, record_max>;
    static thread_local const std::unique_ptr<record> space{new record};
    return *space;
}

/// The bytes of the next record as one span; bytes of several buffers are copied to `space`. Valid until the fiber is
/// suspended, as the fibers of the thread share that memory.
std::span<const std::byte> one_record(io::const_buffers from, std::span<std::byte> space) noexcept {
    if (from.size() == 1) return from.front().first(std::min(from.front().size(), record_max));
    std::size_t bytes = 0;
    for (const std::span<const std::byte> each : from) {
        const std::size_t taken = std::min(each.size(), record_max - bytes);
        std::copy_n(each.data(), taken, space.data() + bytes);
        bytes += taken;
    }
    return space.first(bytes);
}

}  // namespace

std::size_t tls_connection::write(io::const_buffers from, const deadline& until, std::error_code& ec,
                                  const char* operation) {
    if (below().is_busy(direction::write, ec)) return 0;
    flush(until, ec, operation);  // the rest of an earlier write that was cut short
    const bool is_empty = std::ranges::all_of(from, [](const auto& each) { return each.empty(); });
    if (ec || is_empty) return 0;
    const std::span space = from.size() == 1 ? std::span<std::byte>{} : record_buffer();
    const long n = perform(direction::write, until, ec, operation, [&] {
        const std::span record = one_record(from, space);
        return ::SSL_write(ssl_.get(), record.data(), static_cast<int>(record.size()));
    });
    if (ec) return 0;
    flush(until, ec, operation);
    return static_cast<std::size_t>(n);
}

void tls_connection::shutdown(const deadline& until, std::error_code& ec, const char* operation) {
    if (below().is_busy(direction::write, ec)) return;
    flush(until, ec, operation);
    // A second call of SSL_shutdown would wait for the close_notify of the peer.
    if (ec || (::SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    perform(direction::write, until, ec, operation, [this] {
        const int result = ::SSL_shutdown(ssl_.get());
        return result == 0 ? 1 : result;  // 0: our close_notify is sent, the peer's has not arrived
    });
    if (!ec) flush(until, ec, operation);
}

}  // namespace coir::detail

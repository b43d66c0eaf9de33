#include "corpus/judge.hpp"
#include "corpus/props.hpp"

#include <curl/curl.h>
#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace coir::test {

namespace {

std::size_t ignore_body(char*, std::size_t size, std::size_t count, void*) { return size * count; }

/// A server that answers after the client has waited.
std::string late_page(stage& on) {
    auto& server = on.keep<listener>();
    auto& connection = on.keep<unique_fd>();
    on.later(
        [&] { answer(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", connection); });
    return "http://127.0.0.1:" + std::to_string(server.port()) + "/";
}

}  // namespace

TEST_CASE("corpus: waits in libcurl are reported") {
    ::curl_global_init(CURL_GLOBAL_DEFAULT);
    judge({
        blocked("curl_easy_perform", blocking_class::poll, {"poll"},
                [](stage& on) {
                    auto& transfer =
                        on.keep<std::unique_ptr<CURL, void (*)(CURL*)>>(::curl_easy_init(), ::curl_easy_cleanup);
                    ::curl_easy_setopt(transfer.get(), CURLOPT_URL, late_page(on).c_str());
                    ::curl_easy_setopt(transfer.get(), CURLOPT_WRITEFUNCTION, ignore_body);
                    return [&] { REQUIRE(::curl_easy_perform(transfer.get()) == CURLE_OK); };
                }),
    });
}

}  // namespace coir::test

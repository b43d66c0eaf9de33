#include "url.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

namespace {

std::string followed(const char* location) { return url::parse("http://host:80/a/b/c?d").follow(location).to_string(); }

}  // namespace

TEST_CASE("url: has the parts that a client needs, and no fragment") {
    const url plain = url::parse("http://a");
    CHECK_FALSE(plain.is_secure);
    CHECK(plain.host == "a");
    CHECK(plain.port == 80);
    CHECK(plain.target == "/");
    const url whole = url::parse("HTTPS://[::1]:8443/x//y/?z=1#part");
    CHECK(whole.is_secure);
    CHECK(whole.host == "::1");
    CHECK(whole.port == 8443);
    CHECK(whole.target == "/x//y/?z=1");
    CHECK(whole.to_string() == "https://[::1]:8443/x//y/?z=1");
    CHECK(url::parse("http://h?q").target == "/?q");
    CHECK(url::parse("http://h:/").port == 80);
}

TEST_CASE("url: what a client cannot use is refused with a reason") {
    for (const char* const wrong :
         {"", "host/x", "ftp://h/", "http://", "http:///x", "http://user:secret@h/", "http://h:0/", "http://h:65536/",
          "http://h:x/", "http://h/a b", "http://h/%zz", "http://[::1/"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(url::parse(wrong), std::invalid_argument);
    }
}

TEST_CASE("url: a redirect is resolved against the URL that it answers") {
    CHECK(followed("/x") == "http://host/x");
    CHECK(followed("y") == "http://host/a/b/y");
    CHECK(followed("../y") == "http://host/a/y");
    CHECK(followed("../../../y") == "http://host/y");
    CHECK(followed("?q") == "http://host/a/b/c?q");
    CHECK(followed("") == "http://host/a/b/c?d");
    CHECK(followed("//other:81/z") == "http://other:81/z");
    CHECK(followed("https://s/t#part") == "https://s/t");
    CHECK_THROWS_AS(followed("ftp://s/t"), std::invalid_argument);
}

// Compiled several times, with SLEEPER as the name of its namespace. An empty asm after a call prevents that the call
// becomes a jump.
#include "sleeper.hpp"

#include <alloca.h>
#include <ctime>

#define TEXT(name) #name
#define TEXT_OF(macro) TEXT(macro)

namespace coir::test::SLEEPER {

[[gnu::noinline]] void inner(int milliseconds) {
    const timespec length{milliseconds / 1000, milliseconds % 1000 * 1'000'000L};
    ::nanosleep(&length, nullptr);
    asm volatile("");
}

struct base {
    virtual ~base() = default;
    virtual void middle(int milliseconds) = 0;
};

/// Its frame has no constant size. It is called through a table of virtual functions.
struct derived : base {
    [[gnu::noinline]] void middle(int milliseconds) override {
        auto* const bytes = static_cast<volatile char*>(::alloca(static_cast<unsigned>(milliseconds)));
        bytes[0] = 1;
        inner(milliseconds);
        bytes[1] = 2;
    }
};

[[gnu::noinline]] void outer(int milliseconds) {
    derived here;
    base* any = &here;
    asm volatile("" : "+r"(any));
    any->middle(milliseconds);
    asm volatile("");
}

const bool is_added = (sleepers().push_back({TEXT_OF(SLEEPER), outer}), true);

}  // namespace coir::test::SLEEPER

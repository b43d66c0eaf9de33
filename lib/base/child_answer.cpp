#include "base/child_answer.hpp"

#include "base/sys.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>

namespace coir::detail {

namespace {

using clock = std::chrono::steady_clock;
using enum child_answer::ending;

constexpr std::size_t answer_max = std::size_t{16} << 20;

bool write_all(int to, const void* from, std::size_t bytes) noexcept {
    const auto* at = static_cast<const char*>(from);
    while (bytes > 0) {
        const long written = sys::write(to, at, bytes);
        if (written <= 0) return false;
        at += written;
        bytes -= static_cast<std::size_t>(written);
    }
    return true;
}

/// The child's task: to send the answer, after its size.
struct question {
    const std::function<std::string()>& work;
    int to;
};

bool send_answer(void* argument) {
    const question& asked = *static_cast<question*>(argument);
    const std::string text = asked.work();
    const std::uint64_t bytes = text.size();
    return write_all(asked.to, &bytes, sizeof bytes) && write_all(asked.to, text.data(), text.size());
}

/// Reads until the answer is complete, the time is over, or the child has used no processor time for `idle_max`.
child_answer read_answer(const unseen_child& child, int from, std::chrono::milliseconds time,
                         std::chrono::milliseconds idle_max) {
    std::string text;
    std::array<char, 4096> some;
    const auto began = clock::now();
    auto last_progress = began;
    std::int64_t used_before = 0;
    for (auto now = began; now - began < time; now = clock::now()) {
        if (child.wait_a_little(from)) {
            const long got = sys::read(from, some.data(), some.size());
            if (got <= 0) return {.how = died};
            text.append(some.data(), static_cast<std::size_t>(got));
            std::uint64_t bytes = answer_max;
            if (text.size() >= sizeof bytes) std::memcpy(&bytes, text.data(), sizeof bytes);
            if (bytes > answer_max) return {.how = died};
            if (text.size() == sizeof bytes + bytes) return {.how = answered, .text = text.substr(sizeof bytes)};
            continue;
        }
        const std::int64_t used = child.processor_time();
        if (used != used_before) last_progress = now;
        used_before = used;
        if (now - last_progress >= idle_max) break;
    }
    return {.how = took_long};
}

child_answer ask_once(const std::function<std::string()>& work, const child_limits& limits,
                      std::chrono::milliseconds idle_max) {
    int ends[2];
    if (const long result = sys::pipe(ends, O_CLOEXEC); result != 0)
        return {.how = refused, .error = static_cast<int>(-result)};
    const unique_fd from{ends[0]};
    unique_fd to{ends[1]};
    sys::set_nonblocking(from.get());  // another child of the program may keep the other end open
    question asked{work, to.get()};
    const unseen_child child{send_answer, &asked, to.get(), limits};
    to = {};
    if (child.error() != 0) return {.how = refused, .error = child.error()};
    return read_answer(child, from.get(), limits.time, idle_max);
}

}  // namespace

child_answer ask_child(const std::function<std::string()>& work, const child_limits& limits) {
    const auto began = clock::now();
    child_answer last;
    // A child that uses no processor time waits for a lock of a thread that does not exist in it, or for a slow disk: the
    // last child gets all the time.
    for (const auto idle_max : {limits.time / 50, limits.time / 10, limits.time}) {
        last = ask_once(work, limits, idle_max);
        if (last.how != took_long || clock::now() - began >= limits.time) break;
    }
    return last;
}

}  // namespace coir::detail

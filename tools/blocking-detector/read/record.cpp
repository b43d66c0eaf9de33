#include "read/record.hpp"

#include "base/unique_fd.hpp"
#include "cli/exit_codes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace detector {

namespace {

using coir::detail::blocking_event;
using coir::detail::blocking_event_memory;
using coir::detail::loaded_module;

coir::detail::unique_fd open_file(const std::string& path) {
    coir::detail::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) throw usage_error{path + ": " + std::generic_category().message(errno)};
    return file;
}

/// Reads up to `size` bytes. Returns the number of bytes read; less than `size` at the end of the file.
std::size_t read_bytes(int file, void* into, std::size_t size, const std::string& path) {
    std::size_t got = 0;
    while (got < size) {
        const ssize_t some = ::read(file, static_cast<char*>(into) + got, size - got);
        if (some < 0) throw usage_error{path + ": " + std::generic_category().message(errno)};
        if (some == 0) break;
        got += static_cast<std::size_t>(some);
    }
    return got;
}

/// Corrects lengths that a killed process or a damaged file has left invalid. Returns false if the event is invalid.
bool mend(blocking_event& seen) {
    seen.stack.depth = std::clamp(seen.stack.depth, 0, coir::detail::call_stack::depth_max);
    seen.fiber.name_bytes = std::min(seen.fiber.name_bytes, coir::detail::fiber_label::name_max);
    const std::string_view call = seen.call.view();
    return static_cast<unsigned>(seen.kind) <= static_cast<unsigned>(coir::blocking_kind::latent) &&
           static_cast<unsigned>(seen.category) <= static_cast<unsigned>(coir::blocking_class::cpu) &&
           call.size() < sizeof(coir::detail::call_name);
}

}  // namespace

void record::unmapped::operator()(blocking_event_memory* memory) const noexcept {
    ::munmap(memory, sizeof(blocking_event_memory));
}

record::record(const std::string& path) {
    const auto file = open_file(path);
    void* const mapped = ::mmap(nullptr, sizeof(blocking_event_memory), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc{};
    memory_.reset(static_cast<blocking_event_memory*>(mapped));
    // A truncated file lacks only unused entries. Otherwise check() rejects it.
    const std::size_t got = read_bytes(file.get(), mapped, sizeof(blocking_event_memory), path);
    if (got < offsetof(blocking_event_memory, keys) || memory_->magic != blocking_event_memory::magic_now) {
        throw usage_error{path + ": not a record file of coir"};
    }
    check(path);
}

bool record::is_one(const std::string& path) {
    const auto file = open_file(path);
    std::array<char, blocking_event_memory::magic_now.size()> magic{};
    return read_bytes(file.get(), magic.data(), magic.size(), path) == magic.size() &&
           magic == blocking_event_memory::magic_now;
}

void record::check(const std::string& path) {
    blocking_event_memory& memory = *memory_;
    if (memory.bytes != sizeof(blocking_event_memory)) {
        throw usage_error{path + ": the record file is from a different version of coir; use the tool of that version"};
    }
    const auto damaged = [&] { return usage_error{path + ": the record file is damaged"}; };
    if (memory.modules_size > memory.modules.size() || memory.blocking_events_size > memory.events.size())
        throw damaged();
    memory.missing.back() = '\0';
    memory.run_name.back() = '\0';
    for (loaded_module& each : memory.modules) each.path.back() = '\0';
    const std::span all{memory.events.data(), memory.blocking_events_size};
    if (!std::ranges::all_of(all, mend) || !mend(memory.call)) throw damaged();
}

std::span<const blocking_event> record::events() const noexcept {
    return {memory_->events.data(), memory_->blocking_events_size};
}

const blocking_event* record::unfinished_call() const noexcept {
    return !is_finished() && memory_->in_call != 0 ? &memory_->call : nullptr;
}

const loaded_module* record::module_at(std::uint64_t address) const noexcept {
    const std::span all{memory_->modules.data(), memory_->modules_size};
    // The latest module first: a library may be loaded at the address of one that was unloaded before.
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const loaded_module& each) {
        return address >= each.begin && address < each.end;
    });
    return found == all.rend() ? nullptr : &*found;
}

}  // namespace detector

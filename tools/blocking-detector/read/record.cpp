#include "read/record.hpp"

#include "base/unique_fd.hpp"
#include "cli/exit_codes.hpp"
#include "read/build_id.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <system_error>
#include <unistd.h>

namespace detector {

using coir::detail::blocking_event;
using coir::detail::blocking_event_memory;
using coir::detail::record_header;
using coir::detail::recorded_module;
using coir::detail::run_state;

namespace {

constexpr std::string_view magic_of_all_versions = "coirrec";

coir::detail::unique_fd open_file(const std::string& path) {
    coir::detail::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) throw usage_error{path + ": " + std::generic_category().message(errno)};
    return file;
}

/// Any byte of a damaged file that is not zero is `true`.
void mend_flag(bool& flag) {
    unsigned char byte = 0;
    std::memcpy(&byte, &flag, sizeof byte);
    flag = byte != 0;
}

/// Corrects lengths that a killed process or a damaged file has left invalid. Returns false if the event is invalid.
bool mend(blocking_event& seen) {
    mend_flag(seen.goes_on);
    mend_flag(seen.waits_for_itself);
    mend_flag(seen.is_marked);
    seen.stack.depth = std::clamp(seen.stack.depth, 0, coir::detail::call_stack::depth_max);
    seen.fiber.name_bytes = std::min(seen.fiber.name_bytes, coir::detail::fiber_label::name_max);
    seen.test_case.back() = '\0';
    const bool has_end = std::memchr(&seen.call, 0, sizeof seen.call) != nullptr;
    return has_end && static_cast<unsigned>(seen.kind) <= static_cast<unsigned>(coir::blocking_kind::latent) &&
           static_cast<unsigned>(seen.category) <= static_cast<unsigned>(coir::blocking_class::cpu) &&
           static_cast<unsigned>(seen.rule) <= static_cast<unsigned>(coir::detail::level_rule::note);
}

}  // namespace

class record_reader {
public:
    explicit record_reader(const std::string& path) : path_{path}, file_{open_file(path)} {}

    [[nodiscard]] bool is_record() const {
        std::array<char, magic_of_all_versions.size()> magic{};
        return get(magic.data(), magic.size(), 0) == magic.size() && std::ranges::equal(magic, magic_of_all_versions);
    }

    [[nodiscard]] record_file read() {
        if (!is_record()) throw usage_error{path_ + ": not a record file of coir"};
        read_header();
        record_file made{.pid = header_->pid, .began = header_->began, .runs_left_out = header_->runs_left_out};
        for (std::size_t i = 0; i < header_->runs_size; ++i) {
            const auto state = header_->states[i].load();
            if (state != run_state::free) made.runs.push_back(read_run(i, state != run_state::live));
        }
        mark_rebuilt(made);
        return made;
    }

private:
    [[nodiscard]] usage_error damaged() const { return usage_error{path_ + ": the record file is damaged"}; }

    /// Reads up to `size` bytes. Returns the number of bytes read; less than `size` at the end of the file.
    std::size_t get(void* into, std::size_t size, std::size_t offset) const {
        std::size_t got = 0;
        while (got < size) {
            const ssize_t some =
                ::pread(file_.get(), static_cast<char*>(into) + got, size - got, static_cast<off_t>(offset + got));
            if (some < 0) throw usage_error{path_ + ": " + std::generic_category().message(errno)};
            if (some == 0) break;
            got += static_cast<std::size_t>(some);
        }
        return got;
    }

    void read_header() {
        const std::size_t got = get(header_.get(), sizeof(record_header), 0);
        const bool is_complete = got >= offsetof(record_header, modules);
        if (header_->magic != record_header::magic_now ||
            (is_complete &&
             (header_->header_bytes != sizeof(record_header) || header_->run_bytes != sizeof(blocking_event_memory) ||
              header_->event_bytes != sizeof(blocking_event)))) {
            throw usage_error{path_ +
                              ": the record file is from a different version of coir; use the tool of that version"};
        }
        if (!is_complete || header_->runs_size > record_header::runs_max) throw damaged();
        coir::detail::for_each_module(*header_, [&](const recorded_module& each) {
            modules_->push_back({each.begin, each.end, each.bias, each.pid, each.path()});
            const std::size_t bytes = std::min<std::size_t>(each.build_id_bytes, each.build_id.size());
            build_ids_.emplace_back(each.build_id.begin(), each.build_id.begin() + bytes);
        });
    }

    record read_run(std::size_t index, bool has_ended) const {
        const std::size_t at = sizeof(record_header) + index * sizeof(blocking_event_memory);
        std::uint32_t size = 0;  // may grow while it is read
        const std::size_t got = get(&size, sizeof size, at + offsetof(blocking_event_memory, blocking_events_size));
        if (got < sizeof size || size > blocking_event_memory::blocking_events_max) throw damaged();
        const std::size_t bytes = offsetof(blocking_event_memory, events) + size * sizeof(blocking_event);
        record made;
        made.memory_.reset(static_cast<blocking_event_memory*>(::operator new(bytes, record::alignment)));
        made.modules_ = modules_;
        blocking_event_memory& run = *made.memory_;
        if (get(&run, bytes, at) < bytes) throw damaged();
        run.blocking_events_size = size;
        if (!std::ranges::all_of(std::span{run.events.data(), size}, mend)) throw damaged();
        run.missing.back() = '\0';
        if (!mend(run.call)) run.in_call = 0;
        if (has_ended) run.finished = 1;
        return made;
    }

    void mark_rebuilt(record_file& in) const {
        for (const record& run : in.runs) {
            for (const blocking_event& each : run.events()) mark_rebuilt(run, each, in.rebuilt);
            if (const blocking_event* const last = run.unfinished_call()) mark_rebuilt(run, *last, in.rebuilt);
        }
    }

    void mark_rebuilt(const record& run, const blocking_event& in, std::vector<std::string>& rebuilt) const {
        for (int i = 0; i < in.stack.depth; ++i) {
            const auto address = reinterpret_cast<std::uintptr_t>(in.stack.frames[static_cast<std::size_t>(i)]);
            const loaded_module* const found = address == 0 ? nullptr : run.module_at(address - 1);
            if (found == nullptr) continue;
            const auto index = static_cast<std::size_t>(found - modules_->data());
            if (is_build_of(found->path, build_ids_[index])) continue;
            rebuilt.push_back(found->path);
            (*modules_)[index].path += " (rebuilt since)";
        }
    }

    const std::string& path_;
    const coir::detail::unique_fd file_;
    const std::unique_ptr<record_header> header_ = std::make_unique<record_header>();
    const std::shared_ptr<std::vector<loaded_module>> modules_ = std::make_shared<std::vector<loaded_module>>();
    std::vector<build_id> build_ids_;  // of the modules, at the same index
};

void record::deleter::operator()(blocking_event_memory* memory) const noexcept { ::operator delete(memory, alignment); }

std::span<const blocking_event> record::events() const noexcept {
    return {memory_->events.data(), memory_->blocking_events_size};
}

const blocking_event* record::unfinished_call() const noexcept {
    if (is_finished() || memory_->in_call == 0) return nullptr;
    // The process did not end in execve(2), but became another program.
    return memory_->call.call.view().starts_with("exec") ? nullptr : &memory_->call;
}

const loaded_module* record::module_at(std::uint64_t address) const noexcept {
    const auto find = [&](bool own) -> const loaded_module* {
        // The latest module first: a library may be loaded at the address of one that was unloaded before.
        const auto found = std::find_if(modules_->rbegin(), modules_->rend(), [&](const loaded_module& each) {
            return address >= each.begin && address < each.end && (each.pid == pid() || !own);
        });
        return found == modules_->rend() ? nullptr : &*found;
    };
    const loaded_module* const own = find(true);
    return own != nullptr ? own : find(false);
}

record_file read_record_file(const std::string& path) { return record_reader{path}.read(); }

bool is_record_file(const std::string& path) {
    std::error_code unknown;
    // A FIFO can be read once; it may have saved findings.
    if (std::filesystem::is_fifo(path, unknown)) return false;
    return record_reader{path}.is_record();
}

}  // namespace detector

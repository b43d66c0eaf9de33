#include "detect/record/record_file.hpp"

#include "base/log.hpp"
#include "base/per_process.hpp"
#include "base/unique_fd.hpp"
#include "detect/record/backed_memory.hpp"
#include "detect/record/module_list.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <mutex>
#include <span>
#include <sys/mman.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t run_head_bytes = offsetof(blocking_event_memory, events);

constexpr std::size_t file_bytes(std::size_t runs) noexcept {
    return sizeof(record_header) + runs * sizeof(blocking_event_memory);
}

std::int64_t now() noexcept { return std::chrono::steady_clock::now().time_since_epoch().count(); }

/// Creates a file under a name of its own. The process id is not enough: a process that replaces itself with execve(2)
/// keeps it, and two processes in two namespaces can have the same.
unique_fd create(const std::string& folder, std::string& path) {
    for (std::int64_t number = now();; ++number) {
        path = folder + '/' + std::to_string(::getpid()) + '-' + std::to_string(number) + ".coirrec";
        unique_fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
        if (file || errno != EEXIST) return file;
    }
}

/// A process with little address space keeps it for itself.
std::size_t most_runs() noexcept {
    rlimit space{};
    return ::getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY ? 2 : record_header::runs_max;
}

/// Maps the file with as many runs as the limits of the process allow. The file is sparse: it takes the space that is
/// written to. Returns nullptr with errno.
record_header* map(int file) noexcept {
    rlimit longest{};
    ::getrlimit(RLIMIT_FSIZE, &longest);  // beyond it, ftruncate(2) would send SIGXFSZ
    errno = EFBIG;
    for (std::size_t runs = most_runs(); runs > 0; runs /= 2) {
        const std::size_t bytes = file_bytes(runs);
        if (bytes > longest.rlim_cur || ::ftruncate(file, static_cast<off_t>(bytes)) != 0) continue;
        void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (mapped == MAP_FAILED) continue;
        ::madvise(mapped, bytes, MADV_DONTDUMP);
        auto* const made = static_cast<record_header*>(mapped);
        if (!is_backed(made, offsetof(record_header, modules))) {
            ::munmap(mapped, bytes);
            errno = ENOSPC;
            return nullptr;
        }
        std::memset(mapped, 0, offsetof(record_header, modules));
        made->runs_size = static_cast<std::uint32_t>(runs);
        return made;
    }
    return nullptr;
}

record_header* make_file(const std::string& folder) {
    std::string path;
    const unique_fd file = create(folder, path);
    if (!file) return nullptr;
    record_header* const made = map(file.get());
    if (made == nullptr) {
        const int why = errno;
        ::unlink(path.c_str());
        errno = why;
        return nullptr;
    }
    made->header_bytes = sizeof(record_header);
    made->run_bytes = sizeof(blocking_event_memory);
    made->event_bytes = sizeof(blocking_event);
    made->pid = ::getpid();
    made->began = now();
    made->magic = record_header::magic_now;
    return made;
}

/// The record file of this process. A forked child shares that of its parent, since it may no longer be able to create
/// one.
struct process_file {
    std::string folder;
    record_header* header = nullptr;  // null: there is no folder, or no file can be created there
    int refusal = 0;                  // errno
    std::atomic<unsigned long long> modules_seen{0};
};

process_file& known_file() {
    static auto* const one = new process_file;  // outlives all runs, also those of static objects
    return *one;
}

/// The file in `folder`, which is created if that was not tried before. Returns nullptr if there is none.
record_header* file_in(const std::string& folder) {
    static constinit per_process<std::mutex> guard;
    const std::lock_guard lock{guard.get()};
    process_file& known = known_file();
    if (known.folder == folder) return known.header;
    known.folder = folder;
    known.header = make_file(folder);
    known.refusal = known.header == nullptr ? errno : 0;
    known.modules_seen = 0;
    // Now, as the program is found at /proc/self/exe only as long as there is a /proc.
    if (known.header != nullptr) add_loaded_modules(*known.header, known.modules_seen);
    return known.header;
}

/// Not in a set-user-ID program: the environment is its caller's.
[[gnu::constructor]] void create_file_before_main() noexcept try {
    const int saved = errno;
    const char* const folder = ::secure_getenv("COIR_BLOCKING_RECORDS");
    if (folder != nullptr && *folder != '\0') file_in(folder);
    errno = saved;
} catch (...) {  // out of memory: there is no file
}

/// Logs once why there is no file. If its folder is gone, then so is the tool that would have read it.
void log_refusal_once() {
    static std::once_flag logged;
    const int why = known_file().refusal;
    if (why == 0 || why == ENOENT || why == ENOTDIR) return;
    std::call_once(logged, [&] {
        log::warning(
            "COIR_BLOCKING_RECORDS: this process leaves no record of blocking calls: cannot create a file in " +
            known_file().folder + ": " + std::generic_category().message(why));
    });
}

std::span<blocking_event_memory> runs_of(record_header& file) noexcept {
    return {reinterpret_cast<blocking_event_memory*>(&file + 1), file.runs_size};
}

std::atomic<run_state>& state_of(record_header& file, const blocking_event_memory& run) noexcept {
    return file.states[static_cast<std::size_t>(&run - runs_of(file).data())];
}

bool change(std::atomic<run_state>& state, run_state from, run_state to) noexcept {
    return state.compare_exchange_strong(from, to, std::memory_order_acq_rel);
}

/// Returns memory of the file for a run, or nullptr if there is no space.
blocking_event_memory* take_run(record_header& file) noexcept {
    for (blocking_event_memory& each : runs_of(file)) {
        if (!change(state_of(file, each), run_state::free, run_state::live)) continue;
        if (is_backed(&each, run_head_bytes)) {
            std::memset(static_cast<void*>(&each), 0, run_head_bytes);
            return &each;
        }
        state_of(file, each).store(run_state::free, std::memory_order_release);
        return nullptr;
    }
    return nullptr;
}

/// Whether two runs can be merged: nothing that the tool reads, but the events, differs.
bool are_alike(const record_header& file, const blocking_event_memory& one, const blocking_event_memory& other) {
    return one.engine == other.engine && one.missing == other.missing &&
           (one.pid == file.pid) == (other.pid == file.pid);
}

blocking_event_memory* map_anonymous() {
    void* const mapped = ::mmap(nullptr, sizeof(blocking_event_memory), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        throw std::system_error{errno, std::generic_category(),
                                "blocking detection: cannot map memory for the records"};
    return static_cast<blocking_event_memory*>(mapped);
}

}  // namespace

run_record::run_record(const std::string& folder) {
    if (!folder.empty()) {
        file_ = file_in(folder);
        if (file_ == nullptr) log_refusal_once();
    }
    if (file_ != nullptr) memory_ = take_run(*file_);
    if (memory_ == nullptr) memory_ = map_anonymous();
    memory_->pid = ::getpid();
    memory_->tid = ::gettid();
    if (file_ != nullptr) file_->runs_begun.fetch_add(1, std::memory_order_relaxed);
    note_modules();
}

run_record::~run_record() {
    const bool in_file = is_in_file();
    if (file_ != nullptr) keep();
    if (!in_file) ::munmap(memory_, sizeof(blocking_event_memory));
}

/// Leaves the events of the ended run in the file. Without locks, since a process may be killed while it holds one.
void run_record::keep() noexcept {
    const bool in_file = is_in_file();
    for (blocking_event_memory& each : runs_of(*file_)) {
        std::atomic<run_state>& state = state_of(*file_, each);
        if (state.load(std::memory_order_acquire) != run_state::ended || !are_alike(*file_, each, *memory_)) continue;
        if (!change(state, run_state::ended, run_state::merging)) continue;
        if (memory_->blocking_events_size.load() > 0) blocking_event_table{each}.merge(*memory_);
        state.store(run_state::ended, std::memory_order_release);
        if (in_file) state_of(*file_, *memory_).store(run_state::free, std::memory_order_release);
        return;
    }
    blocking_event_memory* const kept = in_file ? memory_ : take_run(*file_);
    if (kept == nullptr) {
        file_->runs_left_out.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    if (!in_file) {
        kept->pid = memory_->pid;
        kept->tid = memory_->tid;
        kept->engine = memory_->engine;
        kept->missing = memory_->missing;
        kept->finished.store(1, std::memory_order_relaxed);
        blocking_event_table{*kept}.merge(*memory_);
    }
    state_of(*file_, *kept).store(run_state::ended, std::memory_order_release);
}

bool run_record::is_in_file() const noexcept {
    if (file_ == nullptr) return false;
    const std::span<blocking_event_memory> all = runs_of(*file_);
    return std::less_equal{}(all.data(), memory_) && std::less{}(memory_, all.data() + all.size());
}

void run_record::note_modules() noexcept {
    if (file_ != nullptr) add_loaded_modules(*file_, known_file().modules_seen);
}

}  // namespace coir::detail

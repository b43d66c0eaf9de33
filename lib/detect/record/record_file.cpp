#include "detect/record/record_file.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <link.h>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace coir::detail {

namespace {

/// Creates a file of full size under a unique name.
unique_fd make_file(const std::string& folder) {
    static std::atomic<unsigned> number{0};
    const std::string path = folder + '/' + std::to_string(::getpid()) + '-' + std::to_string(++number) + ".coirrec";
    const auto refuse = [&](int error) {
        throw std::system_error{error, std::generic_category(), "COIR_BLOCKING_RECORDS: " + path};
    };
    unique_fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!file) refuse(errno);
    if (const int error = ::posix_fallocate(file.get(), 0, sizeof(blocking_event_memory)); error != 0) {
        ::unlink(path.c_str());
        refuse(error);
    }
    return file;
}

std::string path_of(const dl_phdr_info& module) {
    if (module.dlpi_name != nullptr && *module.dlpi_name != '\0') return module.dlpi_name;
    std::error_code unreadable;  // the dynamic linker has no name for the program itself
    return std::filesystem::read_symlink("/proc/self/exe", unreadable).string();
}

void add_module(blocking_event_memory& to, const dl_phdr_info& module) noexcept try {
    std::uint64_t begin = ~std::uint64_t{0};
    std::uint64_t end = 0;
    for (unsigned i = 0; i < module.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = module.dlpi_phdr[i];
        if (segment.p_type != PT_LOAD) continue;
        begin = std::min<std::uint64_t>(begin, module.dlpi_addr + segment.p_vaddr);
        end = std::max<std::uint64_t>(end, module.dlpi_addr + segment.p_vaddr + segment.p_memsz);
    }
    const std::uint32_t size = to.modules_size.load(std::memory_order_relaxed);
    const auto is_known = [&](const loaded_module& each) { return each.begin == begin && each.end == end; };
    const auto first = to.modules.begin();
    if (begin >= end || size == to.modules.size() || std::any_of(first, first + size, is_known)) return;
    loaded_module& added = to.modules[size];
    const std::string path = path_of(module);
    added.begin = begin;
    added.end = end;
    added.bias = module.dlpi_addr;
    path.copy(added.path.data(), added.path.size() - 1);
    to.modules_size.store(size + 1, std::memory_order_release);
} catch (...) {  // out of memory for the path: the module is left out, and its addresses have no symbols
}

}  // namespace

record_file::record_file(const std::string& folder) : file_{folder.empty() ? unique_fd{} : make_file(folder)} {
    const int flags = file_ ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* const mapped =
        ::mmap(nullptr, sizeof(blocking_event_memory), PROT_READ | PROT_WRITE, flags, file_ ? file_.get() : -1, 0);
    if (mapped == MAP_FAILED)
        throw std::system_error{errno, std::generic_category(),
                                "blocking detection: cannot map memory for the records"};
    memory_ = static_cast<blocking_event_memory*>(mapped);
    memory_->magic = blocking_event_memory::magic_now;
    memory_->bytes = sizeof(blocking_event_memory);
    memory_->pid = ::getpid();
    memory_->tid = ::gettid();
}

record_file::~record_file() {
    const std::size_t unused = blocking_event_memory::blocking_events_max - memory_->blocking_events_size.load();
    ::munmap(memory_, sizeof(blocking_event_memory));
    const auto used = static_cast<off_t>(sizeof(blocking_event_memory) - unused * sizeof(blocking_event));
    if (file_ && ::ftruncate(file_.get(), used) != 0) return;  // the file keeps its full size
}

void record_file::note_modules() noexcept {
    struct pass {
        blocking_event_memory& memory;
        unsigned long long& seen;
        bool first = true;
    } here{*memory_, modules_seen_};
    ::dl_iterate_phdr(
        [](dl_phdr_info* module, std::size_t, void* data) {
            pass& at = *static_cast<pass*>(data);
            if (std::exchange(at.first, false) && std::exchange(at.seen, module->dlpi_adds) == module->dlpi_adds)
                return 1;
            add_module(at.memory, *module);
            return 0;
        },
        &here);
}

}  // namespace coir::detail

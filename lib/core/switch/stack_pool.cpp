#include "core/switch/stack_pool.hpp"

#include "base/check.hpp"
#include "base/valgrind.hpp"
#include "core/switch/stack_layout.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace coir::detail {

namespace {

constexpr std::size_t stack_max = std::size_t{1} << 40;  // a larger size is certainly a mistake
constexpr std::size_t slab_bytes_max = std::size_t{256} << 20;
constexpr std::size_t slab_bytes_min = std::size_t{4} << 20;
constexpr std::size_t warm_min = 64;  // stacks of each size that are never returned to the system

// The tops of stacks are a power of two apart. Without an offset of a few cache lines, the most used parts of all
// stacks would map to the same cache sets. An offset of more than a quarter of a page would make a parked fiber use a
// second page.
constexpr std::size_t colours = 16;
constexpr std::size_t colour_bytes = 64;
constexpr std::size_t header_bytes = 16;  // above the stack: a pointer to its entry

std::string read_sysctl(const char* path) {
    std::FILE* const file = std::fopen(path, "re");
    if (file == nullptr) return "unknown";
    std::array<char, 64> text{};
    const std::size_t got = std::fread(text.data(), 1, text.size() - 1, file);
    std::fclose(file);
    std::string value{text.data(), got};
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
}

[[noreturn, gnu::cold]] void throw_no_memory(int error, std::size_t bytes) {
    const std::string size = std::to_string(bytes >> 10) + " KiB";
    std::string why = "no memory for a fiber's stack of " + size;
    if (stack_pool::guard() == guard_kind::mprotect) {
        why += "; each guarded stack takes two mappings, and vm.max_map_count is " +
               read_sysctl("/proc/sys/vm/max_map_count") + " (raise it: sysctl -w vm.max_map_count=1048576)";
    }
    why += "; check the limits of address space (ulimit -v), of the cgroup's memory, and vm.overcommit_memory (now " +
           read_sysctl("/proc/sys/vm/overcommit_memory") + ")";
    throw std::system_error{error, std::generic_category(), why};
}

}  // namespace

/// One stack of a slab: in use, warm (in the list of its size class) or cold (in the list of its slab).
struct stack_pool::entry {
    entry* next = nullptr;
    slab* home = nullptr;
};

/// One mapping with many stacks of one size. In the list of its size class while it has a stack that can be taken.
struct stack_pool::slab : list_hook {
    slab(size_class& the_class, std::byte* base, std::size_t stacks)
        : owner{&the_class}, memory{base}, entries(stacks) {}

    [[nodiscard]] bool has_room() const noexcept { return cold != nullptr || carved < entries.size(); }

    size_class* owner;
    std::byte* memory;
    std::vector<entry> entries;
    std::vector<unsigned> valgrind_ids;
    std::size_t carved = 0;   // number of entries that have a guard; the entries behind were never used
    std::size_t touched = 0;  // number of entries in use or warm
    entry* cold = nullptr;
};

class stack_pool::size_class {
public:
    explicit size_class(std::size_t asked) noexcept : asked_{asked}, layout_{stack_layout::of(asked, page_size())} {}
    ~size_class() {
        while (slab* each = with_room_.pop_front()) {
            if (each->touched == 0) unmap(*each);
        }
        // No stack is in use: each remaining slab is found through its warm stacks.
        for (entry* each = warm_; each != nullptr;) {
            entry& warm = *each;
            each = warm.next;
            if (--warm.home->touched == 0) unmap(*warm.home);
        }
    }

    /// The requested size of the stacks. Each takes `layout_.bytes()`, which may be more.
    [[nodiscard]] std::size_t asked() const noexcept { return asked_; }
    [[nodiscard]] std::size_t warm_count() const noexcept { return warm_count_; }
    [[nodiscard]] bool has_surplus() const noexcept { return to_return_ > 0 || warm_count_ > warm_min; }

    boost::context::stack_context take() {
        entry& taken = warm_ != nullptr ? take_warm() : take_cold();
        return context_of(taken);
    }

    void give_back(void* top) noexcept {
        entry& returned = entry_at(top);
        returned.next = warm_;
        warm_ = &returned;
        ++warm_count_;
    }

    void begin_period() noexcept {
        // Returns half of the stacks that were not used during a whole period, so that a load that comes in waves keeps
        // most of its stacks.
        to_return_ = warm_low_ > warm_min ? (warm_low_ - warm_min + 1) / 2 : 0;
        warm_low_ = warm_count_;
    }

    std::size_t trim(std::size_t at_most) noexcept {
        std::size_t done = 0;
        for (; done < at_most && to_return_ > 0 && warm_ != nullptr; ++done, --to_return_) cool(*warm_);
        warm_low_ = std::min(warm_low_, warm_count_);
        return done;
    }

    static size_class& owner_of(void* top) noexcept { return *entry_at(top).home->owner; }

private:
    static entry& entry_at(void* top) noexcept { return **static_cast<entry**>(top); }

    entry& take_warm() noexcept {
        entry& taken = *warm_;
        warm_ = taken.next;
        --warm_count_;
        warm_low_ = std::min(warm_low_, warm_count_);
        return taken;
    }

    entry& take_cold() {
        if (with_room_.empty()) map_slab();
        slab& from = *with_room_.front();
        entry* taken = from.cold;
        if (taken != nullptr) {
            from.cold = taken->next;
        } else {
            taken = &carve(from);
        }
        ++from.touched;
        if (!from.has_room()) from.unlink();
        return *taken;
    }

    entry& carve(slab& from) {
        std::byte* const bottom = from.memory + from.carved * bytes_;
        if (!stack_guards::of_process().install(bottom, layout_.guard)) throw_no_memory(errno, bytes_);
        if (RUNNING_ON_VALGRIND != 0) {
            from.valgrind_ids.push_back(VALGRIND_STACK_REGISTER(bottom, bottom + bytes_));
        }
        entry& made = from.entries[from.carved++];
        made.home = &from;
        return made;
    }

    void map_slab() {
        std::size_t stacks = std::clamp(mapped_, std::max<std::size_t>(1, slab_bytes_min / bytes_),
                                        std::max<std::size_t>(1, slab_bytes_max / bytes_));
        void* memory = MAP_FAILED;
        for (;; stacks /= 2) {
            memory = ::mmap(nullptr, stacks * bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
            if (memory != MAP_FAILED) break;
            if (stacks == 1) throw_no_memory(errno, bytes_);
        }
        // With huge pages, the first access to a stack would allocate 2 MiB of memory.
        ::madvise(memory, stacks * bytes_, MADV_NOHUGEPAGE);
        auto* const made = new slab{*this, static_cast<std::byte*>(memory), stacks};
        mapped_ += stacks;
        with_room_.push_back(*made);
    }

    boost::context::stack_context context_of(entry& of) const noexcept {
        const auto index = static_cast<std::size_t>(&of - of.home->entries.data());
        std::byte* const bottom = of.home->memory + index * bytes_;
        std::byte* const top = bottom + bytes_ - header_bytes - index % colours * colour_bytes;
        *reinterpret_cast<entry**>(top) = &of;
        boost::context::stack_context made;
        made.sp = top;
        made.size = static_cast<std::size_t>(top - bottom) - layout_.guard;
        return made;
    }

    /// Returns the memory of the first warm stack to the system. Unmaps the slab if none of its stacks is left in use
    /// or warm.
    void cool(entry& first) noexcept {
        warm_ = first.next;
        --warm_count_;
        slab& home = *first.home;
        const auto index = static_cast<std::size_t>(&first - home.entries.data());
        if (--home.touched == 0) {
            if (home.is_linked()) home.unlink();
            unmap(home);
            return;
        }
        ::madvise(home.memory + index * bytes_ + layout_.guard, layout_.room, MADV_DONTNEED);
        if (!home.has_room()) with_room_.push_back(home);
        first.next = home.cold;
        home.cold = &first;
    }

    void unmap(slab& unused) noexcept {
        for (const unsigned id : unused.valgrind_ids) VALGRIND_STACK_DEREGISTER(id);
        mapped_ -= unused.entries.size();
        ::munmap(unused.memory, unused.entries.size() * bytes_);
        delete &unused;
    }

    const std::size_t asked_;
    const stack_layout layout_;
    const std::size_t bytes_ = layout_.bytes();
    entry* warm_ = nullptr;
    std::size_t warm_count_ = 0;
    std::size_t warm_low_ = 0;   // the smallest `warm_count_` of this period
    std::size_t to_return_ = 0;  // stacks that `trim` still has to return, as decided at the start of this period
    std::size_t mapped_ = 0;
    list<slab> with_room_;
};

stack_pool::stack_pool() = default;

stack_pool::~stack_pool() { COIR_CHECK(in_use_ == 0, "~stack_pool: fibers still use stacks of the pool"); }

boost::context::stack_context stack_pool::allocate(std::size_t bytes) {
    if (bytes > stack_max) throw_no_memory(ENOMEM, bytes);
    boost::context::stack_context made = class_for(round_up(bytes)).take();
    ++in_use_;
    return made;
}

void stack_pool::deallocate(boost::context::stack_context& stack) noexcept {
    size_class::owner_of(stack.sp).give_back(stack.sp);
    --in_use_;
    stack = {};
}

void stack_pool::begin_period() noexcept {
    for (const auto& each : classes_) each->begin_period();
}

bool stack_pool::trim(std::size_t stacks_max) noexcept {
    std::size_t done = 0;
    for (const auto& each : classes_) done += each->trim(stacks_max - done);
    return done == stacks_max;
}

bool stack_pool::has_surplus() const noexcept {
    return std::any_of(classes_.begin(), classes_.end(), [](const auto& each) { return each->has_surplus(); });
}

std::size_t stack_pool::pooled() const noexcept {
    std::size_t count = 0;
    for (const auto& each : classes_) count += each->warm_count();
    return count;
}

guard_kind stack_pool::guard() noexcept { return stack_guards::of_process().kind(); }

std::size_t stack_pool::round_up(std::size_t bytes) noexcept { return stack_layout::round_up(bytes, page_size()); }

stack_pool::size_class& stack_pool::class_for(std::size_t bytes) {
    for (const auto& each : classes_) {
        if (each->asked() == bytes) return *each;
    }
    return *classes_.emplace_back(std::make_unique<size_class>(bytes));
}

}  // namespace coir::detail

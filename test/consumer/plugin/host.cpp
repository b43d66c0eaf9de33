// host FIRST SECOND: loads two plugins that each contain coir, uses them one after the other and concurrently, and
// unloads one of them.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <string_view>
#include <thread>

namespace {

void check(bool holds, const char* claim) {
    if (holds) return;
    std::printf("not so: %s\n", claim);
    std::exit(1);
}

class plugin {
public:
    explicit plugin(const char* path) : handle_{::dlopen(path, RTLD_NOW | RTLD_LOCAL)} {
        if (handle_ == nullptr) std::puts(::dlerror());
        check(handle_ != nullptr, "the plugin can be loaded");
    }

    template <class Function> Function* function(const char* name) const {
        return reinterpret_cast<Function*>(::dlsym(handle_, name));
    }
    int answer() const { return function<int()>("answer")(); }
    int reports_of_a_sleep() const { return function<int()>("reports_of_a_sleep")(); }
    int reports_of_a_hog() const { return function<int()>("reports_of_a_hog")(); }
    std::string missing() const {
        std::array<char, 400> text{};
        function<void(char*, unsigned long)>("missing")(text.data(), text.size());
        return text.data();
    }
    void unload() const { ::dlclose(handle_); }

private:
    void* handle_;
};

template <class Function> void in_two_threads(Function function) {
    std::thread one{[&] { function(0); }};
    std::thread other{[&] { function(1); }};
    one.join();
    other.join();
}

}  // namespace

int main(int, char** arguments) {
    const plugin plugins[] = {plugin{arguments[1]}, plugin{arguments[2]}};

    for (const plugin& each : plugins) check(each.answer() == 42, "each works, one after the other");
    in_two_threads([&](int which) {
        for (int i = 0; i < 50; ++i) check(plugins[which].answer() == 42, "both work at once");
    });
    in_two_threads([&](int which) {
        check(plugins[which].reports_of_a_hog() == 1, "each sees the long computation of its own fiber, once");
    });

    // Traps, if they are available, see everything. missing() names the calls that hooks do not see.
    const bool has_traps =
        std::string_view{std::getenv("COIR_BLOCKING_ENGINE")} == "trap" && plugins[0].missing().empty();
    const auto says = [&](const plugin& which, std::string_view words) {
        std::puts(which.missing().c_str());
        return has_traps ? which.missing().empty() : which.missing().find(words) != std::string::npos;
    };
    check(says(plugins[0], "hooks see only the calls of libfirst.so"),
          "one that exports no hook has its own calls seen");
    check(plugins[0].reports_of_a_sleep() == 1, "its own sleep is seen");
    check(says(plugins[1], "hooks see no calls, because coir is inside libsecond.so"),
          "one that exports them sees nothing");
    check(plugins[1].reports_of_a_sleep() == (has_traps ? 1 : 0), "its own sleep is not seen by hooks");

    plugins[0].unload();  // its pool threads are still running
    check(plugins[1].answer() == 42, "one works after the other was unloaded");
    check(plugin{arguments[1]}.answer() == 42, "and so does that one, loaded again");
}

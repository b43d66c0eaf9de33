// host FIRST SECOND: two plugins that have a coir each, at once and one after the other, and one of them unloaded.
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

    const std::string missing = plugins[0].missing();
    std::printf("missing: %s\n", missing.c_str());
    // Traps see everything, where they are to be had. What hooks miss is said, with the plugin's name.
    const bool is_said = missing.find("libfirst.so") != std::string::npos;
    const bool are_traps = std::string_view{std::getenv("COIR_BLOCKING_ENGINE")} == "trap" && missing.empty();
    check(is_said || are_traps, "a plugin's hooks do not see the program's calls, and that is said");

    plugins[0].unload();  // its threads are still there
    check(plugins[1].answer() == 42, "one works after the other was unloaded");
    check(plugin{arguments[1]}.answer() == 42, "and so does that one, loaded again");
}

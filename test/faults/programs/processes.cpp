// Child processes: with pipes, files and a time limit.
#include <coir/coir.hpp>

#include "faults/programs/declared.hpp"
#include "support/text.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <span>
#include <string>

using namespace std::chrono_literals;

namespace coir::faults {

std::string processes(const std::string& folder) {
    return run([&] {
        const auto echoed = run_process({"echo", "from echo"});
        std::string seen = echoed.output + echoed.status.to_string();

        auto cat =
            process::spawn({"cat"}, {.standard_input = redirection::pipe(), .standard_output = redirection::pipe()});
        cat.standard_input().write_all("through cat");
        cat.standard_input().close();
        std::array<std::byte, 100> text;
        seen += ", " + test::as_text(std::span{text}.first(cat.standard_output().read_exactly(text))) + ", " +
                cat.wait().to_string();

        auto quiet =
            process::spawn({"/bin/true"}, {.working_directory = folder, .standard_output = redirection::null()});
        seen += ", " + quiet.wait().to_string();

        auto endless = process::spawn({"/bin/sleep", "1000"});
        if (!endless.try_wait()) seen += ", still running";
        seen += ", " + endless.terminate_then_kill(10s).to_string();

        auto killed = process::spawn({"/bin/sleep", "1000"});
        killed.kill();
        seen += ", " + killed.wait().to_string();
        return seen;
    });
}

}  // namespace coir::faults

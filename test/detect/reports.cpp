#include "detect/reports.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace coir::test {

temporary_file::temporary_file(const std::string& content)
    : path_{(std::filesystem::temp_directory_path() / "coir-test-XXXXXX").string()} {
    const int fd = ::mkstemp(path_.data());
    if (fd < 0) throw std::runtime_error{"no temporary file"};
    ::close(fd);
    std::ofstream{path_} << content;
}

temporary_file::~temporary_file() { std::filesystem::remove(path_); }

std::string temporary_file::content() const {
    std::ostringstream all;
    all << std::ifstream{path_}.rdbuf();
    return all.str();
}

}  // namespace coir::test

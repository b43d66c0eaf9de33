// Files: at offsets and in order, replaced, appended, sent.
#include <coir/coir.hpp>
#include <coir/io/buffered_reader.hpp>
#include <coir/io/file.hpp>

#include "faults/programs/declared.hpp"
#include "support/text.hpp"

#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace coir::faults {

std::string files(const std::string& folder) {
    const std::filesystem::path path = std::filesystem::path{folder} / "file";
    std::string seen = run([&] {
        std::string read;
        {
            auto file = io::file::create(path);
            file.write_all("one\ntwo\n");
            file.write_at(8, std::as_bytes(std::span{"three\n", 6}));
            file.resize(13);
            file.sync_data();
            file.sync();
            file.seek(4);
            io::buffered_reader lines{file};
            read += lines.read_until("\n");
            read += std::to_string(file.size());
            file.close();
        }
        io::replace_file(path, "replaced\n");
        {
            auto more = io::file::append(path);
            more.write_all("appended\n");
            more.close();
        }
        read += io::read_file(path);
        {
            auto file = io::file::open(path);
            auto [here, there] = net::unix_stream::pair();
            here.sendfile(file.native_handle(), 0, 8);
            std::array<std::byte, 8> text;
            read += test::as_text(std::span{text}.first(there.read_exactly(text)));
        }
        return read;
    });
    return seen;
}

}  // namespace coir::faults

#include "detect/finding/identity.hpp"

#include "base/fnv1a.hpp"
#include "base/function_name.hpp"
#include "base/read_file.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/wording.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string_view>

namespace coir::detail {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t statement_lines_max = 100;

/// A hash of several texts. A byte that occurs in no text separates them.
class hash {
public:
    void add(std::string_view text) noexcept {
        hash_.mix(text);
        hash_.mix(std::uint64_t{0xff});
    }

    [[nodiscard]] std::string text() const {
        std::array<char, 17> digits;
        std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash_.value()));
        return digits.data();
    }

private:
    fnv1a hash_;
};

/// The text without the white space at its ends and without a comment at its end.
std::string_view code_of(std::string_view line) {
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quote != 0) {
            if (line[i] == '\\')
                ++i;
            else if (line[i] == quote)
                quote = 0;
        } else if (line[i] == '"' ||
                   (line[i] == '\'' && (i == 0 || std::isalnum(static_cast<unsigned char>(line[i - 1])) == 0))) {
            quote = line[i];
        } else if (line.substr(i).starts_with("//")) {
            line = line.substr(0, i);
        }
    }
    const std::size_t first = line.find_first_not_of(" \t\r");
    return first == line.npos ? std::string_view{} : line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

bool ends_statement(std::string_view code) {
    return code.empty() || code.starts_with('#') ||
           std::string_view{";{}:"}.find(code.back()) != std::string_view::npos;
}

/// A statement: the lines from `begin` to before `end`, white space folded.
struct statement {
    std::size_t begin;
    std::string text;
};

statement statement_from(const std::vector<std::string>& lines, std::size_t begin, std::size_t at) {
    statement made{begin, {}};
    for (std::size_t i = begin; i < std::min(lines.size(), begin + statement_lines_max); ++i) {
        const std::string_view code = code_of(lines[i]);
        for (std::size_t from = 0; from < code.size();) {
            const std::size_t word = code.find_first_not_of(" \t", from);
            from = std::min(code.find_first_of(" \t", word), code.size());
            made.text.append(made.text.empty() ? "" : " ").append(code.substr(word, from - word));
        }
        if (i >= at && ends_statement(code)) break;
    }
    return made;
}

/// The statement to which the line with the index `at` belongs.
statement statement_at(const std::vector<std::string>& lines, std::size_t at) {
    std::size_t begin = at;
    while (begin > 0 && at - begin < statement_lines_max && !ends_statement(code_of(lines[begin - 1]))) --begin;
    return statement_from(lines, begin, at);
}

/// How many equal statements precede in the same function. A function ends with a brace in the first column.
std::size_t equals_before(const std::vector<std::string>& lines, const statement& which) {
    std::size_t count = 0;
    const std::string_view first = code_of(lines[which.begin]);
    for (std::size_t i = which.begin; i-- > 0 && !lines[i].starts_with('}');) {
        if (code_of(lines[i]) == first && statement_from(lines, i, i).text == which.text) ++count;
    }
    return count;
}

/// The function that the frame at `at` was inlined into, or that frame itself if it was not inlined.
const frame& physical(const std::vector<frame>& stack, std::size_t at) {
    const auto is_same = [&](const frame& each) {
        return each.module == stack[at].module && each.offset == stack[at].offset;
    };
    while (at + 1 < stack.size() && is_same(stack[at + 1])) ++at;
    return stack[at];
}

/// The user's function, without lines in the names of lambdas; for a function without a name, its offset in the module.
std::string function_of(const finding& which) {
    const auto at = static_cast<std::size_t>(which.location);
    // An inlined lambda may have no other name. The template arguments of the function around it identify it.
    const std::string name = which.stack[at].function == "operator()" ? physical(which.stack, at).function
                                                                      : function_or_offset(which.stack[at]);
    return without_lambda_lines(name);
}

}  // namespace

void identity::identify(finding& which) {
    hash coarse;
    coarse.add(to_string(which.category));
    coarse.add(which.call);
    hash fine = coarse;
    if (which.location < 0) {
        coarse.add(which.spawned_at.substr(0, which.spawned_at.rfind(':')));
        if (which.spawned_at.empty() && !which.stack.empty()) coarse.add(function_or_offset(which.stack.front()));
        which.fingerprint = which.coarse_fingerprint = coarse.text();
        return;
    }
    const frame& users = which.stack[static_cast<std::size_t>(which.location)];
    const std::string function = function_of(which);
    coarse.add(short_name(function, std::string_view::npos));
    which.fingerprint = which.coarse_fingerprint = coarse.text();

    const lines& source = lines_of(users.file);
    const auto line = static_cast<std::size_t>(std::max(users.line, 1)) - 1;
    if (line >= source.size()) return;
    const statement where = statement_at(source, line);
    const fs::path inside = fs::path{users.file}.lexically_relative(source_root_);
    const bool is_inside = !inside.empty() && *inside.begin() != "..";
    fine.add(is_inside ? inside.native() : fs::path{users.file}.filename().native());
    fine.add(function);
    fine.add(where.text);
    fine.add(std::to_string(equals_before(source, where)));
    which.fingerprint = fine.text();
}

const identity::lines& identity::lines_of(const std::string& file) {
    const auto [at, is_new] = read_.try_emplace(file);
    if (!is_new || file.empty()) return at->second;
    const fs::path path = fs::path{file}.is_absolute() ? fs::path{file} : fs::path{source_root_} / file;
    std::istringstream text{read_regular_file(path.string(), source_file_bytes_max).value_or("")};
    for (std::string line; std::getline(text, line);) at->second.push_back(line);
    return at->second;
}

}  // namespace coir::detail

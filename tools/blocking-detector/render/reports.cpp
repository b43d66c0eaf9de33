#include "render/reports.hpp"

#include "cli/exit_codes.hpp"
#include "render/json.hpp"
#include "render/output.hpp"
#include "render/render.hpp"
#include "render/text.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace detector {

namespace {

/// The folder that relative paths in reports are relative to; empty if unknown.
std::string paths_begin_in(const options& requested) {
    return requested.strip_prefix.empty()
               ? std::string{}
               : std::filesystem::absolute(requested.strip_prefix).lexically_normal().string();
}

std::string render(const options& requested, const output_request& how, const result& found) {
    if (how.format == "json") return to_json(found);
    if (how.format == "jsonl") return to_json_lines(found);
    if (how.format == "sarif") return to_sarif(found, paths_begin_in(requested));
    if (how.format == "junit") return to_junit(found);
    if (how.format == "github") return to_github(found);
    if (how.format == "gitlab") return to_gitlab(found);
    if (how.format == "html") return to_html(found, requested.code.source_root);
    if (how.format == "folded") return to_folded(found);
    const bool on_terminal = how.path.empty() && ::isatty(STDOUT_FILENO) == 1;
    const bool colours = requested.color == when::always || (requested.color == when::automatic && on_terminal);
    return to_text(found, {.colours = colours, .show = requested.show, .source_folder = requested.code.source_root});
}

void write(const options& requested, const output_request& how, const result& found) {
    const std::string text = render(requested, how, found);
    if (how.path.empty())
        write_out(text);
    else
        write_file(how.path, text);
}

void check_file(const std::string& path) {
    if (path.empty()) return;
    std::filesystem::path folder = std::filesystem::path{path}.parent_path();
    if (folder.empty()) folder = ".";
    std::error_code none;
    if (std::filesystem::is_directory(path, none))
        throw usage_error{"cannot write " + path + ": it is a folder; give the name of a file"};
    if (::access(folder.c_str(), W_OK) != 0 && ::access(path.c_str(), W_OK) != 0) {
        throw usage_error{"cannot write " + path + ": " + std::generic_category().message(errno)};
    }
}

}  // namespace

void check_outputs(const options& requested) {
    for (const output_request& each : requested.outputs) check_file(each.path);
    check_file(requested.write_baseline);
}

void write_reports(const options& requested, const result& found) {
    std::vector<output_request> outputs = requested.outputs;
    if (outputs.empty() && !requested.quiet) outputs.push_back({"text", ""});
    std::exception_ptr failure;
    for (const output_request& each : outputs) {
        try {
            write(requested, each, found);
        } catch (const std::system_error&) {
            if (!failure) failure = std::current_exception();
        }
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace detector

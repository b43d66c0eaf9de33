#include <coir/exception_group.hpp>

#include <string>
#include <utility>

namespace coir {

namespace {

std::string message_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const exception_group& nested) {
        return '(' + std::string{nested.what()} + ')';  // the parentheses mark the end of the nested list
    } catch (const std::exception& thrown) {
        return thrown.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

std::string messages_of(const std::vector<std::exception_ptr>& failures) {
    std::string all = std::to_string(failures.size()) + " fibers failed";
    const char* before = ": ";
    for (const std::exception_ptr& each : failures) all += std::exchange(before, "; ") + message_of(each);
    return all;
}

}  // namespace

exception_group::exception_group(std::vector<std::exception_ptr> failures)
    : std::runtime_error{messages_of(failures)}, failures_{std::make_shared<list>(std::move(failures))} {}

}  // namespace coir

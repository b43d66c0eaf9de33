#include "read/suppressing.hpp"

#include "cli/exit_codes.hpp"

#include <algorithm>
#include <cstdlib>
#include <system_error>

namespace detector {

namespace {

using coir::detail::suppressions;

// Calls that test frameworks and instrumentation make internally. These functions do not call code of the user, so a
// stack that contains one of them does not block in the user's code.
constexpr const char* built_in_rules = R"(
call-stack-contains:^doctest::detail::ResultBuilder::log
call-stack-contains:^doctest::detail::MessageBuilder::log
call-stack-contains:^doctest::*ConsoleReporter::
call-stack-contains:^doctest::*XmlReporter::
call-stack-contains:^doctest::*JUnitReporter::
call-stack-contains:^testing::internal::AssertHelper::operator=
call-stack-contains:^testing::internal::*UnitTestResultPrinter::
call-stack-contains:^testing::internal::ColoredPrintf
call-stack-contains:^testing::internal::CapturedStream::
call-stack-contains:^testing::UnitTest::AddTestPartResult
call-stack-contains:^Catch::AssertionHandler::complete
call-stack-contains:^Catch::AssertionHandler::handleMessage
call-stack-contains:^Catch::*Reporter::
call-stack-contains:^Catch::*ReporterBase::
call-stack-contains:^__gcov_
call-stack-contains:^gcov_do_dump
call-stack-contains:^llvm_gcov_
call-stack-contains:^__llvm_profile_
call-stack-contains:^__sanitizer::internal_
call-stack-contains:^__sanitizer::Symbolizer
call-stack-contains:^__sanitizer::StackTrace
call-stack-contains:^__sanitizer::Report
call-stack-contains:^__sanitizer::*Mutex::Lock
call-stack-contains:^__asan::Report
call-stack-contains:^__asan::ScopedInErrorReport
call-stack-contains:^__tsan::OutputReport
call-stack-contains:^__tsan::ReportRace
call-stack-contains:^__ubsan::
call-stack-contains:^__lsan::
)";

std::string date_text(std::chrono::sys_days when) {
    const std::chrono::year_month_day date{when};
    const auto two_digits = [](unsigned number) { return (number < 10 ? "-0" : "-") + std::to_string(number); };
    return std::to_string(static_cast<int>(date.year())) + two_digits(static_cast<unsigned>(date.month())) +
           two_digits(static_cast<unsigned>(date.day()));
}

}  // namespace

suppressing::suppressing(const std::vector<std::string>& files) {
    rules_.add(built_in_rules, "built-in");
    built_in_ = rules_.rules().size();
    try {
        for (const std::string& each : files) rules_.add_file(each);
    } catch (const std::system_error& unreadable) {
        throw usage_error{unreadable.what()};
    } catch (const std::invalid_argument& malformed) {
        throw usage_error{malformed.what()};
    }
    hits_.resize(rules_.rules().size());
}

void suppressing::apply(std::vector<finding>& findings) {
    for (finding& each : findings) {
        const suppressions::rule* const rule = rules_.match(each);
        if (rule == nullptr) continue;
        each.suppressed_by = rule->text;
        hits_[static_cast<std::size_t>(rule - rules_.rules().data())] += each.count;
    }
}

std::vector<std::string> suppressing::hits() const {
    std::vector<std::string> lines;
    for (std::size_t i = built_in_; i < hits_.size(); ++i) {
        const suppressions::rule& rule = rules_.rules()[i];
        if (hits_[i] == 0) continue;
        std::string line = "suppressed " + std::to_string(hits_[i]) + (hits_[i] == 1 ? " time" : " times");
        line.append(" by ").append(rule.location).append(": ").append(rule.text);
        if (!rule.reason.empty()) line.append(" (").append(rule.reason).append(")");
        lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> suppressing::unused() const {
    std::vector<std::string> lines;
    for (std::size_t i = built_in_; i < hits_.size(); ++i) {
        const suppressions::rule& rule = rules_.rules()[i];
        if (rule.is_over())
            lines.push_back("expired suppression (last day " + date_text(*rule.until) + "): " + rule.location + ": " +
                            rule.text);
        else if (hits_[i] == 0)
            lines.push_back("unused suppression: " + rule.location + ": " + rule.text);
    }
    return lines;
}

}  // namespace detector

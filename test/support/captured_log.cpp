#include "support/captured_log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <mutex>

namespace coir::test {

class captured_log::lines : public spdlog::sinks::base_sink<std::mutex> {
public:
    std::string text() {
        const std::lock_guard lock{mutex_};
        return text_;
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        text_.append(line.data(), line.size());
    }
    void flush_() override {}

private:
    std::string text_;
};

captured_log::captured_log() : lines_{std::make_shared<lines>()}, before_{spdlog::default_logger()} {
    auto logger = std::make_shared<spdlog::logger>("", lines_);
    logger->set_pattern("[%l] %v");
    spdlog::set_default_logger(std::move(logger));
}

captured_log::~captured_log() { spdlog::set_default_logger(before_); }

std::string captured_log::text() const { return lines_->text(); }

int captured_log::count(const std::string& part) const {
    const std::string all = text();
    int found = 0;
    for (auto at = all.find(part); at != std::string::npos; at = all.find(part, at + part.size())) ++found;
    return found;
}

}  // namespace coir::test

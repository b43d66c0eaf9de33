#pragma once

#include <cstddef>
#include <iterator>
#include <optional>

namespace coir::detail {

/// For range-for: receives values until the channel is closed and drained.
template <class Channel> class channel_iterator {
public:
    using value_type = typename Channel::value_type;
    using difference_type = std::ptrdiff_t;

    explicit channel_iterator(Channel& from) : from_{&from}, value_{from.recv()} {}

    [[nodiscard]] value_type& operator*() const noexcept { return *value_; }
    [[nodiscard]] value_type* operator->() const noexcept { return &*value_; }
    channel_iterator& operator++() {
        value_ = from_->recv();
        return *this;
    }
    void operator++(int) { ++*this; }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept { return !value_; }

private:
    Channel* from_;
    mutable std::optional<value_type> value_;
};

}  // namespace coir::detail

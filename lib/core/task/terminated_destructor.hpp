#pragma once

namespace coir::detail {

/// While one exists, std::terminate says which destructor a stop or an expired limit has left, and what to do, before it
/// goes on to the program's handler. An exception that leaves a destructor ends the program, and what the C++ runtime
/// says then names neither.
class terminate_explained {
public:
    terminate_explained() noexcept;
    ~terminate_explained();
    terminate_explained(const terminate_explained&) = delete;
    terminate_explained& operator=(const terminate_explained&) = delete;
};

}  // namespace coir::detail

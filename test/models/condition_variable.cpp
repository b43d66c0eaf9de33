#include <coir/sync/condition_variable.hpp>
#include <coir/sync/mutex.hpp>

#include "models/condition_variable_model.hpp"
#include "models/primitive.hpp"

#include <array>
#include <mutex>
#include <utility>

namespace coir::models {

namespace of_condition_variable {

constexpr operation table[] = {
    {.name = "lock", .kind = lock, .weight = 3},
    {.name = "unlock", .kind = unlock, .weight = 2},
    {.name = "wait", .kind = wait_once, .weight = 4},
    {.name = "wait", .kind = wait_once, .limit = 0},
    {.name = "wait", .kind = wait_once, .limit = 3, .weight = 2},
    {.name = "wait", .kind = wait_once, .limit = 5, .shielded = true},
    {.name = "wait", .kind = wait_once, .outer = 3},
    {.name = "wait for the flag", .kind = wait_for_flag, .weight = 4},
    {.name = "wait for the flag", .kind = wait_for_flag, .limit = 3, .weight = 2},
    {.name = "wait for the flag", .kind = wait_for_flag, .limit = 5},
    {.name = "notify_one", .kind = notify_one, .weight = 4},
    {.name = "notify_all", .kind = notify_all, .weight = 2},
    {.name = "set the flag and notify_one", .kind = set_flag, .argument = notify_one, .weight = 2},
    {.name = "set the flag and notify_all", .kind = set_flag, .argument = notify_all, .weight = 2},
    {.name = "notify_one", .kind = notify_one, .weight = 2, .delay = 5},
    {.name = "set the flag and notify_all", .kind = set_flag, .argument = notify_all, .delay = 5},
    {.name = "unlock", .kind = unlock, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0},
    {.name = "request_stop", .kind = request_stop, .argument = 1},
    {.name = "request_stop", .kind = request_stop, .argument = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .delay = 1},
};

class real_condition_variable : public subject {
public:
    [[nodiscard]] int state() const override { return flag_ ? 1 : 0; }

private:
    outcome perform(int fiber, const operation& what) override {
        const deadline until = deadline_of(what.limit);
        bool& holds = holds_[index(fiber)];
        if (what.kind == unlock) {
            mutex_.unlock();
            holds = false;
        } else if (what.kind == notify_one || what.kind == notify_all) {
            notify(what.kind);
        } else if (what.kind == lock) {
            mutex_.lock();
            holds = true;
        } else {
            if (!holds) mutex_.lock();
            holds = false;
            std::unique_lock guard{mutex_, std::adopt_lock};
            return perform_locked(guard, what, until);
        }
        return outcome::done;
    }

    outcome perform_locked(std::unique_lock<mutex>& guard, const operation& what, deadline until) {
        switch (what.kind) {
        case wait_once: changed_.wait(guard, until); return outcome::done;
        case wait_for_flag:
            if (!changed_.wait_until(guard, until, [this] { return flag_; })) return outcome::refused;
            flag_ = false;
            return outcome::done;
        default:
            flag_ = true;
            notify(what.argument);
            return outcome::done;
        }
    }

    void notify(int kind) { kind == notify_one ? changed_.notify_one() : changed_.notify_all(); }

    void give_back(int fiber) override {
        if (std::exchange(holds_[index(fiber)], false)) mutex_.unlock();
    }

    mutex mutex_;
    condition_variable changed_;
    std::array<bool, fibers> holds_{};
    bool flag_ = false;
};

}  // namespace of_condition_variable

const primitive condition_variables{"condition_variable",
                                    of_condition_variable::table,
                                    1,
                                    make_subject<of_condition_variable::real_condition_variable>,
                                    make_model<of_condition_variable::condition_variable_model>,
                                    of_condition_variable::notify_one};

}  // namespace coir::models

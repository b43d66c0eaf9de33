// Calls that the detector must report, and calls that it must not report.
#include "corpus/judge.hpp"
#include "corpus/tables.hpp"

#include <doctest/doctest.h>

using namespace coir::test;

TEST_CASE("corpus: sleeps are reported") { judge(sleeping()); }
TEST_CASE("corpus: waits for several descriptors are reported") { judge(polling()); }
TEST_CASE("corpus: waits on sockets are reported") { judge(on_sockets()); }
TEST_CASE("corpus: waits on pipes and terminals are reported") { judge(on_pipes()); }
TEST_CASE("corpus: waits for disks are reported if they occur") { judge(on_disks()); }
TEST_CASE("corpus: waits for locks and threads are reported") { judge(on_locks()); }
TEST_CASE("corpus: waits for POSIX locks, queues and files are reported") { judge(on_posix_locks()); }
TEST_CASE("corpus: waits for processes are reported") { judge(on_processes()); }
TEST_CASE("corpus: name lookups are reported") { judge(on_names()); }
TEST_CASE("corpus: waits for signals are reported") { judge(on_signals()); }
TEST_CASE("corpus: waits in other calls are reported") { judge(on_other_things()); }
TEST_CASE("corpus: hogs are reported") { judge(computing()); }
TEST_CASE("corpus: potentially blocking calls that do not block are latent") { judge(lucky()); }
TEST_CASE("corpus: system calls that cannot block are not reported") { judge(harmless_calls()); }
TEST_CASE("corpus: uncontended locks are not reported") { judge(harmless_locks()); }
TEST_CASE("corpus: everyday library calls are not reported") { judge(harmless_library()); }
TEST_CASE("corpus: coir's own waits are not reported") { judge(own_waits()); }

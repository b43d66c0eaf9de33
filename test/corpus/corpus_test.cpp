// What the detector has to find, and what it has to leave alone.
#include "corpus/judge.hpp"
#include "corpus/tables.hpp"

#include <doctest/doctest.h>

using namespace coir::test;

TEST_CASE("corpus: sleeps are found") { judge(sleeping()); }
TEST_CASE("corpus: waits for several descriptors are found") { judge(polling()); }
TEST_CASE("corpus: waits on sockets are found") { judge(on_sockets()); }
TEST_CASE("corpus: waits on pipes and terminals are found") { judge(on_pipes()); }
TEST_CASE("corpus: waits for disks are found when there are any") { judge(on_disks()); }
TEST_CASE("corpus: waits for locks and threads are found") { judge(on_locks()); }
TEST_CASE("corpus: waits for POSIX locks, queues and files are found") { judge(on_posix_locks()); }
TEST_CASE("corpus: waits for processes are found") { judge(on_processes()); }
TEST_CASE("corpus: look-ups of names are found") { judge(on_names()); }
TEST_CASE("corpus: waits for signals are found") { judge(on_signals()); }
TEST_CASE("corpus: waits in other calls are found") { judge(on_other_things()); }
TEST_CASE("corpus: hogs are found") { judge(computing()); }
TEST_CASE("corpus: calls that by luck do not wait are latent") { judge(lucky()); }
TEST_CASE("corpus: system calls that cannot wait are left alone") { judge(harmless_calls()); }
TEST_CASE("corpus: locks that nobody has are left alone") { judge(harmless_locks()); }
TEST_CASE("corpus: what a program does all day is left alone") { judge(harmless_library()); }
TEST_CASE("corpus: coir's own waits are left alone") { judge(own_waits()); }

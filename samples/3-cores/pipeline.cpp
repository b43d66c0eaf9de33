// Three stages on three cores: the first produces pages, the second processes them, the third collects the results.
//
//     asyncio                                            coir
//     multiprocessing.Queue(maxsize=8), which pickles    coir::concurrent_channel<T> ch{8}: moves the value itself
//       each value
//     queue.put(x), in a thread of its own               ch.send(x): waits while the channel is full; others run
//     None in the queue, as the end                      ch.close()
//     asyncio.wait(..., FIRST_COMPLETED)                 coir::select(coir::on_recv(ch, f), coir::on_timeout(1s, g))
//
// Two stages share only a channel. A slow stage holds back a fast one: the capacity of the channels limits the number
// of pages in progress, however many pages there are in total.

#include <coir/coir.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

using namespace std::chrono_literals;

constexpr int pages = 2000;

struct page {
    int number = 0;
    std::string text;
    std::uint64_t sum = 0;
};
using page_ptr = std::unique_ptr<page>;  // a page has one owner at a time

std::atomic<int> on_their_way{0};
std::atomic<int> most_on_their_way{0};

void make_pages(coir::concurrent_channel<page_ptr>& out) {
    for (int number = 1; number <= pages; ++number) {
        out.send(std::make_unique<page>(page{number, std::string(1000, static_cast<char>('a' + number % 26))}));
        most_on_their_way = std::max(most_on_their_way.load(), ++on_their_way);
    }
    out.close();
}

// Computes on a core of its own, so it delays no other fibers.
void work_on_pages(coir::concurrent_channel<page_ptr>& in, coir::concurrent_channel<page_ptr>& out) {
    for (page_ptr& each : in) {
        each->sum = 14695981039346656037u;  // FNV-1a
        for (int times = 0; times < 20; ++times) {
            for (const char letter : each->text)
                each->sum = (each->sum ^ static_cast<unsigned char>(letter)) * 1099511628211u;
        }
        out.send(std::move(each));
    }
    out.close();
}

// Collects the pages, and shows the progress.
void gather_pages(coir::concurrent_channel<page_ptr>& in) {
    int done = 0;
    bool in_order = true;
    for (bool more = true; more;) {
        coir::select(coir::on_recv(in,
                                   [&](std::optional<page_ptr> each) {
                                       more = each.has_value();
                                       if (!more) return;
                                       in_order = in_order && (*each)->number == ++done;
                                       --on_their_way;
                                   }),
                     coir::on_timeout(200ms, [&] { std::printf("  %d pages so far\n", done); }));
    }
    std::printf("%d pages went through three cores, %s\n", done, in_order ? "in order" : "OUT OF ORDER");
}

int main() {
    coir::concurrent_channel<page_ptr> made{8};
    coir::concurrent_channel<page_ptr> finished{8};
    coir::run_on_cores(3, [&](unsigned core) {
        if (core == 0) make_pages(made);
        if (core == 1) work_on_pages(made, finished);
        if (core == 2) gather_pages(finished);
    });
    const bool bounded = most_on_their_way <= 8 + 8 + 3;  // two channels of 8, and one page in each stage
    std::printf("no more than %s were on their way at once\n", bounded ? "19" : "THEY SHOULD");
}

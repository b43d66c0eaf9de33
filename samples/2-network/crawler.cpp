// Crawls a web site from its first page, eight pages at a time. Each request has a timeout; a failed request is
// repeated after a pause that doubles each time. The sample starts the server of the site itself; the server is
// sometimes slow and sometimes busy. In a terminal, a progress bar is shown.
//
//     asyncio                                         coir
//     async with semaphore(8): gather(*tasks)         coir::map_concurrent(urls, coir::limit{8}, f)
//     asyncio.timeout(t)                              coir::with_timeout(t, f)
//     aiohttp                                         ordinary blocking-style code on a tcp_stream

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr int pages_of_the_site = 60;

// Page n links to the pages 2n and 2n + 1. On the first request, every seventh page is busy, and every ninth page does
// not answer.
void serve_page(coir::net::tcp_stream peer, std::set<int>& asked) {
    coir::io::buffered_reader request{peer};
    const int page = std::stoi(std::string{request.read_line().value_or("")}.substr(5));  // GET /17 HTTP/1.0
    const bool first_time = asked.insert(page).second;
    if (first_time && page % 9 == 0) coir::this_fiber::sleep_for(1h);
    if (first_time && page % 7 == 0) return peer.write_all("HTTP/1.0 503 Busy\r\n\r\n");
    std::string body;
    for (const int next : {2 * page, 2 * page + 1}) {
        if (next <= pages_of_the_site) body += "<a href=\"/" + std::to_string(next) + "\">";
    }
    peer.write_all("HTTP/1.0 200 OK\r\n\r\n" + body);
}

class crawler {
public:
    explicit crawler(coir::net::endpoint site) : site_{site} {}

    // Reads level by level: the links of the pages of one level are the pages of the next level.
    void run() {
        for (std::vector<int> level{1}; !level.empty();) {
            known_ += level.size();
            const auto links = coir::map_concurrent(level, coir::limit{8}, [this](int page) { return links_of(page); });
            level.clear();
            for (const auto& of_page : links) level.insert(level.end(), of_page.begin(), of_page.end());
        }
        std::printf("%s%zu pages read, %d time-outs, %d refusals\n", terminal_ ? "\r\033[K" : "", read_, late_, busy_);
    }

private:
    std::vector<int> links_of(int page) {
        for (auto pause = 10ms;; pause *= 2) {
            try {
                const std::string text = coir::with_timeout(1s, [&] { return get(page); });
                ++read_;
                show_progress();
                return links_in(text);
            } catch (const coir::timed_out&) {
                ++late_;
            } catch (const std::runtime_error&) {
                ++busy_;
            }
            if (pause > 1s) throw std::runtime_error{"page " + std::to_string(page) + " cannot be read"};
            coir::this_fiber::sleep_for(pause);
        }
    }

    std::string get(int page) {
        auto stream = coir::net::tcp_stream::connect(site_);
        stream.write_all("GET /" + std::to_string(page) + " HTTP/1.0\r\n\r\n");
        std::string answer{coir::io::buffered_reader{stream}.read_exactly(1 << 16)};  // or less, at the end
        if (!answer.starts_with("HTTP/1.0 200")) throw std::runtime_error{answer.substr(0, answer.find('\r'))};
        return answer;
    }

    static std::vector<int> links_in(const std::string& text) {
        std::vector<int> links;
        for (auto at = text.find("\"/"); at != std::string::npos; at = text.find("\"/", at + 2)) {
            links.push_back(std::stoi(text.substr(at + 2)));
        }
        return links;
    }

    void show_progress() const {
        if (!terminal_) return;
        const std::string bar(read_ * 40 / known_, '#');
        std::printf("\r[%-40s] %zu of %zu known", bar.c_str(), read_, known_);
        std::fflush(stdout);
    }

    coir::net::endpoint site_;
    std::size_t read_ = 0, known_ = 0;
    int late_ = 0, busy_ = 0;
    bool terminal_ = isatty(STDOUT_FILENO) == 1;
};

}  // namespace

int main() {
    coir::run([] {
        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        std::set<int> asked;
        auto site = coir::spawn(
            [&] { listener.serve([&](coir::net::tcp_stream peer) { serve_page(std::move(peer), asked); }); });
        crawler{listener.local_endpoint()}.run();
    });
}

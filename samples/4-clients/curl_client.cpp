// libcurl on fibers, through its multi socket interface, with an nginx that the sample starts.
//
// libcurl reports the sockets that it waits for, and its timeout. A fiber waits for each socket, and notifies libcurl
// when the socket is ready. `perform` behaves like curl_easy_perform, but suspends the calling fiber instead of
// blocking the thread.
//
//     pycurl, aiohttp                            here
//     curl.perform()                             curl.perform(handle)
//     CurlMulti, its sockets in the event loop   class curl_on_fibers

#include <coir/coir.hpp>

#include "servers/servers.hpp"

#include <curl/curl.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

class curl_on_fibers {
public:
    explicit curl_on_fibers(long connections_max) : turns_{2 * connections_max} {
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
        curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max);
    }
    ~curl_on_fibers() { curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, nullptr); }
    curl_on_fibers(const curl_on_fibers&) = delete;
    curl_on_fibers& operator=(const curl_on_fibers&) = delete;

    // Waits until the transfer is done. A stop of the calling fiber cancels the transfer.
    void perform(CURL* easy) {
        turns_.acquire();  // each time, libcurl examines all transfers that wait for a connection: keep them few
        struct turn {
            ~turn() { turns.release(); }
            coir::counting_semaphore<>& turns;
        } const ours{turns_};
        transfer mine;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &mine);
        struct added {
            added(CURLM* to, CURL* what) : multi{to}, easy{what} { curl_multi_add_handle(multi, easy); }
            ~added() { curl_multi_remove_handle(multi, easy); }
            CURLM* multi;
            CURL* easy;
        } const here{multi_.get(), easy};
        mine.done.wait();
        if (mine.result != CURLE_OK) throw std::runtime_error{curl_easy_strerror(mine.result)};
    }

private:
    struct transfer {
        coir::event done{};
        CURLcode result = CURLE_OK;
    };
    struct watcher {
        bool stopped = false;
        coir::fiber<void> waits{};
    };
    struct cleaned_up {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };

    // libcurl calls these two callbacks from within its functions. They must not call libcurl; the fibers do so later.
    static int on_socket(CURL*, curl_socket_t socket, int wants, void* self, void*) {
        static_cast<curl_on_fibers*>(self)->watch(socket, wants);
        return 0;
    }
    static int on_timer(CURLM*, long milliseconds, void* self) {
        auto& here = *static_cast<curl_on_fibers*>(self);
        here.limit_ = milliseconds < 0 ? coir::never : coir::deadline{std::chrono::milliseconds{milliseconds}};
        here.limit_is_new_.set();
        return 0;
    }

    // Starts one fiber for each direction in which libcurl waits for a socket, and stops the previous fibers of that
    // socket. They end later, as one of them may be the caller.
    void watch(curl_socket_t socket, int wants) {
        std::erase_if(stopped_, [](const auto& each) { return each->waits.done(); });
        const auto [first, last] = watchers_.equal_range(socket);
        for (auto each = first; each != last; ++each) {
            each->second->stopped = true;
            each->second->waits.request_stop();
            stopped_.push_back(std::move(each->second));
        }
        watchers_.erase(first, last);
        if (wants == CURL_POLL_IN || wants == CURL_POLL_INOUT) add(socket, CURL_CSELECT_IN);
        if (wants == CURL_POLL_OUT || wants == CURL_POLL_INOUT) add(socket, CURL_CSELECT_OUT);
    }

    void add(curl_socket_t socket, int direction) {
        auto made = std::make_unique<watcher>();
        made->waits = coir::spawn([this, socket, direction, &self = *made] {
            while (!self.stopped) {
                direction == CURL_CSELECT_IN ? coir::io::wait_readable(socket) : coir::io::wait_writable(socket);
                if (!self.stopped) tell(socket, direction);
            }
        });
        watchers_.emplace(socket, std::move(made));
    }

    void keep_time() {
        for (;;) {
            try {
                limit_is_new_.wait(limit_);
                limit_is_new_.reset();
            } catch (const coir::timed_out&) {
                limit_ = coir::never;
                tell(CURL_SOCKET_TIMEOUT, 0);
            }
        }
    }

    void tell(curl_socket_t socket, int events) {
        int number = 0;
        curl_multi_socket_action(multi_.get(), socket, events, &number);
        while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &number)) {
            transfer* ended = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
            ended->result = message->data.result;
            ended->done.set();
        }
    }

    coir::counting_semaphore<> turns_;
    std::unique_ptr<CURLM, cleaned_up> multi_{curl_multi_init()};
    coir::deadline limit_ = coir::never;
    coir::event limit_is_new_;
    std::multimap<curl_socket_t, std::unique_ptr<watcher>> watchers_;
    std::vector<std::unique_ptr<watcher>> stopped_;
    coir::fiber<void> timer_ = coir::spawn([this] { keep_time(); });
};

std::string get(curl_on_fibers& curl, const std::string& socket, const std::string& url) {
    const std::unique_ptr<CURL, void (*)(CURL*)> easy{curl_easy_init(), curl_easy_cleanup};
    std::string body;
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(
        easy.get(), CURLOPT_WRITEFUNCTION, +[](char* from, std::size_t, std::size_t bytes, std::string* to) {
            to->append(from, bytes);
            return bytes;
        });
    curl.perform(easy.get());
    return body;
}

void show(const std::string& socket) {
    int ticks = 0;
    auto ticker = coir::spawn([&] {
        for (;; ++ticks) coir::this_fiber::sleep_for(1ms);
    });
    curl_on_fibers curl{10};
    std::size_t bytes = 0;
    const auto began = coir::clock::now();
    coir::gather(std::vector(1000, [&] { bytes += get(curl, socket, "http://here/").size(); }));
    const double took = std::chrono::duration<double>(coir::clock::now() - began).count();
    std::printf("1000 requests on 10 connections took %.2f s, and gave %zu bytes\n", took, bytes);
    std::printf("meanwhile a fiber that sleeps 1 ms at a time ran %d times\n", ticks);
}

int main() try {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const server_folder folder{"nginx"};
    coir::run([&] {
        const std::string socket = folder.path / "socket";
        // All paths are below the temporary folder: only root may write to the default ones of nginx.
        std::string configuration = "daemon off; worker_processes 1; pid pid; events {}\nhttp { access_log off;\n";
        for (const std::string each : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
            configuration += each + "_temp_path " + each + ";\n";
        configuration += "server { listen unix:" + socket + "; location / { return 200 \"Hello, world\\n\"; } } }\n";
        coir::io::replace_file(folder.path / "nginx.conf", configuration);
        auto server =
            start_server({"/usr/sbin/nginx", "-p", folder.path, "-c", "nginx.conf", "-e", "stderr"}, "nginx-light");
        wait_until_ready(server, [&] { coir::net::unix_stream::connect(socket); });
        show(socket);
        server.terminate_then_kill(10s);
    });
    curl_global_cleanup();
} catch (const std::exception& error) {
    std::fprintf(stderr, "curl_client: %s\n", error.what());
    return 1;
}

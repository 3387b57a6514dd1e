#include "net/dns.h"

#include <ares.h>
#include <netdb.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace sennit::net {
namespace {

// Answers from /etc/hosts carry no time to live.
constexpr std::chrono::seconds kHostsFileTtl{60};

// Shared by the query's handle and c-ares, whose callback may come after the handle is gone.
struct Question {
  DnsResolver::Callback callback;
  DnsFamily family;
  std::string name;
  bool withdrawn = false;
};

class Query final : public DnsQuery {
 public:
  explicit Query(std::shared_ptr<Question> question) : question_(std::move(question)) {}
  ~Query() override { question_->withdrawn = true; }

 private:
  std::shared_ptr<Question> question_;
};

void answer(const std::shared_ptr<Question>& question, Result<std::vector<DnsAddress>> result) {
  if (question->withdrawn) return;
  question->withdrawn = true;
  auto callback = std::move(question->callback);
  callback(std::move(result));
}

std::vector<DnsAddress> addresses_of(const ares_addrinfo& info) {
  std::vector<DnsAddress> addresses;
  for (const auto* node = info.nodes; node; node = node->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, node->ai_addr, node->ai_addrlen);
    const auto ttl = node->ai_ttl > 0 ? std::chrono::seconds(node->ai_ttl) : kHostsFileTtl;
    addresses.push_back({Address::from_sockaddr(storage, node->ai_addrlen).with_port(0), ttl});
  }
  return addresses;
}

void keep_preferred(std::vector<DnsAddress>& addresses, DnsFamily family) {
  if (family != DnsFamily::V4Preferred) return;
  const auto is_v4 = [](const DnsAddress& a) { return a.ip.family() == AF_INET; };
  if (std::any_of(addresses.begin(), addresses.end(), is_v4)) {
    std::erase_if(addresses, [&](const DnsAddress& a) { return !is_v4(a); });
  }
}

int address_family(DnsFamily family) {
  if (family == DnsFamily::V4Only) return AF_INET;
  return family == DnsFamily::V6Only ? AF_INET6 : AF_UNSPEC;
}

}  // namespace

struct DnsResolver::Impl {
  // One of c-ares' sockets.
  struct Socket final : IoHandler {
    Socket(Impl& impl, int fd) : impl(impl), fd(fd) {}
    void on_io(uint32_t events) override {
      const bool readable = events & (EPOLLIN | EPOLLHUP | EPOLLERR);
      // Processing may close this very socket and destroy this object.
      Impl& owner = impl;
      ares_process_fd(owner.channel, readable ? fd : ARES_SOCKET_BAD,
                      events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
      owner.arm_timer();
    }
    Impl& impl;
    int fd;
  };

  explicit Impl(EventLoop& loop)
      : loop(loop), timer(loop, [this] {
          ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
          arm_timer();
        }) {}

  static void on_socket_state(void* data, ares_socket_t fd, int readable, int writable) {
    auto& impl = *static_cast<Impl*>(data);
    if (!readable && !writable) {
      impl.loop.remove(fd);
      impl.sockets.erase(fd);
      return;
    }
    const uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    auto& socket = impl.sockets[fd];
    if (socket) {
      impl.loop.modify(fd, events, socket.get());
      return;
    }
    socket = std::make_unique<Socket>(impl, fd);
    impl.loop.add(fd, events, socket.get());
  }

  static void on_answer(void* data, int status, int, ares_addrinfo* info) {
    const std::unique_ptr<std::shared_ptr<Question>> held(
        static_cast<std::shared_ptr<Question>*>(data));
    const auto question = *held;
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) return;
    if (status == ARES_ENODATA) return answer(question, std::vector<DnsAddress>());
    if (status != ARES_SUCCESS) {
      return answer(question,
                    fail("cannot resolve \"{}\": {}", question->name, ares_strerror(status)));
    }
    auto addresses = addresses_of(*info);
    ares_freeaddrinfo(info);
    keep_preferred(addresses, question->family);
    answer(question, std::move(addresses));
  }

  void arm_timer() {
    timeval storage;
    const timeval* next = ares_timeout(channel, nullptr, &storage);
    if (!next) {
      timer.disable();
      return;
    }
    timer.enable(Milliseconds(next->tv_sec * 1000 + next->tv_usec / 1000 + 1));
  }

  EventLoop& loop;
  ares_channel channel = nullptr;
  std::unordered_map<int, std::unique_ptr<Socket>> sockets;
  Timer timer;
};

DnsResolver::DnsResolver(EventLoop& loop, const DnsOptions& options)
    : impl_(std::make_shared<Impl>(loop)) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  (void)library;
  ares_options settings{};
  settings.sock_state_cb = &Impl::on_socket_state;
  settings.sock_state_cb_data = impl_.get();
  settings.timeout = static_cast<int>(options.query_timeout.count());
  settings.tries = options.tries;
  settings.flags = options.use_tcp ? ARES_FLAG_USEVC : 0;
  if (options.no_search_domains) settings.flags |= ARES_FLAG_NOSEARCH;
  ares_init_options(&impl_->channel, &settings,
                    ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS);
  std::string servers;
  for (const auto& server : options.servers) {
    if (!servers.empty()) servers += ',';
    servers += server.to_string();
  }
  if (!servers.empty()) ares_set_servers_ports_csv(impl_->channel, servers.c_str());
}

DnsResolver::~DnsResolver() {
  if (impl_->channel) ares_destroy(impl_->channel);
  impl_->channel = nullptr;
}

std::unique_ptr<DnsQuery> DnsResolver::resolve(std::string_view name, DnsFamily family,
                                               Callback callback) {
  auto question = std::make_shared<Question>();
  question->callback = std::move(callback);
  question->family = family;
  question->name = std::string(name);
  // c-ares answers at once where it can (literals, /etc/hosts): the start is put off to the loop.
  impl_->loop.post([weak = std::weak_ptr(impl_), question] {
    const auto impl = weak.lock();
    if (!impl || !impl->channel || question->withdrawn) return;
    ares_addrinfo_hints hints{};
    hints.ai_family = address_family(question->family);
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(impl->channel, question->name.c_str(), nullptr, &hints, &Impl::on_answer,
                     new std::shared_ptr<Question>(question));
    impl->arm_timer();
  });
  return std::make_unique<Query>(std::move(question));
}

}  // namespace sennit::net

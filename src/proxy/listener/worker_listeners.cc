#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <unordered_map>

#include "base/log.h"
#include "proxy/listener/downstream_connection.h"
#include "proxy/listener/limits.h"

namespace sennit::proxy {
namespace {

class WorkerListenersImpl;

// One listening socket of this worker.
class AcceptSocket final : public net::DeferredDeletable, private net::IoHandler {
 public:
  AcceptSocket(WorkerListenersImpl& owner, net::EventLoop& loop, UniqueFd fd)
      : owner_(owner), loop_(loop), fd_(std::move(fd)), resume_(loop, [this] { watch(); }) {
    watch();
  }
  ~AcceptSocket() override { loop_.remove(fd_.get()); }

  std::shared_ptr<const ListenerConfigImpl> config;

 private:
  void watch() { loop_.add(fd_.get(), EPOLLIN, this); }
  void on_io(uint32_t events) override;
  void pause(int error);

  WorkerListenersImpl& owner_;
  net::EventLoop& loop_;
  UniqueFd fd_;
  net::Timer resume_;
};

class WorkerListenersImpl final : public WorkerListeners, public ConnectionOwner {
 public:
  WorkerListenersImpl(WorkerContext& worker, std::chrono::seconds drain_time)
      : worker_(worker), drain_time_(drain_time) {}
  ~WorkerListenersImpl() override = default;

  void apply(std::shared_ptr<const ListenerConfig> config, UniqueFd fd) override;
  void remove(const std::string& name) override;
  void drain_all(bool stop_accepting) override;
  size_t connection_count() const override { return connections_.size(); }

  void accepted(std::shared_ptr<const ListenerConfigImpl> config, UniqueFd fd,
                const net::Address& local, const net::Address& remote);
  WorkerContext& worker() override { return worker_; }

 private:
  struct Entry {
    std::shared_ptr<const ListenerConfigImpl> config;
    std::unique_ptr<AcceptSocket> socket;  // nullptr: not bound
  };

  std::shared_ptr<const ListenerConfigImpl> listener_for(const net::Address& original) override;
  void connection_done(DownstreamConnection& connection) override;
  void drain(std::shared_ptr<const ListenerConfigImpl> config);
  void close_all_of(const ListenerConfigImpl* config);
  void reindex();

  WorkerContext& worker_;
  const std::chrono::seconds drain_time_;
  std::map<std::string, Entry> listeners_;
  std::unordered_map<net::Address, std::shared_ptr<const ListenerConfigImpl>> by_address_;
  std::list<std::unique_ptr<DownstreamConnection>> connections_;
  std::list<net::Timer> drain_timers_;
  bool draining_ = false;
};

void AcceptSocket::on_io(uint32_t) {
  for (uint32_t i = 0; i < config->max_accepts_; ++i) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) pause(errno);
      return;
    }
    const auto remote = net::Address::from_sockaddr(storage, length);
    const auto local = net::bound_address(fd.get());
    owner_.accepted(config, std::move(fd), local, remote);
  }
}

// Out of descriptors or memory: the socket stays readable, so watching it on would spin.
void AcceptSocket::pause(int error) {
  log::warn("listener", "{}: cannot accept: {}; pausing for {} ms", config->name(),
            std::strerror(error), kAcceptPause.count());
  owner_.worker().stats.inc(config->stats_.accept_error);
  loop_.remove(fd_.get());
  resume_.enable(kAcceptPause);
}

void WorkerListenersImpl::accepted(std::shared_ptr<const ListenerConfigImpl> config, UniqueFd fd,
                                   const net::Address& local, const net::Address& remote) {
  auto connection = std::make_unique<DownstreamConnection>(*this, std::move(config), std::move(fd),
                                                           local, remote);
  auto* raw = connection.get();
  connections_.push_front(std::move(connection));
  raw->position = connections_.begin();
  if (draining_) raw->drain();
  raw->start();
}

void WorkerListenersImpl::connection_done(DownstreamConnection& connection) {
  auto owned = std::move(*connection.position);
  connections_.erase(connection.position);
  worker_.loop.defer_delete(std::move(owned));
}

void WorkerListenersImpl::apply(std::shared_ptr<const ListenerConfig> config, UniqueFd fd) {
  auto fresh = std::static_pointer_cast<const ListenerConfigImpl>(std::move(config));
  Entry& entry = listeners_[fresh->name()];
  auto old = std::exchange(entry.config, fresh);
  if (fd.valid()) {
    worker_.loop.defer_delete(std::move(entry.socket));
    entry.socket = std::make_unique<AcceptSocket>(*this, worker_.loop, std::move(fd));
  } else if (!fresh->bind_to_port()) {
    worker_.loop.defer_delete(std::move(entry.socket));
  }
  if (entry.socket) entry.socket->config = fresh;
  reindex();
  if (old) drain(std::move(old));
}

void WorkerListenersImpl::remove(const std::string& name) {
  const auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  auto old = std::move(found->second.config);
  worker_.loop.defer_delete(std::move(found->second.socket));
  listeners_.erase(found);
  reindex();
  drain(std::move(old));
}

void WorkerListenersImpl::reindex() {
  by_address_.clear();
  for (const auto& [name, entry] : listeners_)
    by_address_.emplace(entry.config->address(), entry.config);
}

// The exact address, else the catch-all one of the port (Envoy: use_original_dst).
std::shared_ptr<const ListenerConfigImpl> WorkerListenersImpl::listener_for(
    const net::Address& original) {
  if (const auto exact = by_address_.find(original); exact != by_address_.end()) {
    return exact->second;
  }
  for (const char* any : {"0.0.0.0", "::"}) {
    if (original.family() == AF_INET && *any == ':') continue;
    const auto found = by_address_.find(*net::Address::ip(any, original.port()));
    if (found != by_address_.end()) return found->second;
  }
  return nullptr;
}

void WorkerListenersImpl::drain(std::shared_ptr<const ListenerConfigImpl> config) {
  // A connection may end from inside its drain: step on first.
  for (auto it = connections_.begin(); it != connections_.end();) {
    auto& connection = **it++;
    if (&connection.config() == config.get()) connection.drain();
  }
  struct Deadline {
    std::list<net::Timer>::iterator self;
  };
  const auto deadline = std::make_shared<Deadline>();
  drain_timers_.emplace_back(worker_.loop, [this, config, deadline] {
    close_all_of(config.get());
    drain_timers_.erase(deadline->self);
  });
  deadline->self = std::prev(drain_timers_.end());
  deadline->self->enable(drain_time_);
}

void WorkerListenersImpl::close_all_of(const ListenerConfigImpl* config) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    auto& connection = **it++;
    if (&connection.config() == config) connection.close();
  }
}

void WorkerListenersImpl::drain_all(bool stop_accepting) {
  draining_ = true;
  if (stop_accepting) {
    for (auto& [name, entry] : listeners_) worker_.loop.defer_delete(std::move(entry.socket));
  }
  for (auto it = connections_.begin(); it != connections_.end();) {
    auto& connection = **it++;
    connection.drain();
  }
}

}  // namespace

std::unique_ptr<WorkerListeners> make_worker_listeners(WorkerContext& worker,
                                                       std::chrono::seconds drain_time) {
  return std::make_unique<WorkerListenersImpl>(worker, drain_time);
}

}  // namespace sennit::proxy

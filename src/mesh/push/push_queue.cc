#include "mesh/push/push_queue.h"

namespace sennit::mesh {
namespace {

void merge(ChangeSummary& into, const ChangeSummary& more) {
  into.everything |= more.everything;
  into.services.insert(more.services.begin(), more.services.end());
  into.workload_addresses.insert(more.workload_addresses.begin(), more.workload_addresses.end());
}

}  // namespace

PushQueue::PushQueue(size_t threads, Push push) : push_(std::move(push)) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

PushQueue::~PushQueue() {
  stop();
}

void PushQueue::add(const std::shared_ptr<Session>& session, const ChangeSummary& change) {
  {
    std::lock_guard lock(mutex_);
    auto [waiting, fresh] = pending_.try_emplace(session.get(), change);
    if (fresh) {
      order_.push_back(session);
    } else {
      merge(waiting->second, change);
    }
  }
  wake_.notify_one();
}

bool PushQueue::idle() const {
  std::lock_guard lock(mutex_);
  return order_.empty() && running_ == 0;
}

void PushQueue::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void PushQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !order_.empty(); });
    if (stopping_) return;
    std::shared_ptr<Session> session = std::move(order_.front());
    order_.pop_front();
    ChangeSummary change = std::move(pending_.extract(session.get()).mapped());
    ++running_;
    lock.unlock();
    push_(*session, change);
    session.reset();
    lock.lock();
    --running_;
  }
}

}  // namespace sennit::mesh

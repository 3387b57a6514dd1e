#include "cli/demo/load.h"

#include <httplib.h>

#include <chrono>

namespace sennit::cli {

using std::chrono::steady_clock;

Load::Load(std::string address, std::string path, int per_second)
    : thread_([this, address = std::move(address), path = std::move(path), per_second] {
        run(address, path, per_second);
      }) {}

Load::~Load() {
  stopping_ = true;
  thread_.join();
}

Load::Result Load::result() const {
  std::lock_guard lock(mutex_);
  return result_;
}

void Load::run(std::string address, std::string path, int per_second) {
  httplib::Client client("http://" + address);
  client.set_keep_alive(true);
  client.set_read_timeout(std::chrono::seconds(15));
  const auto interval = std::chrono::microseconds(1'000'000 / per_second);
  for (auto due = steady_clock::now(); !stopping_; due += interval) {
    std::this_thread::sleep_until(due);
    auto answer = client.Get(path);
    std::lock_guard lock(mutex_);
    ++result_.requests;
    if (answer && answer->status == 200) continue;
    ++result_.failures;
    ++result_.reasons[answer ? std::to_string(answer->status) + " " + answer->body.substr(0, 120)
                             : "no answer: " + httplib::to_string(answer.error())];
  }
}

}  // namespace sennit::cli

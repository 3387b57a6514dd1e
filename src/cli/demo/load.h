// A small steady stream of requests to one URL, and what came of them. A thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace sennit::cli {

class Load {
 public:
  // `address` is "HOST:PORT". Begins at once; ends with the object.
  Load(std::string address, std::string path, int per_second);
  ~Load();

  struct Result {
    uint64_t requests = 0, failures = 0;
    std::map<std::string, uint64_t> reasons;  // "503", "no answer: ..." → how often
  };
  Result result() const;

 private:
  void run(std::string address, std::string path, int per_second);

  mutable std::mutex mutex_;
  Result result_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sennit::cli

// Carries access log lines from the workers to files without making a worker wait: each thread has
// a ring of bytes of its own per file (one producer, one consumer, no lock), which one background
// thread writes out, every kFlushInterval or as soon as a ring has kWakeBytes in it. A line that
// does not fit into its ring is dropped and counted. One file per path, however many logs name it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sennit::proxy {

// One producer (the thread that made it), one consumer (the writer).
class LogRing {
 public:
  // A megabyte holds some 3000 lines: what a busy worker logs while a slow disk takes its time.
  static constexpr size_t kCapacity = 1024 * 1024;

  // False, and nothing stored, where `line` does not fit. `fill` is set to the bytes now waiting.
  bool push(std::string_view line, size_t& fill);
  // Hands all that waits to `write(string_view)`, in one or two pieces.
  template <typename Write>
  void drain(Write&& write);

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique<char[]>(kCapacity);
  alignas(64) std::atomic<size_t> head_{0};  // written so far, by the producer
  alignas(64) std::atomic<size_t> tail_{0};  // taken so far, by the consumer
};

class LogWriter;

// One open file.
class LogFile {
 public:
  LogFile(LogWriter& writer, std::string path, size_t index);
  // Any thread. `line` ends in a newline if one is wanted.
  void write(std::string_view line);
  Status reopen();

 private:
  friend class LogWriter;
  LogRing& ring_of_this_thread();
  void write_out();
  void write_bytes(std::string_view bytes);

  LogWriter& writer_;
  const std::string path_;
  const size_t index_;  // among the writer's files
  UniqueFd fd_;
  std::mutex rings_mutex_;  // only when a thread logs here for the first time, and to drain
  std::vector<std::unique_ptr<LogRing>> rings_;
};

// The process's one writer; started by the first log that is made, it flushes when the process
// exits.
class LogWriter {
 public:
  static LogWriter& instance();
  ~LogWriter();

  // The file at `path`, opened for appending ("/dev/stdout" and "/dev/stderr" are the process's).
  Result<LogFile*> open(const std::string& path);
  void flush();
  void reopen();
  void wake();
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  friend class LogFile;
  LogWriter();
  void run();

  std::mutex mutex_;  // files_, and who drains; never taken by a worker that logs
  std::vector<std::unique_ptr<LogFile>> files_;
  std::atomic<uint64_t> dropped_{0};
  std::atomic<bool> stop_{false};
  UniqueFd event_;
  std::thread thread_;
};

}  // namespace sennit::proxy

#include "proxy/telemetry/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proxy/telemetry/access_log.h"

namespace sennit::proxy {
namespace {

constexpr int kFlushIntervalMs = 250;     // how late a line may be on an idle proxy
constexpr size_t kWakeBytes = 64 * 1024;  // a good size for one write
constexpr int kLogFileMode = 0644;

Result<UniqueFd> open_log(const std::string& path) {
  int fd = -1;
  if (path == "/dev/stdout") {
    fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  } else if (path == "/dev/stderr") {
    fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  } else {
    fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kLogFileMode);
  }
  if (fd < 0) return fail("cannot open access log {}: {}", path, std::strerror(errno));
  return UniqueFd(fd);
}

}  // namespace

bool LogRing::push(std::string_view line, size_t& fill) {
  const size_t head = head_.load(std::memory_order_relaxed);
  const size_t used = head - tail_.load(std::memory_order_acquire);
  if (line.size() > kCapacity - used) return false;
  const size_t at = head % kCapacity;
  const size_t first = std::min(line.size(), kCapacity - at);
  std::memcpy(bytes_.get() + at, line.data(), first);
  std::memcpy(bytes_.get(), line.data() + first, line.size() - first);
  head_.store(head + line.size(), std::memory_order_release);
  fill = used + line.size();
  return true;
}

template <typename Write>
void LogRing::drain(Write&& write) {
  const size_t tail = tail_.load(std::memory_order_relaxed);
  const size_t count = head_.load(std::memory_order_acquire) - tail;
  if (count == 0) return;
  const size_t at = tail % kCapacity;
  const size_t first = std::min(count, kCapacity - at);
  write(std::string_view(bytes_.get() + at, first));
  if (count > first) write(std::string_view(bytes_.get(), count - first));
  tail_.store(tail + count, std::memory_order_release);
}

LogFile::LogFile(LogWriter& writer, std::string path, size_t index)
    : writer_(writer), path_(std::move(path)), index_(index) {}

LogRing& LogFile::ring_of_this_thread() {
  thread_local std::vector<LogRing*> rings;
  if (index_ < rings.size() && rings[index_] != nullptr) return *rings[index_];
  if (index_ >= rings.size()) rings.resize(index_ + 1);
  const std::lock_guard lock(rings_mutex_);
  rings_.push_back(std::make_unique<LogRing>());
  rings[index_] = rings_.back().get();
  return *rings[index_];
}

void LogFile::write(std::string_view line) {
  size_t fill = 0;
  if (!ring_of_this_thread().push(line, fill)) {
    writer_.dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  // Once per crossing, not once per line above it.
  if (fill >= kWakeBytes && fill - line.size() < kWakeBytes) writer_.wake();
}

void LogFile::write_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{fd_.get(), POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      writer_.dropped_.fetch_add(1, std::memory_order_relaxed);  // a full or broken disk
      return;
    }
  }
}

void LogFile::write_out() {
  const std::lock_guard lock(rings_mutex_);
  for (auto& ring : rings_) ring->drain([this](std::string_view bytes) { write_bytes(bytes); });
}

Status LogFile::reopen() {
  auto fd = open_log(path_);
  if (!fd) return std::unexpected(fd.error());
  fd_ = *std::move(fd);
  return {};
}

LogWriter& LogWriter::instance() {
  static LogWriter writer;
  return writer;
}

LogWriter::LogWriter()
    : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  stop_.store(true);
  wake();
  thread_.join();
  flush();
}

Result<LogFile*> LogWriter::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (auto& file : files_) {
    if (file->path_ == path) return file.get();
  }
  auto file = std::make_unique<LogFile>(*this, path, files_.size());
  if (auto ok = file->reopen(); !ok) return std::unexpected(ok.error());
  files_.push_back(std::move(file));
  return files_.back().get();
}

void LogWriter::flush() {
  const std::lock_guard lock(mutex_);
  for (auto& file : files_) file->write_out();
}

void LogWriter::reopen() {
  const std::lock_guard lock(mutex_);
  for (auto& file : files_) {
    file->write_out();
    (void)file->reopen();  // on failure lines go on to the old file
  }
}

void LogWriter::wake() {
  const uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof(one));
}

void LogWriter::run() {
  while (!stop_.load()) {
    pollfd wait{event_.get(), POLLIN, 0};
    if (::poll(&wait, 1, kFlushIntervalMs) > 0) {
      uint64_t count = 0;
      (void)!::read(event_.get(), &count, sizeof(count));
    }
    flush();
  }
}

void flush_access_logs() {
  LogWriter::instance().flush();
}
void reopen_access_logs() {
  LogWriter::instance().reopen();
}
uint64_t dropped_access_log_lines() {
  return LogWriter::instance().dropped();
}

}  // namespace sennit::proxy

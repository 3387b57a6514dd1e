#include "process/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"

extern char** environ;

namespace sennit::process {
namespace {

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text(*entry);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

void read_lines(UniqueFd pipe, const std::function<void(std::string_view)>& on_line) {
  std::string pending;
  char block[4096];
  for (ssize_t count; (count = ::read(pipe.get(), block, sizeof block)) != 0;) {
    if (count < 0) {
      if (errno == EINTR) continue;
      break;
    }
    pending.append(block, static_cast<size_t>(count));
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
      on_line(std::string_view(pending).substr(0, end));
  }
  if (!pending.empty()) on_line(pending);
}

// Between fork and exec: only async-signal-safe calls. Reports a failure's errno through the pipe.
[[noreturn]] void become(const Command& command, char** arguments, char** environment, pid_t parent,
                         int output, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);  // died before prctl took effect
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (command.own_group) ::setpgid(0, 0);
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  if (command.directory.empty() || ::chdir(command.directory.c_str()) == 0)
    ::execvpe(arguments[0], arguments, environment);
  int error = errno;
  [[maybe_unused]] ssize_t written = ::write(report, &error, sizeof error);
  ::_exit(127);
}

int shell_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<Child> Child::start(const Command& command) {
  int output[2] = {-1, -1}, report[2];
  if (command.on_line && ::pipe2(output, O_CLOEXEC) != 0)
    return fail("cannot make a pipe: {}", std::strerror(errno));
  UniqueFd output_read(output[0]), output_write(output[1]);
  if (::pipe2(report, O_CLOEXEC) != 0) return fail("cannot make a pipe: {}", std::strerror(errno));
  UniqueFd report_read(report[0]), report_write(report[1]);

  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = merged_environment(command.environment);
  std::vector<char*> argument_pointers = pointers(arguments),
                     environment_pointers = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail("cannot start {}: {}", arguments[0], std::strerror(errno));
  if (pid == 0)
    become(command, argument_pointers.data(), environment_pointers.data(), parent, output[1],
           report[1]);

  report_write.reset();
  output_write.reset();
  Child child;
  child.pid_ = pid;
  child.own_group_ = command.own_group;
  int error = 0;
  if (::read(report_read.get(), &error, sizeof error) == sizeof error) {
    child.wait();
    return fail("cannot start {}: {}", arguments[0], std::strerror(error));
  }
  if (command.on_line)
    child.reader_ =
        std::thread([pipe = std::move(output_read), on_line = command.on_line]() mutable {
          read_lines(std::move(pipe), on_line);
        });
  return child;
}

Child::Child(Child&& other) noexcept {
  *this = std::move(other);
}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(own_group_, other.own_group_);
  std::swap(status_, other.status_);
  std::swap(reader_, other.reader_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0 && !poll()) {
    signal(SIGKILL);
    wait();
  }
  if (reader_.joinable()) reader_.join();
}

void Child::signal(int number) {
  if (pid_ > 0 && !status_) ::kill(own_group_ ? -pid_ : pid_, number);
}

std::optional<int> Child::poll() {
  int status;
  if (!status_ && pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_)
    status_ = shell_status(status);
  return status_;
}

int Child::wait() {
  int status;
  while (!status_) {
    if (::waitpid(pid_, &status, 0) == pid_)
      status_ = shell_status(status);
    else if (errno != EINTR)
      status_ = 127;
  }
  return *status_;
}

std::optional<int> Child::wait_for(std::chrono::milliseconds time) {
  // A pidfd becomes readable when the process ends.
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd waiting{handle.get(), POLLIN, 0};
  if (!poll()) ::poll(&waiting, 1, static_cast<int>(time.count()));
  return poll();
}

int Child::terminate(std::chrono::milliseconds grace) {
  signal(SIGTERM);
  if (!wait_for(grace)) signal(SIGKILL);
  return wait();
}

std::string self_path() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::string sibling_path(std::string_view name) {
  return (std::filesystem::path(self_path()).parent_path() / name).string();
}

}  // namespace sennit::process

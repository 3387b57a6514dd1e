// A child process: started with an environment of its own, killed when this process dies however
// it dies (PR_SET_PDEATHSIG), its output optionally read line by line. One owner; not thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace sennit::process {

struct Command {
  std::vector<std::string> arguments;              // [0] is the program, looked up in PATH
  std::map<std::string, std::string> environment;  // added to (or replacing in) this process's
  std::string directory;                           // empty: this process's
  // With it, stdout and stderr come here line by line, from a thread of the child's own. Without,
  // the child writes to this process's.
  std::function<void(std::string_view line)> on_line;
  // The child becomes the leader of a process group, which signals go to: a shell's children too.
  bool own_group = false;
};

class Child {
 public:
  static Result<Child> start(const Command& command);
  Child(Child&&) noexcept;
  Child& operator=(Child&&) noexcept;
  ~Child();  // kills what still runs, and waits

  pid_t pid() const { return pid_; }
  void signal(int number);
  // The exit status as shells count it (128 + signal), once it has ended.
  std::optional<int> poll();
  int wait();
  std::optional<int> wait_for(std::chrono::milliseconds time);
  // SIGTERM, then SIGKILL after `grace`.
  int terminate(std::chrono::milliseconds grace);

 private:
  Child() = default;
  pid_t pid_ = -1;
  bool own_group_ = false;
  std::optional<int> status_;
  std::thread reader_;
};

// The path of the running program, and of another one installed beside it.
std::string self_path();
std::string sibling_path(std::string_view name);

}  // namespace sennit::process

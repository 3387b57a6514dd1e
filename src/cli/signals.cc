#include "cli/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

namespace sennit::cli {

Signals::Signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  ::sigemptyset(&set);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::optional<int> Signals::wait(std::chrono::milliseconds time) {
  pollfd waiting{fd_.get(), POLLIN, 0};
  ::poll(&waiting, 1, static_cast<int>(time.count()));
  signalfd_siginfo info;
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace sennit::cli

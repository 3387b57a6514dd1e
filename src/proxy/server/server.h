// The process: the managers on the main loop, the workers, and the order in which they come up
// (bootstrap, clusters, listeners) and go down (drain, stop, join).
#pragma once

#include <memory>

#include "base/result.h"
#include "proxy/server/options.h"

namespace sennit::proxy {

class Server {
 public:
  // Builds everything of the bootstrap; binds listeners and the admin port, serves nothing yet.
  // Errors name the file or the field.
  static Result<std::unique_ptr<Server>> create(const Options& options);
  ~Server();

  // Until SIGTERM, SIGINT or /quitquitquit. Blocks those signals in the calling thread.
  void run();

  struct Impl;

 private:
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sennit::proxy

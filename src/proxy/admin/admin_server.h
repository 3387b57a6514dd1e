// The admin port: a small HTTP/1.1 server on the main loop. Handlers are called on the main thread
// and answer at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace sennit::proxy {

struct AdminRequest {
  std::string method, path;                  // path without the query
  std::map<std::string, std::string> query;  // percent-decoded; "" where a name has no value

  bool has(const std::string& name) const { return query.contains(name); }
  std::string get(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  }
};

struct AdminResponse {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=UTF-8";
};

AdminRequest parse_admin_request(std::string_view method, std::string_view target);

struct AdminHandler {
  std::string path, help;
  bool changes_state = false;  // POST only (405 otherwise)
  std::function<AdminResponse(const AdminRequest&)> handle;
};

// Finds the handler; answers 404 with the help, 405, "/" and "/help" itself.
AdminResponse dispatch_admin(const std::vector<AdminHandler>& handlers,
                             const AdminRequest& request);

class AdminServer final : private net::IoHandler {
 public:
  // Binds and listens; an error names the address.
  static Result<std::unique_ptr<AdminServer>> create(net::EventLoop& loop,
                                                     const net::Address& address,
                                                     std::vector<AdminHandler> handlers);
  ~AdminServer();
  const net::Address& address() const { return address_; }

 private:
  class Client;
  AdminServer(net::EventLoop& loop, UniqueFd fd, std::vector<AdminHandler> handlers);
  void on_io(uint32_t events) override;
  void forget(Client* client);

  net::EventLoop& loop_;
  UniqueFd fd_;
  net::Address address_;
  const std::vector<AdminHandler> handlers_;
  std::map<Client*, std::unique_ptr<Client>> clients_;
};

}  // namespace sennit::proxy

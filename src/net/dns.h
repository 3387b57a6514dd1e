// Asynchronous name resolution on an event loop (c-ares): A and AAAA with their times to live,
// /etc/hosts and /etc/resolv.conf honoured. One per loop, used on its thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace sennit::net {

struct DnsAddress {
  Address ip;  // port 0
  std::chrono::seconds ttl;
};

// Which records are asked for. V4Preferred: IPv6 only where there is no IPv4; All: both.
enum class DnsFamily { V4Only, V6Only, V4Preferred, All };

// A question that is under way; destroying it withdraws it (the callback is not called then).
class DnsQuery {
 public:
  virtual ~DnsQuery() = default;
};

struct DnsOptions {
  std::chrono::milliseconds query_timeout{5000};  // per try and server
  int tries = 3;
  std::vector<Address> servers;  // empty: those of /etc/resolv.conf
  bool use_tcp = false;
  bool no_search_domains = false;
};

class DnsResolver {
 public:
  // An error says that the name does not exist, or that no server answered. An existing name
  // without addresses of the family is an empty list. IP literals answer with themselves.
  using Callback = std::function<void(Result<std::vector<DnsAddress>>)>;

  explicit DnsResolver(EventLoop& loop, const DnsOptions& options = {});
  ~DnsResolver();  // withdraws all queries

  // The callback comes from the loop, never from inside this call. It may destroy the query.
  std::unique_ptr<DnsQuery> resolve(std::string_view name, DnsFamily family, Callback callback);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sennit::net

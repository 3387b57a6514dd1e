// An HTTP filter: one step of a request's walk, in the order that xDS gives. A factory is made once
// when configuration is built (everything resolved to pointers); it makes one instance per stream.
// `hooks` says which calls an instance wants, so that a chain costs nothing for the others.
// Worker thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http/header_map.h"
#include "proxy/stats/stats.h"
#include "proxy/stream/stream_info.h"

namespace sennit::proxy {

class Route;
class WorkerClusters;

// Continue: go on to the next filter. Stop: the filter has answered (send_local_reply) or will call
// resume_request() later; body that comes meanwhile is held back by flow control.
enum class FilterResult : uint8_t { Continue, Stop };

// What a filter may ask of the stream that it serves.
class FilterCallbacks {
 public:
  virtual StreamInfo& info() = 0;
  // The route chosen for the request as it is now (nullptr: none). Chosen on first use; a filter
  // that changes what routes match on calls clear_route().
  virtual const Route* route() = 0;
  virtual void clear_route() = 0;
  // This filter's typed_per_filter_config on the route, virtual host or weighted cluster (most
  // specific first), as parsed by its factory; nullptr where there is none.
  virtual const void* route_config() = 0;
  virtual http::HeaderMap& request_headers() = 0;
  virtual http::HeaderMap* response_headers() = 0;
  virtual void resume_request() = 0;
  // Ends the request here. For gRPC requests becomes a trailers-only reply with the mapped status.
  virtual void send_local_reply(int status, std::string_view body, std::string_view details,
                                ResponseFlags flags = {}) = 0;
  virtual net::EventLoop& loop() = 0;
  virtual WorkerClusters& clusters() = 0;
  virtual stats::Shard& stats() = 0;
  virtual uint64_t random() = 0;

 protected:
  ~FilterCallbacks() = default;
};

enum FilterHooks : uint32_t {
  kRequestHeaders = 1,
  kRequestData = 2,
  kRequestTrailers = 4,
  kResponseHeaders = 8,
  kResponseData = 16,
  kResponseTrailers = 32,
  kComplete = 64,  // on_complete, just before the access log
};

class Filter {
 public:
  virtual ~Filter() = default;
  virtual FilterResult on_request_headers(http::HeaderMap&, bool /*end_stream*/) {
    return FilterResult::Continue;
  }
  virtual void on_request_data(std::string_view, bool /*end_stream*/) {}
  virtual void on_request_trailers(http::HeaderMap&) {}
  virtual void on_response_headers(http::HeaderMap&, bool /*end_stream*/) {}
  virtual void on_response_data(std::string_view, bool /*end_stream*/) {}
  virtual void on_response_trailers(http::HeaderMap&) {}
  virtual void on_complete(const StreamInfo&) {}
};

class FilterFactory {
 public:
  virtual ~FilterFactory() = default;
  virtual uint32_t hooks() const = 0;
  virtual std::unique_ptr<Filter> create(FilterCallbacks& callbacks) const = 0;
};

}  // namespace sennit::proxy

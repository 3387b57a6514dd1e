#include "proxy/xds/cluster_transport.h"

#include <cstdint>

namespace sennit::proxy {
namespace {

constexpr size_t kFrameHeader = 5;  // gRPC: compressed flag and 32-bit length, big endian

class ClusterCall final : public Call,
                          private StreamRequestCallbacks,
                          private http::ResponseDecoder,
                          private http::StreamCallbacks {
 public:
  ClusterCall(WorkerClusters& clusters, const std::string& cluster, const std::string& method,
              CallCallbacks& callbacks)
      : method_(method),
        authority_(cluster),
        callbacks_(callbacks),
        report_(clusters.loop(), [this] { callbacks_.on_closed(close_reason_); }) {
    WorkerCluster* found = clusters.find(cluster);
    if (!found) {
      close(fmt::format("there is no cluster {}", cluster));
      return;
    }
    PickContext context;
    const HostPtr host = found->pick(context);
    if (!host) {
      close(fmt::format("cluster {} has no healthy host", cluster));
      return;
    }
    StreamOptions options;
    options.downstream = http::Protocol::Http2;
    options.authority = authority_;
    pending_ = found->new_stream_with(host, options, *this, *this);
  }

  ~ClusterCall() override {
    pending_.reset();
    if (encoder_) encoder_->reset(http::ResetReason::LocalReset);
  }

  void send(std::string_view message) override {
    std::string& out = queued_;
    const auto size = static_cast<uint32_t>(message.size());
    out += '\0';
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
    out += message;
    flush();
  }

 private:
  void flush() {
    if (!encoder_ || queued_.empty()) return;
    encoder_->encode_data(queued_, false);
    queued_.clear();
  }

  // Reported from the loop, so never from inside `open` nor under the codec's feet.
  void close(std::string reason) {
    if (closed_) return;
    closed_ = true;
    close_reason_ = std::move(reason);
    report_.enable(net::Milliseconds(0));
  }

  void on_pool_ready(http::RequestEncoder& encoder, http::Protocol protocol, const net::Connection&,
                     bool) override {
    encoder_ = &encoder;
    encoder.set_callbacks(this);
    if (protocol != http::Protocol::Http2) {
      return close(
          fmt::format("cluster {} does not speak HTTP/2 (http2_protocol_options)", authority_));
    }
    http::HeaderMap headers;
    headers.add(http::HeaderId::Method, "POST");
    headers.add(http::HeaderId::Scheme, "http");
    headers.add(http::HeaderId::Path, method_);
    headers.add(http::HeaderId::Authority, authority_);
    headers.add(http::HeaderId::Te, "trailers");
    headers.add(http::HeaderId::ContentType, "application/grpc");
    encoder.encode_headers(headers, false);
    flush();
  }

  void on_pool_failure(PoolFailure reason, std::string_view transport_reason) override {
    const char* what = reason == PoolFailure::Overflow         ? "too many connections"
                       : reason == PoolFailure::ConnectTimeout ? "connecting timed out"
                                                               : "cannot connect";
    close(transport_reason.empty() ? what : fmt::format("{}: {}", what, transport_reason));
  }

  void on_reset(http::ResetReason) override {
    encoder_ = nullptr;
    close("the connection or stream was reset");
  }

  void on_1xx(http::HeaderMap&&) override {}
  void on_headers(http::HeaderMap&& headers, bool end_stream) override {
    if (headers.status() != 200) {
      return close(fmt::format("the server answered HTTP {}", headers.status()));
    }
    if (end_stream) close(grpc_status(headers));
  }
  void on_trailers(http::HeaderMap&& trailers) override { close(grpc_status(trailers)); }

  static std::string grpc_status(const http::HeaderMap& headers) {
    return fmt::format("grpc-status {} {}", headers.get(http::HeaderId::GrpcStatus).value_or("-"),
                       headers.get(http::HeaderId::GrpcMessage).value_or(""));
  }

  void on_data(std::string_view data, bool end_stream) override {
    if (closed_) return;
    received_ += data;
    size_t begin = 0;
    while (!closed_ && received_.size() - begin >= kFrameHeader) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(received_.data()) + begin;
      const size_t size = size_t{bytes[1]} << 24 | size_t{bytes[2]} << 16 | size_t{bytes[3]} << 8 |
                          size_t{bytes[4]};
      if (bytes[0] != 0) return close("a compressed message, though none was asked for");
      if (size > kMaxDiscoveryMessage) {
        return close(fmt::format("a message of {} bytes is above the limit of {}", size,
                                 kMaxDiscoveryMessage));
      }
      if (received_.size() - begin - kFrameHeader < size) break;
      callbacks_.on_message(std::string_view(received_).substr(begin + kFrameHeader, size));
      begin += kFrameHeader + size;
    }
    received_.erase(0, begin);
    if (received_.empty()) received_.shrink_to_fit();
    if (end_stream) close("the server ended the stream without a status");
  }

  const std::string method_, authority_;
  CallCallbacks& callbacks_;
  net::Timer report_;
  std::unique_ptr<PendingStream> pending_;
  http::RequestEncoder* encoder_ = nullptr;
  std::string queued_, received_, close_reason_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Call> ClusterTransport::open(const std::string& cluster, const std::string& method,
                                             CallCallbacks& callbacks) {
  return std::make_unique<ClusterCall>(clusters_, cluster, method, callbacks);
}

}  // namespace sennit::proxy

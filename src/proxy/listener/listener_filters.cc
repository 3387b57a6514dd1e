#include "proxy/listener/listener_filters.h"

#include <envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h>
#include <envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h>
#include <envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h>
#include <envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "proxy/listener/http_inspector.h"
#include "proxy/listener/proxy_protocol.h"
#include "proxy/listener/supported_listener_fields.h"

namespace sennit::proxy {
namespace {

namespace filters = envoy::extensions::filters::listener;
using envoy::config::listener::v3::ListenerFilterChainMatchPredicate;
using Kind = ListenerFilter::Kind;

// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: the kernel's headers for them clash with libc's.
constexpr int kOriginalDst = 80, kIpv6OriginalDst = 80;

using Scratch = std::array<char, kMaxClientHello>;
static_assert(kMaxClientHello >= kMaxInspectedRequestLine && kMaxClientHello >= kMaxProxyHeader);

// What has come so far, left in the socket. `ended`: no more will come.
std::string_view peek(int fd, Scratch& scratch, bool& ended) {
  const ssize_t got = ::recv(fd, scratch.data(), scratch.size(), MSG_PEEK | MSG_DONTWAIT);
  ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  return {scratch.data(), got > 0 ? static_cast<size_t>(got) : 0};
}

bool predicate_matches(const ListenerFilterChainMatchPredicate& predicate, uint16_t port) {
  const auto matches = [port](const auto& rule) { return predicate_matches(rule, port); };
  switch (predicate.rule_case()) {
    case ListenerFilterChainMatchPredicate::kOrMatch:
      return std::ranges::any_of(predicate.or_match().rules(), matches);
    case ListenerFilterChainMatchPredicate::kAndMatch:
      return std::ranges::all_of(predicate.and_match().rules(), matches);
    case ListenerFilterChainMatchPredicate::kNotMatch:
      return !predicate_matches(predicate.not_match(), port);
    case ListenerFilterChainMatchPredicate::kAnyMatch:
      return predicate.any_match();
    case ListenerFilterChainMatchPredicate::kDestinationPortRange: {
      const auto& range = predicate.destination_port_range();
      return port >= range.start() && port < range.end();
    }
    case ListenerFilterChainMatchPredicate::RULE_NOT_SET:
      return false;
  }
  return false;
}

void restore_destination(int fd, ConnectionFacts& facts, bool& restored) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const bool v6 = facts.destination.family() == AF_INET6;
  if (::getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? kIpv6OriginalDst : kOriginalDst, &storage,
                   &length) != 0) {
    return;  // not redirected
  }
  const auto original = net::Address::from_sockaddr(storage, length);
  if (original == facts.destination) return;
  facts.destination = original;
  restored = true;
}

FilterStep read_proxy_header(const ListenerFilter& filter, int fd, ConnectionFacts& facts,
                             bool& restored) {
  Scratch scratch;
  bool ended = false;
  ProxyHeader header;
  switch (inspect_proxy_header(peek(fd, scratch, ended), header)) {
    case Inspection::NeedMore:
      return ended ? FilterStep::Refuse : FilterStep::NeedMore;
    case Inspection::NotThis:
      return filter.optional_proxy_header ? FilterStep::Next : FilterStep::Refuse;
    case Inspection::Found:
      break;
  }
  if (::recv(fd, scratch.data(), header.length, MSG_DONTWAIT) !=
      static_cast<ssize_t>(header.length)) {
    return FilterStep::Refuse;
  }
  if (header.source.valid()) {
    facts.source = header.source;
    facts.destination = header.destination;
    restored = true;
  }
  return FilterStep::Next;
}

FilterStep inspect_tls(int fd, ConnectionFacts& facts) {
  Scratch scratch;
  bool ended = false;
  ClientHello hello;
  const auto outcome = inspect_client_hello(peek(fd, scratch, ended), hello);
  if (outcome == Inspection::NeedMore) return ended ? FilterStep::Refuse : FilterStep::NeedMore;
  if (outcome == Inspection::Found) {
    facts.transport_protocol = "tls";
    facts.server_name = std::move(hello.server_name);
    facts.application_protocols = std::move(hello.alpn);
  }
  return FilterStep::Next;
}

FilterStep inspect_plaintext(int fd, ConnectionFacts& facts) {
  if (facts.transport_protocol != "raw_buffer") return FilterStep::Next;
  Scratch scratch;
  bool ended = false;
  std::string_view protocol;
  const auto outcome = inspect_http(peek(fd, scratch, ended), protocol);
  if (outcome == Inspection::NeedMore) return ended ? FilterStep::Refuse : FilterStep::NeedMore;
  if (outcome == Inspection::Found) facts.application_protocols = {std::string(protocol)};
  return FilterStep::Next;
}

template <typename Message>
Result<ListenerFilter> known(const google::protobuf::Any& any, Kind kind) {
  Message message;
  if (!any.UnpackTo(&message)) return fail("typed_config: is not a valid {}", any.type_url());
  if (auto s = refuse_unsupported(message, supported_listener_fields(), "typed_config"); !s) {
    return std::unexpected(s.error());
  }
  ListenerFilter filter{.kind = kind, .disabled = {}};
  if constexpr (requires { message.allow_requests_without_proxy_protocol(); }) {
    filter.optional_proxy_header = message.allow_requests_without_proxy_protocol();
  }
  return filter;
}

Result<ListenerFilter> by_type(const google::protobuf::Any& any) {
  if (any.Is<filters::original_dst::v3::OriginalDst>()) {
    return known<filters::original_dst::v3::OriginalDst>(any, Kind::OriginalDst);
  }
  if (any.Is<filters::tls_inspector::v3::TlsInspector>()) {
    return known<filters::tls_inspector::v3::TlsInspector>(any, Kind::TlsInspector);
  }
  if (any.Is<filters::http_inspector::v3::HttpInspector>()) {
    return known<filters::http_inspector::v3::HttpInspector>(any, Kind::HttpInspector);
  }
  if (any.Is<filters::proxy_protocol::v3::ProxyProtocol>()) {
    return known<filters::proxy_protocol::v3::ProxyProtocol>(any, Kind::ProxyProtocol);
  }
  return fail("typed_config: {} is not supported", any.type_url());
}

}  // namespace

Result<ListenerFilter> ListenerFilter::create(
    const envoy::config::listener::v3::ListenerFilter& config) {
  auto filter = by_type(config.typed_config());
  if (!filter) return filter;
  filter->may_be_disabled = config.has_filter_disabled();
  filter->disabled = config.filter_disabled();
  return filter;
}

bool ListenerFilter::applies_to(const net::Address& destination) const {
  return !may_be_disabled || !predicate_matches(disabled, destination.port());
}

FilterStep run_listener_filter(const ListenerFilter& filter, int fd, ConnectionFacts& facts,
                               bool& restored) {
  if (!filter.applies_to(facts.destination)) return FilterStep::Next;
  switch (filter.kind) {
    case Kind::OriginalDst:
      restore_destination(fd, facts, restored);
      return FilterStep::Next;
    case Kind::ProxyProtocol:
      return read_proxy_header(filter, fd, facts, restored);
    case Kind::TlsInspector:
      return inspect_tls(fd, facts);
    case Kind::HttpInspector:
      return inspect_plaintext(fd, facts);
  }
  return FilterStep::Next;
}

}  // namespace sennit::proxy

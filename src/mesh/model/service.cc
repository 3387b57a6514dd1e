#include "mesh/model/service.h"

#include <algorithm>
#include <cctype>

namespace sennit::mesh {

namespace {

std::string lower(std::string_view word) {
  std::string out(word);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string first_label(const Labels& labels, std::initializer_list<const char*> keys,
                        std::string otherwise) {
  for (const char* key : keys) {
    if (auto found = labels.find(key); found != labels.end()) return found->second;
  }
  return otherwise;
}

}  // namespace

bool selects(const Labels& selector, const Labels& labels) {
  return std::ranges::all_of(selector, [&](const auto& wanted) {
    auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

Protocol parse_protocol(std::string_view word) {
  static const std::map<std::string, Protocol, std::less<>> kProtocols = {
      {"http", Protocol::Http},    {"http2", Protocol::Http2},     {"h2c", Protocol::Http2},
      {"grpc", Protocol::Grpc},    {"https", Protocol::Https},     {"grpc-web", Protocol::GrpcWeb},
      {"tls", Protocol::Tls},      {"tcp", Protocol::Tcp},         {"udp", Protocol::Udp},
      {"mongo", Protocol::Tcp},    {"mysql", Protocol::Tcp},       {"redis", Protocol::Tcp},
      {"postgres", Protocol::Tcp}, {"http_proxy", Protocol::Http},
  };
  auto found = kProtocols.find(lower(word));
  return found == kProtocols.end() ? Protocol::Auto : found->second;
}

Protocol protocol_of_kubernetes_port(std::string_view name, std::string_view protocol,
                                     std::string_view app_protocol) {
  if (lower(protocol) == "udp") return Protocol::Udp;
  if (app_protocol == "kubernetes.io/h2c") return Protocol::Http2;
  if (app_protocol == "kubernetes.io/ws" || app_protocol == "kubernetes.io/wss") {
    return Protocol::Http;
  }
  if (!app_protocol.empty()) return parse_protocol(app_protocol);
  std::string word = lower(name);
  if (word == "grpc-web" || word.starts_with("grpc-web-")) return Protocol::GrpcWeb;
  return parse_protocol(std::string_view(word).substr(0, word.find('-')));
}

Locality parse_locality(std::string_view written) {
  Locality out;
  std::string* const parts[] = {&out.region, &out.zone, &out.sub_zone};
  for (std::string* part : parts) {
    size_t slash = part == &out.sub_zone ? written.npos : written.find('/');
    *part = written.substr(0, slash);
    if (slash == written.npos) break;
    written.remove_prefix(slash + 1);
  }
  return out;
}

uint32_t Workload::port_of(const ServicePort& port) const {
  if (auto found = ports.find(port.name); found != ports.end()) return found->second;
  return port.target_port != 0 ? port.target_port : port.number;
}

uint32_t Workload::application_port_of(const ServicePort& port) const {
  auto found = application_ports.find(port.name);
  return found == application_ports.end() ? port_of(port) : found->second;
}

std::string Workload::canonical_name() const {
  return first_label(labels, {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"},
                     name);
}

std::string Workload::canonical_revision() const {
  return first_label(
      labels, {"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"}, "");
}

const ServicePort* Service::port(uint32_t number) const {
  auto found = std::ranges::find(ports, number, &ServicePort::number);
  return found == ports.end() ? nullptr : &*found;
}

}  // namespace sennit::mesh

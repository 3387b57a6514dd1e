#include "proxy/config/linked_types.h"

#include <envoy/extensions/access_loggers/file/v3/file.pb.h>
#include <envoy/extensions/access_loggers/stream/v3/stream.pb.h>
#include <envoy/extensions/filters/http/cors/v3/cors.pb.h>
#include <envoy/extensions/filters/http/ext_authz/v3/ext_authz.pb.h>
#include <envoy/extensions/filters/http/fault/v3/fault.pb.h>
#include <envoy/extensions/filters/http/grpc_stats/v3/config.pb.h>
#include <envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h>
#include <envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h>
#include <envoy/extensions/filters/http/jwt_authn/v3/config.pb.h>
#include <envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h>
#include <envoy/extensions/filters/http/rbac/v3/rbac.pb.h>
#include <envoy/extensions/filters/http/router/v3/router.pb.h>
#include <envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h>
#include <envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h>
#include <envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h>
#include <envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h>
#include <envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h>
#include <envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h>
#include <envoy/extensions/filters/network/rbac/v3/rbac.pb.h>
#include <envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h>
#include <envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h>
#include <envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h>
#include <envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h>
#include <envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb.h>
#include <envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb.h>
#include <envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h>
#include <envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h>
#include <envoy/extensions/load_balancing_policies/random/v3/random.pb.h>
#include <envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h>
#include <envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h>
#include <envoy/extensions/load_balancing_policies/subset/v3/subset.pb.h>
#include <envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.pb.h>
#include <envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h>
#include <envoy/extensions/request_id/uuid/v3/uuid.pb.h>
#include <envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h>
#include <envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h>
#include <envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h>
#include <envoy/extensions/transport_sockets/tls/v3/tls.pb.h>
#include <envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h>
#include <istio/alpn.pb.h>
#include <istio/metadata_exchange.pb.h>
#include <istio/peer_metadata.pb.h>
#include <istio/stats.pb.h>
#include <udpa/type/v1/typed_struct.pb.h>
#include <xds/type/v3/typed_struct.pb.h>

namespace sennit::proxy {
namespace {

// One message of each file stands for all of it.
using Descriptor = const google::protobuf::Descriptor* (*)();
constexpr Descriptor kLinked[] = {
    &::envoy::extensions::access_loggers::file::v3::FileAccessLog::descriptor,
    &::envoy::extensions::access_loggers::stream::v3::StdoutAccessLog::descriptor,
    &::envoy::extensions::filters::http::cors::v3::Cors::descriptor,
    &::envoy::extensions::filters::http::ext_authz::v3::ExtAuthz::descriptor,
    &::envoy::extensions::filters::http::fault::v3::FaultAbort::descriptor,
    &::envoy::extensions::filters::http::grpc_stats::v3::FilterConfig::descriptor,
    &::envoy::extensions::filters::http::grpc_web::v3::GrpcWeb::descriptor,
    &::envoy::extensions::filters::http::header_mutation::v3::Mutations::descriptor,
    &::envoy::extensions::filters::http::jwt_authn::v3::JwtProvider::descriptor,
    &::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit::descriptor,
    &::envoy::extensions::filters::http::rbac::v3::RBAC::descriptor,
    &::envoy::extensions::filters::http::router::v3::Router::descriptor,
    &::envoy::extensions::filters::http::set_filter_state::v3::Config::descriptor,
    &::envoy::extensions::filters::listener::http_inspector::v3::HttpInspector::descriptor,
    &::envoy::extensions::filters::listener::original_dst::v3::OriginalDst::descriptor,
    &::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol::descriptor,
    &::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector::descriptor,
    &::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager::
        descriptor,
    &::envoy::extensions::filters::network::rbac::v3::RBAC::descriptor,
    &::envoy::extensions::filters::network::set_filter_state::v3::Config::descriptor,
    &::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy::descriptor,
    &::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig::
        descriptor,
    &::envoy::extensions::http::original_ip_detection::xff::v3::XffConfig::descriptor,
    &::envoy::extensions::internal_redirect::previous_routes::v3::PreviousRoutesConfig::descriptor,
    &::envoy::extensions::load_balancing_policies::cluster_provided::v3::ClusterProvided::
        descriptor,
    &::envoy::extensions::load_balancing_policies::least_request::v3::LeastRequest::descriptor,
    &::envoy::extensions::load_balancing_policies::maglev::v3::Maglev::descriptor,
    &::envoy::extensions::load_balancing_policies::random::v3::Random::descriptor,
    &::envoy::extensions::load_balancing_policies::ring_hash::v3::RingHash::descriptor,
    &::envoy::extensions::load_balancing_policies::round_robin::v3::RoundRobin::descriptor,
    &::envoy::extensions::load_balancing_policies::subset::v3::Subset::descriptor,
    &::envoy::extensions::load_balancing_policies::wrr_locality::v3::WrrLocality::descriptor,
    &::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig::descriptor,
    &::envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig::descriptor,
    &::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate::descriptor,
    &::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport::
        descriptor,
    &::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer::descriptor,
    &::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext::descriptor,
    &::envoy::extensions::upstreams::http::v3::HttpProtocolOptions::descriptor,
    &::envoy::tcp::metadataexchange::config::MetadataExchange::descriptor,
    &::io::istio::http::peer_metadata::Config::descriptor,
    &::istio::envoy::config::filter::http::alpn::v2alpha1::FilterConfig::descriptor,
    &::stats::MetricConfig::descriptor,
    &::udpa::type::v1::TypedStruct::descriptor,
    &::xds::type::v3::TypedStruct::descriptor,
};

}  // namespace

size_t link_known_types() {
  volatile size_t count = 0;
  for (const Descriptor& descriptor : kLinked) count = count + (descriptor != nullptr);
  return count;
}

}  // namespace sennit::proxy

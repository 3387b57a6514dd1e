// What the admin port shows of clusters and endpoints.
#include "proxy/upstream/cluster_manager_impl.h"

namespace sennit::proxy {

std::vector<ClusterManager::ConfigEntry> ClusterManager::config_entries() const {
  std::vector<ConfigEntry> entries;
  for (const auto* clusters : {&impl_->active, &impl_->warming}) {
    for (const auto& [name, cluster] : *clusters) {
      ConfigEntry& entry = entries.emplace_back();
      entry.cluster.ParseFromString(cluster->bytes);
      entry.version = cluster->version;
      entry.last_updated = cluster->last_updated;
      entry.warming = !cluster->warm;
      entry.is_static = cluster->is_static;
    }
  }
  return entries;
}

std::vector<ClusterManager::EndpointEntry> ClusterManager::endpoint_entries() const {
  std::vector<EndpointEntry> entries;
  for (const auto& [name, known] : impl_->assignments) {
    entries.push_back({known.message, known.version, known.last_updated});
  }
  return entries;
}

std::string ClusterManager::clusters_text() const {
  std::string out;
  auto line = [&](const auto&... parts) {
    ((out += fmt::format("{}", parts)), ...);
    out += '\n';
  };
  for (const auto& [name, cluster] : impl_->active) {
    line(name, "::observability_name::", cluster->config->info->stat_name);
    for (size_t p = 0; p < 2; ++p) {
      const CircuitBreakers& limits = cluster->config->info->breakers[p];
      const std::string prefix = name + (p == 0 ? "::default_priority::" : "::high_priority::");
      line(prefix, "max_connections::", limits.max_connections);
      line(prefix, "max_pending_requests::", limits.max_pending_requests);
      line(prefix, "max_requests::", limits.max_requests);
      line(prefix, "max_retries::", limits.max_retries);
    }
    line(name, "::added_via_api::", !cluster->is_static);
    for (const HostPtr& host : cluster->hosts.hosts) {
      const std::string prefix = name + "::" + host->address.to_string() + "::";
      const HostNumbers& numbers = host->numbers;
      const uint32_t flags = host->health_flags;
      std::string health;
      if (flags & Host::kFailedActiveCheck) health += "/failed_active_hc";
      if (flags & Host::kEjectedByOutlier) health += "/failed_outlier_check";
      if (flags & (Host::kEdsUnhealthy | Host::kEdsDraining)) health += "/failed_eds_health";
      if (flags & Host::kEdsDegraded) health += "/degraded_eds_health";
      line(prefix, "cx_active::", numbers.cx_active.load());
      line(prefix, "cx_connect_fail::", numbers.cx_connect_fail.load());
      line(prefix, "cx_total::", numbers.cx_total.load());
      line(prefix, "rq_active::", host->active_requests.load());
      line(prefix, "rq_error::", numbers.rq_error.load());
      line(prefix, "rq_success::", numbers.rq_success.load());
      line(prefix, "rq_timeout::", numbers.rq_timeout.load());
      line(prefix, "rq_total::", numbers.rq_total.load());
      line(prefix, "hostname::", host->hostname);
      line(prefix, "health_flags::", health.empty() ? "healthy" : health);
      line(prefix, "weight::", host->weight.load());
      line(prefix, "region::", host->locality.region);
      line(prefix, "zone::", host->locality.zone);
      line(prefix, "sub_zone::", host->locality.sub_zone);
      line(prefix, "priority::", host->priority.load());
    }
  }
  return out;
}

envoy::admin::v3::Clusters ClusterManager::clusters_status() const {
  envoy::admin::v3::Clusters result;
  for (const auto& [name, cluster] : impl_->active) {
    auto* status = result.add_cluster_statuses();
    status->set_name(name);
    status->set_observability_name(cluster->config->info->stat_name);
    status->set_added_via_api(!cluster->is_static);
    if (cluster->config->discovery == ClusterConfig::Discovery::Eds) {
      status->set_eds_service_name(cluster->config->eds_name);
    }
    for (const HostPtr& host : cluster->hosts.hosts) {
      auto* to = status->add_host_statuses();
      if (host->address.is_ip()) {
        to->mutable_address()->mutable_socket_address()->set_address(host->address.ip_string());
        to->mutable_address()->mutable_socket_address()->set_port_value(host->address.port());
      } else {
        to->mutable_address()->mutable_pipe()->set_path(host->address.to_string());
      }
      const uint32_t flags = host->health_flags;
      auto* health = to->mutable_health_status();
      health->set_failed_active_health_check(flags & Host::kFailedActiveCheck);
      health->set_failed_outlier_check(flags & Host::kEjectedByOutlier);
      health->set_eds_health_status(
          flags & Host::kEdsDraining    ? envoy::config::core::v3::DRAINING
          : flags & Host::kEdsUnhealthy ? envoy::config::core::v3::UNHEALTHY
          : flags & Host::kEdsDegraded  ? envoy::config::core::v3::DEGRADED
                                        : envoy::config::core::v3::HEALTHY);
      to->set_weight(host->weight);
      to->set_priority(host->priority);
      to->set_hostname(host->hostname);
      to->mutable_locality()->set_region(host->locality.region);
      to->mutable_locality()->set_zone(host->locality.zone);
      to->mutable_locality()->set_sub_zone(host->locality.sub_zone);
    }
  }
  return result;
}

}  // namespace sennit::proxy

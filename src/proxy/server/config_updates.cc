#include "proxy/server/config_updates.h"

#include <set>

namespace sennit::proxy {
namespace {

// Parses and applies each resource; the names seen go into `names` (whether good or not), the
// errors into one.
template <typename Message, typename Apply, typename NameOf>
Status apply_each(const ResourceUpdate& update, Apply apply, NameOf name_of,
                  std::set<std::string>* names = nullptr) {
  std::string errors;
  const auto add = [&errors](const std::string& error) {
    if (!errors.empty()) errors += "; ";
    errors += error;
  };
  for (const auto& resource : update.resources) {
    Message message;
    if (!resource.body->UnpackTo(&message)) {
      add(fmt::format("{}: does not parse as {}", resource.name, resource.body->type_url()));
      continue;
    }
    const bool first = !names || names->insert(name_of(message)).second;
    if (!first) {
      add(fmt::format("{}: is there twice in one answer", name_of(message)));
      continue;
    }
    const Status outcome = apply(message, resource.version);
    if (!outcome) add(outcome.error().message);
  }
  if (errors.empty()) return {};
  return std::unexpected(Error{std::move(errors)});
}

template <typename Message>
std::string plain_name(const Message& message) {
  return message.name();
}

}  // namespace

ResourceConsumer cluster_consumer(ClusterManager& clusters) {
  return [&clusters](const ResourceUpdate& update) {
    using envoy::config::cluster::v3::Cluster;
    std::set<std::string> names;
    const Status outcome = apply_each<Cluster>(
        update,
        [&clusters](const Cluster& cluster, const std::string& version) {
          return clusters.apply(cluster, version);
        },
        plain_name<Cluster>, &names);
    if (update.full) {
      for (const auto& name : clusters.dynamic_names()) {
        if (!names.contains(name)) clusters.remove(name);
      }
    }
    for (const auto& name : update.removed) clusters.remove(name);
    return outcome;
  };
}

ResourceConsumer endpoint_consumer(ClusterManager& clusters) {
  return [&clusters](const ResourceUpdate& update) {
    using envoy::config::endpoint::v3::ClusterLoadAssignment;
    for (const auto& name : update.removed) clusters.remove_endpoints(name);
    return apply_each<ClusterLoadAssignment>(
        update,
        [&clusters](const ClusterLoadAssignment& assignment, const std::string& version) {
          return clusters.apply_endpoints(assignment, version);
        },
        [](const ClusterLoadAssignment& assignment) { return assignment.cluster_name(); });
  };
}

ResourceConsumer listener_consumer(ListenerManager& listeners) {
  return [&listeners](const ResourceUpdate& update) {
    using envoy::config::listener::v3::Listener;
    // Removed ones first: their addresses may come again under another name.
    std::set<std::string> present;
    for (const auto& resource : update.resources) {
      Listener listener;
      if (resource.body->UnpackTo(&listener)) present.insert(listener.name());
    }
    if (update.full) {
      for (const auto& name : listeners.dynamic_names()) {
        if (!present.contains(name)) listeners.remove(name);
      }
    }
    for (const auto& name : update.removed) listeners.remove(name);
    std::set<std::string> names;
    return apply_each<Listener>(
        update,
        [&listeners](const Listener& listener, const std::string& version) {
          return listeners.apply(listener, version, false);
        },
        plain_name<Listener>, &names);
  };
}

ResourceConsumer route_consumer(ListenerManager& listeners) {
  return [&listeners](const ResourceUpdate& update) {
    using envoy::config::route::v3::RouteConfiguration;
    for (const auto& name : update.removed) listeners.remove_routes(name);
    return apply_each<RouteConfiguration>(
        update,
        [&listeners](const RouteConfiguration& routes, const std::string& version) {
          return listeners.apply_routes(routes, version);
        },
        plain_name<RouteConfiguration>);
  };
}

ResourceConsumer secret_consumer(SecretManager& secrets) {
  return [&secrets](const ResourceUpdate& update) {
    using envoy::extensions::transport_sockets::tls::v3::Secret;
    return apply_each<Secret>(
        update,
        [&secrets](const Secret& secret, const std::string&) { return secrets.update(secret); },
        plain_name<Secret>);
  };
}

}  // namespace sennit::proxy

// Discovery's answers into the managers: each resource on its own, so that a bad one is told of and
// the good ones beside it take effect.
#pragma once

#include <functional>

#include "proxy/server/listener_manager.h"
#include "proxy/tls/transport_sockets.h"
#include "proxy/upstream/cluster_manager_main.h"
#include "proxy/xds/subscription.h"

namespace sennit::proxy {

ResourceConsumer cluster_consumer(ClusterManager& clusters);
ResourceConsumer endpoint_consumer(ClusterManager& clusters);
ResourceConsumer listener_consumer(ListenerManager& listeners);
ResourceConsumer route_consumer(ListenerManager& listeners);
ResourceConsumer secret_consumer(SecretManager& secrets);

}  // namespace sennit::proxy

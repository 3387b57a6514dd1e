// Envoy's cluster.NAME.* metrics, registered once per cluster. Main thread.
#pragma once

#include <string>

#include "proxy/upstream/cluster_info.h"

namespace sennit::proxy {

ClusterStats make_cluster_stats(stats::Registry& registry, const std::string& stat_name);

}  // namespace sennit::proxy

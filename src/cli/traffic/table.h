// The mesh's traffic as a table for people, and the reading of it from every proxy's admin port.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/traffic/edges.h"

namespace sennit::cli {

struct ProxyStatus {
  std::string id, name, namespace_, kind, proxy, admin, sync;  // sync: "SYNCED", or what is not
  std::string error;                                           // of a NACK
};
// From the control plane's /debug/syncz.
Result<std::vector<ProxyStatus>> read_proxies(const std::string& http_address);
// Asks every proxy for its counters. One that does not answer is left out.
TrafficReading read_traffic(const std::vector<ProxyStatus>& proxies);

// Columns lined up; `colours` marks failures and plaintext.
std::string format_table(const std::vector<EdgeRate>& rates, bool colours);

}  // namespace sennit::cli

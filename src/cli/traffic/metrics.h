// Reads Prometheus text as proxies expose it (GET /stats/prometheus): samples of one family with
// their labels. Only what the command line needs of the format.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sennit::cli {

struct MetricSample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

// Samples whose name begins with `prefix`; lines that are not samples are passed over.
std::vector<MetricSample> parse_metrics(std::string_view text, std::string_view prefix);

}  // namespace sennit::cli

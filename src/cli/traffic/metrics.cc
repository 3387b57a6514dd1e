#include "cli/traffic/metrics.h"

#include <cstdlib>

namespace sennit::cli {
namespace {

// name{a="b",c="d\"e"} 1.5
bool parse_labels(std::string_view& rest, std::map<std::string, std::string>& labels) {
  rest.remove_prefix(1);  // "{"
  while (!rest.empty() && rest[0] != '}') {
    const size_t equals = rest.find("=\"");
    if (equals == std::string_view::npos) return false;
    std::string& value = labels[std::string(rest.substr(0, equals))];
    rest.remove_prefix(equals + 2);
    while (!rest.empty() && rest[0] != '"') {
      if (rest[0] == '\\' && rest.size() > 1) {
        value += rest[1] == 'n' ? '\n' : rest[1];
        rest.remove_prefix(2);
      } else {
        value += rest[0];
        rest.remove_prefix(1);
      }
    }
    if (rest.empty()) return false;
    rest.remove_prefix(1);  // the closing quote
    if (!rest.empty() && rest[0] == ',') rest.remove_prefix(1);
  }
  if (rest.empty()) return false;
  rest.remove_prefix(1);
  return true;
}

}  // namespace

std::vector<MetricSample> parse_metrics(std::string_view text, std::string_view prefix) {
  std::vector<MetricSample> samples;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(prefix) || line.starts_with('#')) continue;
    MetricSample sample;
    const size_t name_end = line.find_first_of("{ ");
    if (name_end == std::string_view::npos) continue;
    sample.name = line.substr(0, name_end);
    line.remove_prefix(name_end);
    if (line[0] == '{' && !parse_labels(line, sample.labels)) continue;
    sample.value = std::strtod(std::string(line).c_str(), nullptr);
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace sennit::cli

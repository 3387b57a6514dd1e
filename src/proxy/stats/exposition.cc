// How the registry prints itself: Envoy's /stats as text and JSON, and Prometheus' text format.
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "proxy/stats/stats.h"

namespace sennit::stats {
namespace {

constexpr std::array<double, 10> kPercentiles = {0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100};

class Selection {
 public:
  Selection(std::string_view filter, bool used_only) : used_only_(used_only) {
    if (filter.empty()) return;
    filter_ =
        std::make_unique<re2::RE2>(re2::StringPiece(filter.data(), filter.size()), re2::RE2::Quiet);
  }
  bool takes(const Sample& sample) const {
    if (used_only_ && !sample.used()) return false;
    return !filter_ || re2::RE2::PartialMatch(sample.key->name, *filter_);
  }

 private:
  bool used_only_;
  std::unique_ptr<re2::RE2> filter_;
};

// Linear within a bucket; what is beyond the last bound counts as the last bound.
double quantile(const Sample& sample, double percent) {
  const auto bounds = default_buckets();
  const double wanted = percent / 100 * static_cast<double>(sample.count());
  double before = 0;
  for (size_t i = 0; i < sample.buckets.size(); ++i) {
    const auto here = static_cast<double>(sample.buckets[i]);
    if (here > 0 && before + here >= wanted) {
      if (i == bounds.size()) return bounds.back();
      const double lower = i == 0 ? 0 : bounds[i - 1];
      return lower + (bounds[i] - lower) * std::max(0.0, wanted - before) / here;
    }
    before += here;
  }
  return 0;
}

std::string number(double value) {
  return fmt::format("{:g}", value);
}

std::string histogram_text(const Sample& sample) {
  if (sample.count() == 0) return "No recorded values";
  std::string out;
  for (double percent : kPercentiles) {
    if (!out.empty()) out += ' ';
    // Envoy prints (interval,cumulative); there are no intervals here.
    out += fmt::format("P{:g}(nan,{})", percent, number(quantile(sample, percent)));
  }
  return out;
}

std::string plain_value(const Sample& sample) {
  if (sample.kind == Kind::Gauge) return fmt::format("{}", static_cast<int64_t>(sample.value));
  return fmt::format("{}", sample.value);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_histogram(const Sample& sample) {
  std::string values;
  for (double percent : kPercentiles) {
    if (!values.empty()) values += ',';
    values += sample.count() == 0 ? std::string(R"({"interval":null,"cumulative":null})")
                                  : fmt::format(R"({{"interval":null,"cumulative":{}}})",
                                                number(quantile(sample, percent)));
  }
  return fmt::format(R"({{"name":{},"values":[{}]}})", json_string(sample.key->name), values);
}

// Label values: backslash, quote and line feed are escaped (Prometheus text format 0.0.4).
void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  out += name;
  out += "=\"";
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append_series(std::string& out, std::string_view name, const std::string& labels,
                   std::string_view value) {
  out += name;
  out += '{';
  out += labels;
  out += "} ";
  out += value;
  out += '\n';
}

void append_prometheus_histogram(std::string& out, const Sample& sample,
                                 const std::string& labels) {
  const std::string bucket_name = sample.key->family + "_bucket";
  const auto bounds = default_buckets();
  uint64_t cumulative = 0;
  for (size_t i = 0; i < sample.buckets.size(); ++i) {
    cumulative += sample.buckets[i];
    std::string with_bound = labels;
    append_label(with_bound, "le", i < bounds.size() ? fmt::format("{:.32g}", bounds[i]) : "+Inf");
    append_series(out, bucket_name, with_bound, fmt::format("{}", cumulative));
  }
  append_series(out, sample.key->family + "_sum", labels, fmt::format("{:.0f}", sample.sum));
  append_series(out, sample.key->family + "_count", labels, fmt::format("{}", cumulative));
}

std::string_view type_word(Kind kind) {
  switch (kind) {
    case Kind::Counter:
      return "counter";
    case Kind::Gauge:
      return "gauge";
    case Kind::Histogram:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

Status Registry::check_filter(std::string_view filter) {
  const re2::RE2 expression(re2::StringPiece(filter.data(), filter.size()), re2::RE2::Quiet);
  if (!expression.ok()) return fail("invalid regex \"{}\": {}", filter, expression.error());
  return {};
}

std::string Registry::text(std::string_view filter, bool used_only) const {
  const Selection selection(filter, used_only);
  std::string plain, histograms;
  for (const Sample& sample : collect()) {
    if (!selection.takes(sample)) continue;
    if (sample.kind == Kind::Histogram) {
      histograms += fmt::format("{}: {}\n", sample.key->name, histogram_text(sample));
    } else {
      plain += fmt::format("{}: {}\n", sample.key->name, plain_value(sample));
    }
  }
  return plain + histograms;
}

std::string Registry::json(std::string_view filter, bool used_only) const {
  const Selection selection(filter, used_only);
  std::string plain, histograms;
  for (const Sample& sample : collect()) {
    if (!selection.takes(sample)) continue;
    if (sample.kind == Kind::Histogram) {
      if (!histograms.empty()) histograms += ',';
      histograms += json_histogram(sample);
    } else {
      if (!plain.empty()) plain += ',';
      plain += fmt::format(R"({{"name":{},"value":{}}})", json_string(sample.key->name),
                           plain_value(sample));
    }
  }
  if (histograms.empty()) return fmt::format(R"({{"stats":[{}]}})", plain);
  std::string quantiles;
  for (double percent : kPercentiles) {
    if (!quantiles.empty()) quantiles += ',';
    quantiles += number(percent);
  }
  return fmt::format(
      R"({{"stats":[{}{}{{"histograms":{{"supported_quantiles":[{}],"computed_quantiles":[{}]}}}}]}})",
      plain, plain.empty() ? "" : ",", quantiles, histograms);
}

std::string Registry::prometheus(std::string_view filter, bool used_only) const {
  const Selection selection(filter, used_only);
  const auto samples = collect();
  std::map<std::string_view, std::vector<const Sample*>> families;
  for (const Sample& sample : samples) {
    if (selection.takes(sample)) families[sample.key->family].push_back(&sample);
  }
  std::string out;
  for (const auto& [family, members] : families) {
    out += fmt::format("# TYPE {} {}\n", family, type_word(members.front()->kind));
    for (const Sample* sample : members) {
      std::string labels;
      for (const auto& [name, value] : sample->key->labels) append_label(labels, name, value);
      if (sample->kind == Kind::Histogram) {
        append_prometheus_histogram(out, *sample, labels);
      } else {
        append_series(out, family, labels, plain_value(*sample));
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace sennit::stats

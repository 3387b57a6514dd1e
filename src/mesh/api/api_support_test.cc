#include "mesh/api/api_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "mesh/api/istio/mesh_config.pb.h"

namespace sennit::mesh {
namespace {

using Path = std::pair<std::string, std::string>;

std::filesystem::path shared_file(const char* name) {
  return std::filesystem::path(__FILE__).parent_path() / "../../../../shared/design/istio-api" /
         name;
}

// Kind and path of each line; empty where the file is not there.
std::set<Path> listed(const char* name) {
  std::ifstream stream(shared_file(name));
  std::set<Path> result;
  std::string line;
  std::getline(stream, line);
  while (std::getline(stream, line)) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    result.emplace(line.substr(0, first), line.substr(first + 1, second - first - 1));
  }
  return result;
}

std::string status_of(const std::string& kind, const std::string& path) {
  for (const FieldSupport& field : api_support())
    if (field.kind == kind && field.path == path) return std::string(field.status());
  return "unknown";
}

TEST(ApiSupport, NamesEveryFieldOfIstiosKinds) {
  const std::set<Path> wanted = listed("crd-fields.tsv");
  if (wanted.empty()) GTEST_SKIP() << "the checklist is not beside this checkout";
  std::set<Path> known;
  for (const FieldSupport& field : api_support()) known.emplace(field.kind, field.path);
  EXPECT_EQ(known, wanted);
}

TEST(ApiSupport, MeshConfigHasEveryField) {
  const std::set<Path> listed_fields = listed("mesh-config-fields.tsv");
  if (listed_fields.empty()) GTEST_SKIP() << "the checklist is not beside this checkout";
  std::set<std::string> known, wanted;
  for (const FieldSupport& field : fields_of(istio::v1::MeshConfig::descriptor(), true))
    known.insert(field.path);
  for (const auto& [message, path] : listed_fields)
    if (message == "MeshConfig") wanted.insert(path);
  EXPECT_EQ(known, wanted);
}

TEST(ApiSupport, MarksListsAndMaps) {
  EXPECT_EQ(status_of("VirtualService", "http[].match[].headers{}.exact"), "works");
  EXPECT_EQ(status_of("PeerAuthentication", "portLevelMtls{}.mode"), "works");
}

TEST(ApiSupport, ListsSecondSpellings) {
  EXPECT_EQ(status_of("VirtualService", "http[].mirror_percent"), "works");
}

TEST(ApiSupport, RefusesWhatIsBelowARefusedField) {
  EXPECT_EQ(status_of("DestinationRule", "subsets[].trafficPolicy.tunnel.targetPort"), "refused");
  EXPECT_EQ(status_of("EnvoyFilter", "configPatches[].patch.value"), "refused");
}

}  // namespace
}  // namespace sennit::mesh

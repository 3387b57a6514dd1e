#include "mesh/source/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>

#include <fmt/format.h>

namespace sennit::mesh {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string service(std::string_view name, int port) {
  return fmt::format(
      "apiVersion: v1\nkind: Service\nmetadata: {{name: {}}}\n"
      "spec: {{ports: [{{port: {}}}]}}\n---\n",
      name, port);
}

// A directory with a source on it; next() waits for what the source tells.
class FileSourceTest : public testing::Test {
 protected:
  FileSourceTest() {
    std::string name = (fs::temp_directory_path() / "file-source-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    mesh_ = directory_ / "mesh";
    fs::create_directory(mesh_);
  }
  ~FileSourceTest() override {
    source_.reset();
    fs::remove_all(directory_);
  }

  ChangeSet start() {
    source_ =
        std::make_unique<FileSource>(std::vector<fs::path>{mesh_}, std::chrono::milliseconds(20));
    source_->start([this](ChangeSet changes) {
      const std::lock_guard lock(mutex_);
      told_.push_back(std::move(changes));
      condition_.notify_all();
    });
    return next();
  }
  ChangeSet next() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(condition_.wait_for(lock, std::chrono::seconds(20), [&] { return !told_.empty(); }))
        << "the source told nothing";
    if (told_.empty()) return {};
    ChangeSet changes = std::move(told_.front());
    told_.pop_front();
    return changes;
  }
  void write(const fs::path& file, const std::string& text) const {
    std::ofstream(mesh_ / file) << text;
  }
  // As careful editors do: a temporary file beside, then a rename over the old.
  void replace(const fs::path& file, const std::string& text) const {
    write(".tmp.yaml", text);
    fs::rename(mesh_ / ".tmp.yaml", mesh_ / file);
  }

  static std::vector<std::string> upserted(const ChangeSet& changes) {
    std::vector<std::string> names;
    for (const ResourcePtr& resource : changes.upserted) names.push_back(resource->name);
    return names;
  }
  static std::vector<std::string> removed(const ChangeSet& changes) {
    std::vector<std::string> names;
    for (const ResourceKey& key : changes.removed) names.push_back(key.name);
    return names;
  }
  static std::vector<std::string> messages(const ChangeSet& changes) {
    std::vector<std::string> texts;
    for (const Diagnostic& diagnostic : changes.diagnostics)
      texts.push_back(diagnostic.to_string());
    return texts;
  }

  fs::path directory_, mesh_;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::deque<ChangeSet> told_;
  std::unique_ptr<FileSource> source_;
};

TEST_F(FileSourceTest, ReadsEverythingAtFirst) {
  write("b.yaml", service("b", 80));
  fs::create_directory(mesh_ / "sub");
  write("sub/a.yml", service("a", 80));
  write("notes.txt", "not: [yaml");
  write(".hidden.yaml", "not: [yaml");
  const ChangeSet first = start();
  EXPECT_TRUE(first.initial);
  EXPECT_THAT(upserted(first), ElementsAre("a", "b"));
  EXPECT_THAT(first.diagnostics, IsEmpty());
}

TEST_F(FileSourceTest, TellsOnlyWhatChanged) {
  write("all.yaml", service("a", 80) + service("b", 80) + service("c", 80));
  start();
  replace("all.yaml", service("a", 80) + service("b", 81) + service("d", 80));
  const ChangeSet changes = next();
  EXPECT_FALSE(changes.initial);
  EXPECT_THAT(upserted(changes), ElementsAre("b", "d"));
  EXPECT_THAT(removed(changes), ElementsAre("c"));
}

TEST_F(FileSourceTest, KeepsTheLastGoodOfAHalfWrittenFile) {
  write("a.yaml", service("a", 80));
  start();
  replace("a.yaml", "apiVersion: v1\nkind: [Serv");
  const ChangeSet broken = next();
  EXPECT_THAT(removed(broken), IsEmpty());
  EXPECT_THAT(messages(broken), ElementsAre(HasSubstr("a.yaml:")));
  replace("a.yaml", service("a", 81));
  const ChangeSet mended = next();
  EXPECT_THAT(upserted(mended), ElementsAre("a"));
  EXPECT_THAT(mended.diagnostics, IsEmpty());
}

TEST_F(FileSourceTest, KeepsTheLastGoodOfAResourceInError) {
  write("a.yaml", service("a", 80) + service("b", 80));
  start();
  replace("a.yaml", service("a", 99999) + service("b", 81));
  const ChangeSet changes = next();
  EXPECT_THAT(upserted(changes), ElementsAre("b"));
  EXPECT_THAT(removed(changes), IsEmpty());
  EXPECT_THAT(messages(changes), ElementsAre(HasSubstr("99999 is no port")));
}

TEST_F(FileSourceTest, SeesADeletedFileAndADeletedDirectory) {
  fs::create_directory(mesh_ / "sub");
  write("a.yaml", service("a", 80));
  write("sub/b.yaml", service("b", 80));
  start();
  fs::remove(mesh_ / "a.yaml");
  EXPECT_THAT(removed(next()), ElementsAre("a"));
  fs::remove_all(mesh_ / "sub");
  EXPECT_THAT(removed(next()), ElementsAre("b"));
}

TEST_F(FileSourceTest, SeesFilesOfANewDirectory) {
  start();
  fs::create_directories(directory_ / "new" / "deep");
  std::ofstream(directory_ / "new" / "deep" / "a.yaml") << service("a", 80);
  fs::rename(directory_ / "new", mesh_ / "new");
  EXPECT_THAT(upserted(next()), ElementsAre("a"));
}

TEST_F(FileSourceTest, FollowsAConfigMapsSwap) {
  // As kubelet mounts: a.yaml -> ..data/a.yaml, ..data -> ..1, swapped by a rename.
  fs::create_directory(mesh_ / "..1");
  fs::create_directory(mesh_ / "..2");
  write("..1/a.yaml", service("a", 80));
  write("..2/a.yaml", service("a", 81));
  fs::create_symlink("..1", mesh_ / "..data");
  fs::create_symlink("..data/a.yaml", mesh_ / "a.yaml");
  EXPECT_THAT(upserted(start()), ElementsAre("a"));
  fs::create_symlink("..2", mesh_ / "..data_tmp");
  fs::rename(mesh_ / "..data_tmp", mesh_ / "..data");
  EXPECT_THAT(upserted(next()), ElementsAre("a"));
}

TEST_F(FileSourceTest, NamesBothPlacesOfADuplicate) {
  write("a.yaml", service("x", 80));
  write("b.yaml", service("x", 81));
  const ChangeSet first = start();
  EXPECT_THAT(upserted(first), ElementsAre("x"));
  EXPECT_THAT(messages(first), ElementsAre(testing::AllOf(
                                   HasSubstr("b.yaml:1:1: Service default/x: is there already"),
                                   HasSubstr("a.yaml:1:1"))));
  // With the first gone, the second takes its place.
  fs::remove(mesh_ / "a.yaml");
  const ChangeSet second = next();
  EXPECT_THAT(upserted(second), ElementsAre("x"));
  EXPECT_THAT(second.diagnostics, IsEmpty());
}

TEST_F(FileSourceTest, TellsOfADirectoryThatIsNotThereAndOfItsComing) {
  fs::remove(mesh_);
  EXPECT_THAT(messages(start()), ElementsAre(HasSubstr("cannot be read")));
  fs::create_directory(directory_ / "new");
  std::ofstream(directory_ / "new" / "a.yaml") << service("a", 80);
  fs::rename(directory_ / "new", mesh_);
  EXPECT_THAT(upserted(next()), ElementsAre("a"));
}

}  // namespace
}  // namespace sennit::mesh

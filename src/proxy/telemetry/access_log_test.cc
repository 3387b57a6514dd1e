#include "proxy/telemetry/access_log.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "proxy/telemetry/log_writer.h"

// TextFormat finds the Any types by their descriptors, which these pull in.
#include <envoy/extensions/access_loggers/file/v3/file.pb.h>

namespace sennit::proxy {
namespace {

class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(::testing::TempDir()) /
            (std::string("sennit_access_log_") + test->name() + std::to_string(::getpid()));
    info_.response_code = 200;
  }
  ~AccessLogTest() override { std::filesystem::remove(path_); }

  Result<std::shared_ptr<const AccessLog>> make(const std::string& format,
                                                const std::string& filter = "") {
    (void)envoy::extensions::access_loggers::file::v3::FileAccessLog::default_instance();
    envoy::config::accesslog::v3::AccessLog config;
    const std::string text =
        filter +
        " typed_config { "
        "[type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog] {"
        " path: '" +
        path_.string() + "' " + format + "} }";
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    return make_access_log(config);
  }
  void log(const AccessLog& log) { log.log(info_, nullptr, nullptr, nullptr); }
  std::string written() {
    flush_access_logs();
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::filesystem::path path_;
  StreamInfo info_;
};

TEST_F(AccessLogTest, WritesALinePerRequest) {
  auto made = make("log_format { text_format_source { inline_string: '%RESPONSE_CODE%\\n' } }");
  ASSERT_TRUE(made) << made.error().message;
  log(**made);
  info_.response_code = 404;
  log(**made);
  EXPECT_EQ(written(), "200\n404\n");
}

TEST_F(AccessLogTest, KeepsTheLinesOfEachThread) {
  auto made = make("log_format { text_format_source { inline_string: 'x\\n' } }");
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) log(**made);
  });
  for (int i = 0; i < 1000; ++i) log(**made);
  other.join();
  EXPECT_EQ(written().size(), 4000u);
}

TEST_F(AccessLogTest, PrintsJsonWithTypes) {
  auto made = make(
      "log_format { json_format { fields { key: 'code' value { string_value: '%RESPONSE_CODE%' } }"
      " fields { key: 'a\"b' value { string_value: 'x%PROTOCOL%' } }"
      " fields { key: 'host' value { string_value: '%UPSTREAM_HOST%' } }"
      " fields { key: 'flags' value { string_value: '%RESPONSE_FLAGS%' } } } }");
  ASSERT_TRUE(made) << made.error().message;
  log(**made);
  EXPECT_EQ(written(), "{\"a\\\"b\":\"x-\",\"code\":200,\"flags\":\"-\",\"host\":null}\n");
}

TEST_F(AccessLogTest, ReopensAFileThatWasMovedAway) {
  auto made = make("log_format { text_format_source { inline_string: 'x\\n' } }");
  log(**made);
  reopen_access_logs();
  std::filesystem::remove(path_);
  reopen_access_logs();
  log(**made);
  EXPECT_EQ(written(), "x\n");
}

TEST_F(AccessLogTest, LogsWhatItsFilterLetsPass) {
  const std::string format =
      "log_format { text_format_source { inline_string: '%RESPONSE_CODE%\\n' } }";
  auto made =
      make(format,
           "filter { or_filter {"
           " filters { status_code_filter { comparison { op: GE value { default_value: 500 } } } }"
           " filters { response_flag_filter { flags: 'NR' } } } }");
  ASSERT_TRUE(made) << made.error().message;
  log(**made);
  info_.response_code = 404;
  info_.flags.set(ResponseFlag::NoRouteFound);
  log(**made);
  info_.flags = {};
  info_.response_code = 503;
  log(**made);
  EXPECT_EQ(written(), "404\n503\n");
}

TEST_F(AccessLogTest, RefusesWhatItCannotDoByItsField) {
  EXPECT_EQ(make("", "filter { log_type_filter {} }").error().message,
            "filter.log_type_filter: is not supported");
  EXPECT_EQ(make("log_format { text_format_source { filename: '/x' } }").error().message,
            "typed_config.log_format.text_format_source.filename: is not supported");
  EXPECT_EQ(make("log_format { text_format_source { inline_string: '%X%' } }").error().message,
            "typed_config.log_format: %X%: is not supported");
}

TEST(LogRing, RefusesALineThatDoesNotFit) {
  LogRing ring;
  size_t fill = 0;
  EXPECT_TRUE(ring.push(std::string(LogRing::kCapacity - 1, 'x'), fill));
  EXPECT_FALSE(ring.push("ab", fill));
  EXPECT_TRUE(ring.push("a", fill));
  EXPECT_EQ(fill, LogRing::kCapacity);
}

}  // namespace
}  // namespace sennit::proxy

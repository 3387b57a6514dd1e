// A stream for filters under test: remembers what the filter asked for. Local replies are only
// noted; a test walks the response itself.
#pragma once

#include <google/protobuf/any.pb.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "net/event_loop.h"
#include "proxy/config/local_node.h"
#include "proxy/filter/registry.h"
#include "proxy/route/route_table.h"
#include "proxy/upstream/cluster_manager.h"

namespace sennit::proxy {

class NoClusters : public WorkerClusters {
 public:
  NoClusters(net::EventLoop& loop, stats::Shard& stats) : loop_(loop), stats_(stats) {}
  WorkerCluster* find(std::string_view) override { return nullptr; }
  net::EventLoop& loop() override { return loop_; }
  stats::Shard& stats() override { return stats_; }

 private:
  net::EventLoop& loop_;
  stats::Shard& stats_;
};

class TestCallbacks final : public FilterCallbacks {
 public:
  TestCallbacks() : shard_(registry_.new_shard()), clusters_(loop_, shard_) {
    info_.downstream = &downstream_;
    info_.protocol = http::Protocol::Http11;
  }

  StreamInfo& info() override { return info_; }
  const Route* route() override { return route_; }
  void clear_route() override {}
  const void* route_config() override { return route_config_.get(); }
  http::HeaderMap& request_headers() override { return request_; }
  http::HeaderMap* response_headers() override { return nullptr; }
  void resume_request() override { ++resumed_; }
  void send_local_reply(int status, std::string_view body, std::string_view details,
                        ResponseFlags flags) override {
    reply_status_ = status;
    reply_body_ = body;
    reply_details_ = details;
    reply_flags_ = flags;
  }
  net::EventLoop& loop() override { return loop_; }
  WorkerClusters& clusters() override { return clusters_; }
  stats::Shard& stats() override { return shard_; }
  uint64_t random() override { return random_; }

  // A filter of the type of `config` on this stream.
  template <typename Config>
  std::unique_ptr<Filter> make_filter(const Config& config,
                                      TrafficDirection direction = TrafficDirection::Outbound) {
    google::protobuf::Any any;
    any.PackFrom(config);
    const FilterType* type = find_filter_type(any.type_url());
    EXPECT_NE(type, nullptr) << any.type_url();
    auto factory = type->create(any, FilterBuildContext{registry_, node_, direction, "test"});
    EXPECT_TRUE(factory) << factory.error().message;
    factory_ = *std::move(factory);
    return factory_->create(*this);
  }
  template <typename Config>
  void set_route_config(const Config& config) {
    google::protobuf::Any any;
    any.PackFrom(config);
    const FilterType* type = find_filter_type_by_route_config(any.type_url());
    EXPECT_NE(type, nullptr) << any.type_url();
    auto made = type->create_route_config(any);
    EXPECT_TRUE(made) << made.error().message;
    route_config_ = *std::move(made);
  }

  net::EventLoop loop_;
  stats::Registry registry_;
  stats::Shard& shard_;
  LocalNode node_;
  NoClusters clusters_;
  DownstreamInfo downstream_;
  StreamInfo info_;
  http::HeaderMap request_;
  const Route* route_ = nullptr;
  std::shared_ptr<const void> route_config_;
  std::unique_ptr<FilterFactory> factory_;
  uint64_t random_ = 0;
  int resumed_ = 0;
  std::optional<int> reply_status_;
  std::string reply_body_, reply_details_;
  ResponseFlags reply_flags_;
};

}  // namespace sennit::proxy

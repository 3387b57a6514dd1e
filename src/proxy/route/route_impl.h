// What a Route keeps to itself. Private to the room.
#pragma once

#include <memory>
#include <string>

#include "proxy/match/string_matcher.h"
#include "proxy/route/filter_configs.h"
#include "proxy/route/hash_policy.h"
#include "proxy/route/header_operations.h"
#include "proxy/route/route_match.h"
#include "proxy/route/route_table.h"

namespace sennit::proxy {

// Header operations of one level; each may be nullptr.
struct HeaderLevel {
  std::shared_ptr<const HeaderOperations> request, response;
};

struct Route::Impl {
  RouteMatch match;
  std::string prefix_rewrite;
  std::shared_ptr<const RegexSubstitution> regex_rewrite;
  std::shared_ptr<const RegexSubstitution> host_path_regex;
  // Most specific first: route, virtual host, table.
  HeaderLevel levels[3];
  bool most_specific_wins = false;
  FilterConfigs filter_configs;
};

}  // namespace sennit::proxy

// Makes the filter chain of an HttpConnectionManager from its http_filters.
#pragma once

#include <envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h>

#include "base/result.h"
#include "proxy/stream/hcm_settings.h"

namespace sennit::proxy {

// Fills filters, filter_hooks and router. Errors begin with "http_filters[I]". The last filter must
// be the router, and only the last.
Status build_http_filters(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager&
        config,
    const FilterBuildContext& context, HcmSettings& settings);

}  // namespace sennit::proxy

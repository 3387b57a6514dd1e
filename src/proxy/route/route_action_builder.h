// Compiles envoy.config.route.v3.RouteAction into a Route. Private to the room.
#pragma once

#include "proxy/route/route_builder.h"

namespace sennit::proxy {

// `impl.match` and `impl.filter_configs` are set already.
Status set_route_action(Route& route, Route::Impl& impl,
                        const envoy::config::route::v3::RouteAction& config,
                        const RouteParents& parents);

}  // namespace sennit::proxy

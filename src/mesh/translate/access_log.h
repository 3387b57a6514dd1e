// Access logs, from MeshConfig's accessLogFile, accessLogFormat and accessLogEncoding.
#pragma once

#include <envoy/config/accesslog/v3/accesslog.pb.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "mesh/translate/common.h"

namespace sennit::mesh {

using AccessLogs = google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>;

// Nothing without accessLogFile.
void add_access_log(const Mesh& mesh, AccessLogs& logs);
// A listener's own log: only connections that no filter chain took (response flag NR).
void add_listener_access_log(const Mesh& mesh, AccessLogs& logs);

}  // namespace sennit::mesh

// Turns ServiceEntry, Service and WorkloadEntry resources into services and workloads.
#pragma once

#include <string>
#include <vector>

#include "mesh/model/mesh.h"

namespace sennit::mesh {

// Where a self-registered WorkloadEntry keeps the application's own ports: "http=8080,tcp=5500".
inline constexpr const char* kApplicationPortsAnnotation = "sennit.io/applicationPorts";

// Services of one resource: one for each host of a ServiceEntry, one of a Kubernetes Service.
std::vector<ServicePtr> services_of_resource(const ResourcePtr& resource,
                                             const Mesh::Identity& identity);
// The workload that a WorkloadEntry resource describes.
WorkloadPtr workload_of_entry(const Resource& entry);
// Endpoints that are written into the ServiceEntry itself; with DNS resolution and none at all, the
// host itself.
Workloads inline_workloads(const Service& service);
// Gives each service without an address one of 240.240.0.0/16: by its name's hash, so that it keeps
// it whatever comes and goes; collisions go to the next free one in order of hostname.
void allocate_addresses(std::vector<ServicePtr>& services);

}  // namespace sennit::mesh

#include "cli/up/flags.h"

#include "cli/verb.h"

namespace sennit::cli {

UpFlags::UpFlags()
    : grpc_address(kDefaultGrpcAddress),
      secure_address(kDefaultSecureAddress),
      http_address(kDefaultHttpAddress) {}

void UpFlags::add_to(CLI::App* verb) {
  verb->add_option("dir", directory, "Directory with the mesh and a Procfile")
      ->capture_default_str();
  verb->add_option("-c,--config", config,
                   "Directories of YAML, instead of DIR/mesh or DIR (repeatable)");
  verb->add_option("--mesh-config", mesh_config, "Istio MeshConfig file");
  verb->add_option("--state", state, "Keys, certificates and logs (default: DIR/.sennit)");
  verb->add_option("--proxy", proxy, "sennit-proxy, or envoy=PATH for a real Envoy everywhere")
      ->capture_default_str();
  verb->add_option("--proxy-of", proxy_of, "NAME=PROXY: another proxy for one entry (repeatable)");
  verb->add_option("--grpc-addr", grpc_address, "Plaintext xDS of the control plane")
      ->capture_default_str();
  verb->add_option("--secure-grpc-addr", secure_address, "Mutual-TLS xDS and CA")
      ->capture_default_str();
  verb->add_option("--http-addr", http_address, "The control plane's HTTP port")
      ->capture_default_str();
  verb->add_option("--certificate-lifetime", certificate_lifetime,
                   "Seconds that certificates are asked for (0: the CA's default)");
}

Result<UpOptions> UpFlags::options() const {
  UpOptions options;
  options.directory = directory;
  options.config.assign(config.begin(), config.end());
  options.mesh_config = mesh_config;
  options.state = state;
  options.grpc_address = grpc_address;
  options.secure_address = secure_address;
  options.http_address = http_address;
  options.proxy = proxy;
  options.certificate_lifetime = certificate_lifetime;
  for (const std::string& pair : proxy_of) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) return fail("--proxy-of {}: write NAME=PROXY", pair);
    options.proxy_of[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return options;
}

}  // namespace sennit::cli

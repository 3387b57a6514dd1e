#include "identity/agent.h"

#include <algorithm>

#include "base/log.h"

namespace sennit::identity {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{200};
constexpr milliseconds kLongestRetry{30'000};

// The part of a certificate's life after which it is renewed: drawn between half and four fifths,
// so that a fleet started together does not come back together.
constexpr double kEarliestRenewal = 0.5, kLatestRenewal = 0.8;

}  // namespace

Agent::Agent(AgentOptions options, CaClient& ca, OnUpdate on_update)
    : options_(std::move(options)), ca_(ca), on_update_(std::move(on_update)) {}

Agent::~Agent() {
  stop();
}

Status Agent::start(std::chrono::steady_clock::time_point deadline) {
  milliseconds wait = kFirstRetry;
  for (Status done = renew(); !done; done = renew()) {
    if (std::chrono::steady_clock::now() + wait > deadline) return done;
    if (!pause(wait)) return fail("stopped while waiting for the first certificate");
    wait = std::min(wait * 2, milliseconds(2000));
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

void Agent::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Credentials> Agent::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

Status Agent::renew() {
  auto key = pki::generate_key(options_.key_type);
  if (!key) return std::unexpected(key.error());
  auto request = pki::make_request(*key, options_.identity.spiffe_id());
  if (!request) return std::unexpected(request.error());
  auto chain = ca_.sign(*request, options_.lifetime);
  if (!chain) return std::unexpected(chain.error());
  auto key_pem = pki::key_to_pem(*key);
  if (!key_pem) return std::unexpected(key_pem.error());
  auto leaf = pki::certificate_from_pem(chain->front());
  if (!leaf) return std::unexpected(leaf.error());
  if (!pki::matches(*leaf, *key)) return fail("the CA answered with a certificate for another key");

  Credentials fresh;
  fresh.key = std::move(*key_pem);
  for (size_t i = 0; i + 1 < chain->size(); ++i) fresh.chain += (*chain)[i];
  fresh.trust_bundle = chain->back();
  pki::CertificateFacts facts = pki::facts(*leaf);
  fresh.not_before = facts.not_before;
  fresh.not_after = facts.not_after;
  ca_.use_certificate(fresh.key, fresh.chain);
  {
    std::lock_guard lock(mutex_);
    current_ = fresh;
  }
  log::info("identity", "{} has certificate {}, good for {} s", options_.identity.spiffe_id(),
            facts.serial,
            std::chrono::duration_cast<std::chrono::seconds>(fresh.not_after -
                                                             std::chrono::system_clock::now())
                .count());
  on_update_(fresh);
  return {};
}

milliseconds Agent::until_renewal() {
  std::uniform_real_distribution<double> part(kEarliestRenewal, kLatestRenewal);
  Credentials held = *current();
  // From now, not from not_before, which the CA sets back to allow for clock skew.
  auto left =
      std::chrono::duration_cast<milliseconds>(held.not_after - std::chrono::system_clock::now());
  return std::max(milliseconds(static_cast<int64_t>(left.count() * part(random_))),
                  milliseconds(100));
}

void Agent::run() {
  while (pause(until_renewal())) {
    milliseconds wait = kFirstRetry;
    for (Status done = renew(); !done; done = renew()) {
      auto left = std::chrono::duration_cast<std::chrono::seconds>(
          current()->not_after - std::chrono::system_clock::now());
      log::err("identity", "cannot renew the certificate of {} (it ends in {} s): {}",
               options_.identity.spiffe_id(), left.count(), done.error().message);
      std::uniform_int_distribution<int64_t> jitter(wait.count() / 2, wait.count());
      if (!pause(milliseconds(jitter(random_)))) return;
      wait = std::min(wait * 2, kLongestRetry);
    }
  }
}

bool Agent::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace sennit::identity

// The header section of one message, or its trailers: an ordered list of name/value pairs whose
// bytes live in one arena owned by the map, so that a head costs one or two allocations however
// many fields it has. Names are lower case (a codec lowers them; `raw_name` keeps what was sent
// where preservation is on). HTTP/1 request and status lines appear as HTTP/2's pseudo-fields
// (`:method`, `:path`, `:scheme`, `:authority`, `:status`), so that nothing above the codecs knows
// which protocol carried a message. Repeated fields stay separate entries, in order. A map must be
// used on one thread at a time. A value passed in may point into the map itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sennit::http {

// Interned names of the fields that the proxy itself looks at: comparing these is comparing bytes.
// header_names.cc holds the table; a codec resolves each name once.
enum class HeaderId : uint8_t {
  None = 0,  // any other name
  Authority,
  Method,
  Path,
  Scheme,
  Status,
  PseudoProtocol,
  Accept,
  AcceptEncoding,
  AccessControlAllowCredentials,
  AccessControlAllowHeaders,
  AccessControlAllowMethods,
  AccessControlAllowOrigin,
  AccessControlExposeHeaders,
  AccessControlMaxAge,
  AccessControlRequestHeaders,
  AccessControlRequestMethod,
  Authorization,
  Baggage,
  Connection,
  ContentEncoding,
  ContentLength,
  ContentType,
  Cookie,
  Date,
  Expect,
  GrpcAcceptEncoding,
  GrpcMessage,
  GrpcStatus,
  GrpcTimeout,
  Host,
  KeepAlive,
  Location,
  Origin,
  ProxyAuthenticate,
  ProxyAuthorization,
  ProxyConnection,
  Referer,
  RetryAfter,
  Server,
  SetCookie,
  Te,
  Traceparent,
  Tracestate,
  Trailer,
  TransferEncoding,
  Upgrade,
  UserAgent,
  Vary,
  Via,
  WwwAuthenticate,
  XB3Sampled,
  XB3SpanId,
  XB3TraceId,
  XEnvoyAttemptCount,
  XEnvoyDecoratorOperation,
  XEnvoyDownstreamServiceCluster,
  XEnvoyExpectedRqTimeoutMs,
  XEnvoyExternalAddress,
  XEnvoyImmediateHealthCheckFail,
  XEnvoyInternal,
  XEnvoyOriginalHost,
  XEnvoyOriginalPath,
  XEnvoyOverloaded,
  XEnvoyPeerMetadata,
  XEnvoyPeerMetadataId,
  XEnvoyRatelimited,
  XEnvoyRetryOn,
  XEnvoyUpstreamServiceTime,
  XForwardedClientCert,
  XForwardedFor,
  XForwardedHost,
  XForwardedPort,
  XForwardedProto,
  XRequestId,
  Count,
};

// The lower-case name of `id`; the id of a lower-case `name`, None where it has none.
std::string_view header_name(HeaderId id);
HeaderId header_id(std::string_view lower_case_name);

class HeaderMap {
 public:
  struct Field {
    HeaderId id;
    std::string_view name;   // lower case
    std::string_view value;  // valid until the map changes
  };

  HeaderMap();
  ~HeaderMap();
  HeaderMap(HeaderMap&&) noexcept;
  HeaderMap& operator=(HeaderMap&&) noexcept;
  HeaderMap clone() const;  // for retries and mirrors

  // Appends one field. Names are taken as they are: the caller lowers them.
  void add(HeaderId id, std::string_view value);
  void add(std::string_view name, std::string_view value);
  void add(HeaderId id, std::string_view name,
           std::string_view value);  // a codec that knows the id
  // The same, keeping the name as the peer wrote it (as long as `name`; codecs with
  // preserve_header_case on).
  void add_preserved(HeaderId id, std::string_view name, std::string_view raw_name,
                     std::string_view value);
  // Replaces all fields of the name by one (in the first one's place), or appends it.
  void set(HeaderId id, std::string_view value);
  void set(std::string_view name, std::string_view value);
  // Adds ", value" to the first field of the name, or appends the field.
  void append_to(HeaderId id, std::string_view value);
  // Removes all fields of the name; returns how many there were.
  size_t remove(HeaderId id);
  size_t remove(std::string_view name);
  // Removes the fields for which `predicate(Field)` holds.
  template <typename Predicate>
  size_t remove_if(Predicate&& predicate);

  // The first field's value; std::nullopt if there is none.
  std::optional<std::string_view> get(HeaderId id) const;
  std::optional<std::string_view> get(std::string_view name) const;
  bool has(HeaderId id) const { return get(id).has_value(); }
  // All values of the name joined by "," into `storage` if there are several.
  std::optional<std::string_view> get_all(std::string_view name, std::string& storage) const;

  // Pseudo-fields; empty where absent.
  std::string_view method() const { return get(HeaderId::Method).value_or(""); }
  std::string_view path() const { return get(HeaderId::Path).value_or(""); }
  std::string_view authority() const { return get(HeaderId::Authority).value_or(""); }
  std::string_view scheme() const { return get(HeaderId::Scheme).value_or(""); }
  int status() const;  // 0 where absent or malformed

  size_t size() const;
  bool empty() const { return size() == 0; }
  Field operator[](size_t index) const;
  // The name as the peer wrote it where that was kept; else the lower-case one.
  std::string_view raw_name(size_t index) const;
  size_t byte_size() const;  // names + values, as the limits count them
  void clear();

  class Iterator {
   public:
    Iterator(const HeaderMap* map, size_t index) : map_(map), index_(index) {}
    Field operator*() const { return (*map_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const HeaderMap* map_;
    size_t index_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  struct Entry {
    HeaderId id;
    uint32_t name_offset, name_length;  // in the arena; unused where id is not None
    uint32_t value_offset, value_length;
    uint32_t raw_offset;  // of the name as sent, name_length long; or kNoRaw
  };
  // Entries, arena and a set of the ids that are present. Emptied blocks wait on a short list of
  // their thread's, so that a head usually costs no allocation at all.
  struct Block;
  static constexpr uint32_t kNoRaw = UINT32_MAX;

  Block& block();
  const Entry& entry(size_t index) const;
  void erase_at(size_t index);
  void recompute_present();
  const Entry* find(HeaderId id) const;
  const Entry* find(std::string_view name) const;
  void replace_value(Entry& entry, std::string_view value);
  static void release(Block* block);

  Block* block_ = nullptr;  // none until the first field
};

template <typename Predicate>
size_t HeaderMap::remove_if(Predicate&& predicate) {
  size_t removed = 0;
  for (size_t index = 0; index < size();) {
    if (predicate((*this)[index])) {
      erase_at(index);
      ++removed;
    } else {
      ++index;
    }
  }
  if (removed != 0) recompute_present();
  return removed;
}

}  // namespace sennit::http

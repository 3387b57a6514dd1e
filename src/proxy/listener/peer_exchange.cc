#include "proxy/listener/peer_exchange.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/struct.pb.h>

#include "proxy/listener/limits.h"
#include "proxy/telemetry/base64.h"

namespace sennit::proxy {
namespace {

constexpr std::string_view kMagic("\x3D\x23\x04\x67", 4);
constexpr size_t kHeaderBytes = 8;
constexpr const char* kPeerKey = "x-envoy-peer-metadata";
constexpr const char* kPeerIdKey = "x-envoy-peer-metadata-id";

// The same bytes for the same message, so that equal peers are seen to be equal.
std::string serialize(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

void append_number(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

uint32_t read_number(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

std::shared_ptr<const PeerMetadata> understand(std::string_view payload) {
  google::protobuf::Any any;
  google::protobuf::Struct fields;
  if (!any.ParseFromArray(payload.data(), static_cast<int>(payload.size())) ||
      !any.UnpackTo(&fields)) {
    return nullptr;
  }
  const auto found = fields.fields().find(kPeerKey);
  if (found == fields.fields().end() || !found->second.has_struct_value()) return nullptr;
  // By way of the header's form: its cache gives equal peers one object, which metrics count on.
  return decode_peer_metadata(base64_encode(serialize(found->second.struct_value())));
}

}  // namespace

std::string peer_announcement(const LocalNode& node) {
  google::protobuf::Struct fields;
  auto& entries = *fields.mutable_fields();
  *entries[kPeerKey].mutable_struct_value() =
      peer_metadata_struct(local_peer_metadata(node), node.id);
  if (!node.id.empty()) entries[kPeerIdKey].set_string_value(node.id);
  google::protobuf::Any any;
  any.set_type_url("type.googleapis.com/google.protobuf.Struct");
  any.set_value(serialize(fields));
  const std::string payload = serialize(any);
  std::string announcement(kMagic);
  append_number(announcement, static_cast<uint32_t>(payload.size()));
  return announcement + payload;
}

PeerExchange::Step PeerExchange::read(net::Buffer& input) {
  const auto bytes = input.view();
  if (!kMagic.starts_with(bytes.substr(0, kMagic.size()))) return Step::Done;
  if (bytes.size() < kHeaderBytes) return Step::NeedMore;
  const size_t length = read_number(bytes.substr(kMagic.size()));
  if (length > kMaxPeerAnnouncement) return Step::Refuse;
  if (bytes.size() < kHeaderBytes + length) return Step::NeedMore;
  peer_ = understand(bytes.substr(kHeaderBytes, length));
  input.drain(kHeaderBytes + length);
  return Step::Done;
}

}  // namespace sennit::proxy

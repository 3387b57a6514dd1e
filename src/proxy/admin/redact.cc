#include <envoy/config/core/v3/base.pb.h>
#include <envoy/extensions/transport_sockets/tls/v3/common.pb.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>

#include "proxy/admin/endpoints.h"

namespace sennit::proxy {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_secret(const FieldDescriptor& field) {
  return field.name() == "private_key" || field.name() == "password" ||
         field.full_name() == "envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys.keys";
}

void redact(Message& message, bool secret);

void redact_any(google::protobuf::Any& any) {
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      any.type_url().substr(any.type_url().rfind('/') + 1));
  if (!type) return;
  std::unique_ptr<Message> inside(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!any.UnpackTo(inside.get())) return;
  redact(*inside, false);
  any.PackFrom(*inside);
}

void redact(Message& message, bool secret) {
  if (auto* any = dynamic_cast<google::protobuf::Any*>(&message)) return redact_any(*any);
  if (auto* source = dynamic_cast<envoy::config::core::v3::DataSource*>(&message)) {
    const bool inside = source->has_inline_bytes() || source->has_inline_string();
    if (secret && inside) source->set_inline_string("[redacted]");
    return;
  }
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const bool hide = secret || is_secret(*field);
    if (!field->is_repeated()) {
      redact(*reflection->MutableMessage(&message, field), hide);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      redact(*reflection->MutableRepeatedMessage(&message, field, i), hide);
    }
  }
}

}  // namespace

void redact_secrets(Message& message) {
  redact(message, false);
}

}  // namespace sennit::proxy

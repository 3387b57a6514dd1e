// Typed extension configuration. Control planes may send it as the message itself or, where they
// do not know the type, as a udpa/xds TypedStruct (a type URL and a Struct); both end up here as
// the concrete message.
#pragma once

#include <google/protobuf/any.pb.h>
#include <google/protobuf/message.h>

#include "base/result.h"

namespace sennit::proxy {

// `any` itself, or what its TypedStruct holds as an Any of the concrete type. Errors name the type
// URL that is not known, or the field of the Struct that does not fit.
Result<google::protobuf::Any> unwrap_typed_struct(const google::protobuf::Any& any);

// Parses `any` (unwrapped) into `message`, whose type must be the one named.
Status unpack_into(const google::protobuf::Any& any, google::protobuf::Message& message);

template <typename T>
Result<T> unpack_any(const google::protobuf::Any& any) {
  T message;
  auto status = unpack_into(any, message);
  if (!status) return std::unexpected(status.error());
  return message;
}

}  // namespace sennit::proxy

#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/format_operators.h"

namespace sennit::proxy {
namespace {

class TextFormatter final : public Formatter {
 public:
  TextFormatter(std::vector<FormatPiece> pieces, std::string_view missing)
      : pieces_(std::move(pieces)), missing_(missing) {}

  void format(std::string& out, const StreamInfo& info, const http::HeaderMap* request,
              const http::HeaderMap* response, const http::HeaderMap* trailers) const override {
    const FormatInput input{info, request, response, trailers};
    for (const FormatPiece& piece : pieces_) {
      if (!append_value(piece, input, out)) out += missing_;
    }
  }

 private:
  const std::vector<FormatPiece> pieces_;
  const std::string_view missing_;
};

}  // namespace

Result<std::shared_ptr<const Formatter>> Formatter::create(std::string_view format,
                                                           MissingValue missing) {
  auto pieces = parse_format(format);
  if (!pieces) return std::unexpected(pieces.error());
  return std::make_shared<TextFormatter>(*std::move(pieces),
                                         missing == MissingValue::Dash ? "-" : "");
}

}  // namespace sennit::proxy

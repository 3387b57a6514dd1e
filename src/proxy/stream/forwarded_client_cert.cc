#include "proxy/stream/forwarded_client_cert.h"

namespace sennit::proxy {
namespace {

using http::HeaderId;

// The escapes that Envoy uses for certificates in PEM.
void append_url_encoded(std::string& out, std::string_view pem) {
  for (const char c : pem) {
    switch (c) {
      case '\n':
        out += "%0A";
        break;
      case ' ':
        out += "%20";
        break;
      case '+':
        out += "%2B";
        break;
      case '/':
        out += "%2F";
        break;
      case '=':
        out += "%3D";
        break;
      default:
        out += c;
    }
  }
}

class Element {
 public:
  std::string& field(std::string_view key) {
    if (!text_.empty()) text_ += ';';
    text_ += key;
    text_ += '=';
    return text_;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void append_quoted_pem(std::string& out, std::string_view pem) {
  out += '"';
  append_url_encoded(out, pem);
  out += '"';
}

// Quotes and backslashes in a subject are escaped, so that nobody can write fields of his own into
// the element with a crafted certificate.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

std::string client_cert_element(const net::TlsInfo& tls, const ClientCertDetails& details) {
  Element element;
  for (const std::string& uri : tls.local_uri_sans) element.field("By") += uri;
  if (!tls.peer_certificate_sha256.empty()) element.field("Hash") += tls.peer_certificate_sha256;
  if (details.cert && !tls.peer_certificate_pem.empty()) {
    append_quoted_pem(element.field("Cert"), tls.peer_certificate_pem);
  }
  // The keys Subject and URI are there even when they are empty.
  if (details.subject) append_quoted(element.field("Subject"), tls.peer_subject);
  if (details.uri) {
    for (const std::string& uri : tls.peer_uri_sans) element.field("URI") += uri;
    if (tls.peer_uri_sans.empty()) element.field("URI");
  }
  if (details.dns) {
    for (const std::string& name : tls.peer_dns_sans) element.field("DNS") += name;
  }
  return element.take();
}

void forward_client_cert(ForwardClientCert mode, const net::TlsInfo* tls, std::string_view element,
                         http::HeaderMap& request) {
  if (mode == ForwardClientCert::AlwaysForwardOnly) return;
  const bool mutual = tls != nullptr && tls->peer_certificate_presented;
  if (mode == ForwardClientCert::Sanitize || !mutual) {
    request.remove(HeaderId::XForwardedClientCert);
    return;
  }
  switch (mode) {
    case ForwardClientCert::AppendForward: {
      const auto present = request.get(HeaderId::XForwardedClientCert);
      if (!present || present->empty()) {
        request.set(HeaderId::XForwardedClientCert, element);
        return;
      }
      // Envoy joins elements by a comma without a blank.
      std::string joined(*present);
      joined += ',';
      joined += element;
      request.set(HeaderId::XForwardedClientCert, joined);
      return;
    }
    case ForwardClientCert::SanitizeSet:
      request.set(HeaderId::XForwardedClientCert, element);
      return;
    default:
      return;  // ForwardOnly: as it came
  }
}

}  // namespace sennit::proxy

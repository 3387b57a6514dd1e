#include "proxy/admin/admin_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

#include "http/codec.h"
#include "net/listen.h"

namespace sennit::proxy {
namespace {

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
            text.data() + i + 3) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string help_text(const std::vector<AdminHandler>& handlers) {
  std::string text = "admin commands are:\n";
  for (const auto& handler : handlers) {
    text += fmt::format("  {}{}: {}\n", handler.path, handler.changes_state ? " (POST)" : "",
                        handler.help);
  }
  return text;
}

}  // namespace

AdminRequest parse_admin_request(std::string_view method, std::string_view target) {
  AdminRequest request{.method = std::string(method)};
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  std::string_view rest =
      question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty()) {
      request.query[percent_decoded(pair.substr(0, equals))] =
          percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return request;
}

AdminResponse dispatch_admin(const std::vector<AdminHandler>& handlers,
                             const AdminRequest& request) {
  if (request.path == "/" || request.path == "/help") return {.body = help_text(handlers)};
  const auto handler = std::ranges::find(handlers, request.path, &AdminHandler::path);
  if (handler == handlers.end()) {
    return {.status = 404, .body = "invalid path. " + help_text(handlers)};
  }
  if (handler->changes_state && request.method != "POST") {
    return {.status = 405,
            .body = fmt::format("Method {} not allowed, POST required.", request.method)};
  }
  return handler->handle(request);
}

// One connection: requests one after the other.
class AdminServer::Client final : public net::DeferredDeletable,
                                  private net::ConnectionCallbacks,
                                  private http::ServerCodecCallbacks,
                                  private http::RequestDecoder,
                                  private http::StreamCallbacks {
 public:
  Client(AdminServer& server, UniqueFd fd, const net::Address& remote) : server_(server) {
    connection_ = net::Connection::accepted(server.loop_, std::move(fd), server.address_, remote,
                                            net::make_raw_transport_socket());
    connection_->set_callbacks(this);
    codec_ =
        http::make_http1_server(*connection_, http::CodecOptions{.accept_http10 = true}, *this);
    connection_->start();
  }

 private:
  void on_data(net::Buffer& input, bool end_stream) override {
    const Status outcome = codec_->dispatch(input, end_stream);
    if (!outcome) connection_->close(net::CloseType::FlushWrite);
  }
  void on_event(net::ConnectionEvent event) override {
    if (event == net::ConnectionEvent::RemoteClose || event == net::ConnectionEvent::LocalClose) {
      server_.forget(this);
    }
  }

  http::RequestDecoder& on_new_stream(http::ResponseEncoder& encoder) override {
    encoder_ = &encoder;
    encoder.set_callbacks(this);
    return *this;
  }
  void on_stream_closed(http::ResponseEncoder&) override { encoder_ = nullptr; }
  void on_reset(http::ResetReason) override { encoder_ = nullptr; }

  void on_headers(http::HeaderMap&& headers, bool end_stream) override {
    request_ = parse_admin_request(headers.method(), headers.path());
    if (end_stream) answer();
  }
  void on_data(std::string_view, bool end_stream) override {
    if (end_stream) answer();
  }
  void on_trailers(http::HeaderMap&&) override { answer(); }
  void on_bad_request(int status, std::string_view details) override {
    send({.status = status, .body = std::string(details)});
  }

  void answer() { send(dispatch_admin(server_.handlers_, request_)); }

  void send(const AdminResponse& response) {
    if (!encoder_) return;
    http::HeaderMap headers;
    headers.add(http::HeaderId::Status, std::to_string(response.status));
    headers.add(http::HeaderId::ContentType, response.content_type);
    headers.add("cache-control", "no-cache, max-age=0");
    headers.add("x-content-type-options", "nosniff");
    headers.add(http::HeaderId::ContentLength, std::to_string(response.body.size()));
    headers.add(http::HeaderId::Server, "sennit");
    const bool has_body = !response.body.empty() && request_.method != "HEAD";
    encoder_->encode_headers(headers, !has_body);
    if (has_body && encoder_) encoder_->encode_data(response.body, true);
  }

  AdminServer& server_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<http::ServerCodec> codec_;
  http::ResponseEncoder* encoder_ = nullptr;
  AdminRequest request_;
};

Result<std::unique_ptr<AdminServer>> AdminServer::create(net::EventLoop& loop,
                                                         const net::Address& address,
                                                         std::vector<AdminHandler> handlers) {
  auto fd = net::listen_on(address, {});
  if (!fd) return std::unexpected(fd.error().within("admin"));
  return std::unique_ptr<AdminServer>(new AdminServer(loop, std::move(*fd), std::move(handlers)));
}

AdminServer::AdminServer(net::EventLoop& loop, UniqueFd fd, std::vector<AdminHandler> handlers)
    : loop_(loop),
      fd_(std::move(fd)),
      address_(net::bound_address(fd_.get())),
      handlers_(std::move(handlers)) {
  loop_.add(fd_.get(), EPOLLIN, this);
}

AdminServer::~AdminServer() {
  loop_.remove(fd_.get());
}

void AdminServer::on_io(uint32_t) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  UniqueFd accepted(accept4(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!accepted.valid()) return;
  auto client = std::make_unique<Client>(*this, std::move(accepted),
                                         net::Address::from_sockaddr(storage, length));
  Client* key = client.get();
  clients_.emplace(key, std::move(client));
}

void AdminServer::forget(Client* client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  loop_.defer_delete(std::move(found->second));
  clients_.erase(found);
}

}  // namespace sennit::proxy

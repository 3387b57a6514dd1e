#include "proxy/stream/path_normalization.h"

#include <cctype>

namespace sennit::proxy {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that "%XY" at `i` stands for; -1 where it is not an escape.
int escaped_byte(std::string_view path, size_t i) {
  if (path[i] != '%' || i + 2 >= path.size()) return -1;
  const int high = hex_value(path[i + 1]), low = hex_value(path[i + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// RFC 3986 §2.3: escaping these never changes what a path means.
bool unreserved(int c) {
  return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// Cheap test on the plain path: nothing in it that any rule below could change.
bool is_plain(std::string_view path) {
  char previous = 0;
  for (const char c : path) {
    if (c == '%' || c == '\\' || c == '#') return false;
    if (previous == '/' && (c == '.' || c == '/')) return false;
    previous = c;
  }
  return true;
}

// "%2F" and "%5C" to the characters that they stand for. True if there was one.
bool unescape_slashes(std::string& path) {
  std::string out;
  bool found = false;
  for (size_t i = 0; i < path.size(); ++i) {
    const int byte = escaped_byte(path, i);
    if (byte == '/' || byte == '\\') {
      out += static_cast<char>(byte);
      found = true;
      i += 2;
    } else {
      out += path[i];
    }
  }
  if (found) path = std::move(out);
  return found;
}

// False: an escaped NUL.
bool decode_unreserved(std::string& path) {
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    const int byte = escaped_byte(path, i);
    if (byte == 0) return false;
    if (byte > 0 && unreserved(byte)) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += path[i] == '\\' ? '/' : path[i];
    }
  }
  path = std::move(out);
  return true;
}

// RFC 3986 §5.2.4. An empty segment ("//") counts as one, so ".." takes it away.
void remove_dot_segments(std::string& path) {
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size();) {
    const size_t end = std::min(path.find('/', i + 1), path.size());
    const std::string_view segment = std::string_view(path).substr(i, end - i);  // with its slash
    const bool last = end == path.size();
    if (segment == "/..") {
      out.resize(out.empty() ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else if (segment == "/.") {
      if (last) out += '/';
    } else {
      out += segment;
    }
    i = end;
  }
  path = out.empty() ? "/" : std::move(out);
}

void merge_adjacent_slashes(std::string& path) {
  size_t out = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '/' && out > 0 && path[out - 1] == '/') continue;
    path[out++] = path[i];
  }
  path.resize(out);
}

}  // namespace

PathVerdict normalize_path(std::string_view path, const HcmSettings& settings, std::string& out) {
  const size_t query_at = path.find('?');
  const std::string_view before_query = path.substr(0, query_at);
  if (is_plain(before_query) &&
      (query_at == std::string_view::npos || path.find('#', query_at) == std::string_view::npos)) {
    return PathVerdict::Unchanged;
  }
  path = path.substr(0, path.find('#'));
  std::string text(path.substr(0, std::min(query_at, path.size())));
  const std::string_view query = path.substr(text.size());

  bool redirect = false;
  if (settings.escaped_slashes != EscapedSlashes::Keep && unescape_slashes(text)) {
    if (settings.escaped_slashes == EscapedSlashes::Reject) return PathVerdict::Reject;
    redirect = settings.escaped_slashes == EscapedSlashes::UnescapeAndRedirect;
  }
  if (settings.normalize_path) {
    if (!decode_unreserved(text)) return PathVerdict::Reject;
    remove_dot_segments(text);
  }
  if (settings.merge_slashes) merge_adjacent_slashes(text);
  out = std::move(text);
  out += query;
  return redirect ? PathVerdict::Redirect : PathVerdict::Changed;
}

}  // namespace sennit::proxy

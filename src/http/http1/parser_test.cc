// What is taken and what is refused: one table for each. Every accepted message is parsed whole and
// again byte by byte.
#include "http/http1/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sennit::http::http1 {
namespace {

using Kind = Parser::Kind;
using Event = Parser::Event;

struct Case {
  std::string name;
  std::string input;
  std::string expected;  // the transcript; of refused ones "STATUS details"
  CodecOptions options = {};
  bool to_head = false;     // responses: to a HEAD request
  bool to_connect = false;  // to a CONNECT request
  bool closed = false;      // the peer closes after the input
};

std::string fields(HeaderMap headers) {
  std::string out;
  for (const HeaderMap::Field field : headers) {
    out.append(out.empty() ? "" : " ").append(field.name).append("=").append(field.value);
  }
  return out;
}

// Everything the parser tells of a connection's input: "{head}", body bytes as they are,
// "[trailers]", "." at the end of each message, "!400 details" at a refusal.
class Transcript {
 public:
  explicit Transcript(Kind kind, const Case& what)
      : options_(what.options), parser_(kind, options_) {
    parser_.expect_response_to(what.to_head, what.to_connect);
  }
  // False once the parser has refused.
  bool feed(std::string_view bytes) {
    pending_.append(bytes);
    while (true) {
      const Parser::Step step = parser_.next(pending_);
      const bool more = tell(step);
      pending_.erase(0, step.consumed);
      if (!more) return step.event != Event::Error;
    }
  }
  void close() {
    const Event event = parser_.finish();
    if (event == Event::Complete) text_ += ".";
    if (event == Event::Error) tell({event, 0});
  }
  const std::string& text() const { return text_; }

 private:
  bool tell(const Parser::Step& step) {
    switch (step.event) {
      case Event::NeedMore:
        return false;
      case Event::Head:
        text_ += "{" + fields(parser_.take_headers()) + "}";
        if (parser_.info().no_body) text_ += ".";
        return true;
      case Event::Data:
        text_.append(step.data).append(step.last ? "." : "");
        return true;
      case Event::Trailers:
        text_ += "[" + fields(parser_.take_headers()) + "].";
        return true;
      case Event::Complete:
        text_ += ".";
        return true;
      case Event::Error:
        text_ += "!" + std::to_string(parser_.error().status) + " ";
        text_ += parser_.error().details;
        return false;
    }
    return false;
  }

  const CodecOptions options_;
  Parser parser_;
  std::string pending_, text_;
};

std::string transcript(Kind kind, const Case& what, size_t piece) {
  Transcript transcript(kind, what);
  for (size_t i = 0; i < what.input.size(); i += piece) {
    if (!transcript.feed(std::string_view(what.input).substr(i, piece))) return transcript.text();
  }
  if (what.closed) transcript.close();
  return transcript.text();
}

CodecOptions http10(std::string host = {}) {
  CodecOptions options;
  options.accept_http10 = true;
  options.default_host_for_http10 = std::move(host);
  return options;
}
CodecOptions small(uint32_t bytes, uint32_t count = 100) {
  CodecOptions options;
  options.limits.max_header_bytes = bytes;
  options.limits.max_header_count = count;
  return options;
}
CodecOptions without_trailers() {
  CodecOptions options;
  options.enable_trailers = false;
  return options;
}
CodecOptions without_absolute_urls() {
  CodecOptions options;
  options.allow_absolute_url = false;
  return options;
}

// A request that is whole but for `rest`, and what it looks like up to there.
std::string get(std::string rest) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + rest + "\r\n";
}
std::string post(std::string rest) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + rest;
}
std::string chunked(std::string body) {
  return post("Transfer-Encoding: chunked\r\n\r\n" + body);
}
const std::string kGet = "{:method=GET :path=/ :authority=a";
const std::string kPost = "{:method=POST :path=/ :authority=a";
const std::string kOk = "HTTP/1.1 200 OK\r\n";

std::vector<Case> accepted_requests() {
  return {
      {"Simple", get(""), kGet + "}."},
      {"Pipelined", get("") + get("X: 1\r\n"), kGet + "}." + kGet + " x=1}."},
      {"LeadingEmptyLine", "\r\n" + get(""), kGet + "}."},
      {"NamesAreLowered", get("X-TeSt: ValuE\r\n"), kGet + " x-test=ValuE}."},
      {"WhitespaceAroundValues", get("x: \t a b \t\r\n"), kGet + " x=a b}."},
      {"EmptyValue", get("x:\r\n"), kGet + " x=}."},
      {"Obstext", get("x: \xc3\xa9\r\n"), kGet + " x=\xc3\xa9}."},
      {"LongName", get(std::string(200, 'N') + ": v\r\n"),
       kGet + " " + std::string(200, 'n') + "=v}."},
      {"Length", post("Content-Length: 5\r\n\r\nhello"), kPost + " content-length=5}hello."},
      {"LengthZero", post("Content-Length: 0\r\n\r\n"), kPost + " content-length=0}."},
      {"LeadingZerosInLength", post("Content-Length: 005\r\n\r\nhello"),
       kPost + " content-length=005}hello."},
      {"Chunked", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), kPost + "}hello world."},
      {"ChunkedInAnyCase", post("Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"), kPost + "}."},
      {"ChunkSizeInHexOfAnyCase", chunked("A\r\n0123456789\r\nb\r\n0123456789a\r\n00\r\n\r\n"),
       kPost + "}01234567890123456789a."},
      {"ChunkExtension", chunked("5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"), kPost + "}hello."},
      {"Trailers", chunked("1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"), kPost + "}x[a=1 b=2]."},
      {"TrailersDropped", chunked("1\r\nx\r\n0\r\nA: 1\r\n\r\n"), kPost + "}x.",
       without_trailers()},
      {"HopByHopTrailersDropped", chunked("0\r\nConnection: x\r\nTe: y\r\n\r\n"), kPost + "}."},
      {"AfterAChunkedOneAnother", chunked("0\r\nA: 1\r\n\r\n") + get(""),
       kPost + "}[a=1]." + kGet + "}."},
      {"ABareCrIsBody", post("Content-Length: 3\r\n\r\n\r\n\r"),
       kPost + " content-length=3}\r\n\r."},
      {"Query", "GET /a?b=c&d HTTP/1.1\r\nHost: a\r\n\r\n",
       "{:method=GET :path=/a?b=c&d :authority=a}."},
      {"ExtensionMethod", "PURGE /x HTTP/1.1\r\nHost: a:80\r\n\r\n",
       "{:method=PURGE :path=/x :authority=a:80}."},
      {"Ipv6Host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
       "{:method=GET :path=/ :authority=[::1]:8080}."},
      {"AbsoluteFormWinsOverHost", "GET http://b:1/p HTTP/1.1\r\nHost: a\r\n\r\n",
       "{:method=GET :scheme=http :authority=b:1 :path=/p}."},
      {"AbsoluteFormWithoutPath", "GET HTTPS://b?q HTTP/1.1\r\nHost: a\r\n\r\n",
       "{:method=GET :scheme=https :authority=b :path=/?q}."},
      {"AbsoluteFormOptions", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
       "{:method=OPTIONS :scheme=http :authority=b :path=*}."},
      {"OptionsStar", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
       "{:method=OPTIONS :path=* :authority=a}."},
      {"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03raw",
       "{:method=CONNECT :authority=a:443}\x16\x03raw"},
      {"Upgrade", get("Connection: Upgrade\r\nUpgrade: websocket\r\n") + "raw",
       kGet + " upgrade=websocket connection=upgrade}raw"},
      {"UpgradeWithABodyIsIgnored",
       post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nz"),
       kPost + " content-length=1}z."},
      {"UpgradeToH2cIsIgnored",
       get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
           "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
       kGet + "}."},
      {"UpgradeThatIsNotNominatedIsDropped", get("Upgrade: websocket\r\n"), kGet + "}."},
      {"HopByHopFieldsAreDropped",
       get("Connection: keep-alive, x-hop\r\nKeep-Alive: 5\r\nProxy-Connection: z\r\nX-Hop: 1\r\n"
           "X: 2\r\n"),
       kGet + " x=2}."},
      {"TeTrailersIsKept", get("Te: gzip, trailers\r\n"), kGet + " te=trailers}."},
      {"OtherTesAreDropped", get("Te: gzip\r\n"), kGet + "}."},
      {"Http10", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", kGet + "}.", http10()},
      {"Http10WithoutHostGetsTheDefault", "GET / HTTP/1.0\r\n\r\n",
       "{:method=GET :path=/ :authority=default}.", http10("default")},
      {"LargestHead", get("x: " + std::string(100, 'v') + "\r\n"),
       kGet + " x=" + std::string(100, 'v') + "}.", small(16 + 9 + 105 + 2)},
      {"MostFields", get("x: 1\r\ny: 2\r\n"), kGet + " x=1 y=2}.", small(1000, 3)},
      // The size of one head does not count against the next.
      {"LimitsAreForEachMessage",
       get("x: " + std::string(60, 'v') + "\r\n") + get("y: " + std::string(60, 'v') + "\r\n"),
       kGet + " x=" + std::string(60, 'v') + "}." + kGet + " y=" + std::string(60, 'v') + "}.",
       small(100)},
      {"LimitsAreForEachMessageAfterTrailers",
       chunked("0\r\ny: " + std::string(60, 'v') + "\r\n\r\n") +
           get("x: " + std::string(60, 'v') + "\r\n"),
       kPost + "}[y=" + std::string(60, 'v') + "]." + kGet + " x=" + std::string(60, 'v') + "}.",
       small(100)},
  };
}

std::vector<Case> refused_requests() {
  const std::string codec = "400 http1.codec_error";
  const std::string url = "400 http1.invalid_url";
  const std::string characters = "400 http1.invalid_characters";
  const std::string te = "400 http1.invalid_transfer_encoding";
  const std::string both = "400 http1.content_length_and_chunked_not_allowed";
  const std::string nul(1, '\0');
  return {
      {"LengthAndChunked", post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), both},
      {"ChunkedAndLength", post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), both},
      {"BareLfAfterTheRequestLine", "GET / HTTP/1.1\nHost: a\r\n\r\n", codec},
      {"BareLfAfterAField", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", codec},
      {"BareLfAtTheEnd", "GET / HTTP/1.1\r\nHost: a\r\n\n", codec},
      {"BareCrInAValue", get("x: a\rb\r\n"), characters},
      {"BareCrInTheRequestLine", "GET /\r HTTP/1.1\r\n\r\n", url},
      {"BareCrAtTheStart", "\rGET / HTTP/1.1\r\n\r\n", codec},
      {"CrCrLf", get("x: a\r\r\n"), characters},
      {"FoldedLine", get("x: a\r\n b\r\n"), codec},
      {"FoldedLineWithTab", get("x: a\r\n\tb\r\n"), codec},
      {"FoldedFirstLine", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", codec},
      {"SpaceBeforeColon", get("x : a\r\n"), codec},
      {"TabBeforeColon", get("Content-Length\t: 1\r\n"), codec},
      {"NoColon", get("x\r\n"), codec},
      {"EmptyName", get(": a\r\n"), codec},
      {"PseudoField", get(":path: /b\r\n"), codec},
      {"NulInAName", get("x" + nul + ": a\r\n"), codec},
      {"NulInAValue", get("x: a" + nul + "b\r\n"), characters},
      {"ControlInAValue", get("x: a\x01\r\n"), characters},
      {"DelInAValue", get("x: \x7f\r\n"), characters},
      {"ControlFarIntoAValue", get("x: " + std::string(40, 'a') + "\x0b\r\n"), characters},
      {"NonAsciiName", get("x\xc3\xa9: a\r\n"), codec},
      {"SeparatorInAName", get("x(y): a\r\n"), codec},
      {"DifferingLengths", post("Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), codec},
      {"EqualLengths", post("Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), codec},
      {"ListOfLengths", post("Content-Length: 1, 1\r\n\r\nx"), codec},
      {"EmptyLength", post("Content-Length:\r\n\r\n"), codec},
      {"PlusLength", post("Content-Length: +5\r\n\r\n"), codec},
      {"NegativeLength", post("Content-Length: -1\r\n\r\n"), codec},
      {"HexLength", post("Content-Length: 0x5\r\n\r\n"), codec},
      {"FractionLength", post("Content-Length: 1.0\r\n\r\n"), codec},
      {"LengthWithASpace", post("Content-Length: 1 0\r\n\r\n"), codec},
      {"OverflowingLength", post("Content-Length: 18446744073709551616\r\n\r\n"), codec},
      {"ChunkSizeMissing", chunked("\r\n"), codec},
      {"ChunkSizeNotHex", chunked("g\r\n"), codec},
      {"ChunkSizeWithPrefix", chunked("0x5\r\nhello\r\n"), codec},
      {"ChunkSizeWithSign", chunked("+5\r\nhello\r\n"), codec},
      {"ChunkSizeWithSpaceBefore", chunked(" 5\r\nhello\r\n"), codec},
      {"ChunkSizeWithSpaceAfter", chunked("5 \r\nhello\r\n"), codec},
      {"ChunkSizeOverflows", chunked("10000000000000000\r\n"), codec},
      {"ChunkSizeWithBareLf", chunked("5\nhello\r\n"), codec},
      {"ChunkExtensionWithBareCr", chunked("5;a\rb\r\nhello\r\n"), codec},
      {"ChunkExtensionTooLong", chunked("5;" + std::string(1024, 'x') + "\r\nhello\r\n"), codec},
      {"ChunkExtensionWithoutEnd", chunked("5;" + std::string(4096, 'x')), codec},
      {"ChunkLongerThanItsSize", chunked("5\r\nhello!\r\n0\r\n\r\n"), codec},
      {"ChunkEndWithBareLf", chunked("5\r\nhello\n0\r\n\r\n"), codec},
      {"ChunkEndWithBareCr", chunked("5\r\nhello\r0\r\n\r\n"), codec},
      {"LengthAmongTrailers", chunked("0\r\nContent-Length: 1\r\n\r\n"), codec},
      {"TransferEncodingAmongTrailers", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), codec},
      {"HostAmongTrailers", chunked("0\r\nHost: b\r\n\r\n"), codec},
      {"FoldedTrailer", chunked("0\r\nA: 1\r\n 2\r\n\r\n"), codec},
      {"TrailersTooLarge", chunked("0\r\nA: " + std::string(200, 'x') + "\r\n\r\n"),
       "431 http1.trailers_too_large", small(200)},
      {"TooManyTrailers", chunked("0\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n"),
       "431 http1.too_many_trailers", small(1000, 2)},
      {"SeveralHosts", get("Host: a\r\n"), codec},
      {"NoHost", "GET / HTTP/1.1\r\n\r\n", codec},
      {"AbsoluteFormWithoutHost", "GET http://a/ HTTP/1.1\r\n\r\n", codec},
      {"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", codec},
      {"HostWithUserinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", codec},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", codec},
      {"HostWithSpace", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", codec},
      {"HostList", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", codec},
      {"HostWithBadPort", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", codec},
      {"BadHostNextToAnAbsoluteForm", "GET http://a/ HTTP/1.1\r\nHost: u@b\r\n\r\n", codec},
      {"TransferEncodingInHttp10",
       "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400 http1.transfer_encoding_not_allowed", http10()},
      {"GzipOnly", post("Transfer-Encoding: gzip\r\n\r\n"), te},
      {"Identity", post("Transfer-Encoding: identity\r\n\r\n"), te},
      {"GzipThenChunked", post("Transfer-Encoding: gzip, chunked\r\n\r\n"),
       "501 http1.invalid_transfer_encoding"},
      {"ChunkedTwice", post("Transfer-Encoding: chunked, chunked\r\n\r\n"), te},
      {"ChunkedTwiceInTwoFields",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), te},
      {"ChunkedThenGzipInTwoFields",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n"), te},
      {"ChunkedNotLast", post("Transfer-Encoding: chunked, gzip\r\n\r\n"), te},
      {"ChunkedInQuotes", post("Transfer-Encoding: \"chunked\"\r\n\r\n"), te},
      {"ChunkedWithParameter", post("Transfer-Encoding: chunked;q=1\r\n\r\n"), te},
      {"EmptyTransferEncoding", post("Transfer-Encoding:\r\n\r\n"), te},
      {"ControlBeforeChunked",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n\r\n"),
       characters},
      {"MethodWithSeparator", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", codec},
      {"MethodTooLong", std::string(65, 'G') + " / HTTP/1.1\r\nHost: a\r\n\r\n", codec},
      {"NoMethod", " / HTTP/1.1\r\nHost: a\r\n\r\n", codec},
      {"NotHttpAtAll", "\x16\x03\x01", codec},
      {"TwoSpacesBeforeTheTarget", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"SpaceInTheTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"TabInTheTarget", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"NonAsciiTarget", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"RelativeTarget", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"StarForGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"OtherScheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"UserinfoInTheTarget", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"EmptyAuthorityInTheTarget", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"AbsoluteFormNotAllowed", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", url,
       without_absolute_urls()},
      {"ConnectWithoutPort", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"ConnectWithPath", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", url},
      {"ConnectWithLength", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
       "400 http1.body_disallowed"},
      {"Http09", "GET /\r\n\r\n", codec},
      {"Http20", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 http1.codec_error"},
      {"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "505 http1.codec_error"},
      {"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n", codec},
      {"SpaceAfterTheVersion", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", url},
      {"TwoLeadingEmptyLines", "\r\n\r\n" + get(""), codec},
      {"HeadTooLarge", get("x: " + std::string(200, 'v') + "\r\n"), "431 http1.headers_too_large",
       small(200)},
      {"HeadTooLargeWithoutALineEnd", "GET /" + std::string(300, 'a'),
       "431 http1.headers_too_large", small(200)},
      {"TooManyFields", get("x: 1\r\ny: 2\r\n"), "431 http1.too_many_headers", small(1000, 2)},
      {"Http10NotAccepted", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "426 low_version"},
      {"Http10WithoutHost", "GET / HTTP/1.0\r\n\r\n", codec, http10()},
      {"ConnectionNamesAuthorization", get("Connection: authorization\r\n"),
       "400 http1.connection_header_rejected"},
      {"ConnectionNamesContentLength", get("Connection: Content-Length\r\n"),
       "400 http1.connection_header_rejected"},
      {"ClosedInTheHead", "GET / HT", codec, {}, false, false, true},
      {"ClosedInTheBody", post("Content-Length: 5\r\n\r\nhel"), codec, {}, false, false, true},
      {"ClosedInAChunk", chunked("5\r\nhel"), codec, {}, false, false, true},
      {"ClosedBeforeTheLastChunk", chunked("3\r\nhel\r\n"), codec, {}, false, false, true},
  };
}

std::vector<Case> accepted_responses() {
  return {
      {"Length", kOk + "Content-Length: 2\r\n\r\nok", "{:status=200 content-length=2}ok."},
      {"NoReason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "{:status=200 content-length=0}."},
      {"NoReasonNorSpace", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
       "{:status=200 content-length=0}."},
      {"Http10", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
       "{:status=200 content-length=1}x."},
      {"Chunked", kOk + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: 1\r\n\r\n",
       "{:status=200}ok[a=1]."},
      {"EndsWithTheConnection",
       kOk + "\r\nall there is",
       "{:status=200}all there is.",
       {},
       false,
       false,
       true},
      {"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", "{:status=204}."},
      {"NoContentOfNoLength", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
       "{:status=204}."},
      {"NotModifiedWithLength", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
       "{:status=304 content-length=9}."},
      {"ToHeadWithLength",
       kOk + "Content-Length: 9\r\n\r\n",
       "{:status=200 content-length=9}.",
       {},
       true},
      {"ToHeadChunked", kOk + "Transfer-Encoding: chunked\r\n\r\n", "{:status=200}.", {}, true},
      {"Informational",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + kOk +
           "Content-Length: 1\r\n\r\nx",
       "{:status=100}.{:status=103 link=x}.{:status=200 content-length=1}x."},
      {"SwitchingProtocols",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw",
       "{:status=101 upgrade=websocket connection=upgrade}raw"},
      {"ToConnect", kOk + "\r\nraw", "{:status=200}raw", {}, false, true},
      {"ToConnectIgnoresFraming",
       kOk + "Content-Length: 1\r\n\r\nraw",
       "{:status=200 content-length=1}raw",
       {},
       false,
       true},
      {"RefusedConnect",
       "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
       "{:status=403 content-length=2}no.",
       {},
       false,
       true},
      {"HostIsAnOrdinaryField", kOk + "Host: x y\r\nContent-Length: 0\r\n\r\n",
       "{:status=200 host=x y content-length=0}."},
  };
}

std::vector<Case> refused_responses() {
  const std::string codec = "502 http1.codec_error";
  return {
      {"NoVersion", "200 OK HTTP/1.1\r\n\r\n", codec},
      {"StatusOfTwoDigits", "HTTP/1.1 20 OK\r\n\r\n", codec},
      {"StatusOfFourDigits", "HTTP/1.1 2000 OK\r\n\r\n", codec},
      {"StatusWithLetters", "HTTP/1.1 2x0 OK\r\n\r\n", codec},
      {"StatusBelow100", "HTTP/1.1 099 Low\r\n\r\n", codec},
      {"StatusAbove599", "HTTP/1.1 600 High\r\n\r\n", codec},
      {"ControlInTheReason", "HTTP/1.1 200 O\x01K\r\n\r\n", codec},
      {"Http2", "HTTP/2.0 200 OK\r\n\r\n", "400 http1.codec_error"},
      {"LeadingEmptyLine", "\r\n" + kOk + "\r\n", "400 http1.codec_error"},
      {"LengthAndChunked", kOk + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400 http1.content_length_and_chunked_not_allowed"},
      {"DifferingLengths", kOk + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "400 http1.codec_error"},
      {"ChunkedNoContent", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
       "502 http1.transfer_encoding_not_allowed"},
      {"NoContentWithLength", "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n",
       "502 http1.content_length_not_allowed"},
      {"ContinueWithLength", "HTTP/1.1 100 C\r\nContent-Length: 1\r\n\r\n",
       "502 http1.content_length_not_allowed"},
      {"BareLf", "HTTP/1.1 200 OK\n\r\n", "400 http1.codec_error"},
      {"ClosedInTheBody",
       kOk + "Content-Length: 5\r\n\r\nhel",
       "400 http1.codec_error",
       {},
       false,
       false,
       true},
      {"ClosedBeforeTheLastChunk",
       kOk + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
       "400 http1.codec_error",
       {},
       false,
       false,
       true},
      {"HeadTooLarge", kOk + "x: " + std::string(200, 'x') + "\r\n\r\n",
       "431 http1.headers_too_large", small(200)},
  };
}

void expect_accepted(Kind kind, const std::vector<Case>& cases) {
  for (const Case& what : cases) {
    SCOPED_TRACE(what.name);
    EXPECT_EQ(transcript(kind, what, what.input.size()), what.expected);
    EXPECT_EQ(transcript(kind, what, 1), what.expected) << "byte by byte";
  }
}

// The refusal must be the same however the bytes come; what was told before it may differ.
void expect_refused(Kind kind, const std::vector<Case>& cases) {
  for (const Case& what : cases) {
    SCOPED_TRACE(what.name);
    for (const size_t piece : {what.input.size(), size_t{1}}) {
      const std::string text = transcript(kind, what, piece);
      const size_t refusal = text.find('!' + what.expected);
      EXPECT_NE(refusal, std::string::npos) << text << " in pieces of " << piece;
    }
  }
}

TEST(Http1Parser, TakesTheseRequests) {
  expect_accepted(Kind::Request, accepted_requests());
}
TEST(Http1Parser, RefusesTheseRequests) {
  expect_refused(Kind::Request, refused_requests());
}
TEST(Http1Parser, TakesTheseResponses) {
  expect_accepted(Kind::Response, accepted_responses());
}
TEST(Http1Parser, RefusesTheseResponses) {
  expect_refused(Kind::Response, refused_responses());
}

TEST(Http1Parser, BoundsTheChunkExtensionsOfAMessage) {
  std::string input = chunked("");
  for (size_t bytes = 0; bytes <= kMaxMessageExtensionBytes; bytes += 1000) {
    input += "1;" + std::string(999, 'x') + "\r\nz\r\n";
  }
  const std::string text = transcript(Kind::Request, {"", input, ""}, input.size());
  EXPECT_NE(text.find("!400 http1.codec_error"), std::string::npos) << text;
}

TEST(Http1Parser, TellsWhetherTheConnectionGoesOn) {
  const struct {
    std::string input;
    bool keep_alive;
  } cases[] = {
      {get(""), true},
      {get("Connection: close\r\n"), false},
      {get("Connection: Keep-Alive, CLOSE\r\n"), false},
      {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true},
  };
  const CodecOptions options = http10();
  for (const auto& what : cases) {
    Parser parser(Kind::Request, options);
    ASSERT_EQ(parser.next(what.input).event, Event::Head) << what.input;
    EXPECT_EQ(parser.info().keep_alive, what.keep_alive) << what.input;
  }
}

TEST(Http1Parser, KeepsTheCaseOfNamesOnDemand) {
  CodecOptions options;
  options.preserve_header_case = true;
  Parser parser(Kind::Request, options);
  ASSERT_EQ(parser.next(get("X-CaSe: 1\r\n")).event, Event::Head);
  const HeaderMap headers = parser.take_headers();
  EXPECT_EQ(headers[headers.size() - 1].name, "x-case");
  EXPECT_EQ(headers.raw_name(headers.size() - 1), "X-CaSe");
}

// The answer to what cannot be parsed must not be shaped by the request before it.
TEST(Http1Parser, ForgetsTheFormerRequestAtTheFirstByteOfTheNext) {
  const CodecOptions options;
  Parser parser(Kind::Request, options);
  const std::string head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.next(head).consumed, head.size());
  ASSERT_EQ(parser.next("\x01").event, Event::Error);
  EXPECT_FALSE(parser.info().head);
}

}  // namespace
}  // namespace sennit::http::http1

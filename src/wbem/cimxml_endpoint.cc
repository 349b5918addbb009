#include "wbem/cimxml_endpoint.h"

#include <charconv>

#include <fmt/format.h>

#include "wbem/cimxml_reply.h"

namespace lockstep::wbem {
namespace {

constexpr std::string_view kManUri = "http://www.dmtf.org/cim/mapping/http/v1.0";

HttpRefusal Detail(std::string detail) { return {400, "", std::move(detail)}; }
HttpRefusal Mismatch(std::string detail) { return {400, "header-mismatch", std::move(detail)}; }

std::string_view Trim(std::string_view s) {
  const size_t first = s.find_first_not_of(" \t\"");
  if (first == s.npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\"") - first + 1);
}

// %XX becomes the byte; anything else stays.
std::string PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// PGErrorDetail is URI-encoded: it must not break the header, whatever a client put into its request.
std::string PercentEncoded(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 512)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    if (plain) out += c;
    else fmt::format_to(std::back_inserter(out), "%{:02X}", byte);
  }
  return out;
}

// The CIM headers of a request: with M-POST each has the prefix "NN-" that the header Man declares (RFC 2774).
class CimHeaders {
 public:
  explicit CimHeaders(const HttpRequest& request) : request_(request) {}

  std::optional<HttpRefusal> FindPrefix() {
    if (request_.method != "M-POST") return std::nullopt;
    if (request_.version < 11) return Detail("M-POST needs HTTP/1.1");
    const std::string* man = request_.Find("Man");
    const size_t ns = man ? man->find("ns=") : std::string::npos;
    if (!man || ns == std::string::npos || man->find(kManUri) == std::string::npos)
      return Detail(fmt::format("M-POST needs the header Man: {};ns=NN", kManUri));
    prefix_ = std::string(Trim(std::string_view(*man).substr(ns + 3, 2))) + "-";
    return std::nullopt;
  }
  const std::string* Find(std::string_view name) const { return request_.Find(prefix_ + std::string(name)); }
  const std::string& prefix() const { return prefix_; }

 private:
  const HttpRequest& request_;
  std::string prefix_;
};

std::optional<HttpRefusal> CheckContentType(const HttpRequest& request) {
  const std::string* header = request.Find("Content-Type");
  if (!header) return Detail("the header Content-Type is missing");
  std::string_view rest = *header;
  const size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view type = Trim(rest.substr(0, end));
  if (!NameEquals(type, "application/xml") && !NameEquals(type, "text/xml"))
    return Detail("Content-Type is application/xml or text/xml");
  rest.remove_prefix(end);
  const size_t charset = NameLower(rest).find("charset=");
  if (charset == std::string::npos) return std::nullopt;
  rest = rest.substr(charset + 8);
  if (!NameEquals(Trim(rest.substr(0, rest.find(';'))), "utf-8")) return Detail("the charset is utf-8");
  return std::nullopt;
}

std::optional<HttpRefusal> CheckHttp(const HttpRequest& request) {
  if (request.method != "POST" && request.method != "M-POST") return HttpRefusal{405, "", "POST and M-POST are served"};
  if (request.version >= 11 && !request.Find("Host")) return Detail("the header Host is missing");
  const std::string* encoding = request.Find("Content-Encoding");
  if (encoding && !NameEquals(Trim(*encoding), "identity"))
    return Detail("Content-Encoding other than identity is refused");
  return CheckContentType(request);
}

std::optional<HttpRefusal> CheckCimHeaders(const CimHeaders& headers) {
  if (headers.Find("CIMBatch"))
    return HttpRefusal{501, "multiple-requests-unsupported", "requests are sent one by one"};
  const std::string* operation = headers.Find("CIMOperation");
  if (!operation) return Detail("the header CIMOperation is missing");
  if (!NameEquals(Trim(*operation), "MethodCall"))
    return HttpRefusal{400, "unsupported-operation", "CIMOperation is MethodCall"};
  const std::string* version = headers.Find("CIMProtocolVersion");
  if (version && !Trim(*version).starts_with("1."))
    return HttpRefusal{501, "unsupported-protocol-version", "CIMProtocolVersion 1.x is spoken here"};
  if (!headers.Find("CIMMethod")) return Mismatch("the header CIMMethod is missing");
  if (!headers.Find("CIMObject")) return Mismatch("the header CIMObject is missing");
  return std::nullopt;
}

std::optional<HttpRefusal> CompareWithBody(const CimHeaders& headers, const CimXmlRequest& message) {
  const std::string method = PercentDecoded(Trim(*headers.Find("CIMMethod")));
  if (method != message.call)
    return Mismatch(fmt::format("CIMMethod is {}, the message calls {}", method.substr(0, 64),
                                message.call.substr(0, 64)));
  const std::string* version = headers.Find("CIMProtocolVersion");
  if (version && Trim(*version) != message.protocol_version)
    return Mismatch("CIMProtocolVersion differs from the message's PROTOCOLVERSION");
  const std::string object = PercentDecoded(Trim(*headers.Find("CIMObject")));
  // A method's object begins with the namespace; what follows is in the message, which is what counts.
  const std::string_view ns = message.intrinsic ? object : std::string_view(object).substr(0, object.find(':'));
  if (!NameEquals(StripSlashes(ns), message.request.ns))
    return Mismatch("CIMObject names another namespace than the message");
  return std::nullopt;
}

HttpReply RefusalReply(const HttpRefusal& refusal) {
  HttpReply reply;
  reply.status = refusal.status;
  if (refusal.status == 405) reply.headers.emplace_back("Allow", "POST, M-POST");
  if (!refusal.cim_error.empty()) reply.headers.emplace_back("CIMError", refusal.cim_error);
  if (!refusal.detail.empty()) reply.headers.emplace_back("PGErrorDetail", PercentEncoded(refusal.detail));
  return reply;
}

std::optional<HttpRefusal> Decode(const HttpRequest& request, CimHeaders& headers, CimXmlRequest& message) {
  if (auto refusal = CheckHttp(request)) return refusal;
  if (auto refusal = headers.FindPrefix()) return refusal;
  if (auto refusal = CheckCimHeaders(headers)) return refusal;
  if (auto refusal = DecodeCimXml(request.body, message)) return refusal;
  return CompareWithBody(headers, message);
}

// True when the client reads trailers (RFC 9110 10.1.4).
bool TakesTrailers(const HttpRequest& request) {
  const std::string* te = request.Find("TE");
  return te && NameLower(*te).find("trailers") != std::string::npos;
}

// A client whose reader may be of DTD 2.0, which has nothing within ERROR, says so by what it leaves out: the
// hand-written one of wbemcli sends no Accept.
bool ReadsErrorInstances(const HttpRequest& request, const CimXmlRequest& message) {
  return request.Find("Accept") || !message.dtd_version.starts_with("2.0");
}

// Sends the beginnings of large replies.
class Drain final : public ReplyDrain {
 public:
  Drain(HttpStream* stream, HttpHeaders headers, bool trailers) : stream_(stream), trailers_(trailers) {
    piece_.headers = std::move(headers);
  }
  Task<bool> Take(std::string& text) override {
    if (std::exchange(trailers_, false))
      piece_.headers.emplace_back("Trailer", "CIMStatusCode, CIMStatusCodeDescription");
    piece_.body.swap(text);
    Task<bool> send = stream_->Send(piece_);
    const bool sent = co_await std::move(send);
    piece_.body.swap(text);
    text.clear();
    co_return sent;
  }
  HttpHeaders TakeHeaders() { return std::move(piece_.headers); }

 private:
  HttpStream* const stream_;
  bool trailers_;  // are to be announced
  HttpReply piece_;
};

}  // namespace

Task<HttpReply> CimXmlEndpoint::Handle(HttpRequest request, std::string peer, HttpStream* stream) const {
  Caller caller{"", peer};
  if (gate_) {
    const std::string* authorization = request.Find("Authorization");
    HttpClient client = stream ? stream->client() : HttpClient{peer, false, {}};
    Task<Admission> admit = gate_->Admit(authorization ? *authorization : std::string(), std::move(client));
    Admission admission = co_await std::move(admit);
    if (!admission.caller) co_return std::move(admission.refusal);
    caller = *std::move(admission.caller);
  }
  CimHeaders headers(request);
  CimXmlRequest message;
  if (const auto refusal = Decode(request, headers, message)) co_return RefusalReply(*refusal);
  request.body.clear();
  request.body.shrink_to_fit();

  const bool trailers = TakesTrailers(request);
  HttpHeaders head;
  head.emplace_back("Content-Type", "application/xml; charset=utf-8");
  if (!headers.prefix().empty()) {
    head.emplace_back("Ext", "");
    head.emplace_back("Cache-Control", "no-cache");
    head.emplace_back("Man", fmt::format("{};ns={}", kManUri, headers.prefix().substr(0, 2)));
  }
  head.emplace_back(headers.prefix() + "CIMOperation", "MethodResponse");
  Drain drain(stream, std::move(head), trailers);
  CimXmlReply writer(message, host_, templates_, stream ? &drain : nullptr);
  if (ReadsErrorInstances(request, message)) writer.DescribeErrors(owning_entity_);
  CimStatus status = std::move(message.status);
  if (status.ok()) {
    Task<CimStatus> perform = core_.Perform(std::move(message.request), std::move(caller), writer);
    status = co_await std::move(perform);
  }
  HttpReply reply;
  reply.body = writer.Finish(status);
  reply.headers = drain.TakeHeaders();
  if (!status.ok() && writer.drained()) {
    // Too late for an ERROR element: only trailers, or the lack of an end, can tell that the list is not complete.
    reply.broken = !trailers;
    reply.trailers.emplace_back("CIMStatusCode", std::to_string(static_cast<int>(status.code)));
    reply.trailers.emplace_back("CIMStatusCodeDescription", PercentEncoded(status.message));
  }
  co_return reply;
}

}  // namespace lockstep::wbem

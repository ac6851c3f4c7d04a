//! The headers that an upstream gets.
//!
//! An upstream trusts what Vestibule says about a user, so no client may say it: a client's own copy of such a header
//! is removed on every path, in every spelling. Names are compared as by servers that turn them into variables, as
//! CGI does: any character that is not a letter or digit equals `-`, so `X_User_Email` is `X-User-Email`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::session::names::{is_reserved, is_session};
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::cookie::{self, SetCookie};
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::request::Request;

/// Headers that make some servers use another path, host, scheme or client address than the request has, or in which a
/// framework passes internal state. No client may set them.
const ALWAYS_REMOVED: [&str; 10] = [
    // RFC 7239. Vestibule sends the same information in X-Forwarded-*.
    "forwarded",
    "x-real-ip",
    // IIS, Symfony, Zend and others read the path from these.
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    // Vercel's routing. Next.js trusts them in some modes.
    "x-matched-path",
    "x-now-route-matches",
    // Credentials for a proxy, which an upstream must not get (RFC 9110 section 11.7).
    "proxy-authorization",
    // Becomes the variable HTTP_PROXY in a CGI environment ("httpoxy").
    "proxy",
];

/// The header in which a proxy authenticates its forward-auth request.
pub const VERIFY_SECRET: &str = "x-vestibule-verify";

/// Those of [`ALWAYS_REMOVED`] that proxies do not write but pass on. An upstream that trusts them sees another request
/// than the one that was authorized.
const MISLEADING: [&str; 6] =
    ["x-original-url", "x-original-uri", "x-rewrite-url", "x-matched-path", "x-now-route-matches", "proxy"];

/// Prefixes of headers that are removed like [`ALWAYS_REMOVED`]: those of proxies, of Vestibule, and the internal
/// ones of Next.js, with which a client could claim that the middleware has already run (CVE-2025-29927).
const REMOVED_PREFIXES: [&str; 4] = [FORWARDED_PREFIX, "x-vestibule-", "x-middleware-", "x-invoke-"];

/// The prefix of the headers in which proxies describe the request.
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// The client of Next.js sends this header, and nothing trusts it, so it passes.
const CLIENT_PREFETCH: &str = "x-middleware-prefetch";

/// How many names in `Connection` are read. The headers named after these are forwarded.
const MAX_CONNECTION_NAMES: usize = 100;

/// Headers with which a request claims another method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Headers of the connection to Vestibule, which are not forwarded (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// The names of the headers that some upstream or rule sets, which no client may send on any path, and the headers of
/// the network in front of the runtime.
#[derive(Clone, Debug, Default)]
pub struct GuardedNames {
    names: BTreeSet<String>,
    edge: EdgeFields,
}

impl GuardedNames {
    /// Guards the `names` of all configured `headers`. `Authorization` is not among them: it is guarded where an
    /// upstream sets it ([`Outgoing::sets_authorization`]), and the client's own elsewhere.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, edge: EdgeFields) -> Self {
        Self { names: names.into_iter().map(|name| normalized(name).into_owned()).collect(), edge }
    }

    /// Whether a server that turns names into variables would confuse this name with a guarded one, although it is
    /// spelled differently.
    pub fn is_confusable(&self, name: &str) -> bool {
        let normalized = normalized(name);
        normalized != name && self.names.contains(normalized.as_ref())
    }

    /// The name of a header of the request because of which an upstream could see another request, or another user,
    /// than was authorized. Only for forward-auth, where another proxy forwards the request with all its headers.
    /// Where Vestibule forwards, [`Outgoing`] removes such headers.
    pub fn misleading<'r>(&self, request: &'r Request, methods_matter: bool) -> Option<&'r str> {
        let misleads = |name: &str| {
            let normalized = normalized(name);
            let normalized = normalized.as_ref();
            MISLEADING.contains(&normalized)
                || REMOVED_PREFIXES.iter().any(|prefix| {
                    // The proxy itself writes these headers in their usual spelling.
                    let is_written_by_proxies = *prefix == FORWARDED_PREFIX && normalized == name;
                    normalized.starts_with(prefix) && !is_written_by_proxies && name != CLIENT_PREFETCH
                })
                || (methods_matter && METHOD_OVERRIDES.contains(&normalized))
                || self.is_confusable(name)
        };
        request.headers.iter().map(|(name, _)| name).find(|name| misleads(name))
    }

    /// The guarded names, in lower case, with `-` for every character that is not a letter or digit.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// The headers that the network in front of the runtime sets, replacing those of the client. A runtime without such a
/// network has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeFields {
    /// The prefix of their names, in lower case.
    pub prefix: Option<&'static str>,
    /// The name of the one with the client's IP address, in lower case.
    pub client_address: Option<&'static str>,
    /// The one that identifies the request, in lower case: the log names it, and so does the network's own log.
    pub request_id: Option<&'static str>,
}

impl EdgeFields {
    /// Whether a name, in lower case, is one of these headers.
    fn contains(self, name: &str) -> bool {
        self.prefix.is_some_and(|prefix| name.starts_with(prefix))
    }

    /// The client's IP address. `None` if the header is absent, repeated, or not an IP address.
    pub fn client_address(self, headers: &Headers) -> Option<&str> {
        let mut addresses = headers.get_all(self.client_address?);
        match (addresses.next(), addresses.next()) {
            (Some(address), None) => address.parse::<IpAddr>().is_ok().then_some(address),
            _ => None,
        }
    }

    /// The request's identifier. `None` where the network does not give one, or where it is not one short word.
    pub fn request_id(self, headers: &Headers) -> Option<&str> {
        const LONGEST: usize = 64;
        let is_id = |id: &&str| {
            (1..=LONGEST).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let mut ids = headers.get_all(self.request_id?);
        match (ids.next(), ids.next()) {
            (Some(id), None) => Some(id).filter(is_id),
            _ => None,
        }
    }
}

/// Which of a request's headers are forwarded, and which are added.
pub struct Outgoing<'a> {
    /// The names that only Vestibule sets, on any path.
    pub guarded: &'a GuardedNames,
    /// Whether this upstream gets `Authorization` from the session. Then the client's own is removed, even if the
    /// session has no value for it.
    pub sets_authorization: bool,
    /// Whether this upstream gets the sealed session. It never gets the other reserved cookies.
    pub forward_session: bool,
    /// Whether any rule applies to some methods only
    /// ([`RuleSet::distinguishes_methods`](crate::guard::rules::RuleSet::distinguishes_methods)). Then headers that
    /// claim another method are removed.
    pub methods_matter: bool,
    /// The session cookies that the browser gets with the response. An upstream that gets the sealed session sees
    /// them as if the browser had sent them.
    pub renewed: &'a [SetCookie],
    /// The names and values to set. A value with control characters, which no header may contain (RFC 9110 section
    /// 5.5), is left out. Other characters outside ASCII are sent as UTF-8.
    pub set: &'a [(String, String)],
}

impl Outgoing<'_> {
    /// The changes to the headers of `request`.
    pub fn changes(&self, request: &Request) -> Changes {
        let incoming = &request.headers;
        let named_by_connection: Vec<String> = incoming
            .get_all("connection")
            .flat_map(|value| value.split(','))
            .take(MAX_CONNECTION_NAMES)
            .map(|name| name.trim().to_ascii_lowercase())
            // A client must not remove what the network in front says.
            .filter(|name| name != "host" && !self.guarded.edge.contains(name))
            .collect();
        let is_dropped =
            |name: &str| named_by_connection.iter().any(|named| named == name) || self.is_removed(name);

        let mut changes = Changes::default();
        for (name, _) in incoming.iter().filter(|(name, _)| is_dropped(name)) {
            changes.remove(name);
        }
        if !is_dropped("cookie") {
            self.change_cookies(incoming, &mut changes);
        }
        if incoming.get("upgrade").is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket")) {
            changes.set("upgrade", "websocket");
        }
        set_forwarding_headers(&mut changes, request, self.guarded.edge);
        for (name, value) in self.set {
            if !has_control(value) {
                changes.set(name, value.as_str());
            }
        }
        changes
    }

    /// Removes the reserved cookies, except the session if this upstream gets it.
    fn change_cookies(&self, incoming: &Headers, changes: &mut Changes) {
        let sent: Vec<&str> = incoming.get_all("cookie").collect();
        let mut kept: Vec<String> =
            sent.iter().filter_map(|field| cookie::without(field, |name| self.is_withheld(name))).collect();
        kept.extend(self.renewed.iter().filter_map(SetCookie::pair));
        if kept.is_empty() {
            changes.remove("cookie");
        } else if kept != sent {
            changes.set("cookie", kept.join("; "));
        }
    }

    fn is_removed(&self, name: &str) -> bool {
        let normalized = normalized(name);
        let normalized = normalized.as_ref();
        HOP_BY_HOP.contains(&normalized)
            || ALWAYS_REMOVED.contains(&normalized)
            || (REMOVED_PREFIXES.iter().any(|prefix| normalized.starts_with(prefix)) && name != CLIENT_PREFETCH)
            // The network in front writes its headers in their usual spelling.
            || (self.guarded.edge.contains(normalized) && normalized != name)
            || (self.sets_authorization && normalized == "authorization")
            || (self.methods_matter && METHOD_OVERRIDES.contains(&normalized))
            || self.guarded.names.contains(normalized)
    }

    fn is_withheld(&self, cookie_name: &str) -> bool {
        let is_forwarded = self.forward_session && self.renewed.is_empty() && is_session(cookie_name);
        is_reserved(cookie_name) && !is_forwarded
    }
}

/// A claim as a header's value: a string unchanged, a number or boolean as in JSON, an array as its values separated by
/// commas. `None` for `null`, an object, and an empty string or array.
///
/// Values of an array that are arrays or objects are left out, and so are strings with a comma, which would become two
/// values.
pub fn field_value(claim: &Value) -> Option<String> {
    let text = match claim {
        Value::Array(values) => {
            let texts =
                values.iter().filter_map(scalar).filter(|text| !text.is_empty() && !text.contains(','));
            texts.collect::<Vec<_>>().join(",")
        }
        value => scalar(value)?,
    };
    (!text.is_empty()).then_some(text)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Sets `X-Forwarded-*` from the request itself. The client's address comes from the network in front; without it, the
/// headers for the address are not set.
fn set_forwarding_headers(changes: &mut Changes, request: &Request, edge: EdgeFields) {
    changes.set("x-forwarded-host", request.url.authority.as_str());
    changes.set("x-forwarded-proto", if request.url.secure { "https" } else { "http" });
    if let Some(address) = edge.client_address(&request.headers) {
        changes.set("x-forwarded-for", address);
        changes.set("x-real-ip", address);
    }
}

/// Whether a value contains a control character. ASCII text is searched by bytes, which is faster: a token is long
/// and is searched with every request.
fn has_control(value: &str) -> bool {
    if value.is_ascii() {
        value.bytes().any(|byte| byte.is_ascii_control())
    } else {
        value.contains(char::is_control)
    }
}

/// A name as a server that turns it into a variable sees it: in lower case, with `-` for every character that is not a
/// letter or digit.
fn normalized(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Cow::Borrowed(name);
    }
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use vestibule_oidc::http::request::{Method, RequestUrl};

    fn request(fields: &[(&str, &str)]) -> Request {
        Request {
            method: Method::Get,
            url: RequestUrl::parse("https://app.example.com/x").unwrap(),
            headers: fields.iter().copied().collect(),
        }
    }

    const EDGE: EdgeFields = EdgeFields {
        prefix: Some("cf-"),
        client_address: Some("cf-connecting-ip"),
        request_id: Some("cf-ray"),
    };

    fn guarded() -> GuardedNames {
        GuardedNames::new(["x-user-email", "X-User-Roles"], EDGE)
    }

    /// The headers that are forwarded, without the two that are always set.
    fn forwarded(
        fields: &[(&str, &str)],
        change: impl FnOnce(&mut Outgoing<'_>),
        set: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let set: Vec<_> = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let guarded = guarded();
        let mut outgoing = Outgoing {
            guarded: &guarded,
            sets_authorization: false,
            forward_session: false,
            methods_matter: false,
            renewed: &[],
            set: &set,
        };
        change(&mut outgoing);
        let request = request(fields);
        let headers = outgoing.changes(&request).applied_to(&request.headers);
        assert_eq!(headers.get_all("x-forwarded-host").collect::<Vec<_>>(), ["app.example.com"]);
        assert_eq!(headers.get_all("x-forwarded-proto").collect::<Vec<_>>(), ["https"]);
        headers
            .iter()
            .filter(|(name, _)| *name != "x-forwarded-host" && *name != "x-forwarded-proto")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn names(fields: Vec<(String, String)>) -> Vec<String> {
        fields.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn ordinary_headers_pass_in_their_order() {
        let fields = [
            ("host", "app.example.com"),
            ("accept", "text/html"),
            ("authorization", "Basic x"),
            ("x-user-emails", "1"),
            ("x-nextjs-data", "1"),
            ("x-middleware-prefetch", "1"),
            ("x-http-method-override", "PATCH"),
            ("cf-ray", "1"),
            ("accept", "*/*"),
        ];
        let out = forwarded(&fields, |_| (), &[]);
        let expected: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn header_smuggling_a_clients_copy_of_a_guarded_header_is_removed_in_every_spelling() {
        for name in [
            "x-user-email",
            "X-User-Email",
            "X_User_Email",
            "x-user_email",
            "X.User.Email",
            "x_user-roles",
            "x-user-roles",
        ] {
            assert_eq!(forwarded(&[(name, "evil")], |_| (), &[]), [], "{name}");
            let out = forwarded(&[(name, "evil"), (name, "evil")], |_| (), &[("x-user-email", "good")]);
            assert_eq!(out, [("x-user-email".to_owned(), "good".to_owned())], "{name}");
        }
    }

    #[test]
    fn header_smuggling_connection_cannot_remove_guarded_headers() {
        let fields = [
            ("connection", "X-User-Email, close, x-custom, cf-connecting-ip, host, x-forwarded-for"),
            ("keep-alive", "1"),
            ("x-custom", "1"),
            ("host", "h"),
            ("cf-connecting-ip", "192.0.2.1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
        ];
        let out = forwarded(&fields, |_| (), &[("x-user-email", "good")]);
        assert_eq!(names(out), ["host", "cf-connecting-ip", "x-forwarded-for", "x-real-ip", "x-user-email"]);
    }

    #[test]
    fn trusted_forwarding_headers_come_from_the_request_and_never_from_the_client() {
        for name in [
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x_forwarded_host",
            "x-forwarded-uri",
            "x-forwarded-prefix",
            "x-forwarded-user",
            "forwarded",
            "x-real-ip",
            "x-original-url",
            "x-rewrite-url",
            "X_Original_URL",
            "proxy-authorization",
            "proxy",
            "cf_connecting_ip",
            "CF.Connecting_IP",
        ] {
            assert_eq!(forwarded(&[(name, "evil")], |_| (), &[]), [], "{name}");
        }
        for address in ["192.0.2.1", "2001:db8::1"] {
            let out = forwarded(&[("x-forwarded-for", "evil"), ("cf-connecting-ip", address)], |_| (), &[]);
            assert_eq!(
                out.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>(),
                [("cf-connecting-ip", address), ("x-forwarded-for", address), ("x-real-ip", address)]
            );
        }
        let twice = [("cf-connecting-ip", "192.0.2.1"), ("cf-connecting-ip", "192.0.2.2")];
        assert_eq!(names(forwarded(&twice, |_| (), &[])), ["cf-connecting-ip", "cf-connecting-ip"]);
        assert_eq!(names(forwarded(&[("cf-connecting-ip", "1, 2")], |_| (), &[])), ["cf-connecting-ip"]);
    }

    #[test]
    fn header_smuggling_internal_headers_of_a_framework_are_removed() {
        for name in [
            "x-middleware-subrequest",
            "X-Middleware-Subrequest",
            "x_middleware_subrequest",
            "x-middleware-rewrite",
            "x-middleware-next",
            "x-middleware-set-cookie",
            "x-middleware-override-headers",
            "x-middleware-request-cookie",
            "x-middleware-subrequest-id",
            "x_middleware_prefetch",
            "x-invoke-path",
            "x-invoke-status",
            "x-matched-path",
        ] {
            assert_eq!(forwarded(&[(name, "1")], |_| (), &[]), [], "{name}");
        }
    }

    #[test]
    fn the_clients_authorization_passes_only_if_the_upstream_gets_none_from_the_session() {
        let own = [("authorization", "Bearer evil"), ("Authorization", "Basic evil")];
        assert_eq!(forwarded(&own, |_| (), &[]).len(), 2);
        assert_eq!(forwarded(&own, |o| o.sets_authorization = true, &[]), []);
        let out = forwarded(&own, |o| o.sets_authorization = true, &[("authorization", "Bearer good")]);
        assert_eq!(out, [("authorization".to_owned(), "Bearer good".to_owned())]);
    }

    #[test]
    fn method_override_headers_are_removed_if_rules_distinguish_methods() {
        for name in ["x-http-method-override", "X-HTTP-Method", "x_method_override"] {
            assert_eq!(forwarded(&[(name, "DELETE")], |o| o.methods_matter = true, &[]), [], "{name}");
            assert_eq!(forwarded(&[(name, "DELETE")], |_| (), &[]).len(), 1, "{name}");
        }
    }

    #[test]
    fn reserved_cookies_are_removed_except_the_session_if_the_upstream_gets_it() {
        let all = "a=1; __Secure-authjs.session-token.0=x; __Host-authjs.csrf-token=y; next-auth.session-token=z; b=2";
        for (forward_session, kept) in [
            (false, Some("a=1; b=2")),
            (true, Some("a=1; __Secure-authjs.session-token.0=x; next-auth.session-token=z; b=2")),
        ] {
            let out = forwarded(&[("cookie", all)], |o| o.forward_session = forward_session, &[]);
            assert_eq!(out.first().map(|(_, value)| value.as_str()), kept);
        }
        assert_eq!(forwarded(&[("cookie", "authjs.state=1")], |_| (), &[]), []);
        let out =
            forwarded(&[("cookie", "a=1"), ("cookie", "authjs.state=1"), ("cookie", "b=2")], |_| (), &[]);
        assert_eq!(out, [("cookie".to_owned(), "a=1; b=2".to_owned())]);
    }

    #[test]
    fn only_an_upgrade_to_websocket_passes() {
        let fields = [("connection", "Upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-key", "k")];
        assert_eq!(names(forwarded(&fields, |_| (), &[])), ["sec-websocket-key", "upgrade"]);
        assert_eq!(forwarded(&[("connection", "Upgrade"), ("upgrade", "h2c")], |_| (), &[]), []);
    }

    #[test]
    fn header_smuggling_a_value_with_control_characters_is_not_set() {
        for value in ["a\r\nx-user-roles: admin", "a\nb", "a\0", "a\u{85}b"] {
            assert_eq!(
                forwarded(&[("x-user-email", "evil")], |_| (), &[("x-user-email", value)]),
                [],
                "{value:?}"
            );
        }
        assert_eq!(forwarded(&[], |_| (), &[("x-user-email", "Zoë")]).len(), 1);
    }

    #[test]
    fn claims_become_header_values() {
        for (claim, value) in [
            (json!("a,b"), Some("a,b")),
            (json!(""), None),
            (json!(7), Some("7")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!({"a": 1}), None),
            (json!(["a", 1, false]), Some("a,1,false")),
            (json!(["a,admin", "b", "", null, ["c"]]), Some("b")),
            (json!([]), None),
        ] {
            assert_eq!(field_value(&claim).as_deref(), value, "{claim}");
        }
    }
}

//! The headers that an upstream gets.
//!
//! An upstream trusts what Vestibule says about a user, so no client may say it: a client's own copy of such a header
//! is removed on every path, in every spelling. Names are compared as by servers that turn them into variables, as
//! CGI does: any character that is not a letter or digit equals `-`, so `X_User_Email` is `X-User-Email`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::guard::client_headers::{Beginnings, family};
use crate::session::names::CookieNaming;
use crate::upstream::cookie_name::CookieReading;
use crate::upstream::header_value::has_control;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::cookie::{self, SetCookie};
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::request::Request;

/// The headers in which Vestibule describes each request itself.
pub(crate) const SET_BY_VESTIBULE: [&str; 4] =
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// The header in which a proxy authenticates its forward-auth request.
pub const VERIFY_SECRET: &str = "x-vestibule-verify";

/// How many names in `Connection` are read. The headers named after these are forwarded.
const MAX_CONNECTION_NAMES: usize = 100;

/// Headers with which a request claims another method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// How many changes there are besides those that a route sets, and how many bytes they have, for most requests.
const USUAL_CHANGES: usize = 10;
const USUAL_BYTES: usize = 256;

/// Headers of the connection to Vestibule, which are not forwarded (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Headers that say what the body is. Servers read these names only as they are written, except those that turn names into
/// variables: some of them would take another spelling for the same.
const OF_BODY: [&str; 2] = ["content-length", "content-type"];

/// The headers of an access token: a proof belongs to the token in `Authorization`.
const WITH_TOKEN: [&str; 2] = ["authorization", "dpop"];

/// The names of the headers that some upstream or rule sets, which no client may send on any path, the headers of the
/// network in front of the runtime, and the names of Vestibule's cookies.
#[derive(Clone, Debug)]
pub struct GuardedNames {
    /// What the names of all fields begin with that may be removed.
    removable: Beginnings,
    names: BTreeSet<String>,
    edge: EdgeFields,
    /// Further fields that the network in front is configured to set.
    passed: BTreeSet<String>,
    cookies: CookieNaming,
    /// The cookies that some upstream or rule sets.
    upstream_cookies: BTreeSet<CookieReading>,
}

impl Default for GuardedNames {
    fn default() -> Self {
        let mut removable = Beginnings::default();
        for name in HOP_BY_HOP.iter().chain(&WITH_TOKEN).chain(&METHOD_OVERRIDES).chain(&OF_BODY) {
            removable.add_name(name);
        }
        Self {
            removable,
            names: BTreeSet::new(),
            edge: EdgeFields::default(),
            passed: BTreeSet::new(),
            cookies: CookieNaming::default(),
            upstream_cookies: BTreeSet::new(),
        }
    }
}

impl GuardedNames {
    /// Guards the `names` of all configured `headers`. `Authorization` is not among them: it is guarded where an
    /// upstream sets it ([`Outgoing::sets_authorization`]), and the client's own elsewhere.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, edge: EdgeFields) -> Self {
        let names = names.into_iter().map(|name| normalized(name).into_owned()).collect();
        let mut guarded = Self { names, edge, ..Self::default() };
        for name in guarded.names.iter().map(String::as_str).chain(edge.headers.iter().copied()) {
            guarded.removable.add_name(name);
        }
        if let Some(prefix) = edge.prefix {
            guarded.removable.add_prefix(prefix);
        }
        guarded
    }

    /// The same where the network in front is configured to set these fields, too, whatever the client sends. They are in
    /// lower case.
    #[must_use]
    pub fn passing(mut self, fields: &[String]) -> Self {
        for name in fields {
            self.removable.add_name(name);
        }
        Self { passed: fields.iter().cloned().collect(), ..self }
    }

    /// With cookies that are not named as by default.
    #[must_use]
    pub fn with_cookies(self, cookies: CookieNaming) -> Self {
        Self { cookies, ..self }
    }

    /// With cookies that some upstream or rule sets.
    #[must_use]
    pub fn with_upstream_cookies(self, cookies: impl IntoIterator<Item = CookieReading>) -> Self {
        Self { upstream_cookies: cookies.into_iter().collect(), ..self }
    }

    /// Whether a text between semicolons of a `Cookie` or `Set-Cookie` field is, for some server, a cookie that only
    /// Vestibule sends to upstreams.
    pub fn is_upstream_cookie(&self, pair: &str) -> bool {
        !self.upstream_cookies.is_empty()
            && CookieReading::all_in_pair(pair).any(|reading| self.upstream_cookies.contains(&reading))
    }

    /// Whether the network in front sets the field of this name, in lower case, so that no client's copy arrives.
    fn is_set_by_edge(&self, name: &str) -> bool {
        self.edge.headers.contains(&name) || self.passed.contains(name)
    }

    /// Whether no client may send this field: only the network in front or a proxy may write it, or nobody.
    fn is_removed(&self, name: &str, normalized: &str) -> bool {
        if self.is_set_by_edge(name) {
            return false;
        }
        family(name, normalized).is_some()
            || self.edge.prefix.is_some_and(|prefix| normalized.starts_with(prefix))
            // The network in front writes its fields in their usual spelling.
            || self.is_set_by_edge(normalized)
    }

    /// Whether a server that turns names into variables would confuse this name with a guarded one, or with one about the
    /// body, although it is spelled differently.
    pub fn is_confusable(&self, name: &str) -> bool {
        let normalized = normalized(name);
        normalized != name
            && (self.names.contains(normalized.as_ref())
                || OF_BODY.iter().chain(&HOP_BY_HOP).any(|other| *other == normalized))
    }

    /// The name of a header of the request because of which an upstream could see another request, or another user,
    /// than was authorized. Only for forward-auth, where another proxy forwards the request with all its headers.
    /// Where Vestibule forwards, [`Outgoing`] removes such headers.
    pub fn misleading<'r>(&self, request: &'r Request, methods_matter: bool) -> Option<&'r str> {
        let misleads = |name: &str| {
            let normalized = normalized(name);
            let normalized = normalized.as_ref();
            // A proxy writes its fields in their usual spelling.
            family(name, normalized).is_some_and(|family| !family.is_written_by_proxies || normalized != name)
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
    /// The prefix of their names, in lower case. No client may send any other field that begins so.
    pub prefix: Option<&'static str>,
    /// The names of those that it sets in every request, in lower case.
    pub headers: &'static [&'static str],
    /// The name of the one with the client's IP address, in lower case.
    pub client_address: Option<&'static str>,
    /// The one that identifies the request, in lower case: the log names it, and so does the network's own log.
    pub request_id: Option<&'static str>,
}

impl EdgeFields {
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
    /// The session's cookies, if this upstream gets the sealed session.
    pub session: SessionCookies<'a>,
    /// The names and values to set. A value with control characters, which no header may contain (RFC 9110 section
    /// 5.5), is left out. Other characters outside ASCII are sent as UTF-8.
    pub set: &'a [(String, String)],
    /// The names and values of the cookies to add. The values are cookie-octets (RFC 6265 section 4.1.1).
    pub cookies: &'a [(String, String)],
}

/// The cookies of the session that is forwarded: of one session only, the one that was decided about.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionCookies<'a> {
    /// The positions of its cookies in the request. An upstream would open the first session that it finds.
    pub positions: &'a [usize],
    /// Cookies that the browser gets with the answer, in place of those: the upstream sees them as if the browser had
    /// them already.
    pub renewed: &'a [SetCookie],
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
            .filter(|name| name != "host" && !self.guarded.is_set_by_edge(name))
            .collect();
        let is_dropped =
            |name: &str| named_by_connection.iter().any(|named| named == name) || self.is_removed(name);

        let set = self.set.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let mut changes = Changes::with_capacity(USUAL_CHANGES + self.set.len(), USUAL_BYTES + set);
        for (name, _) in incoming.iter().filter(|(name, _)| is_dropped(name)) {
            changes.remove(name);
        }
        if is_dropped("cookie") {
            self.change_cookies(&Headers::new(), &mut changes);
        } else {
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

    /// Removes the reserved cookies, except the session if this upstream gets it, and a client's own copies of those that are
    /// added.
    fn change_cookies(&self, incoming: &Headers, changes: &mut Changes) {
        let sent: Vec<&str> = incoming.get_all("cookie").collect();
        let mut kept = cookie::without_pairs(sent.iter().copied(), |position, pair| {
            self.is_withheld(position, cookie::pair_name(pair)) || self.guarded.is_upstream_cookie(pair)
        });
        kept.extend(
            self.session.renewed.iter().filter(|it| self.is_of_session(it)).filter_map(SetCookie::pair),
        );
        kept.extend(self.cookies.iter().map(|(name, value)| format!("{name}={value}")));
        if kept.is_empty() {
            changes.remove("cookie");
        } else if kept != sent {
            changes.set("cookie", kept.join("; "));
        }
    }

    fn is_removed(&self, name: &str) -> bool {
        let normalized = normalized(name);
        let normalized = normalized.as_ref();
        if !self.guarded.removable.may_have(normalized) {
            return false;
        }
        HOP_BY_HOP.contains(&normalized)
            || self.guarded.is_removed(name, normalized)
            || (self.sets_authorization && WITH_TOKEN.contains(&normalized))
            || (self.methods_matter && METHOD_OVERRIDES.contains(&normalized))
            || self.guarded.names.contains(normalized)
            || (OF_BODY.contains(&normalized) && normalized != name)
    }

    fn is_withheld(&self, position: usize, cookie_name: &str) -> bool {
        let SessionCookies { positions, renewed } = self.session;
        let is_of_session = positions.contains(&position) && self.guarded.cookies.is_session(cookie_name);
        let is_replaced = renewed.iter().any(|it| self.is_of_session(it));
        let is_forwarded = self.forward_session && !is_replaced && is_of_session;
        self.guarded.cookies.is_reserved(cookie_name) && !is_forwarded
    }

    /// Whether a cookie that the browser gets is the session's. An upstream gets no other one of Vestibule's.
    fn is_of_session(&self, cookie: &SetCookie) -> bool {
        self.guarded.cookies.is_session(cookie.name())
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
    use super::*;
    use crate::guard::client_headers::FAMILIES;
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
        headers: &["cf-connecting-ip", "cf-ray", "cdn-loop"],
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
            session: SessionCookies::default(),
            set: &set,
            cookies: &[],
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
            ("x_custom", "1"),
            ("x-http-method-override", "PATCH"),
            ("cf-ray", "1"),
            ("accept", "*/*"),
        ];
        let out = forwarded(&fields, |_| (), &[]);
        let expected: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_guarded_name_is_removed_however_short_it_is() {
        let edge = EdgeFields { prefix: Some("z"), ..EdgeFields::default() };
        let guarded = GuardedNames::new(["a", "ab", "abc", "x-user"], edge);
        let outgoing = Outgoing {
            guarded: &guarded,
            sets_authorization: true,
            forward_session: false,
            methods_matter: true,
            session: SessionCookies::default(),
            set: &[],
            cookies: &[],
        };
        let removed =
            ["a", "AB", "abc", "X_User", "te", "z", "Zone", "authorization", "DPoP", "x-http-method"];
        let fields: Vec<_> =
            removed.iter().chain(&["b", "accept", "x-users"]).map(|name| (*name, "1")).collect();
        let request = request(&fields);
        let headers = outgoing.changes(&request).applied_to(&request.headers);
        let left = headers.iter().map(|(name, _)| name).filter(|name| !name.starts_with("x-forwarded-"));
        assert_eq!(left.collect::<Vec<_>>(), ["b", "accept", "x-users"]);
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
    fn header_smuggling_every_family_of_fields_is_removed_in_every_spelling() {
        let whole = |prefix: &&str| {
            if prefix.ends_with('-') { format!("{prefix}email") } else { (*prefix).to_owned() }
        };
        for family in &FAMILIES {
            let names = family.names.iter().map(|name| (*name).to_owned());
            for name in names.chain(family.prefixes.iter().map(whole)) {
                for name in
                    [name.clone(), name.replace('-', "_"), name.to_uppercase(), name.replacen('-', ".", 1)]
                {
                    assert_eq!(forwarded(&[(&name, "evil")], |_| (), &[]), [], "{name}");
                }
            }
        }
        for name in
            ["x_middleware_prefetch", "x-forwarded-email", "X-Auth-Request-Groups", "x-amzn-oidc-data"]
        {
            assert_eq!(forwarded(&[(name, "evil")], |_| (), &[]), [], "{name}");
        }
    }

    #[test]
    fn header_smuggling_gateways_that_name_the_user_are_known() {
        for name in [
            "X-Auth-Userid",
            "X-Auth-Username",
            "X-Auth-Roles",
            "X-Token-User-Email",
            "X-Proxy-User",
            "X-Proxy-Roles",
            "OAM_REMOTE_USER",
            "CAS-User",
            "X-Iisnode-Auth_User",
            "Teleport-Jwt-Assertion",
            "L5d-Client-Id",
            "CloudFront-Viewer-Address",
            "CloudFront-Forwarded-Proto",
            "Fastly-SSL",
            "X-ARR-SSL",
            "Disguised-Host",
            "X-MS-Original-URL",
            "X-Tls-Client-Cert",
            "X-OpenNext-Initial-Url",
        ] {
            assert_eq!(forwarded(&[(name, "evil")], |_| (), &[]), [], "{name}");
        }
    }

    #[test]
    fn header_smuggling_no_other_spelling_says_where_a_body_ends_or_what_it_is() {
        for name in ["content_length", "Content_Type", "content.length", "transfer_encoding"] {
            assert_eq!(forwarded(&[(name, "5")], |_| (), &[]), [], "{name}");
            assert!(guarded().misleading(&request(&[(name, "5")]), false).is_some(), "{name}");
        }
        for name in ["content-length", "content-type"] {
            assert_eq!(names(forwarded(&[(name, "5")], |_| (), &[])), [name]);
            assert!(guarded().misleading(&request(&[(name, "5")]), false).is_none(), "{name}");
        }
    }

    #[test]
    fn header_smuggling_of_the_network_s_fields_only_those_pass_that_it_sets() {
        for name in
            ["cf-access-jwt-assertion", "cf-cert-verified", "cf-ipcity", "cf-anything", "cf_ray", "cdn_loop"]
        {
            assert_eq!(forwarded(&[(name, "evil")], |_| (), &[]), [], "{name}");
        }
        let passed = ["cf-ipcity".to_owned(), "true-client-ip".to_owned()];
        let guarded = guarded().passing(&passed);
        let outgoing = Outgoing {
            guarded: &guarded,
            sets_authorization: false,
            forward_session: false,
            methods_matter: false,
            session: SessionCookies::default(),
            set: &[],
            cookies: &[],
        };
        let fields = [
            ("cf-ipcity", "Bern"),
            ("cf_ipcity", "evil"),
            ("true-client-ip", "192.0.2.1"),
            ("true_client_ip", "evil"),
            ("cf-ipcontinent", "evil"),
            ("connection", "cf-ipcity, true-client-ip"),
        ];
        let request = request(&fields);
        let headers = outgoing.changes(&request).applied_to(&request.headers);
        assert_eq!(
            (headers.get("cf-ipcity"), headers.get("true-client-ip")),
            (Some("Bern"), Some("192.0.2.1"))
        );
        assert!(headers.iter().all(|(_, value)| value != "evil"), "{headers:?}");
    }

    #[test]
    fn header_smuggling_a_forward_auth_request_with_fields_that_no_proxy_writes_is_misleading() {
        let guarded = guarded();
        for (name, is_misleading) in [
            ("x-original-url", true),
            ("x-rewrite-uri", true),
            ("x-override-url", true),
            ("x-host", true),
            ("x-middleware-subrequest", true),
            ("x-vestibule-assertion", true),
            ("proxy", true),
            ("x-forwarded-for", false),
            ("x_forwarded_for", true),
            ("x-envoy-external-address", false),
            ("x-original-host", false),
            ("true-client-ip", false),
            ("true_client_ip", true),
            ("x_user_email", true),
            ("x_custom", false),
            ("sentry.trace", false),
            ("x-middleware-prefetch", false),
            ("accept", false),
        ] {
            let request = request(&[(name, "x")]);
            assert_eq!(guarded.misleading(&request, false).is_some(), is_misleading, "{name}");
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
        for (forward_session, positions, kept) in [
            (false, &[1, 3][..], Some("a=1; b=2")),
            (true, &[1, 3], Some("a=1; __Secure-authjs.session-token.0=x; next-auth.session-token=z; b=2")),
            (true, &[3], Some("a=1; next-auth.session-token=z; b=2")),
            // A position forwards no other cookie.
            (true, &[0, 2], Some("a=1; b=2")),
            (true, &[], Some("a=1; b=2")),
        ] {
            let change = |o: &mut Outgoing<'_>| {
                o.forward_session = forward_session;
                o.session = SessionCookies { positions, renewed: &[] };
            };
            let out = forwarded(&[("cookie", all)], change, &[]);
            assert_eq!(out.first().map(|(_, value)| value.as_str()), kept);
        }
        assert_eq!(forwarded(&[("cookie", "authjs.state=1")], |_| (), &[]), []);
        let out =
            forwarded(&[("cookie", "a=1"), ("cookie", "authjs.state=1"), ("cookie", "b=2")], |_| (), &[]);
        assert_eq!(out, [("cookie".to_owned(), "a=1; b=2".to_owned())]);
    }

    #[test]
    fn of_the_browsers_new_cookies_an_upstream_gets_those_of_the_session_only() {
        let session = "__Secure-authjs.session-token";
        let new = |name: &str| SetCookie::new(name, "new");
        let guarded = guarded();
        let cookies = |renewed: &[SetCookie]| {
            let outgoing = Outgoing {
                guarded: &guarded,
                sets_authorization: false,
                forward_session: true,
                methods_matter: false,
                session: SessionCookies { positions: &[0], renewed },
                set: &[],
                cookies: &[],
            };
            let request = request(&[("cookie", &format!("{session}=old; a=1"))]);
            let out = outgoing.changes(&request).applied_to(&request.headers);
            out.get("cookie").map(str::to_owned)
        };
        let others = ["__Secure-authjs.logout-hint", "__Secure-authjs.last-user"].map(new);
        let all = [&[new(session)], others.as_slice()].concat();
        assert_eq!(cookies(&all), Some(format!("a=1; {session}=new")));
        // Without a new one the session stays as it is.
        let marker = SetCookie::expired("__Host-authjs.renewal");
        assert_eq!(cookies(&[marker]), Some(format!("{session}=old; a=1")));
        assert_eq!(cookies(&[SetCookie::expired(session)]).as_deref(), Some("a=1"));
    }

    #[test]
    fn with_a_prefix_an_app_s_own_auth_js_cookies_are_forwarded() {
        let naming = CookieNaming { prefix: Some("acme".to_owned()), host_prefix: false };
        let guarded = guarded().with_cookies(naming);
        let outgoing = Outgoing {
            guarded: &guarded,
            sets_authorization: false,
            forward_session: false,
            methods_matter: false,
            session: SessionCookies::default(),
            set: &[],
            cookies: &[],
        };
        let app_cookies = "__Secure-authjs.session-token.0=x; next-auth.csrf-token=y; authjs.state=%7C";
        let all =
            format!("{app_cookies}; __Secure-acme.session-token=x; acme.ticket=y; __Host-acme.csrf-token=z");
        let request = request(&[("cookie", &all)]);
        let out = outgoing.changes(&request).applied_to(&request.headers);
        assert_eq!(out.get("cookie"), Some(app_cookies));
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
}

//! The header fields that an upstream gets.
//!
//! An upstream believes what Vestibule says about a user, so nobody else may say it: a client's own copy
//! of such a field is taken away on every path, in every spelling. Names are compared as servers that
//! make variables of them do: any character that is no letter or digit is the same as `-`, so
//! `X_User_Email` is `X-User-Email`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::session::names::CookieNaming;
use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::cookie::{self, SetCookie};
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::request::Request;

/// Fields by which some servers choose another path, host, scheme or client than the request has, or by
/// which a framework tells itself what it has done already. Nobody outside has a right to them.
const REFUSED: [&str; 10] = [
    // RFC 7239; what it would say is said with X-Forwarded-*.
    "forwarded",
    "x-real-ip",
    // IIS, Symfony, Zend and others take the path from these.
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    // Vercel's routing, believed by Next.js in some modes.
    "x-matched-path",
    "x-now-route-matches",
    // For proxies, so for us and not for what is behind (RFC 9110 section 11.7).
    "proxy-authorization",
    // The same smuggled into a CGI environment ("httpoxy").
    "proxy",
];

/// The field in which a proxy that asks about a request proves who it is.
pub const VERIFY_SECRET: &str = "x-vestibule-verify";

/// Of those, what no proxy writes and many pass on: it says of a request what it was not when it was decided.
const MISLEADING: [&str; 6] =
    ["x-original-url", "x-original-uri", "x-rewrite-url", "x-matched-path", "x-now-route-matches", "proxy"];

/// The same by their beginnings: proxies' words about the request, ours, and Next.js's words to itself, with
/// which a client could say that the middleware has run already (CVE-2025-29927).
const REFUSED_PREFIXES: [&str; 4] = [FORWARDED_PREFIX, "x-vestibule-", "x-middleware-", "x-invoke-"];

/// What proxies say of a request begins so.
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// Next.js's own client sends it, and nothing trusts it.
const CLIENT_PREFETCH: &str = "x-middleware-prefetch";

/// So many names in `Connection` are looked at. What a client names beyond them goes on, as if it had not.
const MOST_NAMED: usize = 100;

/// Fields with which a request claims to have another method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Fields for the connection to us, not for the one behind (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// The names that some upstream of the configuration sets, which no client may use on any path, those that are the
/// network's in front, and those of Vestibule's cookies.
#[derive(Clone, Debug, Default)]
pub struct GuardedNames {
    names: BTreeSet<String>,
    edge: EdgeFields,
    cookies: CookieNaming,
}

impl GuardedNames {
    /// From the names in all `headers`. `Authorization` is not among them: it is guarded where
    /// an upstream sets it ([`Outgoing::sets_authorization`]), and the client's own elsewhere.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, edge: EdgeFields) -> Self {
        let names = names.into_iter().map(|name| spelling(name).into_owned()).collect();
        Self { names, edge, cookies: CookieNaming::default() }
    }

    /// With cookies that are named in another way than by default.
    #[must_use]
    pub fn with_cookies(self, cookies: CookieNaming) -> Self {
        Self { cookies, ..self }
    }

    /// A field of that name would be taken for one of ours by a server that makes variables of names, and is not
    /// written as we write it.
    pub fn are_imitated_by(&self, name: &str) -> bool {
        let spelled = spelling(name);
        spelled != name && self.names.contains(spelled.as_ref())
    }

    /// A field of the request by which the server behind another proxy could see another request, or another
    /// person, than was decided about. Where we forward, [`Outgoing`] takes such fields away; a proxy that only
    /// asks passes them on.
    pub fn misleading<'r>(&self, request: &'r Request, methods_matter: bool) -> Option<&'r str> {
        let misleads = |name: &str| {
            let spelled = spelling(name);
            let spelled = spelled.as_ref();
            MISLEADING.contains(&spelled)
                || REFUSED_PREFIXES.iter().any(|prefix| {
                    // What the proxy itself says comes in its own spelling.
                    let is_said_by_proxies = *prefix == FORWARDED_PREFIX && spelled == name;
                    spelled.starts_with(prefix) && !is_said_by_proxies && name != CLIENT_PREFETCH
                })
                || (methods_matter && METHOD_OVERRIDES.contains(&spelled))
                || self.are_imitated_by(name)
        };
        request.headers.iter().map(|(name, _)| name).find(|name| misleads(name))
    }

    /// The names, in lower case, with `-` for whatever is no letter or digit.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// The fields in which the network in front of the runtime says something, whatever the client sent. A runtime without
/// such a network has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeFields {
    /// How their names begin, in lower case.
    pub beginning: Option<&'static str>,
    /// The one that has the client's IP address, in lower case.
    pub client_address: Option<&'static str>,
}

impl EdgeFields {
    /// Whether a name, in lower case, is one of them.
    fn own(self, name: &str) -> bool {
        self.beginning.is_some_and(|beginning| name.starts_with(beginning))
    }

    /// The client's IP address. `None` where the network does not say it, or something else stands there.
    pub fn client_address(self, headers: &Headers) -> Option<&str> {
        let mut addresses = headers.get_all(self.client_address?);
        match (addresses.next(), addresses.next()) {
            (Some(address), None) => address.parse::<IpAddr>().is_ok().then_some(address),
            _ => None,
        }
    }
}

/// What is forwarded of a request's header fields, and what is added.
pub struct Outgoing<'a> {
    /// Names that only Vestibule sets, on any path.
    pub guarded: &'a GuardedNames,
    /// Whether this upstream gets `Authorization` from the session. The client's own is taken away then,
    /// also where the session has nothing to put in its place.
    pub sets_authorization: bool,
    /// Whether this upstream gets the sealed session. Our other cookies it never gets.
    pub forward_session: bool,
    /// Whether some rule is for some methods only
    /// ([`RuleSet::distinguishes_methods`](crate::guard::rules::RuleSet::distinguishes_methods)): what
    /// claims another method than the request has is taken away then.
    pub methods_matter: bool,
    /// The session's cookies, where this upstream gets the sealed session.
    pub session: SessionCookies<'a>,
    /// Names and values to set. A value with control characters, which no field may have (RFC 9110 section
    /// 5.5), is left out. Other characters outside ASCII stay: they go out as UTF-8.
    pub set: &'a [(String, String)],
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
    /// What becomes of the fields of `request`.
    pub fn changes(&self, request: &Request) -> Changes {
        let incoming = &request.headers;
        let named_by_connection: Vec<String> = incoming
            .get_all("connection")
            .flat_map(|value| value.split(','))
            .take(MOST_NAMED)
            .map(|name| name.trim().to_ascii_lowercase())
            // The connection's client does not get to take away what the edge says.
            .filter(|name| name != "host" && !self.guarded.edge.own(name))
            .collect();
        let goes =
            |name: &str| named_by_connection.iter().any(|named| named == name) || self.is_refused(name);

        let mut changes = Changes::default();
        for (name, _) in incoming.iter().filter(|(name, _)| goes(name)) {
            changes.remove(name);
        }
        if !goes("cookie") {
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

    /// The session goes where it is wanted, our other cookies never.
    fn change_cookies(&self, incoming: &Headers, changes: &mut Changes) {
        let sent: Vec<&str> = incoming.get_all("cookie").collect();
        let mut left =
            cookie::without(sent.iter().copied(), |position, name| self.keeps_back(position, name));
        left.extend(self.session.renewed.iter().filter_map(SetCookie::pair));
        if left.is_empty() {
            changes.remove("cookie");
        } else if left != sent {
            changes.set("cookie", left.join("; "));
        }
    }

    fn is_refused(&self, name: &str) -> bool {
        let spelled = spelling(name);
        let spelled = spelled.as_ref();
        HOP_BY_HOP.contains(&spelled)
            || REFUSED.contains(&spelled)
            || (REFUSED_PREFIXES.iter().any(|prefix| spelled.starts_with(prefix)) && name != CLIENT_PREFETCH)
            // What the edge says comes in its own spelling.
            || (self.guarded.edge.own(spelled) && spelled != name)
            || (self.sets_authorization && spelled == "authorization")
            || (self.methods_matter && METHOD_OVERRIDES.contains(&spelled))
            || self.guarded.names.contains(spelled)
    }

    fn keeps_back(&self, position: usize, cookie_name: &str) -> bool {
        let SessionCookies { positions, renewed } = self.session;
        let is_of_session = positions.contains(&position) && self.guarded.cookies.is_session(cookie_name);
        let goes_on = self.forward_session && renewed.is_empty() && is_of_session;
        self.guarded.cookies.is_reserved(cookie_name) && !goes_on
    }
}

/// A claim as a field's value: text as it is, numbers and booleans as JSON writes them, a list with commas
/// between. `None` where there is nothing to say: `null`, an object, an empty text or list.
///
/// A list's values that are no scalars, or that have a comma in them and would become two values, are left
/// out.
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

/// `X-Forwarded-*` from the request itself. The client's address is what the network in front says it is; where
/// nobody says it, nothing is said.
fn set_forwarding_headers(changes: &mut Changes, request: &Request, edge: EdgeFields) {
    changes.set("x-forwarded-host", request.url.authority.as_str());
    changes.set("x-forwarded-proto", if request.url.secure { "https" } else { "http" });
    if let Some(address) = edge.client_address(&request.headers) {
        changes.set("x-forwarded-for", address);
        changes.set("x-real-ip", address);
    }
}

/// Whether a control character is in there. By bytes where they are all ASCII: a token is long, and looked through
/// with every request.
fn has_control(value: &str) -> bool {
    if value.is_ascii() {
        value.bytes().any(|byte| byte.is_ascii_control())
    } else {
        value.contains(char::is_control)
    }
}

/// A name as a server that makes a variable of it sees it: lower case, and every character that is no
/// letter or digit a `-`.
fn spelling(name: &str) -> Cow<'_, str> {
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

    const EDGE: EdgeFields = EdgeFields { beginning: Some("cf-"), client_address: Some("cf-connecting-ip") };

    fn guarded() -> GuardedNames {
        GuardedNames::new(["x-user-email", "X-User-Roles"], EDGE)
    }

    /// What goes out, without the two fields that always do.
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
    fn ordinary_fields_pass_in_their_order() {
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
    fn header_smuggling_a_client_s_copy_of_our_fields_goes_in_every_spelling() {
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
    fn header_smuggling_connection_does_not_name_our_fields_away() {
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
    fn trusted_forwarding_headers_are_made_from_the_request_and_never_the_client_s() {
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
    fn a_framework_s_words_to_itself_do_not_come_from_outside() {
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
    fn authorization_is_the_client_s_only_where_the_upstream_has_none_of_ours() {
        let own = [("authorization", "Bearer evil"), ("Authorization", "Basic evil")];
        assert_eq!(forwarded(&own, |_| (), &[]).len(), 2);
        assert_eq!(forwarded(&own, |o| o.sets_authorization = true, &[]), []);
        let out = forwarded(&own, |o| o.sets_authorization = true, &[("authorization", "Bearer good")]);
        assert_eq!(out, [("authorization".to_owned(), "Bearer good".to_owned())]);
    }

    #[test]
    fn another_method_is_claimed_in_vain_where_rules_look_at_methods() {
        for name in ["x-http-method-override", "X-HTTP-Method", "x_method_override"] {
            assert_eq!(forwarded(&[(name, "DELETE")], |o| o.methods_matter = true, &[]), [], "{name}");
            assert_eq!(forwarded(&[(name, "DELETE")], |_| (), &[]).len(), 1, "{name}");
        }
    }

    #[test]
    fn our_cookies_stay_with_us_and_the_session_goes_only_where_it_is_wanted() {
        let all = "a=1; __Secure-authjs.session-token.0=x; __Host-authjs.csrf-token=y; next-auth.session-token=z; b=2";
        for (forward_session, positions, left) in [
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
            assert_eq!(out.first().map(|(_, value)| value.as_str()), left);
        }
        assert_eq!(forwarded(&[("cookie", "authjs.state=1")], |_| (), &[]), []);
        let out =
            forwarded(&[("cookie", "a=1"), ("cookie", "authjs.state=1"), ("cookie", "b=2")], |_| (), &[]);
        assert_eq!(out, [("cookie".to_owned(), "a=1; b=2".to_owned())]);
    }

    #[test]
    fn with_a_prefix_the_cookies_of_an_auth_js_behind_the_worker_go_on() {
        let naming = CookieNaming { prefix: Some("acme".to_owned()), host_prefix: false };
        let guarded = guarded().with_cookies(naming);
        let outgoing = Outgoing {
            guarded: &guarded,
            sets_authorization: false,
            forward_session: false,
            methods_matter: false,
            session: SessionCookies::default(),
            set: &[],
        };
        let app_cookies = "__Secure-authjs.session-token.0=x; next-auth.csrf-token=y; authjs.state=%7C";
        let all =
            format!("{app_cookies}; __Secure-acme.session-token=x; acme.ticket=y; __Host-acme.csrf-token=z");
        let request = request(&[("cookie", &all)]);
        let out = outgoing.changes(&request).applied_to(&request.headers);
        assert_eq!(out.get("cookie"), Some(app_cookies));
    }

    #[test]
    fn a_websocket_s_upgrade_passes_and_no_other() {
        let fields = [("connection", "Upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-key", "k")];
        assert_eq!(names(forwarded(&fields, |_| (), &[])), ["sec-websocket-key", "upgrade"]);
        assert_eq!(forwarded(&[("connection", "Upgrade"), ("upgrade", "h2c")], |_| (), &[]), []);
    }

    #[test]
    fn a_value_that_would_be_several_fields_is_not_set() {
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
    fn claims_become_values_of_fields() {
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

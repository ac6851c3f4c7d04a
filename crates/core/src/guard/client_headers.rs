//! The header fields that no client may send to an upstream, by family.
//!
//! Proxies, identity-aware gateways and frameworks tell the server behind them things in header fields: which address the
//! client has, which path it requested, who the user is. A server that believes such a field believes it of every client
//! that can write it. So a client's copy never reaches an upstream, whichever of these servers it is.

/// Fields that one kind of sender writes, and why a client may not.
#[derive(Debug)]
pub struct Family {
    /// What the fields say.
    pub subject: &'static str,
    /// What a client could do with them.
    pub reason: &'static str,
    /// Names, in lower case.
    pub names: &'static [&'static str],
    /// Beginnings of names, in lower case.
    pub prefixes: &'static [&'static str],
    /// Whether proxies write them for the server behind. A forward-auth request can have such fields in their usual spelling;
    /// it is rejected if it has any other.
    pub is_written_by_proxies: bool,
}

/// The beginning of the names in which proxies describe a request.
const FORWARDED: &str = "x-forwarded-";

/// Every family.
pub static FAMILIES: [Family; 12] = [
    Family {
        subject: "the client's address",
        reason: "An upstream that trusts one of them lets a client choose its address: for rate limits, allow-lists, logs.",
        names: &[
            "true-client-ip",
            "x-true-client-ip",
            "x-client-ip",
            "client-ip",
            "x-cluster-client-ip",
            "cluster-client-ip",
            "x-real-ip",
            "real-ip",
            "x-remote-ip",
            "x-remote-addr",
            "remote-addr",
            "x-originating-ip",
            "x-source-ip",
            "x-proxyuser-ip",
            "x-custom-ip-authorization",
            "forwarded-for",
            "forwarded-for-ip",
            "x-forward-for",
            "x-forwarder-for",
            "proxy-client-ip",
            "wl-proxy-client-ip",
            "http-client-ip",
            "http-x-forwarded-for",
            "fastly-client-ip",
            "fly-client-ip",
            "incap-client-ip",
            "x-sucuri-clientip",
            "x-nf-client-connection-ip",
            "do-connecting-ip",
            "ali-cdn-real-ip",
            "cdn-src-ip",
            "cdn-client-ip",
            "x-vercel-forwarded-for",
            "x-vercel-proxied-for",
            "x-client-geo-location",
        ],
        prefixes: &["x-azure-", "x-vercel-ip-", "cloudfront-viewer-"],
        is_written_by_proxies: true,
    },
    Family {
        subject: "the request as a proxy got it",
        reason: "An upstream that trusts one of them takes another host, scheme, address or user for the request's. Vestibule \
            writes `X-Forwarded-For`, `-Host` and `-Proto` itself.",
        names: &[
            "forwarded",
            "x-forwarded",
            "x-replaced-path",
            "x-scheme",
            "x-url-scheme",
            "front-end-https",
            "cloudfront-forwarded-proto",
            "fastly-ssl",
            "x-arr-ssl",
        ],
        prefixes: &[FORWARDED, "x-envoy-"],
        is_written_by_proxies: true,
    },
    Family {
        subject: "the host and method before a rewrite",
        reason: "An upstream that trusts one of them answers for another host, or runs another method, than was authorized.",
        names: &["x-original-host", "x-original-forwarded-for"],
        // Some of these names are in the next family: no proxy writes those by itself.
        prefixes: &["x-original-"],
        is_written_by_proxies: true,
    },
    Family {
        subject: "the path before a rewrite",
        reason: "IIS, Symfony, Zend and others read the path from these: an upstream would answer for another path than was \
            authorized.",
        names: &[
            "x-original-url",
            "x-original-uri",
            "x-original-path",
            "x-override-url",
            "x-override-uri",
            "x-http-url-override",
            "x-http-path-override",
            "x-waws-unencoded-url",
            "x-ms-original-url",
            "x-request-uri",
            "request-uri",
            "x-script-name",
            "script-name",
            "path-info",
        ],
        prefixes: &["x-rewrite-"],
        is_written_by_proxies: false,
    },
    Family {
        subject: "another host",
        reason: "An upstream that trusts one of them answers for another host, or builds links to it.",
        names: &[
            "x-host",
            "x-http-host",
            "x-http-host-override",
            "x-host-override",
            "x-backend-host",
            "disguised-host",
            "was-default-hostname",
        ],
        prefixes: &[],
        is_written_by_proxies: false,
    },
    Family {
        subject: "the user, as gateways name it",
        reason: "An upstream that trusts one of them signs a client in as any user that it names.",
        names: &[
            // Authelia, Apache, and what CGI programs call it.
            "remote-user",
            "remote-email",
            "remote-groups",
            "remote-name",
            "x-remote-user",
            // Kubernetes's authenticating proxies.
            "x-remote-group",
            "x-remote-groups",
            "x-remote-uid",
            "x-remote-email",
            "x-remote-name",
            // Kong and APISIX.
            "x-userinfo",
            "x-credential-identifier",
            "x-credential-username",
            "x-anonymous-consumer",
            // Google's API gateways.
            "x-endpoint-api-userinfo",
            "x-apigateway-api-userinfo",
            // Keycloak's gatekeeper.
            "x-auth-userid",
            "x-auth-username",
            "x-auth-subject",
            "x-auth-groups",
            "x-auth-roles",
            // OpenSearch's proxy authentication.
            "x-proxy-user",
            "x-proxy-roles",
            // Apache's mod_auth_cas, Teleport, Caddy's security plugin.
            "cas-user",
            "teleport-jwt-assertion",
            "x-token-subject",
            // IBM's reverse proxy.
            "iv-user",
            "iv-groups",
            "iv-creds",
            // AWS Lambda's web adapter.
            "x-amzn-request-context",
            "x-amzn-lambda-context",
            "x-apigateway-event",
            "x-apigateway-context",
        ],
        prefixes: &[
            // oauth2-proxy.
            "x-auth-request-",
            "x-amzn-oidc-",
            // Azure App Service.
            "x-ms-client-principal",
            "x-ms-token-",
            // Google's identity-aware proxy, and App Engine.
            "x-goog-iap-",
            "x-goog-authenticated-user-",
            "x-appengine-",
            "x-authenticated-",
            "x-remote-extra-",
            // Grafana's, Gitea's and others' reverse-proxy sign-in.
            "x-webauth-",
            "x-authentik-",
            "x-pomerium-",
            "x-vouch-",
            "x-consumer-",
            // mod_auth_openidc and mod_auth_mellon.
            "oidc-",
            "mellon-",
            // SiteMinder, Shibboleth.
            "sm-",
            "shib-",
            "tailscale-",
            // Oracle's access manager, IIS in front of Node.js, Linkerd, Caddy's security plugin.
            "oam-",
            "x-iisnode-",
            "l5d-",
            "x-token-user-",
        ],
        is_written_by_proxies: true,
    },
    Family {
        subject: "what Cloudflare says",
        reason: "An upstream that was written to stand behind Cloudflare trusts them for the client's address, country, \
            certificate and user. Where Cloudflare is in front, those that it always sets pass.",
        names: &[],
        prefixes: &["cf-"],
        is_written_by_proxies: true,
    },
    Family {
        subject: "the client's certificate",
        reason: "An upstream that trusts one of them takes a client for the holder of a certificate (RFC 9440).",
        names: &["client-cert", "client-cert-chain", "x-arr-clientcert", "x-client-dn", "x-client-verify"],
        prefixes: &["x-client-cert", "x-ssl-", "ssl-client-", "x-amzn-mtls-", "x-tls-client-"],
        is_written_by_proxies: true,
    },
    Family {
        subject: "a framework's own messages",
        reason: "With them a client claims that a middleware has run (CVE-2025-29927), or chooses the page, the data or the \
            file that is sent.",
        names: &[
            // Vercel's routing, which Next.js trusts in some modes, and Next.js's own.
            "x-matched-path",
            "x-now-route-matches",
            "x-next-revalidated-tags",
            "x-next-revalidate-tag-token",
            "next-resume",
            // Rack::Sendfile maps paths by these (CVE-2025-61780).
            "x-sendfile-type",
        ],
        prefixes: &[
            "x-middleware-",
            "x-invoke-",
            // OpenNext.
            "x-opennext-",
            // React Router (CVE-2025-43865).
            "x-react-router-",
            // Astro's adapters.
            "x-astro-",
            "x-accel-",
        ],
        is_written_by_proxies: false,
    },
    Family {
        subject: "Vestibule's own",
        reason: "Only Vestibule sends them: `X-Vestibule-Assertion` and its kin, and `Vestibule-Egress-Origin`, by which a gateway \
            for outgoing requests knows where they go.",
        names: &[],
        prefixes: &["x-vestibule-", "vestibule-egress-"],
        is_written_by_proxies: false,
    },
    Family {
        subject: "credentials for a proxy",
        reason: "They are for a proxy on the way, and an upstream must not get them (RFC 9110 section 11.7).",
        names: &["proxy-authorization"],
        prefixes: &[],
        is_written_by_proxies: true,
    },
    Family {
        subject: "the proxy of a CGI program",
        reason: "`Proxy` becomes the variable `HTTP_PROXY` in a CGI environment (\"httpoxy\").",
        names: &["proxy"],
        prefixes: &[],
        is_written_by_proxies: false,
    },
];

/// The client of Next.js sends this header, and nothing trusts it, so it passes.
const CLIENT_PREFETCH: &str = "x-middleware-prefetch";

/// How many groups of beginnings there are.
const GROUPS: usize = 1024;

/// How long a beginning is. No name or prefix of the table is shorter.
const BEGINNING: usize = 3;

/// The groups of the beginnings of some names. Every field of every request is looked up in them, and almost none is in one.
#[derive(Clone, Debug)]
pub struct Beginnings(Vec<bool>);

impl Default for Beginnings {
    /// Those of the table.
    fn default() -> Self {
        Self(GROUPS_OF_TABLE.to_vec())
    }
}

impl Beginnings {
    /// Adds a name in lower case.
    pub fn add_name(&mut self, name: &str) {
        // A short name is always one that there may be.
        let at = name.as_bytes().first_chunk().map(|beginning| group(*beginning));
        if let Some(has) = at.and_then(|at| self.0.get_mut(at)) {
            *has = true;
        }
    }

    /// Adds all names in lower case that begin with `prefix`.
    pub fn add_prefix(&mut self, prefix: &str) {
        if prefix.len() < BEGINNING {
            self.0.fill(true);
        }
        self.add_name(prefix);
    }

    /// Whether there may be this name.
    pub fn may_have(&self, name: &str) -> bool {
        let Some(beginning) = name.as_bytes().first_chunk() else { return true };
        self.0.get(group(*beginning)).copied().unwrap_or(true)
    }
}

/// The groups of all names and prefixes of the table. Computed by the compiler: an instance of the component that answers one
/// request would pay for it each time.
#[allow(
    clippy::indexing_slicing,
    reason = "the compiler computes it, and refuses an index that is out of bounds"
)]
static GROUPS_OF_TABLE: [bool; GROUPS] = {
    let mut groups = [false; GROUPS];
    let mut family = 0;
    while family < FAMILIES.len() {
        mark(FAMILIES[family].names, &mut groups);
        mark(FAMILIES[family].prefixes, &mut groups);
        family += 1;
    }
    groups
};

#[allow(
    clippy::indexing_slicing,
    reason = "the compiler computes it, and refuses an index that is out of bounds"
)]
const fn mark(names: &[&str], groups: &mut [bool; GROUPS]) {
    let mut index = 0;
    while index < names.len() {
        if let Some(beginning) = names[index].as_bytes().first_chunk() {
            groups[group(*beginning)] = true;
        }
        index += 1;
    }
}

/// The group of a beginning, less than [`GROUPS`].
const fn group([first, second, third]: [u8; BEGINNING]) -> usize {
    // The lower bits of letters, digits and `-` differ.
    ((first as usize) << 5 ^ (second as usize) << 3 ^ third as usize) % GROUPS
}

/// The family that a field belongs to. `name` is as it was sent, `normalized` as servers may read it. A whole name decides
/// before a prefix.
pub fn family(name: &str, normalized: &str) -> Option<&'static Family> {
    if name == CLIENT_PREFETCH {
        return None;
    }
    let beginning = normalized.as_bytes().first_chunk::<BEGINNING>()?;
    if !GROUPS_OF_TABLE.get(group(*beginning)).copied().unwrap_or_default() {
        return None;
    }
    let of_name = FAMILIES.iter().find(|family| family.names.contains(&normalized));
    of_name.or_else(|| {
        let begins = |family: &&Family| family.prefixes.iter().any(|prefix| normalized.starts_with(prefix));
        FAMILIES.iter().find(begins)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_lower_case_and_names_nothing_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for family in &FAMILIES {
            assert!(family.reason.ends_with('.') && !family.subject.is_empty());
            for name in family.names.iter().chain(family.prefixes) {
                let is_plain =
                    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                assert!(is_plain && name.len() >= BEGINNING, "{name}");
                assert!(super::family(name, name).is_some_and(|found| std::ptr::eq(found, family)), "{name}");
                assert!(seen.insert(*name), "{name} is there twice");
            }
        }
        let prefixes: Vec<&str> = FAMILIES.iter().flat_map(|family| family.prefixes).copied().collect();
        for prefix in &prefixes {
            let begins = prefixes.iter().filter(|other| other.starts_with(prefix)).count();
            assert_eq!(begins, 1, "{prefix} begins another one");
        }
    }

    #[test]
    fn what_clients_send_for_themselves_is_in_no_family() {
        for name in [
            "accept",
            "authorization",
            "cookie",
            "host",
            "origin",
            "referer",
            "user-agent",
            "sec-fetch-site",
            "x-requested-with",
            "x-csrf-token",
            "x-request-id",
            "x-correlation-id",
            "x-auth-token",
            "x-auth-key",
            "x-auth-email",
            "x-auth-user",
            "x-api-key",
            "x-amz-date",
            "x-amzn-trace-id",
            "x-ms-version",
            "x-ms-client-request-id",
            "x-hasura-role",
            "x-nextjs-data",
            "x-middleware-prefetch",
            "x-vercel-protection-bypass",
            "next-router-prefetch",
            "next-action",
            "rsc",
            "traceparent",
            "x-b3-traceid",
            "destination",
            "cdn-loop",
        ] {
            assert!(family(name, name).is_none(), "{name}");
        }
    }
}

//! `check --live`, with a fake network: what is asked, where secrets go, and what is said of the answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

use serde_json::{Value, json};
use vestibule_check::document::File;
use vestibule_check::live::{Answer, Fetch, Probe, Received, run};
use vestibule_check::{ConfigFiles, Report};
use vestibule_core::time::Timestamp;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://login.example.com";
const SECRET: &str = "the-secret-of-the-client";

const WRANGLER: &str = r#"name = "shop"
routes = [{ pattern = "app.example.com/*", zone_name = "example.com" }]

[[kv_namespaces]]
binding = "AUTH_KV"

[vars.AUTH]
base_path = "/auth"

[[vars.AUTH.providers]]
id = "acme"
issuer = "https://login.example.com"
scope = "openid email"

[[vars.AUTH.rules]]
match = "/"
access = "public"

[[vars.AUTH.rules]]
match = "/admin/:path*"
access = "signed-in"

[[vars.AUTH.upstreams]]
to = "https://origin.example.net"
"#;

fn input() -> ConfigFiles {
    let vars = format!(
        "AUTH_SECRET=0123456789abcdefghijklmnopqrstuvwxyz\nAUTH_ACME_ID=shop\nAUTH_ACME_SECRET={SECRET}\n"
    );
    ConfigFiles {
        wrangler: Some(File::new("wrangler.toml", WRANGLER)),
        dev_vars: Some(File::new(".dev.vars", vars)),
        ..ConfigFiles::default()
    }
}

/// A network of one provider and one origin.
struct Network {
    metadata: Value,
    date: u64,
    /// Answers in place of the usual ones, by a part of the URL.
    instead: Vec<(&'static str, Answer)>,
    seen: Vec<Probe>,
}

impl Network {
    fn new() -> Self {
        let metadata = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://login.example.com/authorize",
            "token_endpoint": "https://login.example.com/token",
            "jwks_uri": "https://login.example.com/keys",
            "scopes_supported": ["openid", "email", "profile"],
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        });
        Self { metadata, date: NOW, instead: Vec::new(), seen: Vec::new() }
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.metadata[member] = value;
        self
    }

    fn instead(mut self, url: &'static str, answer: Answer) -> Self {
        self.instead.push((url, answer));
        self
    }

    fn answer(&self, probe: &Probe) -> Answer {
        if let Some((_, answer)) = self.instead.iter().find(|(url, _)| probe.url.contains(url)) {
            return answer.clone();
        }
        let url = probe.url.as_str();
        if url.ends_with("/.well-known/openid-configuration") {
            let Answer::Received(mut received) = json_answer(200, &self.metadata) else { panic!() };
            let date = Timestamp::from_seconds(self.date).to_imf_fixdate();
            received.headers.push(("date".to_owned(), date));
            return Answer::Received(received);
        }
        match url {
            "https://login.example.com/keys" => json_answer(
                200,
                &json!({"keys": [
                    // RFC 8037 appendix A.2.
                    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
                ]}),
            ),
            "https://login.example.com/token" => json_answer(400, &json!({"error": "invalid_grant"})),
            "https://origin.example.net/admin" => page(403, ""),
            _ if url.starts_with("https://login.example.com/authorize?") => {
                redirect("https://app.example.com/auth/callback/acme?error=login_required&state=x")
            }
            _ => Answer::Failed("connection refused".to_owned()),
        }
    }
}

impl Fetch for Network {
    fn fetch(&mut self, probes: &[Probe]) -> Vec<Answer> {
        self.seen.extend_from_slice(probes);
        probes.iter().map(|probe| self.answer(probe)).collect()
    }
}

fn received(status: u16, name: &str, value: &str, body: &str) -> Answer {
    let headers = vec![(name.to_owned(), value.to_owned())];
    Answer::Received(Received { status, headers, body: body.to_owned(), at: NOW })
}

fn json_answer(status: u16, body: &Value) -> Answer {
    received(status, "content-type", "application/json", &body.to_string())
}

fn page(status: u16, body: &str) -> Answer {
    received(status, "content-type", "text/html", body)
}

fn redirect(to: &str) -> Answer {
    received(302, "location", to, "")
}

fn report_of(network: &mut Network) -> Report {
    run(&input(), &[], network)
}

/// The only finding, without its severity.
fn only(mut network: Network) -> String {
    let report = report_of(&mut network);
    assert_eq!(report.findings.len(), 1, "{}", report.to_text());
    report.findings[0].to_string()
}

#[test]
fn a_provider_that_agrees_with_the_configuration_is_not_mentioned() {
    let mut network = Network::new();
    let report = report_of(&mut network);
    assert_eq!(report.to_text(), "0 errors, 0 pieces of advice\n");
    let urls: Vec<&str> = network.seen.iter().map(|probe| probe.url.split('?').next().unwrap()).collect();
    assert_eq!(
        urls,
        [
            "https://login.example.com/.well-known/openid-configuration",
            "https://origin.example.net/admin",
            "https://login.example.com/keys",
            "https://login.example.com/authorize",
            "https://login.example.com/token",
        ]
    );
}

#[test]
fn the_authorization_request_asks_for_nothing_and_has_no_secret() {
    let mut network = Network::new();
    report_of(&mut network);
    let request = network.seen.iter().find(|probe| probe.url.contains("/authorize?")).unwrap();
    for part in [
        "prompt=none",
        "client_id=shop",
        "redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback%2Facme",
    ] {
        assert!(request.url.contains(part), "{}", request.url);
    }
    assert_eq!(request.method, "GET");
    assert!(request.body.is_empty());
}

#[test]
fn the_client_s_secret_goes_to_its_token_endpoint_only() {
    // `shop:the-secret-of-the-client` in base64.
    const BASIC: &str = "c2hvcDp0aGUtc2VjcmV0LW9mLXRoZS1jbGllbnQ=";
    let mut network = Network::new();
    report_of(&mut network);
    for probe in &network.seen {
        let text = format!("{probe:?}");
        let has_secret = text.contains(SECRET) || text.contains(BASIC);
        assert_eq!(has_secret, probe.url == "https://login.example.com/token", "{}", probe.url);
        assert!(!text.contains("0123456789abcdefghijklmnopqrstuvwxyz"), "{text}");
    }
}

#[test]
fn a_provider_that_names_another_site_s_token_endpoint_gets_no_secret_sent_there() {
    let network = Network::new().with("token_endpoint", json!("https://evil.example/token"));
    let text = only(network);
    assert!(text.contains("its token endpoint is at another site, evil.example"), "{text}");
    let mut network = Network::new().with("token_endpoint", json!("https://evil.example/token"));
    report_of(&mut network);
    assert!(network.seen.iter().all(|probe| !probe.url.contains("evil.example")), "{:?}", network.seen);
}

#[test]
fn an_issuer_that_is_spelled_otherwise_is_named_with_its_place() {
    let text = only(Network::new().with("issuer", json!("https://login.example.com/")));
    assert!(text.starts_with("wrangler.toml:12:1: error: AUTH.providers[0].issuer: "), "{text}");
    assert!(text.contains("set issuer = \"https://login.example.com/\""), "{text}");
    let text = only(Network::new().with("issuer", json!("https://evil.example")));
    assert!(text.contains("the provider calls itself \"https://evil.example\""), "{text}");
}

#[test]
fn a_provider_that_lies_is_named_and_not_followed() {
    for (answer, part) in [
        (
            redirect("http://169.254.169.254/latest"),
            "a redirect, and redirects are not followed, to http://169.254.169.254/latest",
        ),
        (page(404, ""), "status 404"),
        (page(200, "<html>"), "not with application/json"),
        (Answer::Failed("no answer within 10 s".to_owned()), "no answer within 10 s"),
        (Answer::Failed("the answer is larger than 131072 bytes".to_owned()), "larger than 131072 bytes"),
        (json_answer(200, &json!({"issuer": ISSUER})), "authorization_endpoint"),
        (received(200, "content-type", "application/json", &"[".repeat(100_000)), "not valid JSON"),
    ] {
        let mut network = Network::new().instead("/.well-known/", answer);
        let report = report_of(&mut network);
        assert_eq!(report.errors(), 1, "{}", report.to_text());
        assert!(report.to_text().contains(part), "{}", report.to_text());
        // Nothing else of it is believed.
        assert!(network.seen.iter().all(|probe| !probe.url.contains("169.254")));
        assert_eq!(network.seen.iter().filter(|probe| probe.url.contains("example.com")).count(), 1);
    }
}

#[test]
fn endpoints_on_internal_machines_are_refused_and_not_asked() {
    for url in ["http://login.example.com/keys", "https://127.0.0.1/keys", "https://localhost/keys"] {
        let mut network = Network::new().with("jwks_uri", json!(url));
        let report = report_of(&mut network);
        assert_eq!(report.errors(), 1, "{}", report.to_text());
        assert!(network.seen.iter().all(|probe| !probe.url.ends_with("/keys")), "{:?}", network.seen);
    }
}

#[test]
fn keys_that_verify_nothing_are_named() {
    for (answer, part) in [
        (json_answer(200, &json!({"keys": []})), "no key there can verify a signature"),
        (json_answer(500, &json!({})), "status 500"),
        (Answer::Failed("connection refused".to_owned()), "connection refused"),
    ] {
        let text = only(Network::new().instead("/keys", answer));
        assert!(
            text.contains("the provider's keys at https://login.example.com/keys") && text.contains(part),
            "{text}"
        );
    }
}

#[test]
fn what_the_provider_does_not_list_is_named() {
    for (member, value, part) in [
        ("scopes_supported", json!(["openid"]), "does not list the scope email"),
        ("response_types_supported", json!(["id_token"]), "does not list the response type \"code\""),
        ("id_token_signing_alg_values_supported", json!(["none"]), "signs ID tokens with none"),
        ("code_challenge_methods_supported", json!(["plain"]), "does not list PKCE with S256"),
    ] {
        let text = only(Network::new().with(member, value));
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_method_that_the_token_endpoint_does_not_accept_is_named() {
    let scope = "scope = \"openid email\"\n";
    let method = "token_endpoint_auth_method = \"client_secret_post\"\n";
    let wrangler = WRANGLER.replace(scope, &format!("{scope}{method}"));
    let input = ConfigFiles { wrangler: Some(File::new("wrangler.toml", wrangler)), ..input() };
    let text = run(&input, &[], &mut Network::new()).to_text();
    let place = "wrangler.toml:14:1: error: AUTH.providers[0].token_endpoint_auth_method: ";
    let problem = "the provider does not accept \"client_secret_post\" at its token endpoint; it accepts client_secret_basic";
    assert!(text.contains(&format!("{place}{problem}")), "{text}");
}

#[test]
fn a_redirect_uri_that_is_not_registered_is_named_with_its_spelling() {
    let answer = page(400, "Error 400: redirect_uri_mismatch");
    let text = only(Network::new().instead("/authorize", answer));
    assert!(text.contains("the redirect URI is not registered at the provider"), "{text}");
    assert!(
        text.contains("register https://app.example.com/auth/callback/acme at the provider, exactly so"),
        "{text}"
    );
}

#[test]
fn a_client_that_is_refused_is_named() {
    let answer = json_answer(401, &json!({"error": "invalid_client"}));
    let text = only(Network::new().instead("/token", answer));
    assert!(text.contains("the provider refuses the client: invalid_client"), "{text}");
    assert!(text.contains("set AUTH_ACME_ID and AUTH_ACME_SECRET anew"), "{text}");
    // What a provider says of the token is no verdict about the client.
    for error in ["invalid_grant", "unsupported_grant_type", "invalid_request"] {
        let mut network = Network::new().instead("/token", json_answer(400, &json!({ "error": error })));
        assert_eq!(report_of(&mut network).findings, []);
    }
}

#[test]
fn a_clock_that_is_wrong_is_named_with_its_difference() {
    let mut network = Network::new();
    network.date = NOW + 90;
    assert!(only(network).contains("the provider's clock is 90 s ahead of this machine's"));
    let mut network = Network::new();
    network.date = NOW - 3600;
    assert!(only(network).contains("3600 s behind"));
}

#[test]
fn an_origin_that_answers_around_the_worker_is_named() {
    let text = only(Network::new().instead("origin.example.net", page(200, "secrets")));
    assert!(text.starts_with("wrangler.toml:24:1: advice: AUTH.upstreams[0].to: "), "{text}");
    assert!(text.contains("answers without the Worker"), "{text}");
}

#[test]
fn without_the_client_s_secrets_nothing_is_sent_in_its_name() {
    let mut network = Network::new();
    let report = run(&ConfigFiles { dev_vars: None, ..input() }, &[], &mut network);
    assert_eq!(report.errors(), 0, "{}", report.to_text());
    assert!(report.to_text().contains("AUTH_ACME_ID is not known here, so the redirect URI was not tried"));
    assert!(network.seen.iter().all(|probe| !format!("{probe:?}").contains("made-up")), "{:?}", network.seen);
}

#[test]
fn the_site_can_be_named() {
    let mut network = Network::new();
    let sites =
        ["https://one.example.com/".to_owned(), "https://two.example.com".to_owned(), "nonsense".to_owned()];
    let report = run(&input(), &sites, &mut network);
    let authorizations: Vec<&Probe> =
        network.seen.iter().filter(|probe| probe.url.contains("/authorize?")).collect();
    assert_eq!(authorizations.len(), 2);
    assert!(report.to_text().contains("--site nonsense"), "{}", report.to_text());
}

#[test]
fn a_configuration_with_mistakes_asks_no_one() {
    let mut network = Network::new();
    let wrangler = WRANGLER.replace("base_path", "base_paht");
    let input = ConfigFiles { wrangler: Some(File::new("wrangler.toml", wrangler)), ..input() };
    assert_eq!(run(&input, &[], &mut network).errors(), 1);
    assert!(network.seen.is_empty());
}

#[test]
fn requests_are_few_short_and_encrypted_however_many_hosts_there_are() {
    let mut network = Network::new();
    let sites: Vec<String> = (0..200).map(|i| format!("https://host-{i}.example.com")).collect();
    run(&input(), &sites, &mut network);
    assert!(network.seen.len() <= 64, "{}", network.seen.len());
    for probe in &network.seen {
        assert!(probe.url.starts_with("https://"), "{}", probe.url);
        assert!(probe.timeout <= 10_000 && probe.limit <= 512 * 1024, "{probe:?}");
    }
}

//! A provider that behaves like its contract: it answers as documented, and records where a request differs from
//! the one that the contract requires.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded::byte_serialize;
use vestibule_core::http::client::{FetchError, FetchRequest, FetchResponse};
use vestibule_core::time::Timestamp;
use vestibule_testing::{AuthorizationRequest, Server};

use crate::contract::{Auth, BackChannelRequest, Contract, Place, ProviderResponse};
use crate::fill::{Values, Write, fill, fill_json};
use crate::findings::{Column, Findings};
use crate::proof;
use crate::signer;

pub const CLIENT_ID: &str = "client-1";
/// With characters whose encodings in a form and in a URL differ.
pub const CLIENT_SECRET: &str = "s3cret+/=";
const CODE: &str = "c0de/1+a=";

/// The provider of the current contract.
#[derive(Default)]
pub struct Provider {
    contract: RefCell<Option<Rc<Contract>>>,
    pub values: RefCell<Values>,
    pub findings: Findings,
    /// Responses that replace the contract's own.
    instead: RefCell<BTreeMap<&'static str, ProviderResponse>>,
    /// The names of the requests since the phase began.
    requests: RefCell<Vec<String>>,
    phase: Cell<Phase>,
}

/// The phase of the walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    SignIn,
    Refresh,
    SignOut,
}

impl Provider {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn plays(&self, id: &str, contract: &Rc<Contract>) {
        let env =
            |variable: &str, usual: &str| contract.env.get(variable).map_or(usual, String::as_str).to_owned();
        let prefix = format!("AUTH_{}", id.replace('-', "_").to_ascii_uppercase());
        let (client_id, secret) =
            (env(&format!("{prefix}_ID"), CLIENT_ID), env(&format!("{prefix}_SECRET"), CLIENT_SECRET));
        let form = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let issuer = contract.discovery.as_ref().map_or("", |discovery| discovery.text("issuer"));
        let body = &contract.token.response.body;
        let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let named = |own: Option<&String>, name: &str| own.cloned().unwrap_or_else(|| member(name));
        let access_token = named(contract.access_token.as_ref(), "access_token");
        *self.values.borrow_mut() = Values::from([
            ("basic", STANDARD.encode(format!("{}:{}", form(&client_id), form(&secret)))),
            ("client_id", client_id),
            ("client_secret", secret),
            ("redirect_uri", format!("{}/auth/callback/{id}", vestibule_testing::APP)),
            ("code", CODE.to_owned()),
            ("issuer", issuer.to_owned()),
            ("at_hash", URL_SAFE_NO_PAD.encode(&Sha256::digest(&access_token)[..16])),
            ("access_token", access_token),
            ("refresh_token", member("refresh_token")),
        ]);
        *self.contract.borrow_mut() = Some(Rc::clone(contract));
    }

    pub fn answers_instead(&self, place: &'static str, reply: ProviderResponse) {
        self.instead.borrow_mut().insert(place, reply);
    }

    pub fn begin(&self, phase: Phase) {
        self.phase.set(phase);
        self.requests.borrow_mut().clear();
    }

    /// The requests since then, without those for documents.
    pub fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    pub fn fill(&self, text: &str, write: Write) -> String {
        fill(text, &self.values.borrow(), write)
    }

    /// Checks the authorization request, and keeps the values of the attempt.
    pub fn receives(&self, location: &str) {
        let contract = self.contract();
        let (location, fragment) =
            location.split_once('#').map_or((location, None), |(url, part)| (url, Some(part)));
        let request = AuthorizationRequest::read(location);
        for (value, param) in [("state", "state"), ("nonce", "nonce"), ("challenge", "code_challenge")] {
            let sent = request.params.get(param).cloned().unwrap_or_default();
            self.values.borrow_mut().insert(value, sent);
        }
        let expected = &contract.authorization;
        self.findings.compare(Column::Authorization, "fragment", &expected.fragment.as_deref(), &fragment);
        let endpoint = expected.url.as_deref().or_else(|| discovered(&contract, "authorization_endpoint"));
        let endpoint = self.fill(endpoint.expect("an authorization endpoint"), Write::Form);
        self.findings.compare(Column::Authorization, "endpoint", &endpoint, &request.endpoint);

        let mut params = BTreeMap::from([("response_type", "code"), ("client_id", "{client_id}")]);
        params.extend([("redirect_uri", "{redirect_uri}"), ("state", "{state}")]);
        if expected.pkce {
            params.extend([("code_challenge", "{challenge}"), ("code_challenge_method", "S256")]);
        }
        if expected.nonce.unwrap_or(contract.discovery.is_some()) {
            params.insert("nonce", "{nonce}");
        }
        params.extend(expected.scope.as_deref().map(|scope| ("scope", scope)));
        params.extend(expected.params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        params.retain(|name, _| !expected.omit.contains(*name));
        let names: BTreeSet<&str> =
            params.keys().copied().chain(request.params.keys().map(String::as_str)).collect();
        for name in names {
            let wanted = params.get(name).map(|value| self.fill(value, Write::Plain));
            let sent = request.params.get(name).cloned();
            self.findings.compare(Column::Authorization, &format!("parameter {name}"), &wanted, &sent);
        }
        for (name, length) in [("state", 43), ("nonce", 43), ("code_challenge", 43)] {
            if request.params.get(name).is_some_and(|value| value.len() < length) {
                self.findings
                    .add(Column::Authorization, format!("{name} is shorter than {length} characters"));
            }
        }
    }
}

impl Server for Provider {
    fn answer(&self, request: &FetchRequest, now: Timestamp) -> Result<FetchResponse, FetchError> {
        let contract = self.contract();
        if let Some(discovery) = &contract.discovery {
            let is = |text: &str| self.fill(text, Write::Plain) == request.url;
            if is(&discovery.url()) {
                let document = Value::Object(discovery.document.clone());
                return Ok(self.response(&ProviderResponse::json(document), now));
            }
            if is(discovery.text("jwks_uri")) {
                return Ok(self.response(&ProviderResponse::json(signer::public_keys()), now));
            }
        }
        let is_about_user = discovered(&contract, "userinfo_endpoint") == Some(&request.url);
        if is_about_user && self.phase.get() == Phase::Refresh && contract.userinfo.is_none() {
            // The sign-in's ID token says everything; the response to a refresh may have none.
            return Ok(self.response(&ProviderResponse { status: 403, ..ProviderResponse::empty() }, now));
        }
        let Some((name, column, exchange)) = self.find(&contract, request) else {
            let problem = format!(
                "{} {} was requested, which the contract does not have",
                request.method.as_str(),
                request.url
            );
            let column = match self.phase.get() {
                Phase::SignIn => Column::Userinfo,
                Phase::Refresh => Column::Refresh,
                Phase::SignOut => Column::Logout,
            };
            self.findings.add(column, problem);
            return Err(FetchError::Connection("connection refused".to_owned()));
        };
        self.requests.borrow_mut().push(name.clone());
        self.check(&contract, (&name, column, exchange), request, now);
        let place = name.split(' ').next().unwrap_or_default();
        let instead = self.instead.borrow().get(place).cloned();
        let response = instead.as_ref().unwrap_or(&exchange.response);
        if name == "refresh" {
            let named = contract.refresh.as_ref().and_then(|refresh| refresh.access_token.as_deref());
            let renewed = named.or_else(|| response.body["access_token"].as_str());
            self.values.borrow_mut().extend(renewed.map(|token| ("access_token", token.to_owned())));
        }
        Ok(self.response(response, now))
    }
}

impl Provider {
    /// Which of the contract's requests this is.
    fn find<'a>(
        &self,
        contract: &'a Contract,
        request: &FetchRequest,
    ) -> Option<(String, Column, &'a BackChannelRequest)> {
        let refresh = contract.refresh.as_ref().map(|refresh| &refresh.exchange);
        let mut exchanges = Vec::new();
        // A refresh asks about the user as a sign-in does.
        let of_user = match self.phase.get() {
            Phase::Refresh => {
                exchanges.extend(refresh.map(|exchange| ("refresh".to_owned(), Column::Refresh, exchange)));
                refresh.map(|_| Column::Refresh)
            }
            Phase::SignIn => {
                exchanges.push(("token".to_owned(), Column::Token, &contract.token));
                Some(Column::Userinfo)
            }
            Phase::SignOut => {
                let revocation = contract.revocation.iter();
                exchanges
                    .extend(revocation.map(|exchange| ("revocation".to_owned(), Column::Logout, exchange)));
                None
            }
        };
        if let Some(column) = of_user {
            let userinfo = contract.userinfo.iter().map(|exchange| ("userinfo".to_owned(), column, exchange));
            exchanges.extend(userinfo);
            let further = contract.further.iter().enumerate();
            exchanges.extend(further.map(|(i, exchange)| (format!("further {i}"), column, exchange)));
        }
        let path = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
        let url =
            |exchange: &&(String, Column, &BackChannelRequest)| self.url(contract, &exchange.0, exchange.2);
        let exact = exchanges.iter().find(|exchange| url(exchange) == request.url);
        exact
            .or_else(|| exchanges.iter().find(|exchange| path(&url(exchange)) == path(&request.url)))
            .cloned()
    }

    fn url(&self, contract: &Contract, name: &str, exchange: &BackChannelRequest) -> String {
        let member = match name {
            "userinfo" => "userinfo_endpoint",
            "revocation" => "revocation_endpoint",
            _ => "token_endpoint",
        };
        let tokens = contract.token.url.as_deref().filter(|_| name == "refresh");
        let url = exchange.url.as_deref().or(tokens).or_else(|| discovered(contract, member));
        self.fill(url.unwrap_or_else(|| panic!("{name} has no url")), Write::Form)
    }

    fn check(
        &self,
        contract: &Contract,
        (name, column, exchange): (&str, Column, &BackChannelRequest),
        request: &FetchRequest,
        now: Timestamp,
    ) {
        proof::keep_verifier(self, request);
        if let Some(assertion) = &contract.assertion {
            proof::keep_assertion(self, assertion, column, request, now);
        }
        let is_token = matches!(name, "token" | "refresh" | "revocation");
        let compare = |what: &str, expected: &str, got: &str| {
            self.findings.compare(column, &format!("{name} request, {what}"), expected, got);
        };
        compare(
            "method",
            exchange.method.as_deref().unwrap_or(if is_token { "POST" } else { "GET" }),
            request.method.as_str(),
        );
        compare("url", &self.url(contract, name, exchange), &request.url);

        let auth = exchange.auth.or(contract.token.auth).unwrap_or(Auth::Basic);
        let mut headers = BTreeMap::from([("accept", "application/json")]);
        if is_token {
            headers.insert("content-type", "application/x-www-form-urlencoded");
            if auth == Auth::Basic {
                headers.insert("authorization", "Basic {basic}");
            }
        } else {
            headers.insert("authorization", "Bearer {access_token}");
        }
        headers.extend(exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        headers.retain(|name, _| !exchange.omit.contains(*name));
        let sent: BTreeMap<String, String> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let agent = sent.get("user-agent").map_or("", String::as_str);
        if !agent.starts_with("Vestibule/") {
            self.findings.add(column, format!("{name} request, user-agent: {agent:?}"));
        }
        let names: BTreeSet<&str> = headers.keys().copied().chain(sent.keys().map(String::as_str)).collect();
        for field in names.into_iter().filter(|name| *name != "user-agent") {
            let wanted = headers.get(field).map(|value| self.fill(value, Write::Plain));
            self.findings.compare(
                column,
                &format!("{name} request, header {field}"),
                &wanted,
                &sent.get(field).cloned(),
            );
        }

        let usual = || if is_token { usual_body(contract, name, auth) } else { String::new() };
        let body = exchange.body.clone().unwrap_or_else(usual);
        let write = if body.starts_with('{') { Write::Plain } else { Write::Form };
        compare("body", &self.fill(&body, write), &String::from_utf8_lossy(&request.body));
    }

    fn response(&self, reply: &ProviderResponse, now: Timestamp) -> FetchResponse {
        if reply.body.to_string().contains("{id_token}") {
            self.sign_id_token(now);
        }
        let values = self.values.borrow();
        let mut headers: vestibule_core::http::headers::Headers =
            reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = match &reply.body {
            Value::String(text) => fill(text, &values, Write::Plain),
            json => fill_json(json, &values, now.seconds()).to_string(),
        };
        let body = match &reply.signed {
            Some(alg) => signer::sign(alg, &serde_json::from_str(&body).unwrap(), &values["client_secret"]),
            None => body,
        };
        if !headers.contains("content-type") {
            headers.set("content-type", "application/json");
        }
        FetchResponse { status: reply.status, headers, body: body.into_bytes() }
    }

    fn sign_id_token(&self, now: Timestamp) {
        let contract = self.contract();
        let Some(id_token) = &contract.id_token else { return };
        let mut claims = json!({
            "iss": "{issuer}",
            "aud": "{client_id}",
            "iat": now.seconds(),
            "exp": now.seconds() + 3600,
            "nonce": "{nonce}",
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(id_token.claims.clone());
        if self.phase.get() == Phase::Refresh {
            members.remove("nonce");
        }
        members.retain(|name, _| !id_token.omit.contains(name));
        let claims = fill_json(&claims, &self.values.borrow(), now.seconds());
        let secret = self.fill("{client_secret}", Write::Plain);
        let token = signer::sign(&id_token.alg, &claims, &secret);
        self.values.borrow_mut().insert("id_token", token);
    }

    fn contract(&self) -> Rc<Contract> {
        Rc::clone(self.contract.borrow().as_ref().expect("a contract to play"))
    }
}

fn discovered<'a>(contract: &'a Contract, member: &str) -> Option<&'a str> {
    contract.discovery.as_ref()?.document.get(member)?.as_str()
}

/// RFC 6749 sections 4.1.3, 6 and 2.3.1, RFC 7636 section 4.5.
fn usual_body(contract: &Contract, name: &str, auth: Auth) -> String {
    let mut body = match name {
        "refresh" => "grant_type=refresh_token&refresh_token={refresh_token}".to_owned(),
        "revocation" => "token={refresh_token}&token_type_hint=refresh_token".to_owned(),
        _ => "grant_type=authorization_code&code={code}&redirect_uri={redirect_uri}".to_owned(),
    };
    if name == "token" && contract.authorization.pkce {
        body.push_str("&code_verifier={verifier}");
    }
    body.push_str(match auth {
        Auth::Basic => "",
        Auth::Post => "&client_id={client_id}&client_secret={client_secret}",
        Auth::None => "&client_id={client_id}",
    });
    body
}

impl ProviderResponse {
    fn json(body: Value) -> Self {
        Self { status: 200, headers: BTreeMap::new(), signed: None, body }
    }
}

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
            Self::Further => "further",
        }
    }
}

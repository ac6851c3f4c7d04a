//! Stories of a browser that are generated: sequences of requests by a grammar over what clients can send. A seed and a
//! number decide a story; only what is sealed differs from one generation to the next.

use vestibule_core::session::dialect::Dialect;
use vestibule_differential::Random;

use crate::cases::{Case, Step};
use crate::cookies::{How, Role, Tampering};
use crate::grammar::{Grammar, Media};
use crate::site::Site;

/// The story of this number.
pub fn story(site: Site, seed: u64, number: u64) -> Case {
    let grammar = Grammar { site, random: Random::of(seed, &site.name(), number) };
    let mut story = Story {
        case: Case {
            name: format!("story {number}"),
            has_pages: grammar.random.one_in(5),
            cookies: Vec::new(),
            steps: Vec::new(),
        },
        grammar,
    };
    story.tell();
    story.case
}

/// A story while it is told.
struct Story {
    grammar: Grammar,
    case: Case,
}

/// What a step may be, and how often it is.
type Kind = (usize, fn(&mut Story));

impl Story {
    fn tell(&mut self) {
        let length = 1 + self.grammar.random.below(6);
        let beginnings: &[Kind] = &[
            (20, Self::strangers_cookies),
            (25, Self::known_browser),
            (35, Self::signed_in_at_provider),
            (10, Self::signed_in_with_password),
            (10, Self::client_signs_in),
        ];
        self.one(beginnings);
        let steps: &[Kind] = &[
            (22, Self::anything),
            (14, Self::session),
            (8, Self::update),
            (10, Self::sign_in),
            (8, Self::callback),
            (7, Self::credentials),
            (8, Self::sign_out),
            (6, Self::page),
            (6, Self::csrf),
            (4, Self::providers),
            (4, Self::error),
            (3, Self::log),
        ];
        while self.case.steps.len() < length {
            self.one(steps);
        }
        let random = &self.grammar.random;
        for step in &mut self.case.steps {
            if random.one_in(5) {
                let role = random.one_of(&[Role::Session, Role::Csrf, Role::ReturnAddress, Role::Attempt]);
                step.tampering.push(Tampering { role, how: random.one_of(How::ALL) });
            }
        }
    }

    fn one(&mut self, kinds: &[Kind]) {
        let all = kinds.iter().map(|(weight, _)| weight).sum();
        let mut at = self.grammar.random.below(all);
        for (weight, tell) in kinds {
            if at < *weight {
                return tell(self);
            }
            at -= weight;
        }
    }

    // ---- beginnings ----

    fn strangers_cookies(&mut self) {
        self.case.cookies = self.grammar.odd_cookies();
    }

    /// A browser that Auth.js signed in, before Vestibule came.
    fn known_browser(&mut self) {
        let random = &self.grammar.random;
        if !random.one_in(6) {
            self.case.cookies.push(self.grammar.site.csrf());
        }
        if random.one_in(3) {
            self.case.cookies.push(self.grammar.return_cookie());
        }
        let session = self.grammar.session();
        self.case.cookies.extend(session);
    }

    fn signed_in_at_provider(&mut self) {
        let provider = self.grammar.random.one_of(&["acme", "acme", "acme", "hub"]);
        let is_plain = !self.grammar.random.one_in(3);
        self.plain("GET", "/csrf", &[]);
        if is_plain {
            let address = self.grammar.good_address();
            self.plain("POST", &format!("/signin/{provider}"), &[("callbackUrl", &address)]);
        } else {
            self.sign_in_at(provider);
        }
        let callback = self.grammar.callback(provider);
        let callback = self.grammar.target(&callback);
        let headers = self.grammar.some_headers();
        let method = if self.grammar.random.one_in(20) { "POST" } else { "GET" };
        self.push(method, &callback, headers, None);
        if !self.grammar.random.one_in(4) {
            self.plain("GET", "/session", &[]);
        }
    }

    fn signed_in_with_password(&mut self) {
        self.plain("GET", "/csrf", &[]);
        self.credentials();
    }

    /// What the client of next-auth sends, one after the other.
    fn client_signs_in(&mut self) {
        self.plain("GET", "/providers", &[]);
        self.plain("GET", "/csrf", &[]);
        let address = self.grammar.address();
        let is_v5 = self.grammar.site.dialect == Dialect::AuthJsV5;
        let mut headers = vec![("content-type".to_owned(), FORM.to_owned())];
        let mut form = vec![("csrfToken".to_owned(), "{csrf}".to_owned())];
        if is_v5 {
            headers.push(("x-auth-return-redirect".to_owned(), "1".to_owned()));
        } else {
            form.push(("json".to_owned(), "true".to_owned()));
        }
        form.push(("callbackUrl".to_owned(), address));
        let with_password = self.grammar.random.one_in(2);
        if with_password {
            form.extend(self.grammar.password());
        }
        let path = if with_password { "/callback/credentials?" } else { "/signin/acme?" };
        let body = self.grammar.body(&form, Media::Form);
        self.push("POST", path, headers, Some(body));
        self.plain("GET", "/session", &[]);
    }

    // ---- steps ----

    fn anything(&mut self) {
        let grammar = &self.grammar;
        let method = grammar.method();
        let target = grammar.any_target();
        let mut headers = grammar.some_headers();
        let mut body = None;
        if method == "POST" {
            let fields = grammar.any_fields();
            body = Some(self.with_media(&fields, &mut headers));
        }
        self.push(method, &target, headers, body);
    }

    fn session(&mut self) {
        let target = self.grammar.target("/session");
        let headers = self.grammar.some_headers();
        self.push("GET", &target, headers, None);
    }

    fn update(&mut self) {
        let mut headers = self.grammar.some_headers();
        let body = self.grammar.update(&mut headers);
        let target = self.grammar.target("/session");
        self.push("POST", &target, headers, Some(body));
    }

    fn sign_in(&mut self) {
        let provider =
            self.grammar.random.one_of(&["acme", "acme", "acme", "hub", "credentials", "nobody", ""]);
        self.sign_in_at(provider);
    }

    fn sign_in_at(&mut self, provider: &str) {
        let path = if provider.is_empty() { "/signin".to_owned() } else { format!("/signin/{provider}") };
        let mut fields = self.grammar.form_fields();
        if provider == "credentials" {
            fields.extend(self.grammar.password());
        }
        self.post(&path, &fields);
    }

    fn callback(&mut self) {
        let provider = self.grammar.random.one_of(&["acme", "acme", "hub", "credentials", "nobody", ""]);
        let callback = self.grammar.callback(provider);
        let target = self.grammar.target(&callback);
        let mut headers = self.grammar.some_headers();
        if self.grammar.random.one_in(6) {
            let fields = self.grammar.callback_fields();
            let body = self.with_media(&fields, &mut headers);
            self.push("POST", &target, headers, Some(body));
        } else {
            self.push("GET", &target, headers, None);
        }
    }

    fn credentials(&mut self) {
        let mut fields = self.grammar.form_fields();
        fields.extend(self.grammar.password());
        self.post("/callback/credentials", &fields);
    }

    fn sign_out(&mut self) {
        let fields = self.grammar.form_fields();
        self.post("/signout", &fields);
    }

    fn page(&mut self) {
        let path =
            self.grammar.random.one_of(&["/signin", "/signin", "/signout", "/error", "/verify-request"]);
        let target = self.grammar.target(path);
        let headers = self.grammar.some_headers();
        self.push("GET", &target, headers, None);
    }

    fn csrf(&mut self) {
        let target = self.grammar.target("/csrf");
        let headers = self.grammar.some_headers();
        self.push("GET", &target, headers, None);
    }

    fn providers(&mut self) {
        let target = self.grammar.target("/providers");
        let headers = self.grammar.some_headers();
        self.push("GET", &target, headers, None);
    }

    fn error(&mut self) {
        let error = self.grammar.error();
        let target = self.grammar.target(&format!("/error?error={error}"));
        let headers = self.grammar.some_headers();
        self.push("GET", &target, headers, None);
    }

    fn log(&mut self) {
        let fields = self.grammar.log();
        self.post("/_log", &fields);
    }

    // ---- requests ----

    /// A request as every client sends it, with the CSRF token if it is a form.
    fn plain(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) {
        if method == "GET" {
            return self.push(method, path, Vec::new(), None);
        }
        let mut form = vec![("csrfToken".to_owned(), "{csrf}".to_owned())];
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = self.grammar.body(&form, Media::Form);
        self.push(method, path, vec![("content-type".to_owned(), FORM.to_owned())], Some(body));
    }

    fn post(&mut self, path: &str, fields: &[(String, String)]) {
        let mut headers = self.grammar.some_headers();
        let body = self.with_media(fields, &mut headers);
        let target = self.grammar.target(path);
        self.push("POST", &target, headers, Some(body));
    }

    /// The body with these fields in one of the media types, and its `Content-Type`.
    fn with_media(&self, fields: &[(String, String)], headers: &mut Vec<(String, String)>) -> String {
        let media = self.grammar.media();
        if let Some(name) = media.name() {
            headers.push(("content-type".to_owned(), name.to_owned()));
        }
        self.grammar.body(fields, media)
    }

    fn push(&mut self, method: &str, target: &str, headers: Vec<(String, String)>, body: Option<String>) {
        let site = self.grammar.site;
        self.case.steps.push(Step {
            method: method.to_owned(),
            url: format!("{}{}{target}", site.origin(), site.base_path()),
            headers,
            body,
            tampering: Vec::new(),
        });
    }
}

/// The media type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

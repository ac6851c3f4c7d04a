//! A browser that keeps cookies for each host and follows redirects from host to host.

use std::time::Duration;

use serde_json::Value;
use url::Url;
use vestibule_core::time::Timestamp;
use vestibule_testing::{Answer, AuthorizationRequest, TestEnv};

/// All hosts of the site: those of the Worker that signs users in, and `docs`, whose Worker shares only the secret.
pub struct Site {
    pub login: TestEnv,
    pub docs: TestEnv,
}

impl Site {
    /// The Worker that answers this URL.
    pub fn at(&self, url: &str) -> &TestEnv {
        let is_of_docs =
            ["https://docs.example.com", "https://docs-"].iter().any(|start| url.starts_with(start));
        if is_of_docs { &self.docs } else { &self.login }
    }
}

#[derive(Clone, Default)]
pub struct Visitor {
    pub jar: Vec<Stored>,
}

#[derive(Clone)]
pub struct Stored {
    pub name: String,
    pub value: String,
    pub domain: String,
    pub host_only: bool,
    path: String,
    until: Option<Timestamp>,
}

/// Where a browser arrived, and by which redirects.
pub struct Arrived {
    pub url: String,
    pub answer: Answer,
    pub trail: Vec<String>,
}

impl Visitor {
    pub fn new() -> Self {
        Self::default()
    }

    /// The `Cookie` header for this URL.
    pub fn cookies(&self, site: &Site, url: &str) -> String {
        let now = site.login.now();
        let url = Url::parse(url).unwrap();
        let host = url.host_str().unwrap();
        let goes = |stored: &&Stored| {
            let secure = !stored.name.starts_with("__") || url.scheme() == "https";
            let below = host.ends_with(&format!(".{}", stored.domain));
            secure
                && (host == stored.domain || (below && !stored.host_only))
                && (stored.path == "/"
                    || format!("{}/", url.path()).starts_with(&format!("{}/", stored.path)))
                && stored.until.is_none_or(|t| t > now)
        };
        let pairs: Vec<_> = self.jar.iter().filter(goes).map(|s| format!("{}={}", s.name, s.value)).collect();
        pairs.join("; ")
    }

    /// The value of a cookie that is sent to this URL.
    pub fn cookie(&self, site: &Site, url: &str, name: &str) -> Option<String> {
        let cookies = self.cookies(site, url);
        cookies.split("; ").find_map(|pair| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    }

    pub fn send(
        &mut self,
        site: &Site,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let cookies = self.cookies(site, url);
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let answer = site.at(url).send(method, url, &all, body);
        self.take(site, url, &answer);
        answer
    }

    /// Stores the cookies that a browser would store.
    fn take(&mut self, site: &Site, url: &str, answer: &Answer) {
        let url = Url::parse(url).unwrap();
        let host = url.host_str().unwrap();
        for cookie in answer.headers.get_all("set-cookie") {
            let mut parts = cookie.split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let (mut domain, mut age, mut path) = (None, None, "/");
            for part in parts {
                path = part.strip_prefix("Path=").unwrap_or(path);
                domain = part.strip_prefix("Domain=").or(domain);
                age = part.strip_prefix("Max-Age=").map(|age| age.parse::<u64>().unwrap()).or(age);
            }
            let covers = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
            let is_bound = name.starts_with("__Host-") && domain.is_some();
            if is_bound || domain.is_some_and(|domain| !covers(domain)) {
                continue;
            }
            let host_only = domain.is_none();
            let domain = domain.unwrap_or(host).to_owned();
            self.jar.retain(|old| {
                (old.name.as_str(), &old.domain, old.host_only, old.path.as_str())
                    != (name, &domain, host_only, path)
            });
            if age != Some(0) {
                let until = age.map(|age| site.login.now().plus(Duration::from_secs(age)));
                let (name, value, path) = (name.to_owned(), value.to_owned(), path.to_owned());
                self.jar.push(Stored { name, value, domain, host_only, path, until });
            }
        }
    }

    /// Navigates to a page.
    pub fn open(&mut self, site: &Site, url: &str) -> Answer {
        self.send(site, "GET", url, &[("sec-fetch-mode", "navigate"), ("accept", "text/html")], b"")
    }

    /// Sends a script's request for data.
    pub fn fetch(&mut self, site: &Site, url: &str) -> Answer {
        self.send(site, "GET", url, &[("sec-fetch-mode", "cors"), ("accept", "application/json")], b"")
    }

    pub fn post(
        &mut self,
        site: &Site,
        url: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(site, "POST", url, &all, form.as_bytes())
    }

    pub fn csrf(&mut self, site: &Site, origin: &str) -> String {
        let answer = self.fetch(site, &format!("{origin}/auth/csrf"));
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        json["csrfToken"].as_str().unwrap().to_owned()
    }

    /// The session at that origin.
    pub fn session(&mut self, site: &Site, origin: &str) -> Value {
        let answer = self.fetch(site, &format!("{origin}/auth/session"));
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Opens a page and follows redirects; at the provider it signs in as bob.
    pub fn follow(&mut self, site: &Site, url: &str) -> Arrived {
        let answer = self.open(site, url);
        self.follow_on(site, url, answer)
    }

    /// Follows the redirects of `answer`, the answer to `url`.
    pub fn follow_on(&mut self, site: &Site, url: &str, answer: Answer) -> Arrived {
        let mut here = Arrived { url: url.to_owned(), answer, trail: vec![url.to_owned()] };
        while let Some(location) = here.answer.headers.get("location") {
            assert!(here.trail.len() < 20, "a loop: {:#?}", here.trail);
            let mut next = Url::parse(&here.url).unwrap().join(location).unwrap().to_string();
            if next.starts_with("https://idp.example/") {
                here.trail.push(next.clone());
                next = site.login.provider.authorize(&AuthorizationRequest::read(&next), "bob");
            }
            here.answer = self.open(site, &next);
            here.trail.push(next.clone());
            here.url = next;
        }
        here
    }

    /// Sends the sign-in form of `origin`.
    pub fn ask(&mut self, site: &Site, origin: &str, return_to: &str) -> Answer {
        let csrf = self.csrf(site, origin);
        let fields = [("csrfToken", csrf.as_str()), ("callbackUrl", return_to)];
        self.post(site, &format!("{origin}/auth/signin/acme"), &fields, &[("sec-fetch-mode", "navigate")])
    }
}

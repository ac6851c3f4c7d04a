//! Whether the origin answers around the Worker: whoever knows its address then needs no rule.

use std::time::Duration;

use vestibule_core::explain::{Explanation, explain};
use vestibule_core::guard::decision::Decision;
use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::time::Timestamp;
use vestibule_core::upstream::Target;

use super::Context;
use super::wire::Answer;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A path that no rule is about, where every named one is public.
const UNKNOWN_PATH: &str = "/vestibule-check";
/// Only the status matters.
const LIMIT: usize = 512 * 1024;

impl Context<'_> {
    /// Asks each upstream with an address of its own for a page that the rules guard, without a session.
    pub(super) fn around(&mut self, sites: &[String]) {
        let config = self.config;
        for (index, upstream) in config.upstreams.iter().enumerate() {
            let Target::Url(url) = &upstream.target else { continue };
            // A server on this machine is no one else's.
            if !url.is_secure() {
                continue;
            }
            let host = upstream.host.as_ref().and_then(|host| host.exact());
            let site = host.map(|host| format!("https://{host}")).or_else(|| sites.first().cloned());
            let Some(path) = self.guarded_path(site.as_deref().unwrap_or("https://site.invalid")) else {
                continue;
            };
            let mut headers = Headers::new();
            headers.set("user-agent", "vestibule-check");
            let request = FetchRequest {
                method: Method::Get,
                url: format!("{}{path}", url.origin()),
                headers,
                body: Vec::new(),
                timeout: TIMEOUT,
                limit: LIMIT,
            };
            let id = format!("around: {}", request.url);
            let Some(Answer::Received(received)) = self.fetch(&id, &request) else { continue };
            if (200..300).contains(&received.status) {
                self.advise(
                    &format!("AUTH.upstreams[{index}].to"),
                    format!("{} answers without the Worker, although a rule guards {path}", request.url),
                    "let it accept only requests with X-Vestibule-Assertion, or only those of the Worker (docs/upstreams.md)",
                );
            }
        }
    }

    /// A path that someone who is signed out may not see.
    fn guarded_path(&self, site: &str) -> Option<String> {
        let rules = self.config.rules.rules().iter();
        let patterns = rules.flat_map(|rule| rule.patterns.iter().map(ToString::to_string));
        let literal = |pattern: String| {
            let end = pattern.find([':', '(', '*', '{', '?', '+', '\\']).unwrap_or(pattern.len());
            let path = pattern.get(..end).unwrap_or_default().trim_end_matches('/');
            if path.is_empty() { "/".to_owned() } else { path.to_owned() }
        };
        let mut paths = patterns.map(literal).chain(["/".to_owned(), UNKNOWN_PATH.to_owned()]);
        paths.find(|path| {
            let Some(url) = RequestUrl::parse(&format!("{site}{path}")) else { return false };
            let request = Request { method: Method::Get, url, headers: Headers::new() };
            let explanation = explain(self.config, &request, None, Timestamp::from_seconds(0));
            matches!(explanation, Explanation::Decided(decided) if decided.decision != Decision::Pass)
        })
    }
}

//! Protected resources (RFC 9728): their metadata, which credentials count there, and which pages may call them.

use serde_json::json;

use crate::flow::RequestContext;
use crate::flow::guard::access::Access;
use crate::flow::guard::denied::{DenialReason, Denied};
use crate::guard::path::CanonicalPath;
use crate::guard::readings::PathReadings;
use crate::guard::resource::{MetadataPath, Resource, ResourceRequest};
use crate::guard::rules::Rule;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::http::origin::{Origin, is_loopback};
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;

/// How long clients may keep the metadata, in seconds: as long as the keys that Vestibule publishes.
const CACHING: &str = "public, max-age=300";

impl<'a, P: Platform> RequestContext<'a, P> {
    /// The metadata of a resource ([RFC 9728 section 3](https://www.rfc-editor.org/rfc/rfc9728#section-3)), for everyone and
    /// for the scripts of every page. `None` if the path is not one of metadata.
    pub(crate) fn resource_metadata(&self, path: &CanonicalPath) -> Option<Response> {
        let resources = &self.config().resources;
        if resources.is_empty() {
            return None;
        }
        let resource = match resources.metadata_at(&self.origin, path) {
            MetadataPath::Other => return None,
            MetadataPath::Unknown => None,
            MetadataPath::Of(resource) => Some(resource),
        };
        let answer = match (resource, &self.request.method) {
            (None, _) => {
                Response::json(404, &json!({ "error": "not_found" })).with("cache-control", "no-store")
            }
            (Some(resource), Method::Get | Method::Head) => {
                Response::json(200, &resource.metadata()).with("cache-control", CACHING)
            }
            // Clients send fields of their own protocol, such as `MCP-Protocol-Version`.
            (Some(_), Method::Options) => Response::empty(204)
                .with("access-control-allow-methods", "GET, HEAD")
                .with("access-control-allow-headers", "*")
                .with("access-control-max-age", "600"),
            (Some(_), _) => Response::json(405, &json!({ "error": "method_not_allowed" }))
                .with("allow", "GET, HEAD, OPTIONS")
                .with("cache-control", "no-store"),
        };
        Some(answer.with("access-control-allow-origin", "*"))
    }

    /// The resource that the request is for, if any. An error if a page sent it that may not call the resource.
    pub(super) fn requested_resource(
        &self,
        path: &CanonicalPath,
        upstream: &dyn Fn() -> PathReadings,
        rule: Option<&Rule>,
    ) -> Result<Option<ResourceRequest<'a>>, Denied> {
        let resources = &self.config().resources;
        if resources.is_empty() {
            return Ok(None);
        }
        let elsewhere = rule.map(|rule| &rule.forwarding).filter(|forwarding| forwarding.target.is_some());
        let upstream = match elsewhere {
            Some(forwarding) => &upstream().of_another_server(forwarding.strip_prefix.as_ref()),
            None => &upstream(),
        };
        let requested = resources.requested(&self.origin, path, upstream);
        let resource = match requested {
            Some(requested) => Some(requested.resource),
            None if self.request.headers.contains("origin") && !self.is_known_host() => {
                resources.of_another_origin(&self.origin, path, upstream)
            }
            None => None,
        };
        match resource {
            Some(resource) if !self.may_call(resource) => Err(self.page_denied(resource)),
            _ => Ok(requested),
        }
    }

    /// Whether a session counts for this request. A client's token comes first where tokens of one audience only are accepted.
    pub(super) fn takes_session(&self, access: &Access<'_>) -> bool {
        access.resource.is_none_or(|requested| requested.resource.takes_sessions && !self.has_bearer_token())
    }

    /// The same answer, which the scripts of those pages may read that may call the resource.
    pub(super) fn readable_answer(&self, resource: &Resource, mut answer: Response) -> Response {
        if resource.origins.is_empty() {
            return answer;
        }
        answer.headers.append("vary", "Origin");
        if let Sender::Page(origin) = self.sender()
            && resource.admits(&origin)
        {
            answer.headers.set("access-control-allow-origin", origin.as_str());
            answer.headers.set("access-control-expose-headers", "WWW-Authenticate, Retry-After");
        }
        answer
    }

    /// Whether the sender may call the resource: a client that is no browser, or a page of the resource's own origin, of
    /// `origins`, or of `trusted_origins`. Browsers send `Origin` with every request of a script that may change something
    /// or that another origin gets, and no page can write it.
    fn may_call(&self, resource: &Resource) -> bool {
        match self.sender() {
            Sender::NoPage => true,
            Sender::Page(origin) => {
                origin == *resource.identifier.origin()
                    || resource.admits(&origin)
                    || self.config().trusted_origins.iter().any(|trusted| trusted.covers(&origin))
            }
            Sender::Unknown => false,
        }
    }

    fn sender(&self) -> Sender {
        let mut fields = self.request.headers.get_all("origin");
        match (fields.next(), fields.next()) {
            (None, _) => Sender::NoPage,
            (Some(text), None) => Origin::parse(text).map_or(Sender::Unknown, Sender::Page),
            (Some(_), Some(_)) => Sender::Unknown,
        }
    }

    /// Whether the configuration names the request's host, or no one but this machine decides what it means.
    fn is_known_host(&self) -> bool {
        let (config, host) = (self.config(), self.origin.host());
        let authority = &self.request.url.authority;
        is_loopback(host)
            || config.resources.iter().any(|resource| resource.identifier.origin() == &*self.origin)
            || config.login_url.as_ref().or(config.origin.as_ref()).is_some_and(|own| own.host() == host)
            || config.cookie_domain.as_ref().is_some_and(|domain| domain.covers(host))
            || config.trusted_hosts.iter().any(|known| known.matches(authority))
            || config
                .rules
                .rules()
                .iter()
                .any(|rule| rule.host.as_ref().is_some_and(|own| own.matches(authority)))
            || self.upstream().is_some_and(|upstream| upstream.host.is_some())
    }

    fn page_denied(&self, resource: &Resource) -> Denied {
        let identifier = resource.identifier.as_str();
        let message = format!(
            "a page of another origin sent a request for the resource {identifier}: add the origin to `origins` of the \
             resource if its pages may do that"
        );
        self.log(Record::new(LogEvent::CrossOriginRejected, message));
        let body = json!({
            "error": "cross_origin",
            "message": "A page of another origin sent this request. If it may, add its origin to `origins` of the resource.",
        });
        let answer = Response::json(403, &body).with("cache-control", "private, no-store");
        Denied::new(DenialReason::Resource(Box::new(answer)))
    }
}

/// Who sent a request, as the browser says it.
enum Sender {
    /// No browser, or a browser without a script.
    NoPage,
    /// A page of this origin.
    Page(Origin),
    /// A page whose origin the browser does not name, or a field that came twice.
    Unknown,
}

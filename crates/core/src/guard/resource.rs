//! Protected resources: parts of a site whose clients present access tokens for exactly that part (RFC 9728, RFC 8707).

use serde_json::Value;
use thiserror::Error;

use crate::guard::cross_origin::TrustedOrigin;
use crate::guard::path::CanonicalPath;
use crate::guard::readings::PathReadings;
use crate::guard::regexp::fold;
use crate::upstream::ServerReading;
use vestibule_oidc::http::origin::{EndpointError, Origin, endpoint};
use vestibule_oidc::json;
use vestibule_oidc::oauth::provider::AcceptBearer;

/// Where the metadata of a resource is: before the resource's own path
/// ([RFC 9728 section 3](https://www.rfc-editor.org/rfc/rfc9728#section-3)).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A protected resource: a URL, and everything below it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its identifier: what clients ask for (`resource`), and what tokens for it have as `aud`.
    pub identifier: ResourceIdentifier,
    /// The id of the provider that issues tokens for it.
    pub provider: String,
    /// That provider's issuer, where clients find its metadata.
    pub issuer: String,
    /// Which tokens of that provider are accepted. Their audiences are those of this resource only.
    pub accepted: AcceptBearer,
    /// The scopes that clients may ask for (`scopes_supported`).
    pub scopes: Vec<String>,
    /// What people are shown of it, and where its documents are.
    pub about: ResourceDocuments,
    /// Origins of other sites whose pages may call it.
    pub origins: Vec<TrustedOrigin>,
    /// Whether a browser's session passes, too.
    pub takes_sessions: bool,
}

/// What people are shown of a resource.
#[derive(Clone, Debug, Default)]
pub struct ResourceDocuments {
    /// `resource_name`
    pub name: Option<String>,
    /// `resource_documentation`: a URL.
    pub documentation: Option<String>,
    /// `resource_policy_uri`: a URL.
    pub policy: Option<String>,
    /// `resource_tos_uri`: a URL.
    pub terms: Option<String>,
}

impl Resource {
    /// The URL of its metadata.
    pub fn metadata_url(&self) -> String {
        let Self { identifier, .. } = self;
        format!("{}{WELL_KNOWN}{}", identifier.origin.as_str(), identifier.path())
    }

    /// Its metadata ([RFC 9728 section 2](https://www.rfc-editor.org/rfc/rfc9728#section-2)).
    pub fn metadata(&self) -> Value {
        let ResourceDocuments { name, documentation, policy, terms } = &self.about;
        let scopes = Some(&self.scopes).filter(|scopes| !scopes.is_empty());
        let members = json::of(&[
            ("resource", self.identifier.as_str().into()),
            ("authorization_servers", Value::from(vec![self.issuer.clone()])),
            ("scopes_supported", scopes.map_or(Value::Null, |scopes| scopes.clone().into())),
            ("bearer_methods_supported", Value::from(vec!["header"])),
            ("resource_name", name.clone().into()),
            ("resource_documentation", documentation.clone().into()),
            ("resource_policy_uri", policy.clone().into()),
            ("resource_tos_uri", terms.clone().into()),
        ]);
        Value::Object(members)
    }

    /// Whether pages of this origin may call it, beside those of its own origin and of `trusted_origins`.
    pub fn admits(&self, origin: &Origin) -> bool {
        self.origins.iter().any(|admitted| admitted.covers(origin))
    }
}

/// The identifier of a resource ([RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)): a URL as clients and
/// authorization servers write it, because both compare it as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceIdentifier {
    text: String,
    origin: Origin,
    segments: Vec<String>,
}

impl ResourceIdentifier {
    /// Parses a URL: `https`, or `http` on this machine. Nothing of it may have another spelling: its path has unreserved
    /// characters only (RFC 3986 section 2.3), and no slash at its end, except for a whole host.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Self, ResourceIdentifierError> {
        let url = endpoint(text)?;
        if url.query().is_some() {
            return Err(ResourceIdentifierError::Query);
        }
        let origin = Origin::of(&url);
        let path = match url.path() {
            "/" => "",
            path => path,
        };
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        let is_segment = |segment: &str| !segment.is_empty() && segment.bytes().all(is_plain);
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        if !segments.iter().all(|segment| is_segment(segment)) {
            return Err(ResourceIdentifierError::Path);
        }
        let exact = format!("{}{path}", origin.as_str());
        if text != exact && !(path.is_empty() && text.strip_suffix('/') == Some(&exact)) {
            return Err(ResourceIdentifierError::NotExact(exact));
        }
        Ok(Self { text: text.to_owned(), origin, segments })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The segments of its path; none for a whole host.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// What a token for this resource has as `aud`. The URL of a whole host has two spellings, with and without its slash
    /// (RFC 3986 section 6.2.3), and libraries change one into the other.
    pub fn audiences(&self) -> Vec<String> {
        if !self.segments.is_empty() {
            return vec![self.text.clone()];
        }
        let bare = self.origin.as_str();
        vec![bare.to_owned(), format!("{bare}/")]
    }

    /// Its path without a slash at the end: `/mcp`; empty for a whole host.
    fn path(&self) -> &str {
        self.text.get(self.origin.as_str().len()..).filter(|path| *path != "/").unwrap_or_default()
    }

    /// Whether the path is that of the resource, or below it.
    fn covers(&self, segments: &[String], case: Case) -> bool {
        let is_same = |(own, other): (&String, &String)| match case {
            Case::Matters => own == other,
            Case::Ignored => fold(own) == fold(other),
        };
        segments.len() >= self.segments.len() && self.segments.iter().zip(segments).all(is_same)
    }
}

/// Why a text is not the identifier of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResourceIdentifierError {
    /// It is no URL of a server.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// It has a query.
    #[error("a resource is a URL without a query")]
    Query,
    /// Its path may have another spelling.
    #[error(
        "its path must have letters, digits, `-`, `_`, `.` and `~` between single slashes, and no slash at its end"
    )]
    Path,
    /// Clients write it otherwise.
    #[error("clients compare it as a text, and write it as {0:?}")]
    NotExact(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Matters,
    Ignored,
}

/// All resources of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Resources(Vec<Resource>);

/// What is at the path of a request for metadata.
#[derive(Clone, Copy, Debug)]
pub enum MetadataPath<'a> {
    /// It is not a path of metadata.
    Other,
    /// It is, and of no resource of this host.
    Unknown,
    /// It is the metadata of this resource.
    Of(&'a Resource),
}

/// A request for a resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceRequest<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Whether every server reads the path as one of this resource. Otherwise no token is for all that it may mean.
    pub is_certain: bool,
}

impl Resources {
    /// These resources, each with another identifier.
    pub fn new(resources: Vec<Resource>) -> Self {
        Self(resources)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.0.iter()
    }

    /// The resource to which a path of this origin belongs, in each way in which a server may read it. `None` if no server
    /// takes it for a path of a resource.
    pub fn requested(
        &self,
        origin: &Origin,
        path: &CanonicalPath,
        upstream: &PathReadings,
    ) -> Option<ResourceRequest<'_>> {
        if !self.0.iter().any(|resource| resource.identifier.origin == *origin) {
            return None;
        }
        let mut found = Vec::new();
        for segments in path.readings() {
            for segments in std::iter::once(segments.to_vec()).chain(read_otherwise(upstream, segments)) {
                found.push(self.most_specific(origin, &segments, Case::Matters));
                if upstream.has(ServerReading::Case) {
                    found.push(self.most_specific(origin, &segments, Case::Ignored));
                }
            }
        }
        let resource = found.iter().flatten().min_by_key(|resource| resource.takes_sessions).copied()?;
        let is_it = |other: Option<&Resource>| other.is_some_and(|other| std::ptr::eq(other, resource));
        Some(ResourceRequest { resource, is_certain: found.iter().copied().all(is_it) })
    }

    /// The resource of another origin whose path some server may read here. A page that made its own name point to this
    /// server (DNS rebinding) comes with that name.
    pub fn of_another_origin(
        &self,
        origin: &Origin,
        path: &CanonicalPath,
        upstream: &PathReadings,
    ) -> Option<&Resource> {
        let mut others = self.0.iter().filter(|resource| resource.identifier.origin != *origin);
        others.find(|resource| {
            let is_read_so = |segments: &[String]| resource.identifier.covers(segments, Case::Ignored);
            path.readings().any(|segments| {
                is_read_so(segments)
                    || read_otherwise(upstream, segments).iter().any(|other| is_read_so(other))
            })
        })
    }

    /// What is at a path of this origin.
    pub fn metadata_at(&self, origin: &Origin, path: &CanonicalPath) -> MetadataPath<'_> {
        let mut here = self.0.iter().filter(|resource| resource.identifier.origin == *origin).peekable();
        if here.peek().is_none() || !path.may_be_below(WELL_KNOWN) {
            return MetadataPath::Other;
        }
        let asked = path.below(WELL_KNOWN).unwrap_or_default();
        let is_exact = path.below(WELL_KNOWN).is_some() && path.readings().count() == 1;
        let found = here.find(|resource| is_exact && asked == resource.identifier.segments);
        found.map_or(MetadataPath::Unknown, MetadataPath::Of)
    }

    fn most_specific(&self, origin: &Origin, segments: &[String], case: Case) -> Option<&Resource> {
        let here = self.0.iter().filter(|resource| resource.identifier.origin == *origin);
        here.filter(|resource| resource.identifier.covers(segments, case))
            .max_by_key(|resource| resource.identifier.segments.len())
    }
}

fn read_otherwise(upstream: &PathReadings, segments: &[String]) -> Vec<Vec<String>> {
    upstream.of(segments).into_iter().map(|(segments, _)| segments).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(identifier: &str) -> Resource {
        let identifier = ResourceIdentifier::parse(identifier).unwrap();
        Resource {
            provider: "acme".to_owned(),
            issuer: "https://idp.example".to_owned(),
            accepted: AcceptBearer { audiences: identifier.audiences(), ..AcceptBearer::default() },
            scopes: Vec::new(),
            about: ResourceDocuments::default(),
            origins: Vec::new(),
            takes_sessions: false,
            identifier,
        }
    }

    fn resources(identifiers: &[&str]) -> Resources {
        Resources::new(identifiers.iter().map(|identifier| resource(identifier)).collect())
    }

    #[test]
    fn an_identifier_has_one_spelling() {
        for (text, segments, audiences) in [
            ("https://app.example.com/mcp", &["mcp"][..], &["https://app.example.com/mcp"][..]),
            ("https://app.example.com/v1/mcp", &["v1", "mcp"], &["https://app.example.com/v1/mcp"]),
            ("http://localhost:8787/mcp", &["mcp"], &["http://localhost:8787/mcp"]),
            ("https://app.example.com", &[], &["https://app.example.com", "https://app.example.com/"]),
            ("https://app.example.com/", &[], &["https://app.example.com", "https://app.example.com/"]),
        ] {
            let identifier = ResourceIdentifier::parse(text).unwrap();
            assert_eq!(identifier.as_str(), text);
            assert_eq!(
                (identifier.segments(), &identifier.audiences()[..]),
                (
                    &segments.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..],
                    &audiences.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..],
                )
            );
        }
        for text in [
            "app.example.com/mcp",
            "/mcp",
            "http://app.example.com/mcp",
            "https://app.example.com/mcp?x=1",
            "https://app.example.com/mcp#x",
            "https://user@app.example.com/mcp",
            "https://app.example.com/mcp/",
            "https://app.example.com/a//b",
            "https://app.example.com/%6dcp",
            "https://app.example.com/a;b",
            "https://app.example.com/*",
            "https://App.example.com/mcp",
            "https://App.example.com",
            "https://App.example.com/",
            "https://app.example.com:443",
            "HTTPS://app.example.com",
            "https://app.example.com:443/mcp",
        ] {
            assert!(ResourceIdentifier::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_metadata_has_only_what_is_configured_and_its_url_is_before_the_path() {
        let mut resource = resource("https://app.example.com/mcp");
        assert_eq!(
            resource.metadata(),
            json!({
                "resource": "https://app.example.com/mcp",
                "authorization_servers": ["https://idp.example"],
                "bearer_methods_supported": ["header"],
            })
        );
        resource.scopes = vec!["read".to_owned(), "write".to_owned()];
        resource.about.name = Some("Tools".to_owned());
        assert_eq!(resource.metadata()["scopes_supported"], json!(["read", "write"]));
        assert_eq!(resource.metadata()["resource_name"], "Tools");
        for (identifier, url) in [
            ("https://a.example/mcp", "https://a.example/.well-known/oauth-protected-resource/mcp"),
            ("https://a.example/v1/mcp", "https://a.example/.well-known/oauth-protected-resource/v1/mcp"),
            ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
        ] {
            assert_eq!(self::resource(identifier).metadata_url(), url);
        }
    }

    #[test]
    fn path_confusion_a_path_that_some_server_reads_as_one_of_another_resource_is_of_none_for_certain() {
        let resources =
            resources(&["https://a.example/mcp", "https://a.example/mcp/admin", "https://b.example"]);
        let exact = PathReadings { exact: vec![ServerReading::Case], ..PathReadings::default() };
        let any = PathReadings::default();
        for (origin, path, readings, expected) in [
            ("https://a.example", "/mcp", &any, Some(("https://a.example/mcp", true))),
            ("https://a.example", "/mcp/", &any, Some(("https://a.example/mcp", true))),
            ("https://a.example", "/mcp/x", &any, Some(("https://a.example/mcp", true))),
            ("https://a.example", "/%6dcp", &any, Some(("https://a.example/mcp", true))),
            ("https://a.example", "/mcp/admin/x", &any, Some(("https://a.example/mcp/admin", true))),
            ("https://a.example", "/mcp/adminx", &any, Some(("https://a.example/mcp", true))),
            ("https://a.example", "/mcpx", &any, None),
            ("https://a.example", "/", &any, None),
            ("https://a.example", "/MCP", &any, Some(("https://a.example/mcp", false))),
            ("https://a.example", "/MCP", &exact, None),
            ("https://a.example", "/mcp;x", &any, Some(("https://a.example/mcp", false))),
            ("https://a.example", "/mcp.json", &any, Some(("https://a.example/mcp", false))),
            ("https://a.example", "/mcp/admin;x", &any, Some(("https://a.example/mcp", false))),
            ("https://a.example", "/mcp/ADMIN", &any, Some(("https://a.example/mcp", false))),
            ("https://b.example", "/anything", &any, Some(("https://b.example", true))),
            ("https://b.example", "/Any;thing", &any, Some(("https://b.example", true))),
            ("http://a.example", "/mcp", &any, None),
            ("https://a.example:8443", "/mcp", &any, None),
        ] {
            let origin = Origin::parse(origin).unwrap();
            let found = resources.requested(&origin, &CanonicalPath::new(path).unwrap(), readings);
            let found = found.map(|found| (found.resource.identifier.as_str(), found.is_certain));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn metadata_is_at_one_path_of_the_resource_s_own_origin() {
        let resources =
            resources(&["https://a.example/mcp", "https://b.example", "https://d.example/mcp.rsc"]);
        for (origin, path, expected) in [
            ("https://b.example", "/.WELL-KNOWN/oauth-protected-resource", Some(None)),
            // Next.js shows another page there.
            ("https://d.example", "/.well-known/oauth-protected-resource/mcp.rsc", Some(None)),
            (
                "https://a.example",
                "/.well-known/oauth-protected-resource/mcp",
                Some(Some("https://a.example/mcp")),
            ),
            (
                "https://a.example",
                "/.well-known/oauth-protected-resource/mcp/",
                Some(Some("https://a.example/mcp")),
            ),
            ("https://a.example", "/.well-known/oauth-protected-resource", Some(None)),
            ("https://a.example", "/.well-known/oauth-protected-resource/other", Some(None)),
            ("https://a.example", "/.well-known/oauth-protected-resource/mcp/x", Some(None)),
            ("https://a.example", "/.well-known/oauth-protected-resource/MCP", Some(None)),
            ("https://a.example", "/.WELL-KNOWN/oauth-protected-resource/mcp", Some(None)),
            ("https://a.example", "/.well-known/oauth-protected-resource/mcp;x", Some(None)),
            ("https://a.example", "/.well-known/oauth-protected-resource;x/mcp", Some(None)),
            ("https://a.example", "/.well-known/openid-configuration", None),
            ("https://a.example", "/mcp", None),
            ("https://b.example", "/.well-known/oauth-protected-resource", Some(Some("https://b.example"))),
            ("https://b.example", "/.well-known/oauth-protected-resource/mcp", Some(None)),
            ("https://c.example", "/.well-known/oauth-protected-resource/mcp", None),
        ] {
            let origin = Origin::parse(origin).unwrap();
            let found = match resources.metadata_at(&origin, &CanonicalPath::new(path).unwrap()) {
                MetadataPath::Other => None,
                MetadataPath::Unknown => Some(None),
                MetadataPath::Of(resource) => Some(Some(resource.identifier.as_str())),
            };
            assert_eq!(found, expected, "{path}");
        }
    }
}

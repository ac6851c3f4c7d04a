//! The addresses of the site, at which browsers come back from a provider.

use vestibule_core::http::origin::Origin;

use super::Context;
use crate::document::Node;

/// More addresses than a site has redirect URIs to try.
const MAX_SITES: usize = 8;

impl Context<'_> {
    /// The addresses that were given; otherwise the login host, or the hosts of the routes.
    pub(super) fn sites(&mut self, given: &[String]) -> Vec<String> {
        let mut sites = Vec::new();
        for text in given {
            match Origin::parse(text.strip_suffix('/').unwrap_or(text)) {
                Ok(origin) => sites.push(origin.as_str().to_owned()),
                Err(error) => self.refuse("AUTH", format!("--site {text}: {error}"), ""),
            }
        }
        if sites.is_empty() {
            let of_config = self.config.login_url.as_ref().or(self.config.origin.as_ref());
            sites.extend(of_config.map(|origin| origin.as_str().to_owned()));
        }
        if sites.is_empty() {
            let routes = self.deployment.inherited("routes").map_or(&[][..], Node::items);
            let route = self.deployment.inherited("route");
            sites.extend(routes.iter().chain(route).filter_map(site_of_route));
        }
        sites.sort();
        sites.dedup();
        sites.truncate(MAX_SITES);
        if sites.is_empty() && given.is_empty() && !self.config.providers.is_empty() {
            self.advise(
                "AUTH",
                "no file names a host of the site, so no redirect URI was tried",
                "name it: --site https://app.example.com",
            );
        }
        sites
    }
}

/// The address of a route's host: `app.example.com/*`, or `{ pattern = … }`. `None` for a route of many hosts.
fn site_of_route(route: &Node) -> Option<String> {
    let pattern = route.text().or_else(|| route.get("pattern")?.text())?;
    let pattern =
        pattern.strip_prefix("https://").or_else(|| pattern.strip_prefix("http://")).unwrap_or(pattern);
    let host = pattern.split('/').next()?;
    let origin = Origin::parse(&format!("https://{host}")).ok()?;
    (!host.contains('*')).then(|| origin.as_str().to_owned())
}

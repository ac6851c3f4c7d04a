//! The configurations of docs/proxies.md, and the programs that read them.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::repository::root;

/// The secret that a proxy and the Worker share.
pub const SECRET: &str = "0123456789abcdef-of-the-proxy";

/// A proxy that can ask the Worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    Nginx,
    Traefik,
    Caddy,
    Haproxy,
    Envoy,
}

/// Every proxy.
pub const ALL: [Proxy; 5] = [Proxy::Nginx, Proxy::Traefik, Proxy::Caddy, Proxy::Haproxy, Proxy::Envoy];

/// Where everything listens.
#[derive(Clone, Copy)]
pub struct Addresses {
    pub proxy: SocketAddr,
    /// Where the proxy speaks HTTP/2 without TLS, to a client that knows it.
    pub http2: SocketAddr,
    pub app: SocketAddr,
    /// What it asks.
    pub decider: SocketAddr,
}

impl Proxy {
    /// Its name in the names of tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// Whether docs/proxies.md says how it hands the pages of Vestibule on, on the app's own host.
    pub fn has_own_host(self) -> bool {
        matches!(self, Self::Nginx | Self::Caddy)
    }

    /// `verify.headers` of the Worker.
    pub fn headers(self) -> &'static str {
        match self {
            Self::Nginx => "x-original",
            Self::Envoy => "envoy",
            Self::Traefik | Self::Caddy | Self::Haproxy => "x-forwarded",
        }
    }

    /// Writes the configuration of docs/proxies.md into a folder, and gives the program with its arguments.
    /// With `own_host` it hands the pages of Vestibule on, too.
    pub fn configure(self, folder: &Path, at: Addresses, own_host: bool) -> (OsString, Vec<&'static str>) {
        let Addresses { proxy, http2, app, decider } = at;
        let app_url = format!("http://{app}");
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("it is written");
        let verify = ("https://auth.example.com/auth/verify", format!("http://{decider}/auth/verify"));
        let secret = ("THE-SECRET", SECRET.to_owned());
        match self {
            Self::Nginx => {
                let pages = if own_host { block(OWN_HOST, "nginx") } else { String::new() };
                let pages = pages.replace("https://auth.example.com", &format!("http://{decider}"));
                let question = "    location = /_vestibule {\n";
                let servers = changed(
                    block("## nginx", "nginx"),
                    &[
                        (question, format!("{pages}{question}")),
                        ("listen 443 ssl;", format!("listen {proxy};\n    listen {http2} http2;")),
                        (NGINX_CERTIFICATE, String::new()),
                        ("http://127.0.0.1:3000", app_url),
                        verify,
                        secret,
                    ],
                );
                write("nginx.conf", whole_nginx(folder.to_str().expect("UTF-8"), &servers));
                (system("NGINX", "nginx"), vec!["-p", ".", "-c", "nginx.conf", "-e", "stderr"])
            }
            Self::Traefik => {
                let dynamic = changed(
                    block("## Traefik", "yaml"),
                    &[("      tls: {}\n", String::new()), ("http://127.0.0.1:3000", app_url), verify, secret],
                );
                write("dynamic.yaml", dynamic);
                write(
                    "traefik.yaml",
                    format!(
                        "entryPoints:\n  websecure:\n    address: {proxy}\nproviders:\n  file:\n    \
                         filename: dynamic.yaml\n    watch: false\nglobal:\n  checkNewVersion: false\n  \
                         sendAnonymousUsage: false\n"
                    ),
                );
                (installed("traefik"), vec!["--configFile=traefik.yaml"])
            }
            Self::Caddy => {
                let site = changed(
                    block("## Caddy", "caddyfile"),
                    &[
                        (
                            "app.example.com {",
                            format!("http://app.example.com:{} {{\n\tbind 127.0.0.1", proxy.port()),
                        ),
                        ("reverse_proxy 127.0.0.1:3000", format!("reverse_proxy {app}")),
                        ("https://auth.example.com", format!("http://{decider}")),
                    ],
                );
                let pages = if own_host { block(OWN_HOST, "caddyfile") } else { String::new() };
                let pages = pages.replace("https://auth.example.com", &format!("http://{decider}"));
                let site = changed(site, &[("\troute {\n", format!("\troute {{\n{pages}"))]);
                // It would say https itself if it ended TLS.
                let verify = "\t\t\turi /auth/verify\n";
                let scheme = if own_host { "\t\t\theader_up X-Forwarded-Proto https\n" } else { "" };
                let site = changed(site, &[(verify, format!("{verify}{scheme}"))]);
                let options = "admin off\nauto_https off\nservers {\nprotocols h1 h2c\n}\n";
                write("Caddyfile", format!("{{\n{options}}}\n{site}"));
                (installed("caddy"), vec!["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
            }
            Self::Haproxy => {
                let configuration = changed(
                    block("## HAProxy", "haproxy"),
                    &[
                        ("bind :443 ssl crt /etc/haproxy/app.example.com.pem", format!("bind {proxy}")),
                        ("/etc/haproxy/vestibule.lua", "vestibule.lua".to_owned()),
                        ("server app 127.0.0.1:3000", format!("server app {app}")),
                    ],
                );
                write("haproxy.cfg", configuration);
                write("vestibule.lua", changed(block("## HAProxy", "lua"), &[verify]));
                (system("HAPROXY", "haproxy"), vec!["-db", "-f", "haproxy.cfg"])
            }
            Self::Envoy => {
                let page = block("## Envoy", "yaml");
                let tls = page.find("      transport_socket:").expect("TLS to the Worker");
                let configuration = changed(
                    page[..tls].to_owned(),
                    &[
                        ("address: 0.0.0.0, port_value: 8080", address_of(proxy)),
                        ("address: 127.0.0.1, port_value: 3000", address_of(app)),
                        ("address: auth.example.com, port_value: 443", address_of(decider)),
                        secret,
                    ],
                );
                write("envoy.yaml", configuration);
                (envoy(), vec!["-c", "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id"])
            }
        }
    }
}

/// The whole configuration of an nginx with these servers that keeps everything in one folder.
fn whole_nginx(path: &str, servers: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{servers}}}\n"
    )
}

/// What nginx ends TLS with.
const NGINX_CERTIFICATE: &str = "    ssl_certificate /etc/nginx/app.example.com.pem;\n    \
    ssl_certificate_key /etc/nginx/app.example.com.key;\n";

/// The section about Vestibule's pages on the host of the app.
const OWN_HOST: &str = "## On the app's own host";

fn address_of(address: SocketAddr) -> String {
    format!("address: {}, port_value: {}", address.ip(), address.port())
}

/// The first block of this language below a heading of docs/proxies.md.
fn block(heading: &str, language: &str) -> String {
    let page = fs::read_to_string(root().join("docs/proxies.md")).expect("the document");
    let section = page.split(&format!("\n{heading}\n")).nth(1).expect("the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let code = section.split(&fence).nth(1).and_then(|rest| rest.split("```").next());
    code.unwrap_or_else(|| panic!("no {language} below {heading}")).to_owned()
}

/// The text with replacements, each of a text that is there once.
fn changed(mut text: String, replacements: &[(&str, String)]) -> String {
    for (from, to) in replacements {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    text
}

/// The program of a Debian package.
fn system(variable: &str, name: &str) -> OsString {
    if let Some(named) = std::env::var_os(variable) {
        return named;
    }
    // Debian installs it in a directory that is only on root's PATH.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} was not found: run `cargo xtask proxies`")).into()
}

/// The folder with the programs of requirements.txt.
fn environment() -> PathBuf {
    let environment =
        std::env::var_os("PROXIES_ENVIRONMENT").map_or_else(|| root().join("target/proxies"), PathBuf::from);
    assert!(environment.exists(), "{} does not exist: run `cargo xtask proxies`", environment.display());
    environment
}

fn installed(name: &str) -> OsString {
    environment().join("bin").join(name).into()
}

/// Envoy itself: the script in `bin` would be a second process, which is ended without it.
fn envoy() -> OsString {
    let libraries = fs::read_dir(environment().join("lib")).expect("a virtual environment");
    let mut found = libraries.flatten().map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    found.find(|program| program.is_file()).expect("envoy is installed").into()
}

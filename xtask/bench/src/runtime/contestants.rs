//! The contestants: what runs, what it is called, and what its CPU time is compared with.

use std::net::SocketAddr;

use anyhow::Result;

use crate::load::Expected;
use crate::options::Options;
use crate::runtime::apache::Age;
use crate::runtime::program::Program;
use crate::runtime::requests::Cookies;
use crate::runtime::{apache, nginx, servers, wasmtime};

/// A row of the report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// Its description in the report.
    pub(crate) description: &'static str,
    kind: Kind,
    /// The contestants that it is compared with, each with the maximum ratio of the CPU times.
    pub(crate) limits: &'static [(&'static str, f64)],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// nginx, which forwards.
    Nginx,
    /// A proxy of hyper, which forwards.
    Hyper,
    /// Apache with mod_auth_openidc, which guards and forwards.
    Apache(Age),
    /// nginx, which asks that Apache by `auth_request`, and forwards.
    NginxApache,
    /// vestibule-server, which guards and forwards.
    Server { file: &'static str, users: usize },
    /// nginx, which asks vestibule-server, and forwards.
    NginxServer,
    /// A component in wasmtime: one that only forwards, or ours.
    Wasi { file: &'static str, requests_of_instance: u32 },
    /// Ours in wasmtime, which refuses requests without a session.
    WasiRefusal,
}

/// A component that only forwards.
const FORWARD: &str = "forward.cwasm";
/// Ours.
const GUARD: &str = "vestibule.cwasm";

/// How many requests an instance answers where it answers many.
const MANY: u32 = 10_000;

const SERVER_LIMITS: &[(&str, f64)] =
    &[("nginx", 1.6), ("hyper", 1.5), ("apache", 0.2), ("apache-renews", 0.2)];

const fn row(
    name: &'static str,
    description: &'static str,
    kind: Kind,
    limits: &'static [(&'static str, f64)],
) -> Contestant {
    Contestant { name, description, kind, limits }
}

/// All contestants.
pub(crate) const CONTESTANTS: [Contestant; 14] = [
    row("nginx", "nginx, forwards without a check", Kind::Nginx, &[]),
    row("hyper", "a proxy of hyper, forwards without a check", Kind::Hyper, &[]),
    row("apache", "Apache with mod_auth_openidc, forwards with the token", Kind::Apache(Age::New), &[]),
    row("apache-renews", "the same, which encrypts an older session anew", Kind::Apache(Age::Old), &[]),
    row("nginx-apache", "nginx, asks that Apache by `auth_request`; both", Kind::NginxApache, &[]),
    row(
        "server",
        "`vestibule-server`, forwards with the token",
        Kind::Server { file: "vestibule-server", users: 1 },
        SERVER_LIMITS,
    ),
    row(
        "server-many",
        "the same, each request from another user",
        Kind::Server { file: "vestibule-server", users: 5000 },
        &[("apache", 0.2), ("apache-renews", 0.2)],
    ),
    row(
        "server-musl",
        "the static binary (musl), forwards with the token",
        Kind::Server { file: "vestibule-server-musl", users: 1 },
        SERVER_LIMITS,
    ),
    row(
        "nginx-server",
        "nginx, asks `vestibule-server` by `auth_request`; both",
        Kind::NginxServer,
        &[("nginx-apache", 0.25)],
    ),
    row(
        "wasi-forward-1",
        "wasmtime, a component that only forwards, an instance for each request",
        Kind::Wasi { file: FORWARD, requests_of_instance: 1 },
        &[],
    ),
    row(
        "wasi-guard-1",
        "wasmtime, ours, forwards with the token, an instance for each request",
        Kind::Wasi { file: GUARD, requests_of_instance: 1 },
        &[("wasi-forward-1", 2.0)],
    ),
    row(
        "wasi-refusal-1",
        "wasmtime, ours, a guarded page without a session, an instance for each request",
        Kind::WasiRefusal,
        &[("wasi-forward-1", 1.0)],
    ),
    row(
        "wasi-forward-many",
        "wasmtime, a component that only forwards, an instance for 10000 requests",
        Kind::Wasi { file: FORWARD, requests_of_instance: MANY },
        &[],
    ),
    row(
        "wasi-guard-many",
        "wasmtime, ours, forwards with the token, an instance for 10000 requests",
        Kind::Wasi { file: GUARD, requests_of_instance: MANY },
        &[("wasi-forward-many", 2.0)],
    ),
];

/// The contestants that the options select, and those that they are compared with.
pub(crate) fn selected(options: &Options) -> Vec<Contestant> {
    let wanted = |name: &str| options.wants(name);
    let peers: Vec<&str> = CONTESTANTS
        .iter()
        .filter(|one| wanted(one.name))
        .flat_map(|one| one.limits.iter().map(|(peer, _)| *peer))
        .collect();
    CONTESTANTS.into_iter().filter(|one| wanted(one.name) || peers.contains(&one.name)).collect()
}

impl Contestant {
    /// The contestant with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        CONTESTANTS.into_iter().find(|one| one.name == name)
    }

    /// What every response is. The server behind says whether it got the access token.
    pub(crate) fn expected(&self) -> Expected {
        let (status, body) = match self.kind {
            Kind::Nginx | Kind::Hyper | Kind::Wasi { file: FORWARD, .. } => (200, "without a token"),
            Kind::WasiRefusal => (302, ""),
            _ => (200, "with a token"),
        };
        Expected { status, body }
    }

    /// Starts it in front of the server at `origin`. `None` if its program is not there.
    pub(crate) fn start(&self, origin: SocketAddr) -> Result<Option<Running>> {
        let (programs, cookies) = match self.kind {
            Kind::Nginx => (vec![nginx::forwarding(origin)?], Cookies::one()?),
            Kind::Hyper => match servers::hyper(origin)? {
                Some(proxy) => (vec![proxy], Cookies::one()?),
                None => return Ok(None),
            },
            Kind::Apache(age) => {
                let apache = apache::guarding(origin, age)?;
                let cookies = Cookies::Apache(apache.sign_in);
                (vec![apache.program], cookies)
            }
            Kind::NginxApache => {
                let apache = apache::answering()?;
                let nginx = nginx::asking_apache(apache.program.address(), origin)?;
                (vec![nginx, apache.program], Cookies::Apache(apache.sign_in))
            }
            Kind::Server { file, users } => match servers::vestibule(file, origin)? {
                Some(server) => (vec![server], Cookies::of(users)?),
                None => return Ok(None),
            },
            Kind::NginxServer => match servers::vestibule("vestibule-server", origin)? {
                Some(server) => {
                    let nginx = nginx::asking_vestibule(server.address(), origin)?;
                    (vec![nginx, server], Cookies::one()?)
                }
                None => return Ok(None),
            },
            Kind::Wasi { file, requests_of_instance } => {
                match wasmtime::serving(file, requests_of_instance, origin)? {
                    Some(host) => (vec![host], Cookies::one()?),
                    None => return Ok(None),
                }
            }
            Kind::WasiRefusal => match wasmtime::serving(GUARD, 1, origin)? {
                Some(host) => (vec![host], Cookies::None),
                None => return Ok(None),
            },
        };
        Ok(Some(Running { programs, cookies }))
    }
}

/// A contestant that runs. It ends when this is dropped.
pub(crate) struct Running {
    /// The first one gets the requests.
    programs: Vec<Program>,
    cookies: Cookies,
}

impl Running {
    /// Where requests are sent to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.programs.first().map_or_else(|| ([127, 0, 0, 1], 0).into(), Program::address)
    }

    /// The first program's process.
    pub(crate) fn process(&self) -> u32 {
        self.programs.first().map_or(0, Program::process)
    }

    /// All processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.programs.iter().flat_map(|program| crate::machine::family(program.process())).collect()
    }

    /// The requests that are sent repeatedly.
    pub(crate) fn requests(&self) -> Result<Vec<Vec<u8>>> {
        self.cookies.requests()
    }

    /// What the programs have written.
    pub(crate) fn output(&self) -> String {
        self.programs.iter().map(Program::output).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use xtask_arguments::bench::Arguments;

    use super::*;

    #[test]
    fn names_are_unique_and_whatever_one_is_compared_with_is_one() {
        for one in CONTESTANTS {
            assert_eq!(CONTESTANTS.iter().filter(|other| other.name == one.name).count(), 1, "{}", one.name);
            assert!(one.limits.iter().all(|(peer, _)| Contestant::named(peer).is_some()), "{}", one.name);
        }
    }

    #[test]
    fn a_selection_has_those_that_it_is_compared_with() {
        let names = |only: &str| {
            let arguments = Arguments::parse_from(["bench", "--only", only]);
            selected(&Options::from(arguments)).iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names("wasi-guard-1"), ["wasi-forward-1", "wasi-guard-1"]);
        assert_eq!(names("server-musl"), ["nginx", "hyper", "apache", "apache-renews", "server-musl"]);
        assert!(names("vestibule").is_empty());
    }
}

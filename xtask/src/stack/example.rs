//! The applications of the stories, in examples/.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use super::{Ports, supervised};
use crate::host;
use crate::project::Project;
use crate::step::{run_quietly, step};
use crate::tools;

/// How long access tokens are valid in a test, in seconds: short, so that a walk sees one end.
const TEST_SECONDS: &str = "10";

/// A story's application with its configuration, named as its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Example {
    /// A NestJS backend that rotates tokens in `HttpOnly` cookies
    NestjsCookies,
    /// An Express API that issues JWTs
    CredentialsApi,
    /// A single-page application and its API, with Auth0's settings
    #[value(name = "auth0-spa")]
    Auth0Spa,
    /// Django with Simple JWT, and several hosts
    DjangoSubdomains,
    /// Next.js in TypeScript, with Okta's settings
    OktaNextjs,
}

/// What the application is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For a developer.
    Dev,
    /// For a test: access tokens end soon.
    Test,
}

impl Example {
    /// Its directory.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Example::NestjsCookies => "examples/nestjs-cookies",
            Example::CredentialsApi => "examples/credentials-api",
            Example::Auth0Spa => "examples/auth0-spa",
            Example::DjangoSubdomains => "examples/django-subdomains",
            Example::OktaNextjs => "examples/okta-nextjs",
        }
    }

    /// The path of the Worker's configuration, relative to the root.
    pub(super) fn config(self) -> &'static str {
        match self {
            Example::NestjsCookies => "examples/nestjs-cookies/wrangler.toml",
            Example::CredentialsApi => "examples/credentials-api/wrangler.toml",
            Example::Auth0Spa => "examples/auth0-spa/wrangler.toml",
            Example::DjangoSubdomains => "examples/django-subdomains/wrangler.toml",
            Example::OktaNextjs => "examples/okta-nextjs/wrangler.toml",
        }
    }

    /// Installs its packages and builds it, if that is needed.
    pub(crate) fn prepare(self, project: &Project, purpose: Purpose) -> Result<()> {
        let directory = self.directory();
        if self == Example::DjangoSubdomains {
            return tools::ensure_python_of(project, directory, &environment(directory));
        }
        tools::ensure_npm_of(project, directory)?;
        let build: &[&str] = match (self, purpose) {
            (Example::NestjsCookies, _) => &["node_modules/typescript/bin/tsc"],
            (Example::OktaNextjs, Purpose::Test) => &["node_modules/next/dist/bin/next", "build"],
            _ => return Ok(()),
        };
        step(&format!("build {directory}"), || {
            let mut command = project.command(tools::node(project)?);
            command.current_dir(project.path(directory)).args(build).env("NEXT_TELEMETRY_DISABLED", "1");
            run_quietly(&mut command).map(drop)
        })
    }

    /// The command that starts it.
    pub(super) fn command(self, project: &Project, node: &Path, ports: Ports, purpose: Purpose) -> Command {
        let directory = project.path(self.directory());
        let port = ports.app.to_string();
        let mut command = if self == Example::DjangoSubdomains {
            let python = host::python_of(&project.path(&environment(self.directory())));
            let mut command = supervised(project, node, &python);
            command.arg("serve.py");
            command
        } else {
            let mut command = supervised(project, node, node);
            match (self, purpose) {
                (Example::NestjsCookies, _) => command.arg("dist/main.js"),
                (Example::OktaNextjs, Purpose::Dev) => {
                    command.args(["node_modules/next/dist/bin/next", "dev"])
                }
                (Example::OktaNextjs, Purpose::Test) => {
                    command.args(["node_modules/next/dist/bin/next", "start"])
                }
                _ => command.arg("server.js"),
            };
            command
        };
        if self == Example::OktaNextjs {
            command.args(["--hostname", "localhost", "--port", &port]);
        }
        command.current_dir(directory).env("PORT", port).env("ISSUER", ports.provider_url());
        command.env("NEXT_TELEMETRY_DISABLED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        if purpose == Purpose::Test {
            command.env("ACCESS_TOKEN_SECONDS", TEST_SECONDS);
            command.env("DATABASE", project.path(&format!(".wrangler/xtask/{}/db.sqlite3", ports.worker)));
        }
        command
    }

    /// The variables of the demo's provider.
    pub(super) fn provider(self, command: &mut Command, purpose: Purpose) {
        let id = match self {
            Example::Auth0Spa => "auth0",
            Example::OktaNextjs => "okta",
            _ => return,
        };
        command.env("DEMO_IDS", id);
        if purpose == Purpose::Test {
            command.env("DEMO_ACCESS_TOKEN_TTL", TEST_SECONDS);
        }
    }

    /// The paths of pages, each with a description.
    pub(super) fn pages(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Example::NestjsCookies | Example::CredentialsApi => {
                &[("/", "public"), ("/orders", "requires sign-in"), ("/admin", "requires isAdmin")]
            }
            Example::Auth0Spa => &[("/", "public"), ("/orders", "requires sign-in by its script")],
            Example::DjangoSubdomains => &[(
                "/",
                "public. The apps are on app.example.localhost and admin.example.localhost, at the same port",
            )],
            Example::OktaNextjs => {
                &[("/", "public"), ("/account", "requires sign-in"), ("/admin", "requires isAdmin")]
            }
        }
    }

    /// The path of a page that requires sign-in.
    pub(super) fn protected(self) -> &'static str {
        match self {
            Example::NestjsCookies | Example::CredentialsApi | Example::DjangoSubdomains => "/orders",
            Example::Auth0Spa => "/api/orders",
            Example::OktaNextjs => "/account",
        }
    }
}

/// Where the Python packages of a directory are installed.
fn environment(directory: &str) -> String {
    format!("{directory}/.venv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_is_named_as_its_directory_and_has_a_configuration() {
        let project = Project::find().unwrap();
        for example in Example::value_variants() {
            let name = example.to_possible_value().unwrap();
            assert_eq!(example.directory(), format!("examples/{}", name.get_name()));
            assert!(project.path(example.config()).is_file(), "{example:?}");
            assert_eq!(example.config(), format!("{}/wrangler.toml", example.directory()));
        }
    }
}

//! The stacks that can run: the demo, or another application behind the Worker.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::example::{Example, Purpose};
use super::{Ports, settings, supervised};
use crate::project::Project;

/// A configuration of the Worker, and the application behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demo {
    /// wrangler.toml and demo/app.mjs.
    Bare,
    /// A page that signs in and out through next-auth's own client.
    React(Client),
    /// The Next.js application in examples/nextjs, in the state of the last `next build`.
    NextJs,
    /// The same application, rebuilt when its source changes.
    NextJsDev,
    /// An application of tests/migrating/, before or after the steps of docs/migrating.md. Its configuration is made of the
    /// guide.
    Migrating(Client, Migration),
    /// A site with several hosts and one login host, over https, in front of the page of `React`.
    Site,
    /// Another host of `Site`, in front of the demo's application: a Worker without a provider.
    Docs,
    /// The demo with a provider whose sign-outs reach the Worker.
    Logout,
    /// Another Worker of `Logout`, with its provider and its application: what runs in another location.
    LogoutElsewhere,
    /// The demo with a provider that accepts a refresh token once, and tokens that live for seconds.
    Strict,
    /// The application of a story.
    Example(Example, Purpose),
}

/// A major version of next-auth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    V4,
    V5,
}

/// How far an application of tests/migrating/ is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Migration {
    /// The application is as it was.
    Before,
    /// All steps are done.
    Moved,
}

impl Migration {
    /// Its name for the script that walks through it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Migration::Before => "before",
            Migration::Moved => "moved",
        }
    }

    /// The directory of the application, whose packages are in the directory above.
    pub(crate) fn directory(self, project: &Project, client: Client) -> PathBuf {
        let name = if self == Migration::Before { "app" } else { "moved" };
        project.path(client.migration_directory()).join(name)
    }
}

/// The directory of the Next.js application.
pub(crate) const NEXT_JS: &str = "examples/nextjs";

impl Demo {
    /// The path of the Worker's configuration, relative to the root.
    pub(super) fn config(self) -> &'static str {
        match self {
            Demo::Bare | Demo::Migrating(..) => settings::ROOT,
            Demo::React(Client::V4) => "tests/browser/react/v4.toml",
            Demo::React(Client::V5) => "tests/browser/react/v5.toml",
            Demo::NextJs | Demo::NextJsDev => "examples/nextjs/wrangler.toml",
            Demo::Site => "tests/browser/hosts/site.toml",
            Demo::Docs => "tests/browser/hosts/docs.toml",
            Demo::Logout | Demo::LogoutElsewhere => "tests/browser/logout.toml",
            Demo::Strict => "tests/browser/story.toml",
            Demo::Example(example, _) => example.config(),
        }
    }

    /// The origin of the redirect URI, if it is different from the Worker's address.
    pub(super) fn origin(self) -> Option<&'static str> {
        matches!(self, Demo::Site | Demo::Docs).then_some("https://login.example.test")
    }

    /// Whether the Worker is reached over https, with a self-signed certificate.
    pub(super) fn is_https(self) -> bool {
        self.origin().is_some()
    }

    /// The paths of pages, each with a description.
    pub(crate) fn pages(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Demo::Bare | Demo::Logout | Demo::LogoutElsewhere | Demo::Strict => &[
                ("/", "public"),
                ("/dashboard", "requires sign-in"),
                ("/admin", "requires the role admin"),
                ("/api/echo", "shows what the application receives"),
            ],
            Demo::NextJs | Demo::NextJsDev => &[
                ("/", "public"),
                ("/account", "requires sign-in, and shows auth(), useSession() and getToken()"),
                ("/admin", "requires the role admin"),
            ],
            Demo::React(_) => &[("/", "public"), ("/required", "requires sign-in by its script")],
            Demo::Migrating(..) => &[("/", "public"), ("/account", "requires sign-in")],
            Demo::Site => &[("/", "public"), ("/private", "requires sign-in")],
            Demo::Docs => &[("/about", "public"), ("/dashboard", "requires sign-in")],
            Demo::Example(example, _) => example.pages(),
        }
    }

    /// The path of a page that requires sign-in.
    pub(crate) fn protected(self) -> &'static str {
        match self {
            Demo::Bare | Demo::Docs | Demo::Logout | Demo::LogoutElsewhere | Demo::Strict => "/dashboard",
            Demo::NextJs | Demo::NextJsDev | Demo::Migrating(..) => "/account",
            Demo::React(_) => "/required",
            Demo::Site => "/private",
            Demo::Example(example, _) => example.protected(),
        }
    }

    /// Sets what the demo's provider has to know about this demo.
    pub(super) fn provider(self, command: &mut Command) {
        match self {
            Demo::Example(example, purpose) => example.provider(command, purpose),
            Demo::Logout => drop(command.env("DEMO_BACKCHANNEL", "1")),
            Demo::Strict => drop(command.env("DEMO_BACKCHANNEL", "1").env("DEMO_ACCESS_TOKEN_TTL", "6")),
            _ => {}
        }
    }

    /// Whether the provider and the application are those of another stack, which is started first.
    pub(super) fn is_a_guest(self) -> bool {
        self == Demo::LogoutElsewhere
    }

    /// The file with the secrets of this demo alone, relative to the root.
    pub(super) fn secrets(self) -> Option<String> {
        match self {
            Demo::Example(example, _) => Some(format!("{}/dev.vars", example.directory())),
            _ => None,
        }
    }

    /// The command that starts the application.
    pub(super) fn app(self, project: &Project, node: &Path, ports: Ports, base_path: &str) -> Command {
        let port = ports.app.to_string();
        match self {
            Demo::Bare | Demo::Docs | Demo::Logout | Demo::LogoutElsewhere | Demo::Strict => {
                let mut command = project.command(node);
                command.args(["demo/app.mjs", &port]).env("DEMO_BASE_PATH", base_path);
                command.env("DEMO_API", format!("{}/me", ports.provider_url()));
                command
            }
            Demo::React(client) => react(project, node, &port, base_path, client),
            Demo::Site => react(project, node, &port, base_path, Client::V5),
            Demo::Migrating(client, stage) => migrating(project, node, ports, client, stage),
            Demo::NextJs => next(project, node, &["start", "--hostname", "localhost", "--port", &port]),
            Demo::NextJsDev => next(project, node, &["dev", "--hostname", "localhost", "--port", &port]),
            Demo::Example(example, purpose) => example.command(project, node, ports, purpose),
        }
    }
}

impl Client {
    /// The directory of the application that is moved behind the Worker, and of its packages.
    pub(crate) fn migration_directory(self) -> &'static str {
        match self {
            Client::V4 => "tests/migrating/v4",
            Client::V5 => "tests/migrating/v5",
        }
    }

    /// The name of its package in package.json.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Client::V4 => "next-auth-v4",
            Client::V5 => "next-auth",
        }
    }
}

fn react(project: &Project, node: &Path, port: &str, base_path: &str, client: Client) -> Command {
    let mut command = project.command(node);
    command.args(["tests/browser/react/app.mjs", port]).env("REACT_BASE_PATH", base_path);
    command.env("REACT_CLIENT", client.package());
    command
}

/// The command that starts an application of tests/migrating/, with the variables of next-auth.
fn migrating(project: &Project, node: &Path, ports: Ports, client: Client, stage: Migration) -> Command {
    let mut command = supervised(project, node, node);
    command.current_dir(stage.directory(project, client)).arg("../node_modules/next/dist/bin/next");
    command.args(["start", "--hostname", "localhost", "--port", &ports.app.to_string()]);
    command.env("NEXT_TELEMETRY_DISABLED", "1");
    let demo = std::fs::read_to_string(project.path("demo/dev.vars")).unwrap_or_default();
    let of_demo = |name: &str| {
        let value = demo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=\""));
        value.and_then(|value| value.strip_suffix('"')).unwrap_or_default()
    };
    let (secret, okta) = match client {
        Client::V4 => ("NEXTAUTH_SECRET", ["OKTA_CLIENT_ID", "OKTA_CLIENT_SECRET", "OKTA_ISSUER"]),
        Client::V5 => ("AUTH_SECRET", ["AUTH_OKTA_ID", "AUTH_OKTA_SECRET", "AUTH_OKTA_ISSUER"]),
    };
    command.env(secret, of_demo("AUTH_SECRET"));
    let issuer = ports.provider_url();
    for (name, value) in okta.into_iter().zip([of_demo("AUTH_DEMO_ID"), of_demo("AUTH_DEMO_SECRET"), &issuer])
    {
        command.env(name, value);
    }
    match client {
        Client::V4 => command.env("NEXTAUTH_URL", ports.app_url()),
        Client::V5 => command.env("AUTH_TRUST_HOST", "true"),
    };
    command
}

/// The command that runs Next.js in the application's directory.
fn next(project: &Project, node: &Path, arguments: &[&str]) -> Command {
    let mut command = supervised(project, node, node);
    command.current_dir(project.path(NEXT_JS)).arg("node_modules/next/dist/bin/next").args(arguments);
    command.env("NEXT_TELEMETRY_DISABLED", "1");
    command
}

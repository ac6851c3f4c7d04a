//! `cargo xtask dev`: runs the Worker on this machine, with the demo's provider and application where the configuration
//! names them, for use in a browser.

mod native;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};

use crate::build::{self, Effort};
use crate::host;
use crate::project::Project;
use crate::stack::{self, Demo, Local, NEXT_JS, Ports, Purpose, Setup, Stack, Storage, fetch, origin};
use crate::step::step;
use crate::time::Stopwatch;
use crate::tools;

pub(crate) use walk::walk;

/// The options on the command line.
#[derive(Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// Start everything, request two pages, and stop
    #[arg(long)]
    once: bool,
    /// Test this command: run the README's configuration, break it, repair it, and stop
    #[arg(long, exclusive = true)]
    walk: bool,
    /// Run the application of an example instead of the demo's
    #[arg(long, value_name = "NAME")]
    example: Option<Example>,
    /// The configuration to run, in place of the root's wrangler.toml
    #[arg(long, value_name = "FILE", conflicts_with = "example")]
    config: Option<PathBuf>,
    /// Your own application, in place of the demo's where the configuration says `to = "origin"`
    #[arg(long, value_name = "URL", value_parser = origin)]
    app: Option<String>,
    /// The address at which browsers reach the Worker through a tunnel
    #[arg(long, value_name = "URL", value_parser = origin)]
    origin: Option<String>,
    /// The runtime: the Worker, or the server of your own, which needs neither Node.js nor wrangler
    #[arg(long, value_name = "NAME", default_value = "workers")]
    runtime: Runtime,
    /// The Worker's port
    #[arg(long, value_name = "N", default_value_t = Ports::USUAL.worker, value_parser = port())]
    port: u16,
    /// The provider's port
    #[arg(long, value_name = "N", default_value_t = Ports::USUAL.provider, value_parser = port())]
    provider_port: u16,
    /// The application's port
    #[arg(long, value_name = "N", default_value_t = Ports::USUAL.app, value_parser = port())]
    app_port: u16,
}

/// Where the site runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Runtime {
    /// The Worker, in wrangler
    Workers,
    /// `vestibule-server`, without the demo's provider
    Native,
}

/// The examples, named as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Example {
    /// The application in examples/nextjs
    Nextjs,
    /// The one in examples/nestjs-cookies, and so on
    NestjsCookies,
    CredentialsApi,
    #[value(name = "auth0-spa")]
    Auth0Spa,
    DjangoSubdomains,
    OktaNextjs,
}

impl Example {
    fn demo(self) -> Demo {
        let story = |example| Demo::Example(example, Purpose::Dev);
        match self {
            Example::Nextjs => Demo::NextJsDev,
            Example::NestjsCookies => story(stack::Example::NestjsCookies),
            Example::CredentialsApi => story(stack::Example::CredentialsApi),
            Example::Auth0Spa => story(stack::Example::Auth0Spa),
            Example::DjangoSubdomains => story(stack::Example::DjangoSubdomains),
            Example::OktaNextjs => story(stack::Example::OktaNextjs),
        }
    }
}

fn port() -> impl TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(1..)
}

impl Options {
    fn demo(&self) -> Demo {
        self.example.map_or(Demo::Bare, Example::demo)
    }

    fn setup(&self, project: &Project) -> Result<Setup> {
        let mut setup = Setup::of(project, self.demo());
        if let Some(config) = &self.config {
            setup.config = std::path::absolute(config)?;
        }
        setup.local = Some(Local { app: self.app.clone(), origin: self.origin.clone() });
        Ok(setup)
    }

    fn ports(&self) -> Ports {
        Ports { worker: self.port, provider: self.provider_port, app: self.app_port }
    }
}

/// Builds and starts everything, prints the URLs, and runs until Ctrl-C.
pub(crate) fn dev(project: &Project, options: &Options) -> Result<()> {
    if options.walk {
        build::build(project, Effort::from_environment())?;
        return step("a site of your own", || walk(project));
    }
    if options.runtime == Runtime::Native {
        ensure!(
            options.example.is_none() && options.origin.is_none(),
            "--runtime native runs a configuration: without --example and --origin"
        );
        return native::serve(project, options);
    }
    let watch = Stopwatch::start();
    let (demo, ports) = (options.demo(), options.ports());
    ports.check_free()?;
    build::build(project, Effort::Fast)?;
    match demo {
        Demo::NextJsDev => tools::ensure_npm_of(project, NEXT_JS)?,
        Demo::Example(example, purpose) => example.prepare(project, purpose)?,
        _ => {}
    }

    let interrupted = interruption()?;
    let is_interrupted = || interrupted.load(Ordering::Relaxed);
    let setup = options.setup(project)?;
    let mut stack = match Stack::start(project, setup, ports, Storage::Kept, &is_interrupted) {
        Err(_) if is_interrupted() => return Ok(()),
        started => started?,
    };
    if options.once {
        step("request a public and a protected page", || check(&stack, demo))?;
        stack.stop();
        println!("everything works ({watch}) and is stopped");
        return Ok(());
    }
    println!("{}", instructions(&stack, demo, watch));
    stack.watch(&is_interrupted)?;
    println!("\nstopping …");
    stack.stop();
    Ok(())
}

/// A flag that Ctrl-C and other termination signals set. A second signal ends this program immediately; the child
/// processes then end too, because their standard input closes.
fn interruption() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in host::ENDING_SIGNALS {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

fn check(stack: &Stack, demo: Demo) -> Result<()> {
    if !stack.is_demo() {
        // Nothing is known about the pages of another site, except about the Worker's own.
        let sign_in = fetch(&stack.own_page("signin"))?;
        let location = sign_in.location.as_deref().unwrap_or_default();
        ensure!(
            sign_in.status == 200 || (sign_in.status == 302 && !location.contains("error")),
            "the sign-in page answered {}{location}: see the log above",
            sign_in.status
        );
        return Ok(());
    }
    let home = fetch(&format!("{}/", stack.url()))?;
    ensure!(home.status == 200, "the public home page answered {home:?}; expected status 200");
    let path = demo.protected();
    let page = fetch(&format!("{}{path}", stack.url()))?;
    let to_sign_in = page.location.as_deref().is_some_and(|location| location.contains("/signin"));
    ensure!(
        page.status == 302 && to_sign_in,
        "the protected page {path} answered {page:?}; expected status 302 and a redirect to the sign-in page"
    );
    Ok(())
}

fn instructions(stack: &Stack, demo: Demo, watch: Stopwatch) -> String {
    let url = stack.url();
    let users = if stack.has_provider() || matches!(demo, Demo::Example(..)) {
        "  Sign in as  alice@example.com, password alice (role admin)\n  \
         or          bob@example.com, password bob (role user)\n"
    } else {
        ""
    };
    let line = |(path, what): &(&str, &str)| format!("  {url}{path:<12} {what}");
    let pages: Vec<String> = if stack.is_demo() {
        demo.pages().iter().map(line).collect()
    } else {
        vec![format!("  {:<12} the sign-in page", stack.own_page("signin"))]
    };
    let pages = pages.join("\n");
    let notes: Vec<String> = stack.notes().iter().map(|note| format!("  {note}\n")).collect();
    let notes = if notes.is_empty() { String::new() } else { format!("\n{}", notes.concat()) };
    format!(
        "\n  Ready after {watch}:  {url}\n\n{users}\n{pages}\n{notes}\n  \
         Changes in src/, crates/, the configuration and .dev.vars take effect while this runs. Ctrl-C stops everything.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn ports_are_taken_from_their_flags() {
        let options: Options = read(&["--app-port", "3", "--once", "--port", "1"]).unwrap();
        assert_eq!(options.ports(), Ports { worker: 1, app: 3, ..Ports::USUAL });
        assert!(options.once && options.demo() == Demo::Bare);
        let options: Options = read(&["--example", "nextjs"]).unwrap();
        assert_eq!((options.ports(), options.demo()), (Ports::USUAL, Demo::NextJsDev));
        for example in stack::Example::value_variants() {
            let name = example.to_possible_value().unwrap();
            let options: Options = read(&["--example", name.get_name()]).unwrap();
            assert_eq!(options.demo(), Demo::Example(*example, Purpose::Dev));
        }
        let options: Options = read(&["--example", "nextjs"]).unwrap();
        assert!(!options.once);
    }

    #[test]
    fn an_invalid_port_flag_or_example_is_named_in_the_error() {
        for (arguments, named) in [
            (&["--port"][..], "--port"),
            (&["--port", "0"], "--port"),
            (&["--app-port", "65536"], "--app-port"),
            (&["--provider-port", "x"], "--provider-port"),
            (&["--ports"], "--ports"),
            (&["--example", "remix"], "--example"),
            (&["--example"], "--example"),
            (&["--app", "localhost:3000"], "--app"),
            (&["--origin", "https://a.example/path"], "--origin"),
            (&["--config"], "--config"),
            (&["--example", "nextjs", "--config", "a.toml"], "--config"),
        ] {
            let message = read::<Options>(arguments).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}

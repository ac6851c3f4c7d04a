//! The three ports of a stack: the demo's usual ones, those from the command line, or any free ones.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use anyhow::{Result, bail};
use vestibule_ports::free_address;

/// The ports of the three servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The Worker's.
    pub(crate) worker: u16,
    /// The provider's.
    pub(crate) provider: u16,
    /// The application's.
    pub(crate) app: u16,
}

impl Ports {
    /// The ports that wrangler.toml and demo/ use.
    pub(crate) const USUAL: Ports = Ports { worker: 8787, provider: 9400, app: 9401 };

    /// Three free ports, which stay this process's.
    pub(crate) fn free() -> Result<Ports> {
        let port = || free_address().map(|address| address.port());
        Ok(Ports { worker: port()?, provider: port()?, app: port()? })
    }

    /// Fails if two of the ports are the same, or if another program already uses one. The error says how to fix it.
    pub(crate) fn check_free(self) -> Result<()> {
        let flags = [(self.worker, "--port"), (self.provider, "--provider-port"), (self.app, "--app-port")];
        for (index, (port, flag)) in flags.into_iter().enumerate() {
            if flags.iter().take(index).any(|(other, _)| *other == port) {
                bail!(
                    "port {port} is given twice: the Worker, the provider and the application need different ports"
                );
            }
            if is_taken(port) {
                bail!(
                    "port {port} is in use: stop the program that uses it, or choose another port with `{flag} NUMBER`"
                );
            }
        }
        Ok(())
    }

    /// The Worker's origin.
    pub(crate) fn worker_url(self) -> String {
        format!("http://localhost:{}", self.worker)
    }

    /// The provider's issuer.
    pub(crate) fn provider_url(self) -> String {
        format!("http://localhost:{}", self.provider)
    }

    /// The application's origin.
    pub(crate) fn app_url(self) -> String {
        format!("http://localhost:{}", self.app)
    }
}

fn is_taken(port: u16) -> bool {
    let taken = |result: std::io::Result<TcpListener>| {
        result.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    };
    taken(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
        || taken(TcpListener::bind((Ipv6Addr::LOCALHOST, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_reported_with_the_flag_that_changes_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let ports = Ports { provider: taken, ..Ports::free().unwrap() };
        let message = ports.check_free().unwrap_err().to_string();
        assert!(message.contains(&taken.to_string()) && message.contains("--provider-port"), "{message}");
    }

    #[test]
    fn one_port_for_two_servers_is_rejected() {
        let ports = Ports::free().unwrap();
        let message = Ports { app: ports.worker, ..ports }.check_free().unwrap_err().to_string();
        assert!(message.contains("given twice"), "{message}");
    }
}

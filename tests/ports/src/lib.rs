//! Free ports for programs that cannot say which port they were given: proxies, Redis, the servers of other projects.
//!
//! Port 0 lets the system choose, and that is what everything else in the tests does. A port that was chosen so and closed
//! again is the next one's, perhaps before the program listens there, and then a test asks a stranger. The ports of this
//! crate are below those that systems choose from, and no two processes that use it get the same one.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// The first port. Linux chooses from 32768, others from 49152, and few services are at home here.
const FIRST: u16 = 20_000;

/// How many ports there are. As many follow, whose UDP sockets say that a port is claimed.
const COUNT: u16 = 6_000;

const _: () = assert!(FIRST + 2 * COUNT <= 32_768, "Linux chooses from these ports itself");

/// What this process claims until it ends.
static CLAIMS: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// An address on loopback that nothing listens at. It is this process's until it ends: nobody else gets it from here.
///
/// # Errors
/// If no port is free, or this machine has no loopback.
pub fn free_address() -> Result<SocketAddr> {
    let mut claims = CLAIMS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Processes begin at different ports, so that they seldom ask for the same one.
    let begin = std::process::id().wrapping_mul(97);
    for step in 0..u32::from(COUNT) {
        let Ok(offset) = u16::try_from(begin.wrapping_add(step) % u32::from(COUNT)) else { continue };
        let port = FIRST + offset;
        let Ok(claim) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port + COUNT)) else { continue };
        if is_free(port) {
            claims.push(claim);
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
    }
    let last = FIRST + COUNT - 1;
    Err(Error::new(
        ErrorKind::AddrInUse,
        format!("no port from {FIRST} to {last} is free: end what listens there"),
    ))
}

/// Whether nothing listens at this port of any address.
fn is_free(port: u16) -> bool {
    // Another error is of a machine without IPv6.
    let is_taken =
        |result: Result<TcpListener>| result.is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
    !is_taken(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        && !is_taken(TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let given: BTreeSet<SocketAddr> = (0..50).map(|_| free_address().unwrap()).collect();
        assert_eq!(given.len(), 50);
        assert!(given.iter().all(|address| TcpListener::bind(address).is_ok()));
    }

    #[test]
    fn a_port_at_which_something_listens_is_not_free() {
        for address in
            [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))]
        {
            let listener = TcpListener::bind(address).unwrap();
            assert!(!is_free(listener.local_addr().unwrap().port()));
        }
    }
}

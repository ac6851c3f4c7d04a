//! What the server reads of others, one function for each, so that it can be called without connections and files.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hyper::header::{HeaderName, HeaderValue};

use crate::framing::Framing;
use crate::network::Network;
use crate::request::{self, Arrival};
use crate::store::journal;
use crate::target::Server;
use vestibule_core::http::request::Request;

/// Whether the bytes of a connection have a request whose length can be read in two ways. They arrive in `parts`.
pub fn is_ambiguous<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut framing = Framing::default();
    parts.into_iter().for_each(|part| framing.see(part));
    framing.is_ambiguous()
}

/// The head of a request, as it arrived from `peer`, over TLS. `proxies` are networks.
///
/// # Errors
/// The status of the answer, where the request is refused; `None` where it is none of HTTP, or a network is none.
pub fn head(
    method: &str,
    target: &str,
    fields: &[(&str, &[u8])],
    peer: IpAddr,
    proxies: &[&str],
) -> Result<Request, Option<u16>> {
    let mut request = hyper::Request::builder().method(method).uri(target);
    for (name, value) in fields {
        let name = name.parse::<HeaderName>().map_err(|_| None)?;
        request = request.header(name, HeaderValue::from_bytes(value).map_err(|_| None)?);
    }
    let (mut parts, ()) = request.body(()).map_err(|_| None)?.into_parts();
    let proxies: Result<Vec<Network>, _> = proxies.iter().map(|network| network.parse()).collect();
    let arrival = Arrival::new(true, (peer, 1).into());
    request::head(&mut parts, &arrival, &proxies.map_err(|_| None)?).map_err(|(status, _)| Some(status))
}

/// Whether an address is in a network, as an operator writes one; `None` where the text is no network.
pub fn is_in_network(network: &str, address: IpAddr) -> Option<bool> {
    Some(network.parse::<Network>().ok()?.contains(address))
}

/// The address of a path at a server, as an operator writes its origin; `None` where the text is no origin.
pub fn address_at(origin: &str, path_and_query: &str) -> Option<String> {
    Server::parse(origin)?.at(path_and_query).ok().map(|address| address.to_string())
}

/// What counts in a file of revocations: by name the record and the end of its time in milliseconds.
///
/// # Errors
/// The number of the first line that is none.
pub fn records(file: &[u8]) -> Result<BTreeMap<String, (String, u64)>, usize> {
    let entries = journal::entries(file)?;
    Ok(entries.into_iter().map(|(name, entry)| (name, (entry.record, entry.until.millis()))).collect())
}

/// The line of a file of revocations for a record.
pub fn record_line(name: &str, record: &str, until: u64) -> String {
    let until = vestibule_core::time::Timestamp::from_millis(until);
    journal::line(&journal::Entry { name: name.to_owned(), record: record.to_owned(), until })
}

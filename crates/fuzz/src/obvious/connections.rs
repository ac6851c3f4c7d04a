//! Bytes and addresses of connections.

use std::net::IpAddr;

use httparse::{EMPTY_HEADER, Request, Status};

/// Whether a connection has a request with both lengths, read with the parser that the server has. `None` if it ends with
/// something that is no request, or in the middle of one: what the server sees of that does not count.
pub(crate) fn is_ambiguous(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, lengths, is_chunked) = head(rest)?;
        if is_chunked {
            return Some(!lengths.is_empty());
        }
        let body = body_length(&lengths)?;
        rest = rest.get(length.checked_add(body)?..)?;
    }
    Some(false)
}

/// Whether one of the requests that are whole has both lengths.
pub(crate) fn begins_ambiguous(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((length, lengths, is_chunked)) = head(rest) {
        if is_chunked {
            return !lengths.is_empty();
        }
        let body = body_length(&lengths).and_then(|body| length.checked_add(body));
        match body.and_then(|end| rest.get(end..)) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    false
}

/// The length of a head, the values of `Content-Length`, and whether there is a `Transfer-Encoding`.
fn head(bytes: &[u8]) -> Option<(usize, Vec<Vec<u8>>, bool)> {
    let mut fields = [EMPTY_HEADER; 100];
    let mut request = Request::new(&mut fields);
    let Ok(Status::Complete(length)) = request.parse(bytes) else { return None };
    let values = |name: &str| {
        let is_it = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(is_it).map(|field| field.value.to_vec()).collect::<Vec<_>>()
    };
    Some((length, values("content-length"), !values("transfer-encoding").is_empty()))
}

/// The length of a body as hyper reads it: digits only, and the same everywhere.
fn body_length(values: &[Vec<u8>]) -> Option<usize> {
    let mut length = None;
    for value in values {
        let text = str::from_utf8(value).ok().filter(|text| !text.is_empty())?;
        let read = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<usize>().ok())??;
        if length.is_some_and(|length| length != read) {
            return None;
        }
        length = Some(read);
    }
    Some(length.unwrap_or(0))
}

/// Whether an address is in `ADDRESS/BITS`, bit by bit.
pub(crate) fn is_in_network(network: &str, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let (own, length) = network.split_once('/').unwrap_or((network, "999"));
    let Ok(own) = own.trim().parse::<IpAddr>() else { return false };
    let length: usize = length.parse().unwrap_or_default();
    let address = match (own, address.to_canonical()) {
        // Of a network of IPv4 that is written as IPv6.
        (IpAddr::V6(_), IpAddr::V4(address)) if length >= 96 => address.to_ipv6_mapped().into(),
        (_, address) => address,
    };
    if own.is_ipv4() != address.is_ipv4() {
        return false;
    }
    let (own, address) = (bits(own), bits(address));
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    (0..own.len() * 8).take(length).all(|at| bit(&own, at) == bit(&address, at))
}

/// The client behind proxies: from the end of the list the first address that is none of theirs, with a port or without.
pub(crate) fn client(peer: IpAddr, forwarded_for: &str, is_proxy: &dyn Fn(IpAddr) -> bool) -> IpAddr {
    let mut client = peer.to_canonical();
    let mut said: Vec<&str> = forwarded_for.split(',').collect();
    while is_proxy(client) {
        match said.pop().and_then(|address| address_of(address.trim())) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

fn address_of(element: &str) -> Option<IpAddr> {
    let is_port =
        |port: &str| port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if let Some(rest) = element.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let has_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if has_port { address.parse().ok().map(IpAddr::V6) } else { None };
    }
    match element.split(':').collect::<Vec<_>>()[..] {
        [address, port] => is_port(port).then(|| address.parse().ok().map(IpAddr::V4))?,
        _ => element.parse().ok(),
    }
}

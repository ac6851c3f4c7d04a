//! Networks of IP addresses, as operators write them.

use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// An address, or the addresses that have the same first bits: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether the address belongs to it. An IPv4 address counts as itself also where it is written as IPv6.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// The text is not a network.
#[derive(Clone, Debug, Error)]
#[error("{0:?} is neither an IP address nor a network such as 10.0.0.0/8")]
pub(crate) struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = address.trim().parse::<IpAddr>().map_err(|_| error())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Ok(all), str::parse).map_err(|_| error())?;
        if bits > all {
            return Err(error());
        }
        // An IPv4 network that is written as IPv6, as the addresses in it are.
        Ok(match (address.to_canonical(), bits.checked_sub(128 - 32)) {
            (address @ IpAddr::V4(_), Some(bits)) if all == 128 => Self { address, bits },
            _ => Self { address, bits },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        for (network, address, is_in) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), is_in, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/x", "10.0.0.0/-1", "localhost"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}

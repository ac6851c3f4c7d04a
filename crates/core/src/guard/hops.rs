//! Detects a request that was forwarded to the deployment that forwarded it: an upstream's address leads back here. Without
//! this, one request would become thousands.

use std::hash::{DefaultHasher, Hash, Hasher};

use vestibule_oidc::hex;
use vestibule_oidc::http::request::Request;

/// The header field of a forwarded request that lists what was forwarded on the way: a hash for each time, separated by
/// commas, the oldest first.
pub const HEADER: &str = "vestibule-hops";

/// How often a request may be forwarded on its way. A loop whose URL differs each time ends there.
const MAX_HOPS: usize = 16;

/// The length of one hash in hexadecimal digits.
const DIGITS: usize = 16;

/// The value of [`HEADER`] with which the request is forwarded. `None` if the very same request was forwarded before, or if
/// it was forwarded more often than any site needs.
///
/// The same means: with this method, at this URL. An application that calls another page of its site with the header
/// fields that it received is no loop. A client that invents the header field refuses itself.
pub fn next(request: &Request) -> Option<String> {
    let own = hash(request);
    let mut hops = String::new();
    let values = request.headers.get_all(HEADER).flat_map(|value| value.split(','));
    let is_hash = |hop: &&str| hop.len() == DIGITS && hop.bytes().all(|b| b.is_ascii_hexdigit());
    for (count, hop) in values.map(str::trim).filter(is_hash).enumerate() {
        if hop == own || count + 1 == MAX_HOPS {
            return None;
        }
        hops.push_str(hop);
        hops.push(',');
    }
    Some(if hops.is_empty() { own } else { hops + &own })
}

/// The same in every process of a deployment. No one has to trust it, so its collisions may be found.
fn hash(request: &Request) -> String {
    let mut hasher = DefaultHasher::new();
    let url = &request.url;
    (request.method.as_str(), &url.authority, &url.path, &url.query).hash(&mut hasher);
    hex::encode(&hasher.finish().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::http::request::{Method, RequestUrl};

    fn request(method: &str, url: &str, hops: &[&str]) -> Request {
        Request {
            method: Method::new(method),
            url: RequestUrl::parse(url).unwrap(),
            headers: hops.iter().map(|hops| (HEADER, *hops)).collect(),
        }
    }

    #[test]
    fn a_request_is_refused_where_it_was_forwarded_before() {
        let url = "https://app.example.com/a?b";
        let first = next(&request("GET", url, &[])).unwrap();
        assert_eq!(next(&request("GET", url, &[&first])), None);
        assert_eq!(next(&request("GET", url, &["0123456789abcdef", &first])), None);
        for (method, other) in [
            ("HEAD", url),
            ("GET", "https://api.example.com/a?b"),
            ("GET", "https://app.example.com/a"),
            ("GET", "https://app.example.com/a?c"),
        ] {
            let second = next(&request(method, other, &[&first])).unwrap();
            assert!(second.starts_with(&format!("{first},")), "{second}");
        }
    }

    #[test]
    fn a_loop_whose_url_grows_ends() {
        let (mut url, mut hops, mut count) = ("https://app.example.com".to_owned(), String::new(), 0);
        while let Some(longer) = next(&request("GET", &url, &[&hops])) {
            (hops, count) = (longer, count + 1);
            url.push_str("/base");
        }
        assert_eq!(count, MAX_HOPS);
    }

    #[test]
    fn what_a_client_invents_is_not_passed_on() {
        let long = "a".repeat(100_000);
        for invented in ["x", "0123456789abcde\u{e9}", ",,,", &long] {
            let hops = next(&request("GET", "https://app.example.com/", &[invented])).unwrap();
            assert_eq!(hops.len(), DIGITS, "{hops}");
        }
    }
}

//! Server functions: code of a page that a POST to any other page runs as well.
//!
//! Next.js finds a server function by the id in the request, not by its path: a POST to a public page with the id of a
//! function of a guarded page runs that function. So the guard sees whether a request may call one, and asks for a session.
//! Which role a function needs it cannot see: that is for the function to check.

use vestibule_oidc::http::request::Request;

/// Whether a request may call a server function of Next.js: a script names it in `Next-Action`, and a form without
/// scripts in `$ACTION_` fields of a multipart body. Bodies are not read here, so every multipart POST may.
pub fn is_call(request: &Request) -> bool {
    let is_form = || {
        let media_type = request.headers.get("content-type").unwrap_or_default();
        media_type
            .trim_start()
            .get(..MULTIPART.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(MULTIPART))
    };
    // fetch, by which some runtimes forward, writes `post` as `POST`.
    request.method.as_str().eq_ignore_ascii_case("POST")
        && (request.headers.contains("next-action") || is_form())
}

const MULTIPART: &str = "multipart/form-data";

#[cfg(test)]
mod tests {
    use vestibule_oidc::http::request::{Method, RequestUrl};

    use super::*;

    #[test]
    fn functions_behind_paths_a_call_is_seen_by_its_header_or_its_form() {
        for (method, fields, is_a_call) in [
            ("POST", &[("next-action", "40a1")][..], true),
            ("POST", &[("Next-Action", "")], true),
            ("POST", &[("content-type", "multipart/form-data; boundary=x")], true),
            ("POST", &[("content-type", " Multipart/Form-Data;boundary=x")], true),
            ("POST", &[("content-type", "application/json")], false),
            ("POST", &[], false),
            ("post", &[("next-action", "40a1")], true),
            ("GET", &[("next-action", "40a1")], false),
        ] {
            let url = RequestUrl::parse("https://app.example.com/open").unwrap();
            let request =
                Request { method: Method::new(method), url, headers: fields.iter().copied().collect() };
            assert_eq!(is_call(&request), is_a_call, "{method} {fields:?}");
        }
    }
}

//! The methods that a server may read a request as, besides the one that it has.

use vestibule_oidc::http::request::{Method, Request};

/// The other methods of a request: its own in upper case, and what the parameter `_method` of a POST's query says.
///
/// A method is case-sensitive (RFC 9110 section 9.1), but Django, Symfony, Werkzeug and others take `post` for `POST`. Laravel,
/// Symfony, Spring's `HiddenHttpMethodFilter` and Express's `method-override` take a POST for what `_method` says. Many read
/// that in the form's body only, which nothing here sees.
///
/// Those that no rule names (`is_named`) are alike for the rules, so only one of them is in the result.
pub(super) fn other_methods(request: &Request, is_named: impl Fn(&Method) -> bool) -> Vec<Method> {
    let own = request.method.as_str().to_ascii_uppercase();
    let mut found = Vec::new();
    let mut add = |method: Method| {
        let is_alike = |known: &Method| *known == method || !is_named(known) && !is_named(&method);
        if method != request.method && !found.iter().any(is_alike) {
            found.push(method);
        }
    };
    add(Method::new(&own));
    if is_overridable(request)
        && let Some(query) = &request.url.query
    {
        let methods = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| is_override(name));
        methods.for_each(|(_, method)| add(Method::new(&method.to_ascii_uppercase())));
    }
    found
}

/// Whether a parameter of the request's query can name another method.
pub(super) fn is_overridable(request: &Request) -> bool {
    request.url.query.is_some() && request.method.as_str().eq_ignore_ascii_case("POST")
}

/// Whether a parameter of this name is `_method` for some server. PHP takes off blanks in front, and reads a dot, a blank or
/// an open bracket as `_`.
fn is_override(name: &str) -> bool {
    let name = name.trim_start_matches(' ');
    name.strip_prefix(['_', '.', '[']).is_some_and(|rest| rest.eq_ignore_ascii_case("method"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::http::headers::Headers;
    use vestibule_oidc::http::request::RequestUrl;

    fn others(method: &str, query: &str) -> Vec<String> {
        let url = RequestUrl::parse(&format!("https://h/x?{query}")).unwrap();
        let request = Request { method: Method::new(method), url, headers: Headers::default() };
        let is_named = |method: &Method| ["POST", "DELETE", "PUT"].contains(&method.as_str());
        other_methods(&request, is_named).iter().map(|method| method.as_str().to_owned()).collect()
    }

    #[test]
    fn a_method_in_upper_case_is_another_one() {
        assert_eq!(others("post", ""), ["POST"]);
        assert_eq!(others("POST", ""), [""; 0]);
        assert_eq!(others("Get", ""), ["GET"]);
    }

    #[test]
    fn a_post_is_what_its_query_says() {
        for name in
            ["_method", "%5Fmethod", "_METHOD", ".method", "%20_method", "+.method", "[method", "a=b&_method"]
        {
            assert_eq!(others("POST", &format!("{name}=delete")), ["DELETE"], "{name}");
        }
        assert_eq!(others("post", "_method=PUT&_method=DELETE"), ["POST", "PUT", "DELETE"]);
        assert_eq!(others("POST", "_method=POST"), [""; 0]);
        for (method, query) in
            [("GET", "_method=DELETE"), ("PUT", "_method=DELETE"), ("POST", "method=DELETE")]
        {
            assert_eq!(others(method, query), [""; 0], "{method} {query}");
        }
    }

    #[test]
    fn a_thousand_methods_that_no_rule_names_are_one() {
        let query: Vec<String> = (0..1000).map(|n| format!("_method=M{n}")).collect();
        assert_eq!(others("POST", &format!("{}&_method=PUT", query.join("&"))), ["M0", "PUT"]);
    }
}

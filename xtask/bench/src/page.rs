//! The request of a browser that opens a page.

/// A request for `path` at `host`, with a `Cookie` field unless `cookie` is empty. `more` is another line of the head, or none.
pub(crate) fn request(path: &str, host: &str, more: &str, cookie: &str) -> Vec<u8> {
    let cookie = if cookie.is_empty() { String::new() } else { format!("cookie: {cookie}\r\n") };
    format!(
        "GET {path} HTTP/1.1\r\n\
         host: {host}\r\n\
         {more}\
         user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
         accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         accept-language: en-US,en;q=0.5\r\n\
         {cookie}\
         sec-fetch-dest: document\r\n\
         sec-fetch-mode: navigate\r\n\
         sec-fetch-site: same-origin\r\n\r\n"
    )
    .into_bytes()
}

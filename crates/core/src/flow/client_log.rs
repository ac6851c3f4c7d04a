//! `POST /_log`: next-auth 4's client reports what went wrong in the browser.

use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

/// How large a report may be. It is the message and the stack of one error.
const LIMIT: usize = 8 * 1024;

/// How many characters of a field are logged: enough for every code of the client's and for one sentence.
const LOGGED: usize = 200;

impl<P: Platform> RequestContext<'_, P> {
    /// Puts code and message of the report into the log, and always answers 200: the client takes no notice.
    ///
    /// Anybody may send anything here, so it is never more than an `Info` line of known length, in which nothing
    /// can look like a line of its own. The rest of a report, a stack and addresses, is dropped.
    pub(crate) async fn client_log(&self, body: P::Body) -> Response {
        if let Ok(bytes) = self.platform.read_body(body, LIMIT).await {
            let report = Params::from_urlencoded(&bytes);
            let field = |name| report.one(name).ok().flatten().map(plain);
            let message = field("message").filter(|message| !message.is_empty());
            let message = message.unwrap_or_else(|| "the report has no message".to_owned());
            let record = Record::new(LogEvent::ClientErrorReported, message);
            self.log(match field("code") {
                Some(code) => record.code(&code),
                None => record,
            });
        }
        Response::empty(200)
    }
}

/// The beginning of `text`, in printable ASCII.
fn plain(text: &str) -> String {
    text.chars().take(LOGGED).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

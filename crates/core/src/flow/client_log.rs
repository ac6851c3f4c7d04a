//! `POST /_log`: next-auth 4's client reports errors in the browser.

use crate::flow::RequestContext;
use crate::log::{LogEvent, Record};
use crate::platform::Platform;
use vestibule_oidc::http::form::Params;
use vestibule_oidc::http::response::Response;

/// The largest report, in bytes: room for the message and the stack of one error.
const MAX_REPORT: usize = 8 * 1024;

/// How many characters of a field are logged: enough for every code of the client, and for one sentence.
const MAX_LOGGED_CHARS: usize = 200;

impl<P: Platform> RequestContext<'_, P> {
    /// Logs the code and the message of the report, and always answers 200: the client ignores the answer.
    ///
    /// Anyone can send anything here. So the log gets one `Info` line of limited length, in printable ASCII, in which no
    /// text can imitate another line. The rest of the report (a stack, addresses) is dropped.
    pub(crate) async fn log_client_error(&self, body: P::Body) -> Response {
        if let Ok(bytes) = self.platform.read_body(body, MAX_REPORT).await {
            let report = Params::from_urlencoded(&bytes);
            let field = |name| report.one(name).ok().flatten().map(printable_start);
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

/// The start of `text`, in printable ASCII.
fn printable_start(text: &str) -> String {
    text.chars().take(MAX_LOGGED_CHARS).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

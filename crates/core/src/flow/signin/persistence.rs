//! Whether the new session's cookie stays when the browser closes: `session.persistent`, and with `"ask"` the choice of
//! the person who signs in.

use serde_json::Value;

use crate::flow::RequestContext;
use crate::platform::Platform;
use crate::session::policy::Persistence;
use vestibule_oidc::http::form::{DuplicateParameterError, Params};

/// The parameter of a sign-in with the choice: the checkbox "Keep me signed in".
pub(crate) const PERSISTENT: &str = "persistent";

/// The choice in a form or a query; `None` if it says nothing. A browser sends `on` for a checkbox without a value, and
/// nothing for one that is not checked.
pub(crate) fn chosen(params: &Params) -> Result<Option<bool>, DuplicateParameterError> {
    Ok(params.one(PERSISTENT)?.map(|value| matches!(value, "true" | "on" | "1")))
}

impl<P: Platform> RequestContext<'_, P> {
    /// The claim of a session whose cookie ends with the browser; `None` for one that stays. `chosen` is what the person
    /// chose, if this deployment leaves the choice to them.
    pub(super) fn persistence_claim(&self, chosen: bool) -> Option<(&'static str, Value)> {
        let is_persistent = match self.config().session.persistence {
            Persistence::Persistent => true,
            Persistence::UntilBrowserCloses => false,
            Persistence::ByUser => chosen,
        };
        (!is_persistent).then_some((PERSISTENT, Value::Bool(false)))
    }
}

//! The isolate's [`Vestibule`]. It is created once: the configuration of an isolate does not change.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use worker::web_sys;

use vestibule_core::Vestibule;
use vestibule_core::config::error::ConfigErrors;
use vestibule_core::http::response::Response;
use vestibule_core::platform::ForwardError;

use crate::convert;

thread_local! {
    static VESTIBULE: OnceCell<Result<Rc<Vestibule>, ConfigErrors>> = const { OnceCell::new() };
    static CONFIGURATION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the configuration of the module `vestibule.config.js`, as JSON, until the first request.
#[cfg_attr(not(feature = "entry"), allow(dead_code, reason = "only the feature `entry` has such a module"))]
pub(crate) fn configure(auth: String) {
    CONFIGURATION.set(auth);
}

/// The configuration of the module as JSON; empty if there is none. Only the first call has it.
pub(crate) fn configuration() -> String {
    CONFIGURATION.take()
}

/// The isolate's [`Vestibule`], which `create` makes for the first request, or the errors of the configuration.
pub(crate) fn vestibule(
    create: impl FnOnce() -> Result<Rc<Vestibule>, ConfigErrors>,
) -> Result<Rc<Vestibule>, ConfigErrors> {
    VESTIBULE.with(|vestibule| vestibule.get_or_init(create).clone())
}

/// The answer to a request whose upstream cannot be reached, once the flow is over.
pub(crate) fn upstream_failure(request: &web_sys::Request, error: &ForwardError) -> Response {
    VESTIBULE.with(|vestibule| match (vestibule.get(), convert::head(request)) {
        (Some(Ok(vestibule)), Some(head)) => vestibule.upstream_failure(head, error),
        _ => error.answer(),
    })
}

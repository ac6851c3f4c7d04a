//! Cloudflare Workers: the entry point and the [`crate::platform::Platform`] of this runtime. The only
//! folder that knows JavaScript.

mod convert;
mod lease;
mod platform;
mod webcrypto;

use std::cell::OnceCell;
use std::rc::Rc;

use worker::js_sys::{JSON, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::{Context, Env, console_error, console_warn, web_sys};

pub use crate::worker::lease::RefreshLease;

use crate::Vestibule;
use crate::config::Config;
use crate::config::error::ConfigErrors;
use crate::hooks::{Configured, Hooks};
use crate::worker::platform::{Incoming, Workers};

thread_local! {
    /// Checked once: an isolate's configuration does not change while it lives.
    static VESTIBULE: OnceCell<Result<Rc<Vestibule>, ConfigErrors>> = const { OnceCell::new() };
}

/// The Worker's `fetch` handler, by configuration alone.
///
/// # Errors
/// Where the platform refuses to make a response at all, which it does for no input that a client can send.
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    fetch_with_hooks(request, env, context, || Configured).await
}

/// The Worker's `fetch` handler with hooks of the app's own: what its `#[event(fetch)]` calls. `hooks` is
/// called once in an isolate's life, so a Worker has one kind of hooks.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_with_hooks<H: Hooks + 'static>(
    request: web_sys::Request,
    env: Env,
    context: Context,
    hooks: impl FnOnce() -> H,
) -> worker::Result<web_sys::Response> {
    let vestibule = match configured(&env, hooks) {
        Ok(vestibule) => vestibule,
        Err(errors) => {
            for error in errors.iter() {
                console_error!("{}", error);
            }
            return convert::plain(
                500,
                "The site's sign-in is not configured correctly. The log says where.",
            );
        }
    };
    let Some(head) = convert::head(&request) else {
        return convert::plain(400, "Bad request.");
    };
    let platform = Workers::new(env, context, &request);
    let reply = vestibule.handle(&platform, head, Incoming(request)).await;
    convert::reply(reply)
}

fn configured<H: Hooks + 'static>(
    env: &Env,
    hooks: impl FnOnce() -> H,
) -> Result<Rc<Vestibule>, ConfigErrors> {
    VESTIBULE.with(|vestibule| {
        vestibule
            .get_or_init(|| {
                let auth = variable(env, "AUTH")
                    .and_then(|value| JSON::stringify(&value).ok())
                    .and_then(|text| serde_json::from_str(&String::from(text)).ok())
                    .unwrap_or_default();
                let text = |name: &str| variable(env, name).and_then(|value| value.as_string());
                let is_bound = |name: &str| variable(env, name).is_some_and(|value| value.is_object());
                let config = Config::load(auth, &text)?.check_bindings(&is_bound)?;
                for advice in config.advice() {
                    console_warn!("{advice}");
                }
                Ok(Rc::new(Vestibule::with_hooks(config, hooks())))
            })
            .clone()
    })
}

fn variable(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &JsValue::from_str(name)).ok().filter(|value| !value.is_undefined())
}

#[cfg(feature = "entry")]
#[worker::event(fetch)]
async fn entry(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    fetch(request, env, context).await
}

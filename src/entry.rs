//! The Worker's `fetch` handler: the configuration, read once, and a request on its way to
//! [`Vestibule::handle`] and back.

use std::cell::OnceCell;
use std::rc::Rc;

use worker::js_sys::{JSON, Promise, Reflect};
#[cfg(feature = "entry")]
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
#[cfg(feature = "entry")]
use worker::worker_sys;
use worker::{Context, Env, web_sys};

use vestibule_core::Vestibule;
use vestibule_core::config::Config;
use vestibule_core::config::error::ConfigErrors;
use vestibule_core::hooks::Hooks;
use vestibule_core::log::{LogEvent, Record};

use crate::console;
use crate::convert;
#[cfg(feature = "entry")]
use crate::executor;
use crate::platform::{Incoming, Workers};
use crate::runtime::{RUNTIME, binding};

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
    waited_for(answer(Rc::new(request), env, context, Vestibule::new).await).await
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
    let ready = |config| Vestibule::with_hooks(config, hooks());
    waited_for(answer(Rc::new(request), env, context, ready).await).await
}

async fn waited_for(answer: Result<JsValue, JsValue>) -> worker::Result<web_sys::Response> {
    let response = JsFuture::from(Promise::resolve(&answer?)).await?;
    Ok(response.unchecked_into())
}

/// A response, or a promise of one.
async fn answer(
    request: Rc<web_sys::Request>,
    env: Env,
    context: Context,
    ready: impl FnOnce(Config) -> Vestibule,
) -> Result<JsValue, JsValue> {
    let vestibule = match configured(&env, ready) {
        Ok(vestibule) => vestibule,
        Err(errors) => {
            for error in errors.iter() {
                let record = Record::new(LogEvent::ConfigurationInvalid, error);
                console::write(&convert::line(record, &request));
            }
            let words = "The site's sign-in is not configured correctly. The log says where.";
            return convert::plain(500, words).map(JsValue::from);
        }
    };
    let Some(head) = convert::head(&request) else {
        return convert::plain(400, "Bad request.").map(JsValue::from);
    };
    let platform = Workers::new(env, context, Rc::clone(&request));
    let reply = vestibule.handle(&platform, head, Incoming(Rc::clone(&request))).await;
    convert::reply(reply, &request)
}

fn configured(env: &Env, ready: impl FnOnce(Config) -> Vestibule) -> Result<Rc<Vestibule>, ConfigErrors> {
    VESTIBULE.with(|vestibule| {
        vestibule
            .get_or_init(|| {
                let auth = variable(env, "AUTH")
                    .and_then(|value| JSON::stringify(&value).ok())
                    .and_then(|text| serde_json::from_str(&String::from(text)).ok())
                    .unwrap_or_default();
                let text = |name: &str| variable(env, name).and_then(|value| value.as_string());
                let is_bound = |name: &str| variable(env, name).is_some_and(|value| value.is_object());
                let config = Config::load(auth, &text, &RUNTIME)?
                    .check_lease(&RUNTIME, &|kind| binding(kind).is_none_or(is_bound))?;
                for advice in config.advice(&RUNTIME) {
                    console::write(&Record::new(LogEvent::ConfigurationAdvice, advice).outside_requests());
                }
                Ok(Rc::new(ready(config)))
            })
            .clone()
    })
}

/// A variable, a secret or a binding, whatever it is; `None` where there is none.
///
/// `worker` 0.8.7 has no such thing. [`Env::var`] and [`Env::object_var`] ask for the name of the value's constructor,
/// and where the value is null, which a JSON variable may be, that is an exception that ends the WebAssembly. `AUTH` of
/// another kind than expected is for the configuration to refuse, and whether something is bound is to be known without
/// its kind.
fn variable(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &JsValue::from_str(name)).ok().filter(|value| !value.is_undefined())
}

/// What `#[worker::event(fetch)]` makes of [`fetch`], but that nothing waits that need not ([`executor`]).
#[cfg(feature = "entry")]
#[wasm_bindgen(js_name = fetch)]
pub fn entry(request: web_sys::Request, env: Env, context: worker_sys::Context) -> JsValue {
    executor::run(async move {
        let request = Rc::new(request);
        let answer = answer(Rc::clone(&request), env, Context::new(context), Vestibule::new).await;
        answer.unwrap_or_else(|error| {
            let message = convert::error_message(&error);
            let message = format_args!("the runtime refused to create a response: {message}");
            console::write(&convert::line(Record::new(LogEvent::ResponseNotCreated, message), &request));
            web_sys::Response::error().into()
        })
    })
}

//! The Worker's `fetch` handler: reads the configuration once, passes each request to [`Vestibule::handle`] and returns
//! its response.

use std::rc::Rc;

use worker::js_sys::{JSON, Promise, Reflect};
#[cfg(feature = "entry")]
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
#[cfg(feature = "entry")]
use worker::worker_sys;
use worker::{Context, Env, web_sys};

use vestibule_core::config::error::ConfigErrors;
use vestibule_core::config::{Config, Source, Sources};
use vestibule_core::hooks::Hooks;
use vestibule_core::log::{LogEvent, Record};
use vestibule_core::{Vestibule, broken_configuration};

use crate::console;
use crate::convert;
#[cfg(feature = "entry")]
use crate::executor;
use crate::isolate;
use crate::platform::{Incoming, Workers};
use crate::runtime::{
    FILE, LOGIN_LIMIT, LOGIN_LIMIT_LOOSE, METRICS, RUNTIME, VARIABLE, binding, revocation_binding,
    sink_binding,
};

/// The Worker's `fetch` handler without hooks: the configuration determines everything.
///
/// # Errors
/// If the runtime cannot construct a response. No request of a client causes this.
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    await_response(respond(Rc::new(request), env, context, Vestibule::new).await).await
}

/// The Worker's `fetch` handler with an application's hooks; the application's `#[event(fetch)]` calls it. `hooks` is
/// called once per isolate, so all requests of a Worker use the same hooks.
///
/// # Errors
/// The same as [`fetch`].
pub async fn fetch_with_hooks<H: Hooks + 'static>(
    request: web_sys::Request,
    env: Env,
    context: Context,
    hooks: impl FnOnce() -> H,
) -> worker::Result<web_sys::Response> {
    let create = |config: Config| {
        if let Some(advice) = config.hooks_advice() {
            console::write(&Record::new(LogEvent::ConfigurationAdvice, advice).outside_requests());
        }
        Vestibule::with_hooks(config, hooks())
    };
    await_response(respond(Rc::new(request), env, context, create).await).await
}

async fn await_response(response: Result<JsValue, JsValue>) -> worker::Result<web_sys::Response> {
    let response = JsFuture::from(Promise::resolve(&response?)).await?;
    Ok(response.unchecked_into())
}

/// The response to a request, or a promise of one.
async fn respond(
    request: Rc<web_sys::Request>,
    env: Env,
    context: Context,
    create: impl FnOnce(Config) -> Vestibule,
) -> Result<JsValue, JsValue> {
    let vestibule = match vestibule(&env, create) {
        Ok(vestibule) => vestibule,
        Err(errors) => {
            for error in errors.iter() {
                let record = Record::new(LogEvent::ConfigurationInvalid, error);
                console::write(&convert::line(record, &request));
            }
            let Some(head) = convert::head(&request) else {
                return convert::plain(400, "Bad request.").map(JsValue::from);
            };
            let response = broken_configuration(&head, &errors, &RUNTIME);
            return convert::to_js_response(&response).map(JsValue::from);
        }
    };
    let Some(head) = convert::head(&request) else {
        return convert::plain(400, "Bad request.").map(JsValue::from);
    };
    let platform = Workers::new(env, context, Rc::clone(&request));
    let outcome = vestibule.handle(platform, head, Incoming(Rc::clone(&request))).await;
    convert::outcome_to_js(outcome, &request)
}

/// The isolate's [`Vestibule`], which the first request creates from the configuration, or the errors of the
/// configuration.
fn vestibule(env: &Env, create: impl FnOnce(Config) -> Vestibule) -> Result<Rc<Vestibule>, ConfigErrors> {
    isolate::vestibule(|| {
        let sources = sources(env);
        let config = load(env, &sources).map_err(|errors| sources.attribute(errors))?;
        Ok(Rc::new(create(config)))
    })
}

/// The configuration that `vestibule.config.js` has, and the one in the variable `AUTH`.
fn sources(env: &Env) -> Sources {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_default();
    let variable = variable(env, "AUTH").and_then(|value| JSON::stringify(&value).ok()).map(String::from);
    Sources::new(
        Source { name: FILE.into(), auth: parsed(&isolate::configuration()) },
        Source { name: VARIABLE.into(), auth: variable.as_deref().map(parsed).unwrap_or_default() },
    )
}

/// Checks the configuration, and that the bindings it needs are there. Writes advice into the log.
fn load(env: &Env, sources: &Sources) -> Result<Config, ConfigErrors> {
    let text = |name: &str| variable(env, name).and_then(|value| value.as_string());
    let is_bound = |name: &str| variable(env, name).is_some_and(|value| value.is_object());
    let config = Config::load(sources.merged(), &text, &RUNTIME)?
        .check_lease(&RUNTIME, &|kind| binding(kind).is_none_or(is_bound))?
        .check_tokens(&RUNTIME, &|kind| binding(kind).is_none_or(is_bound))?
        .check_revocation(&RUNTIME, &|kind| revocation_binding(kind).is_none_or(is_bound))?;
    let limits_are_bound = is_bound(LOGIN_LIMIT) && is_bound(LOGIN_LIMIT_LOOSE);
    let advice = config.advice(&RUNTIME).into_iter();
    let sinks = config.sink_advice(&RUNTIME, &|kind| is_bound(sink_binding(kind)));
    let metrics = config.metrics_advice(&RUNTIME, is_bound(METRICS));
    let advice = advice.chain(config.login_limit_advice(&RUNTIME, limits_are_bound));
    for advice in advice.chain(sinks).chain(metrics) {
        console::write(&Record::new(LogEvent::ConfigurationAdvice, advice).outside_requests());
    }
    Ok(config)
}

/// A variable, a secret or a binding of any type; `None` if there is none.
///
/// `worker` 0.8.7 has no function for this. [`Env::var`] and [`Env::object_var`] read the name of the value's constructor.
/// If the value is null, which a JSON variable may be, that throws an exception which ends the WebAssembly instance.
/// The configuration's own check has to report an `AUTH` of the wrong type, and the check of a binding does not
/// depend on its type.
fn variable(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &JsValue::from_str(name)).ok().filter(|value| !value.is_undefined())
}

/// The handler that `#[worker::event(fetch)]` would generate for [`fetch`], but run by our [`executor`].
#[cfg(feature = "entry")]
#[wasm_bindgen(js_name = fetch)]
pub fn entry(request: web_sys::Request, env: Env, context: worker_sys::Context) -> JsValue {
    executor::run(async move {
        let request = Rc::new(request);
        let response = respond(Rc::clone(&request), env, Context::new(context), Vestibule::new).await;
        response.unwrap_or_else(|error| {
            let message = convert::error_message(&error);
            let message = format_args!("the runtime refused to create a response: {message}");
            console::write(&convert::line(Record::new(LogEvent::ResponseNotCreated, message), &request));
            web_sys::Response::error().into()
        })
    })
}

/// The configuration of `vestibule.config.js` as JSON. The shim passes it to each new instance before its first request.
#[cfg(feature = "entry")]
#[wasm_bindgen]
pub fn configure(auth: String) {
    isolate::configure(auth);
}

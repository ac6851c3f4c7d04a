//! What the rules of a configuration decide, without sending anything.

use serde::Deserialize;
use serde_json::{Map, Value};
use vestibule_core::config::Config;
use vestibule_core::explain::{AccessTable, access_table};
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::{Method, Request, RequestUrl};
use vestibule_core::time::Timestamp;

use crate::check::Report;
use crate::deployment::{ConfigFiles, Files};
use crate::document::At;
use crate::finding::Finding;
use crate::load::{Loaded, refused};

/// A request to explain.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// Its method.
    pub method: String,
    /// Its URL, with the host.
    pub url: String,
    /// Its header fields.
    pub headers: Vec<(String, String)>,
    /// The claims of the session; `None` if no one is signed in.
    pub claims: Option<Map<String, Value>>,
    /// The time in seconds since 1970: a rule may ask how long ago the user authenticated.
    pub now: u64,
}

/// What happens to the request, as a text for people.
///
/// # Errors
/// The configuration has mistakes, or the URL is none.
pub fn explain(input: &ConfigFiles, question: &Question) -> Result<String, Report> {
    let config = config(input)?;
    let Some(url) = RequestUrl::parse(&question.url) else {
        let problem = format!("`{}` is not a URL like https://app.example.com/admin", question.url);
        return Err(Report::new(vec![Finding::error(At::default(), "URL", problem, "")]));
    };
    let mut headers = Headers::new();
    for (name, value) in &question.headers {
        headers.append(name, value.as_str());
    }
    let request = Request { method: Method::new(&question.method), url, headers };
    let now = Timestamp::from_seconds(question.now);
    let explanation = vestibule_core::explain::explain(&config, &request, question.claims.as_ref(), now);
    let user = if question.claims.is_some() { "signed in" } else { "signed out" };
    let Request { method, url, .. } = &request;
    Ok(format!("{} {}{}   {user}\n\n{explanation}", method.as_str(), url.origin(), url.path_and_query()))
}

/// The rules with what each lets through for whom.
///
/// # Errors
/// The configuration has mistakes.
pub fn table(input: &ConfigFiles) -> Result<AccessTable, Report> {
    Ok(access_table(&config(input)?))
}

/// The configuration of the wanted environment, or of the top level. Secrets need not be at hand.
pub(crate) fn config(input: &ConfigFiles) -> Result<Config, Report> {
    let files = Files::read(input).map_err(Report::new)?;
    let environment = input.environment.as_deref();
    let Some(deployment) = files.deployment(environment) else {
        let problem = format!("there is no environment {:?}", environment.unwrap_or_default());
        return Err(Report::new(vec![Finding::error(At::default(), "env", problem, "")]));
    };
    let loaded = Loaded::new(&deployment, input.runtime.runtime(true));
    let errors = loaded.errors.iter().map(|error| refused(&deployment, error));
    let errors = errors.chain(files.decided.clone()).collect();
    loaded.config.ok_or_else(|| Report::new(errors))
}

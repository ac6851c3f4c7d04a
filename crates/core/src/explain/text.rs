//! The explanation as a text for people.

use std::fmt;

use super::{Explained, ExplainedReading, ExplainedRequirement, Explanation, ForwardedRequest};
use crate::flow::guard::assertion;
use crate::guard::decision::Decision;
use crate::guard::principals::Principals;
use crate::guard::rules::{Matched, Readers, TooMuchWorkError};
use crate::session::claims::is_access_token_claim;
use crate::upstream::Target;
use crate::upstream::value::UpstreamValue;

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => writeln!(f, "answer     400 to everyone: {error}"),
            Self::TooMuchWork => writeln!(f, "answer     414 to everyone: {TooMuchWorkError}"),
            Self::OutsidePrefix(prefix) => {
                writeln!(
                    f,
                    "answer     404 to everyone: the upstream has only paths that begin with {prefix} (strip_prefix)"
                )
            }
            Self::AuthRoute => {
                writeln!(f, "answer     an auth route: Vestibule answers paths below base_path itself")
            }
            Self::AuthRouteOutside(domain) => {
                writeln!(f, "answer     403 to everyone: the host is outside cookies.domain ({domain})")
            }
            Self::Decided(explained) => explained.fmt(f),
        }
    }
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.readings.len() > 1 {
            let count = self.readings.len();
            writeln!(
                f,
                "Servers read this path in {count} ways. The request passes only if it passes in each of them; otherwise \
                 the strictest result applies.\n"
            )?;
        }
        for reading in &self.readings {
            reading.fmt(f)?;
        }
        if self.is_preflight {
            writeln!(f, "This is a CORS preflight: it carries no credentials, and passes.\n")?;
        }
        if let Some(domain) = self.outside_of {
            writeln!(f, "The host is outside cookies.domain ({domain}): no one can be signed in there.\n")?;
        }
        let (navigation, script) = match self.decision {
            Decision::Pass => ("passes".to_owned(), "passes"),
            Decision::SignIn if self.outside_of.is_some() => ("403, with a page".to_owned(), "403"),
            Decision::SignIn if self.is_for_clients_only() => ("401".to_owned(), "401"),
            Decision::SignIn => (format!("302 to {}, and back after signing in", self.sign_in), "401"),
            Decision::StepUp if !self.can_step_up => ("403, with a page".to_owned(), "403"),
            Decision::StepUp => ("302 to the provider, and back after proving more".to_owned(), "401"),
            Decision::Forbidden => ("403, with a page".to_owned(), "403"),
            Decision::NotFound => ("404".to_owned(), "404"),
        };
        if self.is_navigation_method {
            writeln!(f, "browser    {navigation}")?;
        }
        writeln!(f, "script     {script}")?;
        if let Some(forwarded) = &self.forwarded {
            writeln!(f)?;
            forwarded.fmt(f)?;
        }
        Ok(())
    }
}

impl Explained<'_> {
    fn is_for_clients_only(&self) -> bool {
        self.readings.iter().any(|reading| reading.applied.principals() == Principals::Clients)
    }
}

impl fmt::Display for ExplainedReading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "path       {}", self.path)?;
        match &self.readers {
            Readers::Written => {}
            Readers::Any => writeln!(f, "read so    by any server that decodes it differently")?,
            Readers::Some(habits) => {
                let habits: Vec<&str> = habits.iter().map(|habit| habit.description()).collect();
                writeln!(f, "read so    by servers {}", habits.join(", and "))?;
            }
            Readers::OfMethod(method) => {
                writeln!(f, "read so    by servers that take the method for {}", method.as_str())?;
            }
        }
        for (place, reason) in &self.skipped {
            writeln!(f, "skipped    {place}: {reason}")?;
        }
        match self.applied.matched {
            None => writeln!(f, "rule       none: AUTH.default_access applies")?,
            Some(Matched { rule, pattern, .. }) => {
                let pattern = rule.patterns.get(pattern).map(ToString::to_string).unwrap_or_default();
                writeln!(f, "rule       {} {pattern}", rule.place)?;
                for (word, conditions) in [("has", &rule.has), ("missing", &rule.missing)] {
                    for condition in conditions {
                        writeln!(f, "{word:<10} {condition}")?;
                    }
                }
            }
        }
        if self.applied.is_public() {
            writeln!(f, "requires   nothing: it is public")?;
        } else if self.requirements.is_empty() {
            writeln!(f, "requires   {}", self.applied.principals())?;
        } else if self.applied.principals() != Principals::Users {
            writeln!(f, "for        {}", self.applied.principals())?;
        }
        for ExplainedRequirement { requirement, is_met, found } in &self.requirements {
            match found {
                Some(found) => {
                    writeln!(
                        f,
                        "requires   {requirement}: {}, it is {found}",
                        if *is_met { "yes" } else { "no" }
                    )?;
                }
                None => writeln!(f, "requires   {requirement}: no, no one is signed in")?,
            }
        }
        let result = match self.decision {
            Decision::Pass => "pass",
            Decision::SignIn => "sign in first",
            Decision::StepUp => "prove more first",
            Decision::Forbidden => "forbidden",
            Decision::NotFound => "not found",
        };
        writeln!(f, "result     {result}\n")
    }
}

impl fmt::Display for ForwardedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match self.route.target {
            Target::Origin => "the zone's own origin".to_owned(),
            Target::Service(name) => format!("the service {name}"),
            Target::Url(url) => url.origin().to_owned(),
        };
        writeln!(f, "goes to    {target}")?;
        for (name, value) in &self.set {
            // A token must not appear on a screen.
            let value = match name.as_str() {
                "authorization" if self.route.authorization.is_some() => "Bearer ...",
                "authorization" => "...",
                name if is_hidden(self.route.headers, name) => "...",
                _ => value,
            };
            writeln!(f, "sets       {name}: {value}")?;
        }
        for (name, value) in &self.set_cookies {
            let value = if is_hidden(self.route.cookies, name) { "..." } else { value };
            writeln!(f, "sets       cookie {name}={value}")?;
        }
        let configured = self.route.authorization.map(|from| ("authorization".to_owned(), from.to_string()));
        let configured = configured.filter(|_| !self.is_exchanged);
        if let (true, Some(target)) = (self.is_exchanged, self.route.exchange_target()) {
            writeln!(f, "sets       authorization: Bearer ..., exchanged for {target}")?;
        }
        let values = self.route.headers.iter().map(|(name, from)| (name.clone(), from.to_string()));
        for (name, from) in
            configured.into_iter().chain(values).filter(|(name, _)| !is_listed(&self.set, name))
        {
            writeln!(f, "omits      {name}: the session has no {from}")?;
        }
        for (name, from) in self.route.cookies.iter().filter(|(name, _)| !is_listed(&self.set_cookies, name))
        {
            writeln!(f, "omits      cookie {name}: the session has no {from}")?;
        }
        match &self.audience {
            Some(audience) if self.has_subject => {
                writeln!(f, "sets       {}: signed, for {audience}", assertion::HEADER)?;
            }
            Some(_) => writeln!(f, "omits      {}: the session has no sub", assertion::HEADER)?,
            None => {}
        }
        if self.route.forward_session {
            writeln!(f, "sets       cookie: the sealed session")?;
        }
        for name in &self.changed {
            writeln!(f, "changes    {name}: the client's value does not pass")?;
        }
        if !self.guarded.is_empty() {
            writeln!(
                f,
                "guards     {}: a client's values never pass, in any spelling of the names",
                self.guarded.join(", ")
            )?;
        }
        Ok(())
    }
}

fn is_listed(set: &[(String, String)], name: &str) -> bool {
    set.iter().any(|(listed, _)| listed == name)
}

/// Whether a value has a secret or the access token in it.
fn is_hidden(values: &[(String, UpstreamValue)], name: &str) -> bool {
    values.iter().any(|(of, value)| {
        of == name && (value.has_secret() || value.paths().into_iter().any(is_access_token_claim))
    })
}

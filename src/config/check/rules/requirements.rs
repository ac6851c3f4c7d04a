//! What is asked of who wants to pass.

use crate::config::DefaultAccess;
use crate::config::check::site::ACCESS;
use crate::config::data::DataPath;
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::{Asked, RawRule};
use crate::guard::rules::{Access, ClaimRequirement, ClaimTest, Requirement};

pub(super) fn access(raw: &RawRule<'_>, place: &Place, problems: &mut Problems) -> Option<Access> {
    const HOW: &str = "write access = \"public\", access = \"signed-in\", or require = { claim = \"value\" }";
    if let Some(access) = raw.access {
        for (key, is_there) in
            [("require", raw.require.is_some()), ("email_domain", raw.email_domain.is_some())]
        {
            if is_there {
                let problem = format!("has both access and {key}");
                let mend = format!("keep {key} alone: it means signed in, with what it asks");
                problems.refuse_and_mend(place, problem, mend);
                return None;
            }
        }
        return problems.chosen(&place.key("access"), access, &ACCESS).map(|access| match access {
            DefaultAccess::Public => Access::Public,
            DefaultAccess::SignedIn => Access::SignedIn,
        });
    }
    if raw.require.is_none() && raw.email_domain.is_none() {
        problems.refuse_and_mend(place, "says nothing about who may pass", HOW);
        return None;
    }
    let mut requirements = Vec::new();
    if let Some(require) = &raw.require {
        let place = place.key("require");
        if require.is_empty() {
            problems.refuse_and_mend(&place, "requires nothing", "write access = \"signed-in\" instead");
        }
        requirements.extend(claims(require, &place, problems).into_iter().map(Requirement::Claim));
    }
    requirements.extend(email_domains(raw, &place.key("email_domain"), problems));
    Some(Access::Claims(requirements))
}

/// What is asked of claims.
pub(in crate::config::check) fn claims(
    raw: &[(&str, Asked<'_>)],
    place: &Place,
    problems: &mut Problems,
) -> Vec<ClaimRequirement> {
    let mut requirements = Vec::new();
    for (claim, asked) in raw {
        let place = place.key(claim);
        let tests = tests(asked, &place, problems);
        let claim = problems.parsed(&place, claim, DataPath::parse(claim));
        requirements.extend(claim.iter().flat_map(|claim| {
            tests.iter().map(|test| ClaimRequirement { claim: claim.clone(), test: test.clone() })
        }));
    }
    requirements
}

fn tests(asked: &Asked<'_>, place: &Place, problems: &mut Problems) -> Vec<ClaimTest> {
    let table = match asked {
        Asked::AnyOf(values) => {
            if values.is_empty() {
                problems.refuse(place, "no value at all: nobody could ever pass");
            }
            return vec![ClaimTest::AnyOf(values.to_vec())];
        }
        Asked::Table(table) => table,
    };
    if table.not.is_none() && table.exists.is_none() {
        problems.refuse_and_mend(place, "asks for nothing", "write { exists = true } or { not = \"value\" }");
    }
    if table.not.is_some_and(<[_]>::is_empty) {
        problems.refuse(&place.key("not"), "no value at all: everybody would pass");
    }
    let none_of = table.not.map(|values| ClaimTest::NoneOf(values.to_vec()));
    none_of.into_iter().chain(table.exists.map(ClaimTest::Exists)).collect()
}

fn email_domains(raw: &RawRule<'_>, place: &Place, problems: &mut Problems) -> Option<Requirement> {
    let texts = raw.email_domain.as_ref()?;
    if texts.is_empty() {
        problems.refuse(place, "no domain at all: nobody could ever pass");
    }
    for (place, text) in texts.iter(place) {
        let is_label =
            |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !text.split('.').all(is_label) {
            let mend = "write it like \"example.com\"; each subdomain is a domain of its own, and an international one is written \"xn--...\"";
            problems.refuse_and_mend(&place, format!("{} is no domain", quoted(text)), mend);
        }
    }
    Some(Requirement::EmailDomain(texts.iter(place).map(|(_, text)| text.to_ascii_lowercase()).collect()))
}

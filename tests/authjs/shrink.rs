//! Makes a story with a difference shorter. A story is generated anew for each attempt, because a session that was signed out
//! is signed out for good; so what is left out of it is kept as a list.

use crate::cases::{Case, Step};

/// What is left out of a story, by its place at that time.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Step(usize),
    Cookie(usize),
    Tampering(usize, usize),
    Header(usize, usize),
    /// A parameter of the query.
    Parameter(usize, usize),
    /// A field of a form, or a member of a JSON object.
    Field(usize, usize),
    Body(usize),
    OwnPages,
}

/// The cuts after which the story still differs, one after the other, while `differs` says so.
pub fn smallest(generate: impl Fn() -> Case, mut differs: impl FnMut(&Case) -> bool) -> Vec<Cut> {
    let mut kept = Vec::new();
    loop {
        let story = with_cuts(&generate, &kept);
        let found = cuts(&story).into_iter().find(|cut| {
            let mut all = kept.clone();
            all.push(*cut);
            differs(&with_cuts(&generate, &all))
        });
        match found {
            Some(cut) => kept.push(cut),
            None => return kept,
        }
    }
}

/// The story with these cuts.
pub fn with_cuts(generate: impl Fn() -> Case, cuts: &[Cut]) -> Case {
    let mut story = generate();
    for cut in cuts {
        apply(&mut story, *cut);
    }
    story
}

/// Everything that can be left out, the largest parts first.
fn cuts(story: &Case) -> Vec<Cut> {
    let steps = || story.steps.iter().enumerate();
    let mut all: Vec<Cut> = steps().map(|(at, _)| Cut::Step(at)).rev().collect();
    all.extend((0..story.cookies.len()).map(Cut::Cookie));
    all.extend(story.has_pages.then_some(Cut::OwnPages));
    for (at, step) in steps() {
        all.extend((0..step.tampering.len()).map(|part| Cut::Tampering(at, part)));
        all.extend((0..step.headers.len()).map(|part| Cut::Header(at, part)));
        all.extend((0..parameters(step).len()).map(|part| Cut::Parameter(at, part)));
        all.extend(step.body.is_some().then_some(Cut::Body(at)));
        all.extend((0..fields(step).len()).map(|part| Cut::Field(at, part)));
    }
    all
}

fn apply(story: &mut Case, cut: Cut) {
    match cut {
        Cut::Step(at) => drop(story.steps.remove(at)),
        Cut::Cookie(at) => drop(story.cookies.remove(at)),
        Cut::OwnPages => story.has_pages = false,
        Cut::Tampering(at, part) => drop(story.steps[at].tampering.remove(part)),
        Cut::Header(at, part) => drop(story.steps[at].headers.remove(part)),
        Cut::Body(at) => story.steps[at].body = None,
        Cut::Parameter(at, part) => {
            let step = &mut story.steps[at];
            let mut all = parameters(step);
            all.remove(part);
            let path = step.url.split('?').next().unwrap_or_default();
            step.url = if all.is_empty() { path.to_owned() } else { format!("{path}?{}", all.join("&")) };
        }
        Cut::Field(at, part) => {
            let step = &mut story.steps[at];
            let mut all = fields(step);
            all.remove(part);
            let is_json = step.body.as_deref().is_some_and(is_object);
            step.body = Some(if is_json { format!("{{{}}}", all.join(",")) } else { all.join("&") });
        }
    }
}

fn parameters(step: &Step) -> Vec<String> {
    let query = step.url.split_once('?').map(|(_, query)| query);
    query.map_or_else(Vec::new, |query| query.split('&').map(str::to_owned).collect())
}

fn is_object(body: &str) -> bool {
    body.starts_with("{\"") && body.ends_with('}')
}

/// The fields of a form, or the members of an object; empty for another body.
fn fields(step: &Step) -> Vec<String> {
    let Some(body) = step.body.as_deref() else { return Vec::new() };
    if !is_object(body) {
        return body.split('&').filter(|field| !field.is_empty()).map(str::to_owned).collect();
    }
    // Members are cut at the commas outside of texts and brackets, because some come twice.
    let (mut members, mut depth, mut quoted, mut escaped) = (vec![String::new()], 0_usize, false, false);
    for c in body[1..body.len() - 1].chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                members.push(String::new());
                continue;
            }
            _ => {}
        }
        members.last_mut().expect("at least one").push(c);
    }
    members
}

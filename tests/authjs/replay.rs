//! Plays a case on both sides and compares each response.

use std::collections::BTreeSet;

use miniflare_test_harness::Client;

use crate::aspects::{Aspects, aspects};
use crate::browser::{Answer, Browser, Sent};
use crate::cases::Case;
use crate::plain::plain;
use crate::reference::Reference;
use crate::site::Site;

/// An aspect in which the two responses to a request differ.
pub struct Difference<'a> {
    /// The dialect and the scheme.
    pub site: Site,
    /// The case that the request belongs to.
    pub case: &'a Case,
    /// The number of its step.
    pub step: usize,
    /// Whether the two browsers know different things before it.
    pub parted: bool,
    /// The request to Vestibule; in a generated story as Vestibule reads it.
    pub sent: &'a Sent,
    /// The name of the aspect.
    pub aspect: &'a str,
    /// The aspect of Auth.js's response.
    pub authjs: Option<&'a str>,
    /// The aspect of Vestibule's response.
    pub vestibule: Option<&'a str>,
    /// All aspects of Auth.js's response, and of Vestibule's.
    pub all: (&'a Aspects, &'a Aspects),
}

/// When a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// With its last step.
    End,
    /// Once the two browsers know different things: from then on, each request is another one.
    TheyPart,
}

/// Runs a case on both sides, and reports the differences. Gives the number of requests to each side.
pub fn play(
    site: Site,
    case: &Case,
    until: Until,
    client: &Client,
    reference: &mut Reference,
    report: &mut dyn FnMut(&Difference<'_>),
) -> usize {
    let (mut authjs_browser, mut vestibule_browser) = (Browser::new(site, case), Browser::new(site, case));
    for (number, step) in case.steps.iter().enumerate() {
        let parted = authjs_browser.knows() != vestibule_browser.knows();
        let mut authjs_sent = authjs_browser.prepare(step);
        if until == Until::TheyPart {
            authjs_sent = plain(site, &authjs_sent);
        }
        let sent = vestibule_browser.prepare(step);
        let authjs = reference.ask(site, case.has_pages, &authjs_sent);
        let vestibule = ask(client, &sent);
        authjs_browser.receive(&authjs);
        vestibule_browser.receive(&vestibule);

        let mut all = (aspects(site, &authjs), aspects(site, &vestibule));
        if sent.method == "HEAD" {
            // Node's server removes the body from Auth.js's response, and the Worker's runtime from Vestibule's.
            all.0.remove("body");
            all.1.remove("body");
        }
        let read = if until == Until::TheyPart { plain(site, &sent) } else { sent };
        let names: BTreeSet<&String> = all.0.keys().chain(all.1.keys()).collect();
        for aspect in names {
            let (authjs, vestibule) = (all.0.get(aspect), all.1.get(aspect));
            if authjs != vestibule {
                report(&Difference {
                    site,
                    case,
                    step: number,
                    parted,
                    sent: &read,
                    aspect,
                    authjs: authjs.map(String::as_str),
                    vestibule: vestibule.map(String::as_str),
                    all: (&all.0, &all.1),
                });
            }
        }
        if until == Until::TheyPart && authjs_browser.knows() != vestibule_browser.knows() {
            return number + 1;
        }
    }
    case.steps.len()
}

/// The response of Vestibule.
pub fn ask(client: &Client, sent: &Sent) -> Answer {
    let mut request = client.request(&sent.method, &sent.url).without_cookies();
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &sent.body {
        request = request.body("", body.as_bytes());
    }
    let reply = request.send();
    let body = reply.text();
    Answer { status: reply.status, headers: reply.headers, body }
}

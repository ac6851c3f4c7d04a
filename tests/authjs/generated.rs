//! Plays generated stories on both sides, and shows each difference that no entry of `deliberate.rs` explains by the shortest
//! story that has it. `cargo xtask authjs` sets the variables: `AUTHJS_STORIES`, how many of each site; `AUTHJS_SEED`;
//! `AUTHJS_STORY`, the number of one story; `AUTHJS_SITE`, such as `authjs-v5 https`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write;
use std::thread;

use miniflare_test_harness::Harness;
use vestibule_core::session::dialect::Dialect;
use vestibule_test_runtimes::needs;

use crate::cases::Case;
use crate::deliberate::reason;
use crate::reference::Reference;
use crate::replay::{Difference, Until, play};
use crate::shrink::{smallest, with_cuts};
use crate::site::Site;
use crate::stories::story;
use crate::worker;

/// Stories of each site in the tests.
const SLICE: u64 = 40;

/// So many kinds of differences are shown.
const MAX_SHOWN: usize = 25;

/// A worker remembers every session that it has ended. After so many stories another one takes its place.
const STORIES_OF_A_WORKER: u64 = 2000;

#[test]
fn generated_stories_are_answered_alike_except_for_documented_differences() {
    // Other runtimes count attempts to sign in in all their requests.
    needs!(Workers);
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("AUTHJS_SEED").or_else(|| number("VESTIBULE_TEST_SEED")).unwrap_or(1);
    let stories = match number("AUTHJS_STORY") {
        Some(one) => one..one + 1,
        None => 0..number("AUTHJS_STORIES").unwrap_or(SLICE),
    };
    let wanted = env::var("AUTHJS_SITE").ok();
    let mut sites = Vec::new();
    for dialect in [Dialect::AuthJsV5, Dialect::NextAuthV4] {
        sites.extend([true, false].map(|secure| Site { dialect, secure }));
    }
    sites.retain(|site| wanted.as_ref().is_none_or(|wanted| *wanted == site.name()));
    assert!(!sites.is_empty(), "{wanted:?} is none of the sites");

    let tallies: Vec<Tally> = thread::scope(|scope| {
        let dialects = [Dialect::AuthJsV5, Dialect::NextAuthV4].map(|dialect| {
            let sites: Vec<Site> = sites.iter().copied().filter(|site| site.dialect == dialect).collect();
            let stories = stories.clone();
            scope.spawn(move || sites.into_iter().map(|site| run(site, seed, stories.clone())).collect())
        });
        dialects.into_iter().flat_map(|dialect| -> Vec<Tally> { dialect.join().expect("no panic") }).collect()
    });
    let mut explained = BTreeMap::new();
    let mut unexplained = Vec::new();
    for tally in tallies {
        println!("{}: {} stories, {} requests to each side", tally.site, tally.stories, tally.requests);
        for (title, count) in tally.explained {
            *explained.entry(title).or_insert(0) += count;
        }
        unexplained.extend(tally.unexplained);
    }
    for (title, count) in &explained {
        println!("{count:>8}  {title}");
    }
    assert!(
        unexplained.is_empty(),
        "{} kinds of differences are not explained in deliberate.rs:\n\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
}

/// What became of the stories of one site.
struct Tally {
    site: String,
    stories: u64,
    requests: usize,
    /// How many differences each entry explains.
    explained: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

fn run(site: Site, seed: u64, stories: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally {
        site: site.name(),
        stories: 0,
        requests: 0,
        explained: BTreeMap::new(),
        unexplained: Vec::new(),
    };
    let mut sides = Sides::start(site);
    let mut kinds = BTreeSet::new();
    for number in stories {
        if tally.stories % STORIES_OF_A_WORKER == STORIES_OF_A_WORKER - 1 {
            sides = Sides::start(site);
        }
        tally.stories += 1;
        let mut found: Option<(usize, String, String)> = None;
        tally.requests += sides.play(&story(site, seed, number), &mut |difference| {
            if let Some(entry) = reason(difference) {
                *tally.explained.entry(entry.title).or_insert(0) += 1;
                return;
            }
            match &mut found {
                None => found = Some((difference.step, kind(difference), difference.aspect.to_owned())),
                Some((step, kind, _)) if *step == difference.step => *kind += difference.aspect,
                Some(_) => {}
            }
        });
        if let Some((_, kind, aspect)) = found
            && tally.unexplained.len() < MAX_SHOWN
            && kinds.insert(kind)
        {
            tally.unexplained.push(sides.shown(seed, number, &aspect));
        }
    }
    tally
}

/// What the first difference of a step is like: those of one kind are shown once.
fn kind(d: &Difference<'_>) -> String {
    let statuses = (d.authjs_status(), d.status_of_vestibule());
    format!("{} {} {statuses:?} {}", d.sent.method, d.route(), d.aspect)
}

/// Both sides of one site.
struct Sides {
    site: Site,
    workers: [Harness; 2],
    reference: Reference,
}

impl Sides {
    fn start(site: Site) -> Self {
        let reference = Reference::start();
        let workers = [false, true].map(|has_pages| worker(site, has_pages, &reference));
        Self { site, workers, reference }
    }

    fn play(&mut self, story: &Case, report: &mut dyn FnMut(&Difference<'_>)) -> usize {
        let client = self.workers[usize::from(story.has_pages)].client();
        play(self.site, story, Until::TheyPart, &client, &mut self.reference, report)
    }

    /// The shortest story with an unexplained difference in this aspect, and how to repeat it.
    fn shown(&mut self, seed: u64, number: u64, aspect: &str) -> String {
        let site = self.site;
        let generate = || story(site, seed, number);
        let cuts = smallest(generate, |story| self.differences(story, aspect).is_some());
        let story = with_cuts(generate, &cuts);
        let difference = self.differences(&story, aspect).unwrap_or_else(|| "(not again)\n".to_owned());
        format!(
            "{}, story {number} of seed {seed}{}\n{}{difference}  cargo xtask authjs --site \"{0}\" --seed {seed} --story {number}\n",
            site.name(),
            if story.has_pages { ", own pages" } else { "" },
            in_words(&story),
        )
    }

    /// The unexplained differences, if one of them is in this aspect.
    fn differences(&mut self, story: &Case, aspect: &str) -> Option<String> {
        let (mut text, mut is_there) = (String::new(), false);
        self.play(story, &mut |difference| {
            if reason(difference).is_some() {
                return;
            }
            is_there |= difference.aspect == aspect;
            let _ = writeln!(
                text,
                "  {}. {}\n      Auth.js:   {}\n      Vestibule: {}",
                difference.step + 1,
                difference.aspect,
                difference.authjs.unwrap_or("(none)"),
                difference.vestibule.unwrap_or("(none)"),
            );
        });
        is_there.then_some(text)
    }
}

/// The story in words.
fn in_words(story: &Case) -> String {
    let mut text = String::new();
    for (name, value) in &story.cookies {
        let _ = writeln!(text, "  with {name}={value:.60}");
    }
    for (number, step) in story.steps.iter().enumerate() {
        for tampering in &step.tampering {
            let _ = writeln!(text, "     ({:?} {:?})", tampering.how, tampering.role);
        }
        let _ = writeln!(text, "  {}. {} {:.300}", number + 1, step.method, step.url);
        for (name, value) in &step.headers {
            let _ = writeln!(text, "     {name}: {value}");
        }
        if let Some(body) = &step.body {
            let _ = writeln!(text, "     {body:.300}");
        }
    }
    text
}

//! Sessions in several cookies against Auth.js's `SessionStore`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vestibule_core::http::cookie::Cookies;
use vestibule_core::session::chunk;
use vestibule_core::session::dialect::Dialect;

use crate::deliberate::{Deliberate, find, rows};
use crate::random::Random;
use crate::{Answer, Family, Verdict};

pub(super) const FAMILY: Family = Family {
    name: "session_chunks",
    about: "a session in several cookies, read, written and erased: `SessionStore` of both generations of Auth.js",
    share: 120,
    slice: 2000,
    generate,
    shrinks: &["header"],
    judge,
    deliberate: || rows(DIFFERENCES),
};

/// What is read, written or erased otherwise.
struct Difference<'a> {
    what: What<'a>,
    /// The session's name.
    session: &'a str,
    /// The cookies of the request, in order.
    cookies: &'a [(&'a str, &'a str)],
    dialect: Dialect,
}

enum What<'a> {
    /// The session's value.
    Value,
    /// The cookie of that name is erased by one of them.
    Erased(&'a str),
    /// The session's cookies that are written.
    Written(usize),
}

impl Difference<'_> {
    /// The numbers of the session's cookies with a value, in order of appearance.
    fn numbers(&self) -> Vec<usize> {
        self.filled().filter_map(|(name, _)| self.number(name)).collect()
    }

    fn filled(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies.iter().copied().filter(|(_, value)| !value.is_empty())
    }

    /// The number of a cookie's name.
    fn number(&self, name: &str) -> Option<usize> {
        let digits = name.strip_prefix(self.session)?.strip_prefix('.')?;
        let number: usize = digits.parse().ok()?;
        (number.to_string() == digits).then_some(number)
    }

    /// Whether the name begins like the session's, and is not one of its names: it, or it and a number.
    fn is_alike(&self, name: &str) -> bool {
        name.starts_with(self.session) && name != self.session && self.number(name).is_none_or(|it| it > 99)
    }

    /// The lengths of the numbered cookies, by number.
    fn lengths(&self) -> Vec<usize> {
        let mut found: Vec<(usize, usize)> =
            self.filled().filter_map(|(name, value)| Some((self.number(name)?, value.len()))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, length)| length).collect()
    }
}

type Is = fn(&Difference<'_>) -> bool;

const DIFFERENCES: &[Deliberate<Is>] = &[
    Deliberate {
        name: "a cookie whose name begins like the session's",
        reason: "Auth.js joins its value to the session; another host of the domain may have set it",
        is: |it| match it.what {
            What::Value => it.cookies.iter().any(|(name, _)| it.is_alike(name)),
            What::Erased(name) => it.is_alike(name),
            What::Written(_) => false,
        },
    },
    Deliberate {
        name: "one cookie, and numbered ones",
        reason: "Auth.js joins both; they are two sessions, and each is tried",
        is: |it| {
            matches!(it.what, What::Value)
                && it.cookies.iter().any(|(name, value)| {
                    // The empty one makes next-auth 4 join the others in any order.
                    *name == it.session && (!value.is_empty() || it.dialect == Dialect::NextAuthV4)
                })
                && !it.numbers().is_empty()
        },
    },
    Deliberate {
        name: "a cookie twice",
        reason: "a browser has one for each path and domain; each of them is tried",
        is: |it| {
            let names: BTreeSet<&str> = it.cookies.iter().map(|(name, _)| *name).collect();
            matches!(it.what, What::Value) && names.len() < it.cookies.len()
        },
    },
    Deliberate {
        name: "a number is missing",
        reason: "Auth.js joins what is left; the cookies up to the gap are tried, and nothing without the first",
        is: |it| {
            let mut numbers = it.numbers();
            numbers.sort_unstable();
            matches!(it.what, What::Value) && numbers.iter().enumerate().any(|(at, number)| at != *number)
        },
    },
    Deliberate {
        name: "cookies after a shorter one",
        reason: "they are left over from a longer session, which Auth.js does not notice",
        is: |it| {
            let lengths = it.lengths();
            let is_shorter = |at: usize| lengths[..at].iter().any(|before| *before > lengths[at]);
            matches!(it.what, What::Value) && (0..lengths.len().saturating_sub(1)).any(is_shorter)
        },
    },
    Deliberate {
        name: "more than sixteen cookies",
        reason: "servers refuse such a request, so no session of that size is read or written",
        is: |it| match it.what {
            What::Value => it.numbers().len() > 16,
            What::Written(length) => length > 16 * chunk_size(it.dialect),
            What::Erased(_) => false,
        },
    },
    Deliberate {
        name: "an empty cookie of the session",
        reason: "Auth.js 5 does not see it, and leaves it in the browser",
        is: |it| match it.what {
            What::Erased(name) => {
                it.dialect == Dialect::AuthJsV5
                    && it.cookies.iter().all(|(found, value)| *found != name || value.is_empty())
                    && it.cookies.iter().any(|(found, _)| *found == name)
            }
            _ => false,
        },
    },
    Deliberate {
        name: "a cookie that is first empty and then not",
        reason: "Auth.js 5 sees the first of a name only; the others are erased, too",
        is: |it| match it.what {
            What::Erased(name) => {
                let first = it.cookies.iter().find(|(found, _)| *found == name);
                it.dialect == Dialect::AuthJsV5 && first.is_some_and(|(_, value)| value.is_empty())
            }
            _ => false,
        },
    },
];

/// What Auth.js puts into one cookie.
fn chunk_size(dialect: Dialect) -> usize {
    match dialect {
        Dialect::AuthJsV5 => 3936,
        Dialect::NextAuthV4 => 3933,
    }
}

fn dialect(case: &Value) -> Dialect {
    if case["dialect"] == "v4" { Dialect::NextAuthV4 } else { Dialect::AuthJsV5 }
}

const NAME: &str = "__Secure-authjs.session-token";

fn generate(random: &Random) -> Value {
    let dialect = random.one_of(&["v5", "v4"]);
    let mut cookies = if random.one_in(3) { soup(random) } else { whole(random) };
    for _ in 0..random.below(3) {
        let at = random.below(cookies.len() + 1);
        let name = random.one_of(&["theme", "authjs.csrf-token", "x__Secure-authjs.session-token.0", "S"]);
        cookies.insert(at, (name.to_owned(), "x".to_owned()));
    }
    let pairs: Vec<String> = cookies.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let size = if dialect == "v5" { 3936 } else { 3933 };
    let count = random.one_of(&[1, 1, 1, 2, 2, 3, 5, 15, 16, 17]);
    let length =
        size * count + random.below(5) - 2 - if random.one_in(2) { random.below(size - 2) } else { 0 };
    json!({ "dialect": dialect, "name": NAME, "header": pairs.join("; "), "length": length })
}

/// The cookies of one session in any order: one, or numbered ones of one length and a last one.
fn whole(random: &Random) -> Vec<(String, String)> {
    let count = random.one_of(&[0, 1, 2, 2, 3, 4, 7, 11, 15, 16, 16, 17]);
    let length = 1 + random.below(4);
    let letters = |at: usize, length: usize| "abcdefghijklmnopqrstuvwxyz"[at..=at].repeat(length);
    if count == 0 {
        return vec![(NAME.to_owned(), letters(0, length))];
    }
    let mut cookies: Vec<(String, String)> = (0..count)
        .map(|at| {
            let length = if at + 1 == count { 1 + random.below(length) } else { length };
            (format!("{NAME}.{at}"), letters(at, length))
        })
        .collect();
    for at in (1..cookies.len()).rev() {
        if !random.one_in(3) {
            cookies.swap(at, random.below(at + 1));
        }
    }
    if random.one_in(8) {
        // One that another response has replaced.
        let at = random.below(count);
        cookies[at].1.truncate(1 + random.below(length));
    }
    if random.one_in(8) {
        cookies.remove(random.below(count));
    }
    cookies
}

/// Cookies with names like the session's.
fn soup(random: &Random) -> Vec<(String, String)> {
    const SUFFIXES: &[&str] = &[
        "", "", ".0", ".0", ".1", ".1", ".2", ".3", ".10", ".16", ".99", ".100", ".00", ".01", ".x", ".-1",
        ".1.0", "-legacy", ".", ".1e1",
    ];
    (0..random.below(6))
        .map(|_| {
            let value = random.one_of(&["a", "b", "cc", "dd", "eee", "", "f%2Fg", "%7C"]);
            (format!("{NAME}{}", random.one_of(SUFFIXES)), value.to_owned())
        })
        .collect()
}

/// The cookies of a field, decoded, in order. How they are read is compared in a family of its own.
fn decoded(header: &str) -> Vec<(String, String)> {
    let read = |pair: &str| {
        let cookies = Cookies::parse(std::iter::once(pair));
        let name = cookies.names().next()?.to_owned();
        let value = cookies.get(&name)?.to_owned();
        Some((name, value))
    };
    header.split(';').filter_map(read).collect()
}

fn judge(case: &Value, answer: &Answer) -> Verdict {
    let (Some(header), Some(session), Ok(answer)) = (case["header"].as_str(), case["name"].as_str(), answer)
    else {
        return Verdict::BothRefuse;
    };
    let Some(length) = case["length"].as_u64().and_then(|length| usize::try_from(length).ok()) else {
        return Verdict::BothRefuse;
    };
    if session.is_empty() || length == 0 {
        return Verdict::BothRefuse;
    }
    let dialect = dialect(case);
    let pairs = decoded(header);
    let pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cookies = Cookies::parse(std::iter::once(header));
    let mut differences = Vec::new();

    let candidates = chunk::candidates(&cookies, session, 8);
    let read = candidates.first().map_or("", |candidate| &*candidate.value);
    if answer["read"] != read {
        differences.push((What::Value, format!("we read {read:?}, Auth.js {}", answer["read"])));
    }
    let value = "t".repeat(length);
    let written = chunk::split(session, &value, dialect);
    let stale = |written: &[(String, String)]| -> BTreeMap<String, Option<usize>> {
        let mut all: BTreeMap<String, Option<usize>> =
            chunk::stale(&cookies, session, written).into_iter().map(|name| (name, None)).collect();
        all.extend(written.iter().map(|(name, value)| (name.clone(), Some(value.len()))));
        all
    };
    let theirs = |list: &str| -> BTreeMap<String, Option<usize>> {
        serde_json::from_value::<Vec<(String, Option<usize>)>>(answer[list].clone())
            .expect("names and lengths")
            .into_iter()
            .collect()
    };
    let is_too_large = !chunk::fits(&value, dialect);
    let pairs_of_lists = [(stale(&[]), theirs("erased")), (stale(&written), theirs("written"))];
    for (at, (ours, theirs)) in pairs_of_lists.iter().enumerate() {
        if at == 1 && is_too_large {
            differences.push((What::Written(length), format!("we refuse to write {length} characters")));
            continue;
        }
        for name in ours.keys().chain(theirs.keys()) {
            let (ours, theirs) = (ours.get(name), theirs.get(name));
            if ours == theirs {
                continue;
            }
            let is_erased = [ours, theirs].into_iter().flatten().all(Option::is_none);
            let what = if is_erased { What::Erased(name) } else { What::Written(length) };
            differences.push((what, format!("{name}: we write {ours:?}, Auth.js {theirs:?}")));
        }
    }
    let mut verdict = if read.is_empty() { Verdict::BothRefuse } else { Verdict::BothAccept };
    for (what, message) in differences {
        let difference = Difference { what, session, cookies: &pairs, dialect };
        match find(DIFFERENCES, |is| is(&difference)) {
            Some(row) => verdict = Verdict::Deliberate(row),
            None => return Verdict::Different(format!("{header:?}, {:?}: {message}", case["dialect"])),
        }
    }
    verdict
}

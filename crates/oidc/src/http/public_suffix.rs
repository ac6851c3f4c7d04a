//! The Public Suffix List: which names unrelated sites share, and so which hosts are of one site.
//!
//! `public_suffixes.txt` has the list with its private section, in a compact form. `cargo xtask suffixes` renews it. A line
//! is a top-level domain, with the names below it in parentheses, sorted:
//!
//! ```text
//! uk(ac,co(blogspot),-service(*),…)
//! ```
//!
//! `-` marks a name that is not a public suffix itself, `!` an exception, `*` any one label. A top-level domain without
//! names below it is left out: where no rule matches, the last label is the suffix
//! (<https://github.com/publicsuffix/list/wiki/Format#algorithm>).
//!
//! A line is read when its top-level domain is first asked for: a site has one or two of the 300.

use std::sync::{LazyLock, OnceLock};

/// The list. Its first lines are comments.
const LIST: &str = include_str!("public_suffixes.txt");

/// Whether `name` is a public suffix: `com`, `co.uk`, `github.io`. The name is in lower case, without a dot at its end.
pub fn is_public_suffix(name: &str) -> bool {
    suffix_labels(name) == name.split('.').count()
}

/// Whether `name` is a public suffix, or some name below it is: all hosts below `name` are then of several sites.
pub fn has_public_suffix_within(name: &str) -> bool {
    is_public_suffix(name) || is_above_a_suffix(name)
}

/// The registrable domain of a host name: the public suffix and one label more. `None` for a public suffix.
pub fn registrable_domain(name: &str) -> Option<&str> {
    let (dot, _) = name.rmatch_indices('.').nth(suffix_labels(name) - 1)?;
    let above = name.get(..dot)?;
    name.get(above.rfind('.').map_or(0, |at| at + 1)..)
}

/// How many labels the public suffix of `name` has, at least 1.
fn suffix_labels(name: &str) -> usize {
    let mut labels = name.rsplit('.');
    let mut below = below_top_level(labels.next().unwrap_or_default());
    let mut longest = 1;
    for (depth, label) in (2..).zip(labels) {
        let name = find(below, label);
        match name.map(|name| name.kind) {
            Some(Kind::Exception) => return depth - 1,
            Some(Kind::Suffix) => longest = depth,
            Some(Kind::Inner) | None if find(below, "*").is_some() => longest = depth,
            Some(Kind::Inner) | None => {}
        }
        below = name.map_or(&[], |name| &name.below);
    }
    longest
}

/// Whether the list has names below `name`.
fn is_above_a_suffix(name: &str) -> bool {
    let mut labels = name.rsplit('.');
    let mut below = below_top_level(labels.next().unwrap_or_default());
    for label in labels {
        below = find(below, label).map_or(&[], |name| &name.below);
    }
    !below.is_empty()
}

/// The names below a top-level domain.
fn below_top_level(label: &str) -> &'static [Name] {
    static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| LIST.lines().filter_map(Line::new).collect());
    let found = LINES.binary_search_by(|line| line.label.cmp(label)).ok();
    found.and_then(|at| LINES.get(at)).map_or(&[], Line::names)
}

/// A line of the list.
struct Line {
    label: &'static str,
    text: &'static str,
    names: OnceLock<Vec<Name>>,
}

impl Line {
    fn new(line: &'static str) -> Option<Self> {
        let (label, text) = line.strip_suffix(')')?.split_once('(')?;
        (!label.starts_with("//")).then(|| Self { label, text, names: OnceLock::new() })
    }

    fn names(&self) -> &[Name] {
        self.names.get_or_init(|| names(self.text))
    }
}

/// A name of the list, and the names below it, sorted.
struct Name {
    kind: Kind,
    label: &'static str,
    below: Vec<Name>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Suffix,
    Exception,
    /// Only names below it are suffixes.
    Inner,
}

fn find<'a>(names: &'a [Name], label: &str) -> Option<&'a Name> {
    names.get(names.binary_search_by(|name| name.label.cmp(label)).ok()?)
}

/// The names in `text`.
fn names(text: &'static str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['(', ',']).unwrap_or(rest.len());
        let Some((name, after)) = rest.split_at_checked(end) else { break };
        let inner = after.strip_prefix('(').and_then(|inner| inner.split_at_checked(closing(inner)));
        let (below, after) = inner.unwrap_or(("", after));
        rest = after.trim_start_matches([')', ',']);
        let (kind, label) = match (name.strip_prefix('!'), name.strip_prefix('-')) {
            (Some(label), _) => (Kind::Exception, label),
            (_, Some(label)) => (Kind::Inner, label),
            _ => (Kind::Suffix, name),
        };
        names.push(Name { kind, label, below: self::names(below) });
    }
    names
}

/// Where the parenthesis that is open at the start of `text` closes.
fn closing(text: &str) -> usize {
    let mut open = 1;
    let closes = |byte| {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        open == 0
    };
    text.bytes().position(closes).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrable_domain_is_the_public_suffix_and_one_label() {
        for (name, registrable) in [
            ("com", None),
            ("example.com", Some("example.com")),
            ("a.b.example.com", Some("example.com")),
            // No rule: the last label is the suffix.
            ("localhost", None),
            ("app.site.localhost", Some("site.localhost")),
            ("a.b.example.unknown-tld", Some("example.unknown-tld")),
            ("co.uk", None),
            ("app.shop.co.uk", Some("shop.co.uk")),
            ("shop.uk", Some("shop.uk")),
            // A rule for any label, and its exceptions.
            ("test.ck", None),
            ("a.b.test.ck", Some("b.test.ck")),
            ("www.ck", Some("www.ck")),
            ("www.www.ck", Some("www.ck")),
            ("kobe.jp", Some("kobe.jp")),
            ("c.kobe.jp", None),
            ("b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("www.city.kobe.jp", Some("city.kobe.jp")),
            ("ide.kyoto.jp", None),
            ("a.b.ide.kyoto.jp", Some("b.ide.kyoto.jp")),
            // The private section.
            ("github.io", None),
            ("a.b.github.io", Some("b.github.io")),
            ("pages.dev", None),
            ("preview.project.pages.dev", Some("project.pages.dev")),
            ("account.workers.dev", Some("account.workers.dev")),
            ("s3.amazonaws.com", None),
            ("bucket.s3.amazonaws.com", Some("bucket.s3.amazonaws.com")),
            ("vercel.app", None),
            ("other.dev", Some("other.dev")),
            // The list has this name in Unicode: 公司.cn.
            ("xn--55qx5d.cn", None),
            ("www.shop.xn--55qx5d.cn", Some("shop.xn--55qx5d.cn")),
        ] {
            assert_eq!(registrable_domain(name), registrable, "{name}");
            assert_eq!(is_public_suffix(name), registrable.is_none(), "{name}");
        }
        // Not names, but no text stops the process.
        for text in ["", ".", "..", ".com", "a..com", "com.", "*.ck", "(", "uk)", "-service.uk", "!www.ck"] {
            let _ = (registrable_domain(text), has_public_suffix_within(text));
        }
    }

    #[test]
    fn a_name_above_a_public_suffix_covers_several_sites() {
        for name in ["com", "co.uk", "github.io", "amazonaws.com", "compute.amazonaws.com", "kobe.jp"] {
            assert!(has_public_suffix_within(name), "{name}");
        }
        for name in ["example.com", "shop.co.uk", "project.pages.dev", "www.ck", "city.kobe.jp"] {
            assert!(!has_public_suffix_within(name), "{name}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_read_to_its_end() {
        fn count(names: &[Name]) -> usize {
            assert!(names.is_sorted_by(|one, next| one.label < next.label), "a search finds every name");
            names.iter().map(|name| 1 + count(&name.below)).sum()
        }
        let lines: Vec<&str> = LIST.lines().filter(|line| !line.starts_with("//")).collect();
        assert!(lines.len() > 200, "{}", lines.len());
        for line in &lines {
            let (top, below) = line.split_once('(').expect("every line has names below it");
            let below = below.strip_suffix(')').expect("the parenthesis closes");
            assert_eq!(below.matches('(').count(), below.matches(')').count(), "{top}");
            assert_eq!(count(below_top_level(top)), below.split(['(', ',']).count(), "{top}");
        }
    }
}

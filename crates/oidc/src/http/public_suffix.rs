//! The Public Suffix List: which names unrelated sites share, and so which hosts are of one site.
//!
//! `public_suffixes.txt` has the list with its private section, in a compact form that is searched as it is. `cargo xtask
//! suffixes` renews it. A line is a top-level domain, with the names below it in parentheses:
//!
//! ```text
//! uk(ac,co(blogspot),-service(*),…)
//! ```
//!
//! `-` marks a name that is not a public suffix itself, `!` an exception, `*` any one label. A top-level domain without
//! names below it is left out: where no rule matches, the last label is the suffix
//! (<https://github.com/publicsuffix/list/wiki/Format#algorithm>).

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
        let mut next = "";
        for entry in entries(below) {
            match entry.kind {
                Kind::Exception if entry.label == label => return depth - 1,
                Kind::Suffix if entry.label == label || entry.label == "*" => longest = depth,
                _ => {}
            }
            if entry.label == label {
                next = entry.below;
            }
        }
        below = next;
    }
    longest
}

/// Whether the list has names below `name`.
fn is_above_a_suffix(name: &str) -> bool {
    let mut labels = name.rsplit('.');
    let mut below = below_top_level(labels.next().unwrap_or_default());
    for label in labels {
        below = entries(below).find(|entry| entry.label == label).map_or("", |entry| entry.below);
    }
    !below.is_empty()
}

/// The names below a top-level domain.
fn below_top_level(label: &str) -> &'static str {
    let of_line = |line: &'static str| line.strip_prefix(label)?.strip_prefix('(')?.strip_suffix(')');
    LIST.lines().find_map(of_line).unwrap_or_default()
}

/// A name of the list.
struct Entry<'a> {
    kind: Kind,
    label: &'a str,
    /// The names below it.
    below: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Suffix,
    Exception,
    /// Only names below it are suffixes.
    Inner,
}

/// The names in `text`, without those below them.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(['(', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        let (below, after) = match after.strip_prefix('(') {
            Some(inner) => inner.split_at_checked(closing(inner))?,
            None => ("", after),
        };
        rest = after.trim_start_matches([')', ',']);
        let (kind, label) = match (name.strip_prefix('!'), name.strip_prefix('-')) {
            (Some(label), _) => (Kind::Exception, label),
            (_, Some(label)) => (Kind::Inner, label),
            _ => (Kind::Suffix, name),
        };
        Some(Entry { kind, label, below })
    })
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
        fn count(text: &str) -> usize {
            entries(text).map(|entry| 1 + count(entry.below)).sum()
        }
        let lines: Vec<&str> = LIST.lines().filter(|line| !line.starts_with("//")).collect();
        assert!(lines.len() > 200, "{}", lines.len());
        for line in &lines {
            let (top, below) = line.split_once('(').expect("every line has names below it");
            let below = below.strip_suffix(')').expect("the parenthesis closes");
            assert_eq!(count(below), below.split(['(', ',']).count(), "{top}");
            assert_eq!(below.matches('(').count(), below.matches(')').count(), "{top}");
            assert_eq!(below_top_level(top), below);
        }
    }
}

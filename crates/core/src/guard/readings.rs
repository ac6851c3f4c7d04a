//! How some servers read a path, beside how it is written.
//!
//! A rule protects a page, and a server may answer with that page under other paths as well: Express ignores case, React
//! Router serves the data of `/admin` at `/admin.data`, PHP runs `/index.php/admin`. So a path is also decided as each of
//! these servers would read it. Such a reading restricts and never permits: where its rule is a public one, or none matches,
//! it asks nothing, and what holds for the path as it is written holds alone.
//!
//! An upstream that is known not to read so says it ([`PathReadings::exact`]).

use std::collections::BTreeMap;

use crate::guard::regexp::fold;
use crate::upstream::path_prefix::PathPrefix;
use crate::upstream::{ServerReading, Upstream};

/// How the upstream of a request reads paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathReadings {
    /// Languages that the first segment of a path may name.
    pub locales: Vec<String>,
    /// What this upstream is known not to do.
    pub exact: Vec<ServerReading>,
    /// The beginning of a path that it does not get.
    pub prefix: Option<PathPrefix>,
}

impl PathReadings {
    /// Those of an upstream, or of one of which nothing is known.
    pub fn of_upstream(upstream: Option<&Upstream>) -> Self {
        upstream.map_or_else(Self::default, |upstream| Self {
            locales: upstream.locales.clone(),
            exact: upstream.exact_paths.clone(),
            prefix: upstream.strip_prefix.clone(),
        })
    }

    /// The same where a rule sends the request to another server, whose habits are not known.
    pub(crate) fn of_another_server(&self, prefix: Option<&PathPrefix>) -> Self {
        Self { locales: self.locales.clone(), exact: Vec::new(), prefix: prefix.cloned() }
    }

    /// Whether the upstream may read paths so.
    pub fn has(&self, reading: ServerReading) -> bool {
        !self.exact.contains(&reading)
    }

    /// The segments as some servers read them, and by which of their habits; as they are written is not among them. Case
    /// is left as it is. An upstream that gets a path without its prefix reads that one.
    pub(crate) fn of(&self, segments: &[String]) -> Vec<(Vec<String>, Vec<ServerReading>)> {
        let mut readings = self.of_whole(segments);
        let prefix = self.prefix.as_ref();
        if let Some((prefix, stripped)) =
            prefix.and_then(|prefix| Some((prefix, prefix.strip_segments(segments)?)))
        {
            for (read, habits) in self.of_whole(stripped) {
                let read = prefix.put_back(&read);
                if !readings.iter().any(|(known, _)| *known == read) {
                    readings.push((read, habits));
                }
            }
        }
        readings
    }

    fn of_whole(&self, segments: &[String]) -> Vec<(Vec<String>, Vec<ServerReading>)> {
        let mut readings = vec![(segments.to_vec(), Vec::new())];
        for (habit, alternative) in ALTERNATIVES {
            if !self.has(habit) {
                continue;
            }
            for at in 0..readings.len() {
                let Some((segments, habits)) = readings.get(at) else { break };
                let Some(other) = alternative(self, segments) else { continue };
                if !readings.iter().any(|(known, _)| *known == other) {
                    let habits =
                        habits.iter().copied().filter(|known| *known != habit).chain([habit]).collect();
                    readings.push((other, habits));
                }
            }
        }
        readings.remove(0);
        readings
    }
}

/// How else a server may read segments: `None` where it makes no difference. Each is tried on the results of those before
/// it.
type Alternative = fn(&PathReadings, &[String]) -> Option<Vec<String>>;

const ALTERNATIVES: [(ServerReading, Alternative); 9] = [
    (ServerReading::FileName, |_, segments| as_file_names(segments)),
    (ServerReading::Script, |_, segments| behind_script(segments)),
    (ServerReading::Script, |_, segments| without_script(segments)),
    (ServerReading::Script, |_, segments| script_itself(segments)),
    (ServerReading::Suffix, |_, segments| page_of_data_directory(segments)),
    (ServerReading::Locale, |readings, segments| readings.without_locale(segments)),
    (ServerReading::Suffix, |_, segments| without_data_file(segments)),
    (ServerReading::Suffix, |_, segments| without_suffix(segments)),
    (ServerReading::Suffix, |_, segments| without_index(segments)),
];

impl PathReadings {
    /// `/de/admin` is `/admin` in German (Next.js's `i18n`, and most libraries for it).
    fn without_locale(&self, segments: &[String]) -> Option<Vec<String>> {
        let (first, rest) = segments.split_first()?;
        self.locales.iter().any(|locale| locale.eq_ignore_ascii_case(first)).then(|| rest.to_vec())
    }
}

/// What Windows drops at the end of a name.
const DROPPED: [char; 3] = ['.', ' ', '\u{a0}'];

/// Windows drops dots and spaces at the end of a name, and takes `NAME::$DATA` and `NAME:$I30:$INDEX_ALLOCATION` for
/// another way to write `NAME`.
fn as_file_names(segments: &[String]) -> Option<Vec<String>> {
    if !segments.iter().any(|segment| segment.contains(':') || segment.ends_with(DROPPED)) {
        return None;
    }
    let named = |segment: &String| {
        let stream = segment.split_once(':').filter(|(_, stream)| stream.contains('$'));
        let name = stream.map_or(segment.as_str(), |(name, _)| name).trim_end_matches(DROPPED);
        if name.is_empty() { segment.clone() } else { name.to_owned() }
    };
    let found: Vec<String> = segments.iter().map(named).collect();
    (found != segments).then_some(found)
}

/// Extensions of scripts that may answer for the path behind them.
const SCRIPTS: [&str; 12] =
    [".php", ".php5", ".phtml", ".cgi", ".fcgi", ".pl", ".py", ".rb", ".asp", ".aspx", ".ashx", ".cfm"];

/// `/shop/index.php/admin` is `/admin`.
fn behind_script(segments: &[String]) -> Option<Vec<String>> {
    let at = segments.iter().position(|segment| has_extension(segment, &SCRIPTS))?;
    segments.get(at + 1..).map(<[String]>::to_vec)
}

/// `/shop/index.php/admin` is `/shop/admin`.
fn without_script(segments: &[String]) -> Option<Vec<String>> {
    let at = segments.iter().position(|segment| has_extension(segment, &SCRIPTS))?;
    let behind = segments.get(at + 1..).filter(|behind| at > 0 && !behind.is_empty())?;
    Some([segments.get(..at)?, behind].concat())
}

/// `/shop/admin.php/x` runs `/shop/admin.php`.
fn script_itself(segments: &[String]) -> Option<Vec<String>> {
    let at = segments.iter().position(|segment| has_extension(segment, &SCRIPTS))?;
    segments.get(..=at).filter(|script| script.len() < segments.len()).map(<[String]>::to_vec)
}

/// `/page-data/admin/page-data.json` is the data of `/admin` (Gatsby), `/page-data/index/page-data.json` that of `/`.
fn page_of_data_directory(segments: &[String]) -> Option<Vec<String>> {
    let (first, rest) = segments.split_first()?;
    let (last, page) = rest.split_last()?;
    if !is_one_of(first, &["page-data"]) || !is_one_of(last, &["page-data.json"]) || page.is_empty() {
        return None;
    }
    let is_root = matches!(page, [index] if is_one_of(index, &["index"]));
    Some(if is_root { Vec::new() } else { page.to_vec() })
}

/// Files with the data of the page in whose directory they are: SvelteKit, Nuxt, Qwik, React Router.
const DATA_FILES: [&str; 8] = [
    "__data.json",
    "__route.js",
    "_payload.json",
    "_payload.js",
    "q-data.json",
    "_root.data",
    "_.data",
    "index.pagecontext.json",
];

/// `/admin/__data.json` is the data of `/admin`; `/admin.html__data.json` that of `/admin.html`.
fn without_data_file(segments: &[String]) -> Option<Vec<String>> {
    let (last, page) = segments.split_last().filter(|(last, _)| last.contains('.'))?;
    if is_one_of(last, &DATA_FILES) {
        return Some(page.to_vec());
    }
    // Next.js exports the parts of a page into `/admin/__next._full.txt`, `/admin/__next.admin.__PAGE__.txt`, ….
    if ends_with(last, ".txt").is_some_and(|name| name.to_ascii_lowercase().starts_with("__next.")) {
        return Some(page.to_vec());
    }
    let name = ends_with(last, "__data.json").filter(|name| !name.is_empty())?;
    Some([page, &[name.to_owned()]].concat())
}

/// Endings under which servers answer with a page's data, an export of it, or the file in which it is.
const SUFFIXES: [&str; 39] = [
    ".data",
    ".json",
    ".jsonp",
    ".json5",
    ".txt",
    ".text",
    ".html",
    ".htm",
    ".xhtml",
    ".shtml",
    ".rsc",
    ".xml",
    ".rss",
    ".atom",
    ".csv",
    ".xls",
    ".xlsx",
    ".pdf",
    ".yaml",
    ".yml",
    ".md",
    ".api",
    ".do",
    ".action",
    ".jsp",
    ".jspx",
    ".php",
    ".phtml",
    ".asp",
    ".aspx",
    ".ashx",
    ".cfm",
    ".cgi",
    ".fcgi",
    ".php5",
    ".pl",
    ".py",
    ".rb",
    ".pagecontext.json",
];

/// `/admin.json` is `/admin`: of React Router, static exports, Rails, Django REST framework, Apache's MultiViews.
fn without_suffix(segments: &[String]) -> Option<Vec<String>> {
    let (last, page) = segments.split_last().filter(|(last, _)| last.contains('.'))?;
    let name =
        SUFFIXES.iter().rev().find_map(|suffix| ends_with(last, suffix)).filter(|name| !name.is_empty())?;
    Some([page, &[name.to_owned()]].concat())
}

/// `/admin/index.html` is `/admin`; its suffix was taken before.
fn without_index(segments: &[String]) -> Option<Vec<String>> {
    let (last, page) = segments.split_last()?;
    is_one_of(last, &INDEXES).then(|| page.to_vec())
}

/// The names, without an ending, of the file that answers for its folder.
const INDEXES: [&str; 3] = ["index", "default", "_index"];

/// How many segments of a path may name a file.
const MAX_NAMED: usize = 8;

/// The files that rules name. Servers answer with `/report.html` for `/report` as well (Apache's MultiViews, nginx's `try_files`,
/// most hosts of static sites), and with `/docs/index.html` for `/docs/`.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedFiles {
    /// By their names without the ending, with case folded.
    by_name: BTreeMap<String, Vec<String>>,
    of_folders: Vec<String>,
}

impl NamedFiles {
    /// Adds the last segment of a pattern, if it is a file's name.
    pub(crate) fn add(&mut self, file: &str) {
        let Some(name) = SUFFIXES.iter().rev().find_map(|suffix| ends_with(file, suffix)) else { return };
        if name.is_empty() {
            return;
        }
        if is_one_of(name, &INDEXES) && !self.of_folders.iter().any(|known| known == file) {
            self.of_folders.push(file.to_owned());
        }
        let files = self.by_name.entry(fold(name)).or_default();
        if !files.iter().any(|known| known == file) {
            files.push(file.to_owned());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The paths of the files with which a server may answer for this path.
    pub(crate) fn answering<'a>(&'a self, segments: &'a [String]) -> impl Iterator<Item = Vec<String>> + 'a {
        let named = |(at, name): (usize, &String)| Some((at, self.by_name.get(&fold(name))?));
        let of_name = segments.iter().enumerate().filter_map(named).take(MAX_NAMED);
        let of_name = of_name.flat_map(move |(at, files)| {
            // Only a script answers for what is behind it.
            let is_last = at + 1 == segments.len();
            let files = files.iter().filter(move |file| is_last || has_extension(file, &SCRIPTS));
            files.filter_map(move |file| Some([segments.get(..at)?, std::slice::from_ref(file)].concat()))
        });
        let of_folder =
            self.of_folders.iter().map(move |file| [segments, std::slice::from_ref(file)].concat());
        of_name.chain(of_folder)
    }
}

fn has_extension(segment: &str, extensions: &[&str]) -> bool {
    segment.contains('.') && extensions.iter().any(|extension| ends_with(segment, extension).is_some())
}

fn is_one_of(segment: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(segment))
}

/// What stands before `end`, in which case does not matter.
fn ends_with<'a>(segment: &'a str, end: &str) -> Option<&'a str> {
    let at = segment.len().checked_sub(end.len())?;
    let (name, found) = (segment.get(..at)?, segment.get(at..)?);
    found.eq_ignore_ascii_case(end).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(path: &str, readings: &PathReadings) -> Vec<String> {
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        readings.of(&segments).into_iter().map(|(segments, _)| format!("/{}", segments.join("/"))).collect()
    }

    #[test]
    fn path_confusion_each_habit_of_a_server_is_a_reading() {
        let with_locales = PathReadings {
            locales: vec!["de".to_owned(), "pt-BR".to_owned()],
            exact: Vec::new(),
            ..PathReadings::default()
        };
        for (path, page) in [
            ("/admin.", "/admin"),
            ("/admin . ./x", "/admin/x"),
            ("/admin::$INDEX_ALLOCATION/x", "/admin/x"),
            ("/admin:$I30:$INDEX_ALLOCATION", "/admin"),
            ("/index.php/admin", "/admin"),
            ("/INDEX.PHP/admin", "/admin"),
            ("/shop/index.php/admin", "/shop/admin"),
            ("/shop/index.php/admin", "/admin"),
            ("/page-data/admin/users/page-data.json", "/admin/users"),
            ("/page-data/index/page-data.json", "/"),
            ("/de/admin", "/admin"),
            ("/PT-br/admin", "/admin"),
            ("/de/admin.json", "/admin"),
            ("/admin/__data.json", "/admin"),
            ("/admin.html__data.json", "/admin"),
            ("/admin/_payload.json", "/admin"),
            ("/_root.data", "/"),
            ("/admin/__next._full.txt", "/admin"),
            ("/admin/__next.admin.__PAGE__.txt", "/admin"),
            ("/__next._tree.txt", "/"),
            ("/admin.data", "/admin"),
            ("/admin.JSON", "/admin"),
            ("/admin.txt", "/admin"),
            ("/admin.html", "/admin"),
            ("/admin.php", "/admin"),
            ("/admin/index.html", "/admin"),
            ("/index.html", "/"),
            ("/admin.html.", "/admin"),
        ] {
            let found = readings(path, &with_locales);
            assert!(found.iter().any(|found| found == page), "{path}: {found:?}");
        }
    }

    #[test]
    fn path_confusion_a_path_without_its_prefix_has_readings_of_its_own() {
        let api = PathReadings {
            locales: vec!["de".to_owned()],
            prefix: PathPrefix::parse("/api"),
            ..PathReadings::default()
        };
        for (path, page) in [
            ("/api/de/admin", "/api/admin"),
            ("/api/index.php/admin", "/api/admin"),
            ("/api/page-data/admin/page-data.json", "/api/admin"),
            ("/api/admin.json", "/api/admin"),
        ] {
            let found = readings(path, &api);
            assert!(found.iter().any(|found| found == page), "{path}: {found:?}");
        }
        assert!(readings("/other/de/admin", &api).is_empty());
    }

    #[test]
    fn every_ending_that_is_looked_for_has_a_dot() {
        assert!(DATA_FILES.iter().chain(&SCRIPTS).chain(&SUFFIXES).all(|ending| ending.contains('.')));
    }

    #[test]
    fn path_confusion_every_ending_of_a_script_is_one_of_a_page() {
        assert!(SCRIPTS.iter().all(|ending| SUFFIXES.contains(ending)));
    }

    #[test]
    fn an_ordinary_path_has_no_other_reading() {
        let none = PathReadings::default();
        for path in ["/", "/admin", "/a/b.c/d", "/de/admin", "/logo.png", "/app.js", "/.json", "/a:b", "/..."]
        {
            assert!(readings(path, &none).is_empty(), "{path}");
        }
    }

    #[test]
    fn an_upstream_that_is_known_not_to_read_so_has_no_such_reading() {
        for (path, exact) in [
            ("/admin.", ServerReading::FileName),
            ("/index.php/admin", ServerReading::Script),
            ("/admin.json", ServerReading::Suffix),
        ] {
            assert!(!readings(path, &PathReadings::default()).is_empty(), "{path}");
            let known = PathReadings { locales: Vec::new(), exact: vec![exact], ..PathReadings::default() };
            assert!(readings(path, &known).is_empty(), "{path}");
        }
    }

    #[test]
    fn path_confusion_every_file_of_a_rule_that_answers_for_a_folder_does_so() {
        let mut files = NamedFiles::default();
        for file in ["index.html", "index.php", "index.html", "report.html", "report.php", "report.html"] {
            files.add(file);
        }
        let answering = |segments: &[&str]| {
            let segments: Vec<String> = segments.iter().map(|&segment| segment.to_owned()).collect();
            files.answering(&segments).map(|file| file.join("/")).collect::<Vec<_>>()
        };
        assert_eq!(answering(&[]), ["index.html", "index.php"]);
        assert_eq!(answering(&["a", "b"]), ["a/b/index.html", "a/b/index.php"]);
        let of_report = ["report.html", "report.php", "report/index.html", "report/index.php"];
        assert_eq!(answering(&["report"]), of_report);
    }

    #[test]
    fn path_confusion_a_path_runs_one_script_and_what_is_behind_it_is_the_page() {
        let of = |path: &str| {
            readings(path, &PathReadings { exact: vec![ServerReading::Suffix], ..PathReadings::default() })
        };
        for (path, expected) in [
            ("/tool.php", &["/"][..]),
            ("/shop/tool.php", &["/"]),
            ("/tool.php/x", &["/x", "/tool.php"]),
            ("/shop/tool.php/x", &["/x", "/shop/x", "/shop/tool.php"]),
            ("/a.php/b.php/x", &["/b.php/x", "/a.php", "/b.php"]),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }

    #[test]
    fn a_reading_says_which_habits_of_a_server_lead_to_it() {
        use ServerReading::{FileName, Script, Suffix};
        let habits = |path: &[&str], page: &str| {
            let segments: Vec<String> = path.iter().map(|&segment| segment.to_owned()).collect();
            let found = PathReadings::default().of(&segments);
            found.into_iter().find(|(segments, _)| segments.join("/") == page).map(|(_, habits)| habits)
        };
        assert_eq!(habits(&["admin.json"], "admin"), Some(vec![Suffix]));
        assert_eq!(habits(&["index.php", "admin.json"], "admin"), Some(vec![Script, Suffix]));
        assert_eq!(habits(&["index.php", "admin.json."], "admin"), Some(vec![FileName, Script, Suffix]));
        // The same habit twice.
        assert_eq!(habits(&["page-data", "admin.html", "page-data.json"], "admin"), Some(vec![Suffix]));
    }

    #[test]
    fn only_names_of_files_are_looked_for() {
        let mut files = NamedFiles::default();
        for name in ["admin", "logo.png", ".json", ".html"] {
            files.add(name);
            assert!(files.is_empty(), "{name}");
        }
        files.add("report.html");
        assert!(!files.is_empty());
    }

    #[test]
    fn what_only_looks_like_the_data_of_a_page_is_not_read_as_that_page() {
        for (path, expected) in [
            ("/page-data/admin/data.json", "/page-data/admin/data"),
            ("/docs/admin/page-data.json", "/docs/admin/page-data"),
            ("/page-data/page-data.json", "/page-data/page-data"),
        ] {
            assert_eq!(readings(path, &PathReadings::default()), [expected]);
        }
    }
}

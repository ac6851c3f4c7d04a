//! The access rules. The first rule that matches a request decides.

mod decisions;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::guard::budget::Budget;
use crate::guard::decision::DefaultAccess;
use crate::guard::matcher::{Case, FirstSegment, Reading};
use crate::guard::method::{is_overridable, other_methods};
use crate::guard::path::{CanonicalPath, PathError};
use crate::guard::principals::Principals;
use crate::guard::readings::{NamedFiles, PathReadings};
use crate::guard::regexp::fold;
pub use crate::guard::requirements::{Access, ClaimRequirement, ClaimTest, Requirement};
pub(crate) use crate::guard::rules::decisions::DecidedPlaces;
use crate::guard::rules::decisions::Place;
pub use crate::guard::rules::decisions::{DecidedReading, Matched, Readers, ReadingDecision, RuleDecisions};
pub use crate::guard::rules::rule::{Caching, Deny, Forwarding, Mismatch, Rule};
use crate::upstream::ServerReading;
use vestibule_oidc::http::origin::{HostPattern, host_name};
use vestibule_oidc::http::request::{Request, RequestUrl};

/// All rules in their order, and the access where no rule matches.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says another thing about the rules")]
pub struct RuleSet {
    rules: Vec<Rule>,
    default: Access,
    /// The patterns of rules for all hosts, and for those below a name.
    of_all_hosts: Patterns,
    /// The patterns of rules for one host, by its name: with a rule for each of a thousand hosts, a request is matched only
    /// against those of its own.
    of_hosts: BTreeMap<String, Patterns>,
    /// Whether any pattern has an upper-case letter.
    has_upper_case: bool,
    /// Whether any pattern is an expression.
    has_expressions: bool,
    files: NamedFiles,
    /// The rules that decide about every path with ambiguous slashes.
    of_whole_hosts: Vec<usize>,
    /// The methods that some rule names.
    methods: BTreeSet<String>,
    names_clients: bool,
    has_no_conditions: bool,
}

/// Some patterns in their order.
#[derive(Debug, Default)]
struct Patterns {
    /// By their literal first segment (`""` for `/`), so that with a thousand rules for a thousand first segments a request
    /// is matched only against those for its own.
    by_first_segment: BTreeMap<String, Vec<Place>>,
    /// The same if case does not matter.
    by_folded_segment: BTreeMap<String, Vec<Place>>,
    /// Those that match any first segment. A request is matched against each of them.
    anywhere: Vec<Place>,
}

impl Patterns {
    fn add(&mut self, first: FirstSegment<'_>, place: Place) {
        let first = match first {
            FirstSegment::None => "",
            FirstSegment::Literal(text) => text,
            FirstSegment::Anything => return self.anywhere.push(place),
        };
        self.by_first_segment.entry(first.to_owned()).or_default().push(place);
        self.by_folded_segment.entry(fold(first)).or_default().push(place);
    }

    /// Those that may match, in two lists.
    fn of(&self, reading: &Reading<'_>) -> [&[Place]; 2] {
        let first = reading.segments.first().map_or("", String::as_str);
        let here = match reading.case {
            Case::Matters => self.by_first_segment.get(first),
            Case::Ignored => self.by_folded_segment.get(&fold(first)),
        };
        [here.map_or(&[], Vec::as_slice), &self.anywhere]
    }
}

impl RuleSet {
    /// A rule set. The first rule that matches decides, so the order matters.
    pub fn new(rules: Vec<Rule>, default: DefaultAccess) -> Self {
        let mut of_all_hosts = Patterns::default();
        let mut of_hosts: BTreeMap<String, Patterns> = BTreeMap::default();
        let (mut has_upper_case, mut has_expressions) = (false, false);
        let mut files = NamedFiles::default();
        for (rule, Rule { patterns, host, access, .. }) in rules.iter().enumerate() {
            let of_host = match host.as_ref().and_then(HostPattern::exact) {
                Some(host) => of_hosts.entry(host.to_ascii_lowercase()).or_default(),
                None => &mut of_all_hosts,
            };
            for (at, pattern) in patterns.iter().enumerate() {
                has_upper_case |= is_upper_case(&pattern.to_string());
                has_expressions |= pattern.is_expression();
                // What answers under another name restricts only.
                if let Some(last) = pattern.last_segment().filter(|_| !matches!(access, Access::Public)) {
                    files.add(last);
                }
                of_host.add(pattern.first_segment(), (rule, at));
            }
        }
        let of_whole_hosts = rules.iter().enumerate().filter(|(_, rule)| rule.allows_any_slashes);
        let of_whole_hosts = of_whole_hosts.map(|(index, _)| index).collect();
        let default = match default {
            DefaultAccess::SignedIn => Access::SignedIn,
            DefaultAccess::Public => Access::Public,
        };
        let methods = rules.iter().filter_map(|rule| rule.methods.as_ref()).flatten();
        let methods = methods.map(|method| method.as_str().to_owned()).collect();
        let has_no_conditions = rules.iter().all(|rule| rule.has.is_empty() && rule.missing.is_empty());
        let names_clients = rules.iter().any(|rule| rule.principals != Principals::Users);
        Self {
            rules,
            default,
            of_all_hosts,
            of_hosts,
            has_upper_case,
            has_expressions,
            files,
            of_whole_hosts,
            methods,
            names_clients,
            has_no_conditions,
        }
    }

    /// The rules in their order. After those of the configuration come the rules that make the configured pages public.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Who may pass where no rule matches.
    pub fn default_access(&self) -> &Access {
        &self.default
    }

    /// The path of a request, unless servers read it in ways that different rules could decide about.
    ///
    /// # Errors
    /// For a path that is rejected.
    pub fn canonical_path(&self, url: &RequestUrl) -> Result<CanonicalPath, PathError> {
        match CanonicalPath::new(&url.path) {
            Err(PathError::EmptySegment | PathError::EncodedSlash)
                if self.whole_host_rule(&url.authority).is_some() =>
            {
                CanonicalPath::with_any_slashes(&url.path)
            }
            path => path,
        }
    }

    /// The rule that decides about every path with ambiguous slashes on a host. The configuration's check makes sure that no
    /// other rule of the host restricts more.
    fn whole_host_rule(&self, authority: &str) -> Option<Matched<'_>> {
        let is_for = |rule: &Rule| rule.host.as_ref().is_none_or(|host| host.matches(authority));
        let mut rules =
            self.of_whole_hosts.iter().filter_map(|index| Some((*index, self.rules.get(*index)?)));
        let (index, rule) = rules.find(|(_, rule)| is_for(rule))?;
        Some(Matched { index, rule, pattern: 0 })
    }

    /// Decides for a request with this path, whose upstream reads paths so. Every reading of the path is decided, and all
    /// that is asked has to be met.
    pub fn decide(
        &self,
        request: &Request,
        path: &CanonicalPath,
        upstream: &PathReadings,
    ) -> Result<RuleDecisions<'_>, TooMuchWorkError> {
        let budget = Budget::new();
        let readings = self.readings(request, path, upstream, &budget);
        if budget.is_exhausted() {
            return Err(TooMuchWorkError);
        }
        let mut decisions = RuleDecisions { written: self.by_default(), others: Vec::new() };
        for reading in readings {
            let is_known = |known: &ReadingDecision<'_>| known.index() == reading.decision.index();
            match reading.readers {
                Readers::Written => decisions.written = reading.decision,
                _ if !reading.asks()
                    || is_known(&decisions.written)
                    || decisions.others.iter().any(is_known) => {}
                _ => decisions.others.push(reading.decision),
            }
        }
        Ok(decisions)
    }

    /// The decisions that were made at these places of the same rules; `None` if there is no such rule.
    pub(crate) fn decisions_at(&self, places: &DecidedPlaces) -> Option<RuleDecisions<'_>> {
        let at = |place: &Option<Place>| {
            let Some((index, pattern)) = *place else { return Some(self.by_default()) };
            let rule = self.rules.get(index)?;
            Some(ReadingDecision { access: &rule.access, matched: Some(Matched { index, rule, pattern }) })
        };
        let others = places.others.iter().map(at).collect::<Option<Vec<_>>>()?;
        Some(RuleDecisions { written: at(&places.written)?, others })
    }

    /// Whether nothing but the host, the path and the method of this request decides.
    pub(crate) fn look_at_address_only(&self, request: &Request) -> bool {
        self.has_no_conditions && !(self.distinguishes_methods() && is_overridable(request))
    }

    /// What the rules say about every reading of the request: with the path as it is written first, then as any server may
    /// read it, then as some servers do, and then what they ask for with each other method that servers may read.
    pub fn readings(
        &self,
        request: &Request,
        path: &CanonicalPath,
        upstream: &PathReadings,
        budget: &Budget,
    ) -> Vec<DecidedReading<'_>> {
        let mut decided = self.readings_of_path(request, path, upstream, budget);
        if !self.distinguishes_methods() {
            return decided;
        }
        for method in other_methods(request, |method| self.methods.contains(method.as_str())) {
            let request = Request { method: method.clone(), ..request.clone() };
            let others = self.readings_of_path(&request, path, upstream, budget);
            let by_method =
                |reading| DecidedReading { readers: Readers::OfMethod(method.clone()), ..reading };
            decided.extend(others.into_iter().filter(DecidedReading::asks).map(by_method));
        }
        decided
    }

    /// What the rules say about every reading of the path, with the request's method.
    fn readings_of_path(
        &self,
        request: &Request,
        path: &CanonicalPath,
        upstream: &PathReadings,
        budget: &Budget,
    ) -> Vec<DecidedReading<'_>> {
        let mut decided = Vec::new();
        let of_whole_host =
            path.has_any_slashes().then(|| self.whole_host_rule(&request.url.authority)).flatten();
        decided.extend(of_whole_host.map(|matched| DecidedReading {
            segments: path.segments().to_vec(),
            readers: Readers::Written,
            decision: ReadingDecision { access: &matched.rule.access, matched: Some(matched) },
        }));
        for (at, segments) in path.readings().enumerate() {
            let is_written = at == 0 && of_whole_host.is_none();
            let readers = if is_written { Readers::Written } else { Readers::Any };
            decided.push(self.reading(request, &Reading::new(segments, Case::Matters, budget), readers));
        }
        let forwarding = decided.first().and_then(|written| written.decision.matched);
        let forwarding =
            forwarding.map(|found| &found.rule.forwarding).filter(|found| found.target.is_some());
        let upstream = match forwarding {
            Some(elsewhere) => &upstream.of_another_server(elsewhere.strip_prefix.as_ref()),
            None => upstream,
        };
        let ignores_case = upstream.has(ServerReading::Case);
        for segments in path.readings() {
            let mut others = upstream.of(segments);
            if upstream.has(ServerReading::Suffix) && !self.files.is_empty() {
                others.extend(self.answering_files(segments, &others, budget));
            }
            let with_case = std::iter::once((segments.to_vec(), Vec::new())).filter(|_| ignores_case);
            for (segments, habits) in with_case.chain(others) {
                if !budget.spend(work_of(&segments)) {
                    return decided;
                }
                if !habits.is_empty() {
                    let readers = Readers::Some(habits.clone());
                    decided.push(self.reading(
                        request,
                        &Reading::new(&segments, Case::Matters, budget),
                        readers,
                    ));
                }
                if ignores_case && (self.has_upper_case || has_upper_case(&segments)) {
                    let readers = Readers::Some([&habits[..], &[ServerReading::Case]].concat());
                    decided.push(self.reading(
                        request,
                        &Reading::new(&segments, Case::Ignored, budget),
                        readers,
                    ));
                }
            }
        }
        if path.ends_with_slash() && self.has_expressions {
            let affordable = decided.iter().take_while(|decided| budget.spend(work_of(&decided.segments)));
            let with_slash: Vec<_> =
                affordable.map(|decided| self.reading_with_slash(request, decided, budget)).collect();
            decided.extend(with_slash);
        }
        decided
    }

    /// The files that rules name and that answer for a path, as it is written and in its other readings.
    fn answering_files(
        &self,
        written: &[String],
        others: &[(Vec<String>, Vec<ServerReading>)],
        budget: &Budget,
    ) -> Vec<(Vec<String>, Vec<ServerReading>)> {
        let mut found = Vec::new();
        let readings = others.iter().map(|(segments, habits)| (segments.as_slice(), habits.as_slice()));
        for (segments, habits) in std::iter::once((written, &[][..])).chain(readings) {
            if !budget.spend(work_of(segments)) {
                break;
            }
            for file in self.files.answering(segments).filter(|file| file != written) {
                if !budget.spend(work_of(&file)) {
                    return found;
                }
                let known = habits.iter().copied().filter(|habit| *habit != ServerReading::Suffix);
                found.push((file, known.chain([ServerReading::Suffix]).collect()));
            }
        }
        found
    }

    /// What the rules say about the same reading if the slash at its end is part of it.
    fn reading_with_slash(
        &self,
        request: &Request,
        decided: &DecidedReading<'_>,
        budget: &Budget,
    ) -> DecidedReading<'_> {
        let mut habits = match &decided.readers {
            Readers::Some(habits) => habits.clone(),
            Readers::Written | Readers::Any | Readers::OfMethod(_) => Vec::new(),
        };
        let case = if habits.contains(&ServerReading::Case) { Case::Ignored } else { Case::Matters };
        habits.push(ServerReading::Slash);
        let reading = Reading::new(&decided.segments, case, budget).with_slash();
        self.reading(request, &reading, Readers::Some(habits))
    }

    fn reading(&self, request: &Request, reading: &Reading<'_>, readers: Readers) -> DecidedReading<'_> {
        let found = self.candidates(reading, &request.url.authority).find_map(|(index, at)| {
            let rule = self.rules.get(index)?;
            rule.is_for(at, request, reading).then_some(Matched { index, rule, pattern: at })
        });
        let access = found.map_or(&self.default, |found| &found.rule.access);
        DecidedReading {
            segments: reading.segments.to_vec(),
            readers,
            decision: ReadingDecision { access, matched: found },
        }
    }

    fn by_default(&self) -> ReadingDecision<'_> {
        ReadingDecision { access: &self.default, matched: None }
    }

    /// Whether any rule applies to some methods only. Then it matters which method an upstream sees.
    pub fn distinguishes_methods(&self) -> bool {
        !self.methods.is_empty()
    }

    /// Whether any rule says what clients without a user may do. Then every other rule is for users.
    pub fn names_clients(&self) -> bool {
        self.names_clients
    }

    /// The patterns that may match, in the order of the rules.
    fn candidates(&self, reading: &Reading<'_>, authority: &str) -> impl Iterator<Item = Place> {
        let of_host = if self.of_hosts.is_empty() { None } else { self.of_hosts.get(&host_name(authority)) };
        let [mut here, mut anywhere] = self.of_all_hosts.of(reading);
        let [mut here_on_host, mut anywhere_on_host] = of_host.map_or([&[][..]; 2], |host| host.of(reading));
        let in_order = std::iter::from_fn(move || {
            let lists = [&mut here, &mut anywhere, &mut here_on_host, &mut anywhere_on_host];
            let next =
                lists.into_iter().filter(|list| !list.is_empty()).min_by_key(|list| list.first().copied())?;
            let (place, rest) = next.split_first()?;
            *next = rest;
            Some(*place)
        });
        in_order.filter(|(index, at)| {
            let pattern = self.rules.get(*index).and_then(|rule| rule.patterns.get(*at));
            pattern.is_some_and(|pattern| pattern.may_match(reading))
        })
    }
}

/// The rules would cost this request more work than any may cost ([`MAX_WORK`](crate::guard::budget::MAX_WORK)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the path is too long for the number of expressions that it has to be matched against")]
pub struct TooMuchWorkError;

/// What it costs to look at each character of a path once.
fn work_of(segments: &[String]) -> usize {
    segments.iter().map(|segment| segment.len() + 1).sum()
}

fn has_upper_case(segments: &[String]) -> bool {
    segments.iter().any(|segment| is_upper_case(segment))
}

/// Whether the text has a letter that is another one in lower case.
fn is_upper_case(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|b| b.is_ascii_uppercase()) } else { fold(text) != text }
}

#[cfg(test)]
mod tests;

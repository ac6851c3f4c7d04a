//! The bindings of a wrangler file: which ones there are, and what the configuration needs.

use vestibule_core::config::Config;
use vestibule_core::config::error::ConfigErrors;
use vestibule_workers::{
    ANALYTICS, AUDIT_QUEUE, KV, LEASE_OBJECTS, METRICS, RUNTIME, binding, revocation_binding,
};

use crate::deployment::Deployment;
use crate::document::{At, Node};
use crate::finding::Finding;

/// The class of the Durable Object that the Worker exports.
const LEASE_CLASS: &str = "RefreshLease";

/// The bindings of a deployment.
pub(crate) struct Bindings {
    bound: Vec<Bound>,
    /// The classes that a migration creates.
    classes: Vec<String>,
}

/// A binding.
struct Bound {
    kind: Kind,
    name: String,
    /// The class of a Durable Object, if it is of this Worker.
    class: Option<String>,
    at: At,
}

/// What a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kv,
    DurableObject,
    RateLimit,
    Service,
    Assets,
    Queue,
    Dataset,
    Other,
}

/// The tables of a wrangler file that bind something, and the key of the binding's name.
const TABLES: [(&str, &str, Kind); 7] = [
    ("kv_namespaces", "binding", Kind::Kv),
    ("ratelimits", "name", Kind::RateLimit),
    ("services", "binding", Kind::Service),
    ("r2_buckets", "binding", Kind::Other),
    ("d1_databases", "binding", Kind::Other),
    ("analytics_engine_datasets", "binding", Kind::Dataset),
    ("dispatch_namespaces", "binding", Kind::Other),
];

impl Bindings {
    /// The bindings of a deployment.
    pub(crate) fn of(deployment: &Deployment<'_>) -> Self {
        let mut bound = Vec::new();
        for (table, key, kind) in TABLES {
            let items = deployment.own(table).map_or(&[][..], Node::items);
            bound.extend(items.iter().filter_map(|item| Bound::new(kind, item, key)));
        }
        let objects = deployment.own("durable_objects").and_then(|table| table.get("bindings"));
        bound.extend(objects.map_or(&[][..], Node::items).iter().filter_map(|item| {
            let is_own = item.get("script_name").is_none();
            let class = item.get("class_name").and_then(Node::text).filter(|_| is_own);
            Some(Bound { class: class.map(str::to_owned), ..Bound::new(Kind::DurableObject, item, "name")? })
        }));
        let producers = deployment.own("queues").and_then(|table| table.get("producers"));
        let producers = producers.map_or(&[][..], Node::items).iter();
        bound.extend(producers.filter_map(|item| Bound::new(Kind::Queue, item, "binding")));
        bound.extend(
            deployment.inherited("assets").and_then(|item| Bound::new(Kind::Assets, item, "binding")),
        );
        let migrations = deployment.inherited("migrations").map_or(&[][..], Node::items).iter();
        let classes = migrations.flat_map(|migration| {
            let lists =
                ["new_sqlite_classes", "new_classes"].into_iter().filter_map(|key| migration.get(key));
            let created = lists.flat_map(Node::items).filter_map(Node::text);
            let renamed = migration.get("renamed_classes").map_or(&[][..], Node::items).iter();
            let renamed = renamed.filter_map(|item| item.get("to")?.text());
            created.chain(renamed).map(str::to_owned).collect::<Vec<_>>()
        });
        Self { bound, classes: classes.collect() }
    }

    /// Whether something is bound by this name.
    pub(crate) fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound.name == name)
    }

    pub(crate) fn check_lease(&self, config: Config) -> Result<Config, ConfigErrors> {
        config.check_lease(&RUNTIME, &|kind| binding(kind).is_none_or(|name| self.is_bound(name)))
    }

    pub(crate) fn check_tokens(&self, config: Config) -> Result<Config, ConfigErrors> {
        config.check_tokens(&RUNTIME, &|kind| binding(kind).is_none_or(|name| self.is_bound(name)))
    }

    pub(crate) fn check_revocation(&self, config: Config) -> Result<Config, ConfigErrors> {
        config.check_revocation(&RUNTIME, &|kind| {
            revocation_binding(kind).is_none_or(|name| self.is_bound(name))
        })
    }

    /// What is wrong with the Worker's own bindings.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, bound) in self.bound.iter().enumerate() {
            let name = &bound.name;
            if self.bound.iter().take(index).any(|other| other.name == *name) {
                let problem = "another binding already has this name";
                findings.push(Finding::error(
                    bound.at.clone(),
                    name,
                    problem,
                    "wrangler deploys only one of them",
                ));
            }
            let wanted = match name.as_str() {
                KV => Some((Kind::Kv, "a KV namespace", "[[kv_namespaces]]")),
                LEASE_OBJECTS => {
                    Some((Kind::DurableObject, "a Durable Object", "[[durable_objects.bindings]]"))
                }
                AUDIT_QUEUE => Some((Kind::Queue, "a Queue", "[[queues.producers]]")),
                ANALYTICS | METRICS => {
                    Some((Kind::Dataset, "an Analytics Engine dataset", "[[analytics_engine_datasets]]"))
                }
                _ => None,
            };
            if let Some((_, what, table)) = wanted.filter(|(kind, _, _)| bound.kind != *kind) {
                let problem = format!("this name has to be that of {what}");
                findings.push(Finding::error(bound.at.clone(), name, problem, format!("bind it in {table}")));
            }
            findings.extend(self.of_object(bound));
        }
        findings
    }

    /// What keeps a Durable Object of the Worker from being deployed.
    fn of_object(&self, bound: &Bound) -> Option<Finding> {
        let class = bound.class.as_ref().filter(|_| bound.kind == Kind::DurableObject)?;
        if bound.name == LEASE_OBJECTS && class != LEASE_CLASS {
            return Some(Finding::error(
                bound.at.clone(),
                &bound.name,
                format!("the class {class:?} is not the one of the leases"),
                format!("write class_name = \"{LEASE_CLASS}\""),
            ));
        }
        (bound.name == LEASE_OBJECTS && !self.classes.contains(class)).then(|| {
            Finding::error(
                bound.at.clone(),
                &bound.name,
                format!("no migration creates the class {class:?}, so the deployment fails"),
                format!("add `[[migrations]]`, `tag = \"v1\"`, `new_sqlite_classes = [\"{class}\"]`"),
            )
        })
    }

    /// The services that upstreams and rules name and that are not bound: a request for one would be answered with 502.
    pub(crate) fn missing_services(&self, deployment: &Deployment<'_>, config: &Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (place, name) in config.services() {
            if self.is_bound(name) {
                continue;
            }
            let fix = format!(
                "add `[[services]]`, `binding = \"{name}\"`, `service = \"NAME-OF-THE-WORKER\"`; or, for files, `[assets]` with \
                 `binding = \"{name}\"`"
            );
            let problem = format!("nothing is bound as {name:?}");
            findings.push(Finding::error(deployment.locate(&place), place, problem, fix));
        }
        findings
    }
}

impl Bound {
    fn new(kind: Kind, item: &Node, key: &str) -> Option<Self> {
        let member = item.member(key)?;
        let name = member.value.text()?.to_owned();
        Some(Self { kind, name, class: None, at: member.at.clone() })
    }
}

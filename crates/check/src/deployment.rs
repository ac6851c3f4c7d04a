//! What is deployed: the configuration, the variables and the bindings of one environment of a wrangler file.

use serde::Deserialize;

use crate::document::{At, File, Member, Node, SyntaxError, Variable, Written, variables};
use crate::finding::Finding;
use crate::kind::{self, Kind};
use crate::runtime::RunsOn;

/// The files to check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFiles {
    /// A file whose name does not say what it is. What it holds decides which of the two below it replaces.
    pub named: Option<File>,
    /// `wrangler.toml`, `wrangler.json` or `wrangler.jsonc`.
    pub wrangler: Option<File>,
    /// `vestibule.toml`: the configuration in its own file. Keys of `[vars.AUTH]` override its keys.
    pub vestibule: Option<File>,
    /// `vestibule.config.js`: the module that `vestibule.toml` was compiled into.
    pub compiled: Option<File>,
    /// `.dev.vars`: the secrets of this machine.
    pub dev_vars: Option<File>,
    /// The names of the secrets that are set for the deployed Worker, where they are known.
    pub secrets: Option<Vec<String>>,
    /// Whether secrets that no file has may be set for the deployed Worker: a build does not know it.
    pub may_lack_secrets: bool,
    /// The environment of the wrangler file. Without it, all of them.
    pub environment: Option<String>,
    /// Where it is to run.
    pub runtime: RunsOn,
}

impl ConfigFiles {
    /// What the file is that does not say it by its name; and where that is not clear, what was decided. A file that cannot be
    /// read is none.
    fn kind(&self) -> Option<(Kind, Option<Finding>)> {
        Some(kind::of(&self.named.as_ref()?.parse().ok()?))
    }

    /// What was decided about a file that does not clearly say what it is; a line for people.
    pub fn decided(&self) -> Option<String> {
        Some(self.kind()?.1?.to_string())
    }

    /// The file that has the configuration itself, if there is one.
    pub fn own_file(&self) -> Option<&File> {
        match self.kind() {
            Some((Kind::Own, _)) => self.named.as_ref(),
            _ => self.vestibule.as_ref(),
        }
    }
}

/// The files of an [`ConfigFiles`], read.
pub(crate) struct Files {
    pub(crate) wrangler: Option<Node>,
    pub(crate) vestibule: Option<Node>,
    pub(crate) compiled: Option<File>,
    /// What was decided about a file that does not say what it is.
    pub(crate) decided: Option<Finding>,
    dev_vars: Vec<Variable>,
    /// Whether it is known which secrets are set.
    knows_secrets: bool,
    secrets: Vec<String>,
    /// The file in which a finding without a place is.
    first: String,
}

impl Files {
    /// Reads the files.
    ///
    /// # Errors
    /// The syntax errors of all of them.
    pub(crate) fn read(input: &ConfigFiles) -> Result<Self, Vec<Finding>> {
        let (kind, decided) = input.kind().unzip();
        // A file that cannot be read counts as the first one, so its mistakes are said once.
        let (wrangler_file, own_file) = match (kind, &input.named) {
            (Some(Kind::Own), own) => (&input.wrangler, own),
            (_, None) => (&input.wrangler, &input.vestibule),
            (_, wrangler) => (wrangler, &input.vestibule),
        };
        // The module beside it is of the file that is called vestibule.toml.
        let compiled = input.compiled.clone().filter(|_| kind != Some(Kind::Own));
        let mut findings = Vec::new();
        let mut read = |file: &Option<File>| {
            let errors = match file.as_ref()?.parse() {
                Ok(node) if node.is_table() => return Some(node),
                Ok(node) => vec![SyntaxError { at: node.at, problem: "the file must be a table".to_owned() }],
                Err(errors) => errors,
            };
            findings.extend(errors.into_iter().map(syntax));
            None
        };
        let (wrangler, vestibule) = (read(wrangler_file), read(own_file));
        findings.extend(vestibule.as_ref().and_then(not_a_wrangler_file));
        if !findings.is_empty() {
            return Err(findings);
        }
        let names = [wrangler_file, own_file].into_iter().flatten().map(|file| file.name.clone());
        Ok(Self {
            wrangler,
            vestibule,
            compiled,
            decided: decided.flatten(),
            dev_vars: input.dev_vars.as_ref().map(variables).unwrap_or_default(),
            knows_secrets: (input.dev_vars.is_some() || input.secrets.is_some()) && !input.may_lack_secrets,
            secrets: input.secrets.clone().unwrap_or_default(),
            first: names.into_iter().next().unwrap_or_else(|| "wrangler.toml".to_owned()),
        })
    }

    /// The environments that the wrangler file names.
    pub(crate) fn environments(&self) -> Vec<&str> {
        let table = self.wrangler.as_ref().and_then(|wrangler| wrangler.get("env"));
        table
            .map(|table| table.members().iter().map(|member| member.key.as_str()).collect())
            .unwrap_or_default()
    }

    /// The deployment of an environment, or of the top level. `None` if there is no such environment.
    pub(crate) fn deployment(&self, environment: Option<&str>) -> Option<Deployment<'_>> {
        let root = self.wrangler.as_ref();
        let named = match environment {
            None => None,
            Some(name) => Some(root?.get("env")?.member(name)?),
        };
        let section = named.map_or(root, |member| Some(&member.value));
        let vars = section.and_then(|section| section.get("vars"));
        let own = vars.and_then(|vars| vars.member("AUTH"));
        let start = At { file: self.first.clone(), line: 1, column: 1 };
        let at = own.map(|member| member.at.clone());
        let at = at.or_else(|| self.vestibule.as_ref().map(|node| node.at.clone())).unwrap_or(start);
        let own = own.map(|member| member.value.parsed());
        let auth = match (self.vestibule.clone(), own) {
            (Some(file), Some(own)) => Some(file.overridden_by(&own)),
            (file, own) => own.or(file),
        };
        Some(Deployment { files: self, root, named, section, vars, auth, at })
    }
}

/// One environment of a wrangler file.
pub(crate) struct Deployment<'a> {
    files: &'a Files,
    root: Option<&'a Node>,
    /// The environment, if it is not the top level.
    named: Option<&'a Member>,
    section: Option<&'a Node>,
    vars: Option<&'a Node>,
    /// The configuration: the keys of both files.
    pub(crate) auth: Option<Node>,
    /// Where the configuration begins.
    pub(crate) at: At,
}

impl<'a> Deployment<'a> {
    /// The variables of the wrangler file.
    pub(crate) fn vars(&self) -> Option<&'a Node> {
        self.vars
    }

    /// The mistake that an environment has no configuration: wrangler inherits no variables.
    pub(crate) fn not_inherited(&self) -> Option<Finding> {
        let Member { key, at, .. } = self.named?;
        Some(Finding::error(
            at.clone(),
            format!("env.{key}.vars.AUTH"),
            "the configuration is missing: wrangler does not inherit variables and bindings from the top level",
            format!(
                "write [env.{key}.vars.AUTH], or move the configuration into vestibule.toml, which all environments share"
            ),
        ))
    }

    /// The table of the environment in the wrangler file.
    pub(crate) fn section(&self) -> Option<&'a Node> {
        self.section
    }

    /// A key that wrangler does not inherit from the top level: `vars` and bindings.
    pub(crate) fn own(&self, key: &str) -> Option<&'a Node> {
        self.section?.get(key)
    }

    /// A key that wrangler inherits from the top level: `migrations`, `routes`.
    pub(crate) fn inherited(&self, key: &str) -> Option<&'a Node> {
        self.own(key).or_else(|| self.root?.get(key))
    }

    /// The text of a variable or secret, where it is known. One in `.dev.vars` counts before one in `[vars]`, as in
    /// `wrangler dev`.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let secret = self.files.dev_vars.iter().find(|variable| variable.name == name);
        let plain = || self.vars?.get(name)?.text().map(str::to_owned);
        secret.map(|variable| variable.value.clone()).or_else(plain)
    }

    /// Whether the secret is set where its text is not known.
    pub(crate) fn is_set_elsewhere(&self, name: &str) -> bool {
        self.files.secrets.iter().any(|set| set == name)
    }

    /// Whether it is known which secrets are set.
    pub(crate) fn knows_secrets(&self) -> bool {
        self.files.knows_secrets
    }

    /// Where a variable or secret is written.
    pub(crate) fn variable_at(&self, name: &str) -> Option<At> {
        let secret = self.files.dev_vars.iter().find(|variable| variable.name == name);
        let plain = || Some(self.vars?.member(name)?.at.clone());
        secret.map(|variable| variable.at.clone()).or_else(plain)
    }

    /// Where the configuration has such a place; otherwise where it begins.
    pub(crate) fn locate(&self, place: &str) -> At {
        let found = self.auth.as_ref().and_then(|auth| crate::place::find(auth, &self.at, place));
        found.unwrap_or_else(|| self.at.clone())
    }

    /// Where the provider is written whose variables have this name: `AUTH_OKTA_SECRET`.
    pub(crate) fn provider_at(&self, variable: &str) -> Option<At> {
        let providers = self.auth.as_ref()?.get("providers")?.items();
        let found = providers.iter().find(|provider| {
            let id = provider.get("id").and_then(Node::text).unwrap_or_default();
            let prefix = format!("AUTH_{}_", id.replace('-', "_").to_ascii_uppercase());
            !id.is_empty() && variable.starts_with(&prefix)
        })?;
        Some(found.member("id").map_or_else(|| found.at.clone(), |id| id.at.clone()))
    }
}

/// The mistake that `vestibule.toml` is written like a wrangler file.
fn not_a_wrangler_file(file: &Node) -> Option<Finding> {
    let member = ["vars", "AUTH"].into_iter().find_map(|key| file.member(key))?;
    let problem = "this file is the table AUTH itself";
    let fix =
        "write base_path = \"/auth\", [session], [[providers]] at the top, without vars.AUTH before them";
    Some(Finding::error(member.at.clone(), &member.key, problem, fix))
}

/// The finding for a syntax error.
fn syntax(error: SyntaxError) -> Finding {
    Finding::error(error.at, "", error.problem, "")
}

/// Whether a value is an object of JSON in a string.
pub(crate) fn is_text(node: &Node) -> bool {
    matches!(&node.value, Written::Scalar(value) if value.is_string())
}

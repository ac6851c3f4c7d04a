//! The names that a module or a block declares: items, modules and imports.

use std::collections::BTreeMap;

use syn::{Ident, Item, ItemUse, UseTree};

use super::attributes;
use super::tree::ModuleId;

/// The declared names, and the glob imports.
#[derive(Clone, Default)]
pub(super) struct Scope {
    names: BTreeMap<String, Vec<Binding>>,
    globs: Vec<Glob>,
    macros: Vec<String>,
    defines_items: bool,
}

/// The meaning of a name. A name can have several bindings, one in each namespace.
#[derive(Clone)]
pub(super) struct Binding {
    pub(super) kind: BindingKind,
    /// Whether it is visible outside of this module and its descendants.
    pub(super) public: bool,
}

#[derive(Clone)]
pub(super) enum BindingKind {
    Item,
    Module(ModuleId),
    Import(ImportPath),
    /// `extern crate`.
    OtherCrate,
}

/// `use path::*`.
#[derive(Clone)]
pub(super) struct Glob {
    pub(super) path: ImportPath,
    pub(super) public: bool,
}

/// The path of an import, without a trailing `self`.
#[derive(Clone, Debug)]
pub(super) struct ImportPath {
    /// Whether it begins with `::`, so that it belongs to another crate.
    pub(super) absolute: bool,
    pub(super) segments: Vec<String>,
}

/// One import of a `use` item.
pub(super) struct Leaf {
    pub(super) path: ImportPath,
    /// `None` for a glob.
    pub(super) name: Option<String>,
    pub(super) line: usize,
}

impl Leaf {
    /// The path written out in full.
    pub(super) fn written(&self) -> String {
        let start = if self.path.absolute { "::" } else { "" };
        let end = if self.name.is_none() { "::*" } else { "" };
        format!("{start}{}{end}", self.path.segments.join("::"))
    }
}

impl Scope {
    /// The names that items declare. [`Scope::add_module`] adds the modules.
    pub(super) fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut scope = Self::default();
        for item in items {
            scope.add(item);
        }
        scope
    }

    fn add(&mut self, item: &Item) {
        match item {
            Item::Const(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Enum(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Fn(item) => self.define(&item.sig.ident, attributes::is_visible_outside(&item.vis)),
            Item::Static(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Struct(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Trait(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::TraitAlias(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Type(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Union(item) => self.define(&item.ident, attributes::is_visible_outside(&item.vis)),
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.define(name, false);
                    self.macros.push(attributes::name(name));
                }
            }
            Item::ExternCrate(item) => {
                let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
                let public = attributes::is_visible_outside(&item.vis);
                self.bind(attributes::name(name), BindingKind::OtherCrate, public);
            }
            Item::Use(item) => {
                let public = attributes::is_visible_outside(&item.vis);
                for Leaf { path, name, .. } in leaves(item) {
                    match name {
                        Some(name) => self.bind(name, BindingKind::Import(path), public),
                        None => self.globs.push(Glob { path, public }),
                    }
                }
            }
            _ => {}
        }
    }

    fn define(&mut self, name: &Ident, public: bool) {
        self.defines_items = true;
        self.bind(attributes::name(name), BindingKind::Item, public);
    }

    pub(super) fn add_module(&mut self, name: String, module: ModuleId, public: bool) {
        self.bind(name, BindingKind::Module(module), public);
    }

    fn bind(&mut self, name: String, kind: BindingKind, public: bool) {
        self.names.entry(name).or_default().push(Binding { kind, public });
    }

    pub(super) fn bindings(&self, name: &str) -> &[Binding] {
        self.names.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// The names of the macros that `macro_rules!` defines here.
    pub(super) fn macros(&self) -> impl Iterator<Item = &str> {
        self.macros.iter().map(String::as_str)
    }

    /// Whether this scope defines items other than modules and imports.
    pub(super) fn defines_items(&self) -> bool {
        self.defines_items
    }

    /// Whether the name is an import that is private to this module.
    pub(super) fn imports_privately(&self, name: &str) -> bool {
        let bindings = self.bindings(name);
        let private = |binding: &Binding| !binding.public && matches!(binding.kind, BindingKind::Import(_));
        !bindings.is_empty() && bindings.iter().all(private)
    }
}

/// The single imports of a `use` item.
pub(super) fn leaves(item: &ItemUse) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    collect(&item.tree, &mut Vec::new(), item.leading_colon.is_some(), &mut leaves);
    leaves
}

fn collect(tree: &UseTree, prefix: &mut Vec<String>, absolute: bool, leaves: &mut Vec<Leaf>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(attributes::name(&path.ident));
            collect(&path.tree, prefix, absolute, leaves);
            prefix.pop();
        }
        UseTree::Name(name) => leaves.push(leaf(prefix, &name.ident, &name.ident, absolute)),
        UseTree::Rename(name) => leaves.push(leaf(prefix, &name.ident, &name.rename, absolute)),
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans.first().map_or(0, |span| span.start().line);
            let path = ImportPath { absolute, segments: prefix.clone() };
            leaves.push(Leaf { path, name: None, line });
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, prefix, absolute, leaves);
            }
        }
    }
}

fn leaf(prefix: &[String], last: &Ident, name: &Ident, absolute: bool) -> Leaf {
    let mut segments = prefix.to_vec();
    let mut name = attributes::name(name);
    if last == "self" {
        // `use a::b::{self}` imports `b` under its own name, unless it is renamed.
        if name == "self" {
            name = segments.last().cloned().unwrap_or(name);
        }
    } else {
        segments.push(attributes::name(last));
    }
    let line = last.span().start().line;
    Leaf { path: ImportPath { absolute, segments }, name: Some(name), line }
}

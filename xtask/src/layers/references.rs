//! Finds every path in a crate that names an item or module in another file of the crate.

use std::collections::HashSet;

use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Block, Expr, Field, Ident, ImplItem, ImplItemFn, Item, ItemFn, ItemUse, Local, Macro,
    PatIdent, Path, Stmt, TraitItem, TraitItemFn, TypeParam, Variant, Visibility,
};

use super::attributes;
use super::macros;
use super::resolve::{Found, Resolver, Target};
use super::scope::{self, ImportPath, Leaf, Scope};
use super::tree::{FileId, ModuleId, Tree};

/// One path that names an item of another file, or its module.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) from: FileId,
    pub(super) to: FileId,
    pub(super) line: usize,
    /// The path as written in the code. An import in a group is written out in full.
    pub(super) written: String,
    /// The files that re-export it.
    pub(super) through: Vec<FileId>,
    /// Whether it only imports a module, and no item in it.
    pub(super) names_module: bool,
}

/// All references of a crate, except in code that is only compiled in tests.
pub(super) fn references(tree: &Tree) -> Vec<Reference> {
    let mut references = Vec::new();
    for (id, module) in tree.modules() {
        let resolver = Resolver { tree, module: id };
        let mut visitor = Visitor {
            resolver,
            file: module.file,
            blocks: Vec::new(),
            bound: Vec::new(),
            references: Vec::new(),
        };
        for item in &module.items {
            visitor.visit_item(item);
        }
        references.append(&mut visitor.references);
    }
    references
}

struct Visitor<'a> {
    resolver: Resolver<'a>,
    file: FileId,
    /// The declarations of the enclosing blocks.
    blocks: Vec<Scope>,
    /// The variables and type parameters of the enclosing items. These names do not refer to other files.
    bound: Vec<HashSet<String>>,
    references: Vec<Reference>,
}

impl Visitor<'_> {
    fn import(&mut self, leaf: &Leaf, re_exports: bool) {
        // `use Kind::A` does not count if `Kind` itself is imported: that import counts already.
        if leaf.path.segments.first().is_some_and(|first| is_type_like(first) && self.is_imported(first)) {
            return;
        }
        for found in self.resolver.resolve(&leaf.path, &self.blocks) {
            // A module that re-exports its child modules' items does not use them.
            let source = if leaf.name.is_none() { module_of(&found) } else { found.holder };
            if re_exports && source.is_some_and(|module| self.is_own(module)) {
                continue;
            }
            let names_module = match found.target {
                Target::Module(module) if leaf.name.is_none() => {
                    !self.resolver.tree.module(module).scope.defines_items()
                }
                target => matches!(target, Target::Module(_)),
            };
            self.add(found, leaf.line, leaf.written(), names_module);
        }
    }

    fn is_own(&self, module: ModuleId) -> bool {
        self.resolver.tree.is_within(module, self.resolver.module)
    }

    /// Handles a path outside of `use`.
    fn mention(&mut self, path: &ImportPath, line: usize) {
        let Some(first) = path.segments.first() else { return };
        if self.is_bound(first, path.segments.len() == 1) {
            return;
        }
        let start = ImportPath { absolute: path.absolute, segments: vec![first.clone()] };
        let begins_with = self.resolver.resolve(&start, &self.blocks);
        let a_module = begins_with.iter().any(|found| matches!(found.target, Target::Module(_)));
        // The import of the first segment counts already.
        if self.is_imported(first) && (!a_module || path.segments.len() == 1) {
            return;
        }
        for found in self.resolver.resolve(path, &self.blocks) {
            if let Target::Item(_) = found.target {
                self.add(found, line, written(path), false);
            }
        }
    }

    /// Handles a path in the tokens of a macro, which may name an item or a module.
    fn mention_in_macro(&mut self, path: &ImportPath, line: usize) {
        self.mention(path, line);
        if path.segments.len() == 1 || path.segments.first().is_some_and(|first| self.is_imported(first)) {
            return;
        }
        for found in self.resolver.resolve(path, &self.blocks) {
            if let Target::Module(_) = found.target {
                self.add(found, line, written(path), true);
            }
        }
    }

    fn is_imported(&self, name: &str) -> bool {
        let module = &self.resolver.tree.module(self.resolver.module).scope;
        let mut scopes = self.blocks.iter().rev().chain([module]);
        scopes
            .find(|scope| !scope.bindings(name).is_empty())
            .is_some_and(|scope| scope.imports_privately(name))
    }

    fn is_bound(&self, name: &str, alone: bool) -> bool {
        (alone || is_type_like(name)) && self.bound.iter().any(|names| names.contains(name))
    }

    fn add(&mut self, found: Found, line: usize, written: String, names_module: bool) {
        let to = match found.target {
            Target::Module(module) => self.resolver.tree.module(module).file,
            Target::Item(file) => file,
            Target::OtherCrate => return,
        };
        if to != self.file {
            let Found { through, .. } = found;
            self.references.push(Reference { from: self.file, to, line, written, through, names_module });
        }
    }

    fn inside(&mut self, bound: HashSet<String>, visit: impl FnOnce(&mut Self)) {
        self.bound.push(bound);
        visit(self);
        self.bound.pop();
    }
}

fn module_of(found: &Found) -> Option<ModuleId> {
    match found.target {
        Target::Module(module) => Some(module),
        _ => None,
    }
}

fn written(path: &ImportPath) -> String {
    path.segments.join("::")
}

fn is_type_like(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if attributes::only_in_tests(attributes::of_item(item)) {
            return;
        }
        match item {
            Item::Use(item) => self.visit_item_use(item),
            Item::Verbatim(tokens) => {
                macros::paths(tokens, &mut |path, line| self.mention_in_macro(path, line));
            }
            _ => {
                let bound = type_parameters(item);
                self.inside(bound, |visitor| visit::visit_item(visitor, item));
            }
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let re_exports = attributes::is_visible_outside(&item.vis);
        for leaf in scope::leaves(item) {
            self.import(&leaf, re_exports);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let bound = Names::of(|names| names.visit_item_fn(item));
        self.inside(bound, |visitor| visit::visit_item_fn(visitor, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !attributes::only_in_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        let bound = Names::of(|names| names.visit_impl_item_fn(item));
        self.inside(bound, |visitor| visit::visit_impl_item_fn(visitor, item));
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !attributes::only_in_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        let bound = Names::of(|names| names.visit_trait_item_fn(item));
        self.inside(bound, |visitor| visit::visit_trait_item_fn(visitor, item));
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) if !attributes::only_in_tests(attributes::of_item(item)) => Some(item),
            _ => None,
        });
        self.blocks.push(Scope::of(items));
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !attributes::only_in_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !attributes::only_in_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !attributes::only_in_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !attributes::only_in_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Verbatim(tokens) => {
                macros::paths(tokens, &mut |path, line| self.mention_in_macro(path, line));
            }
            Expr::Block(block) if attributes::only_in_tests(&block.attrs) => {}
            _ => visit::visit_expr(self, expression),
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if let Some(last) = path.segments.last() {
            let segments = path.segments.iter().map(|segment| attributes::name(&segment.ident)).collect();
            let absolute = path.leading_colon.is_some();
            self.mention(&ImportPath { absolute, segments }, last.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    /// A pattern of one identifier counts as a constant if the identifier begins with an upper-case letter.
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if is_type_like(&attributes::name(&pattern.ident)) {
            let segments = vec![attributes::name(&pattern.ident)];
            self.mention(&ImportPath { absolute: false, segments }, pattern.ident.span().start().line);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        self.visit_path(&invocation.path);
        if let Some(name) = invocation.path.get_ident() {
            self.textual_macro(name);
        }
        macros::paths(&invocation.tokens, &mut |path, line| self.mention_in_macro(path, line));
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

impl Visitor<'_> {
    /// Handles a macro of an enclosing module, which is in scope without an import.
    fn textual_macro(&mut self, name: &Ident) {
        let written = attributes::name(name);
        let path = ImportPath { absolute: false, segments: vec![written.clone()] };
        if !self.resolver.resolve(&path, &self.blocks).is_empty() || self.is_imported(&written) {
            return;
        }
        let files = self.resolver.tree.macros.get(&written).cloned().unwrap_or_default();
        for file in files {
            let found = Found { target: Target::Item(file), holder: None, through: Vec::new() };
            self.add(found, name.span().start().line, format!("{written}!"), false);
        }
    }
}

/// The type parameters of an item.
fn type_parameters(item: &Item) -> HashSet<String> {
    let generics = match item {
        Item::Enum(item) => &item.generics,
        Item::Impl(item) => &item.generics,
        Item::Struct(item) => &item.generics,
        Item::Trait(item) => &item.generics,
        Item::Type(item) => &item.generics,
        Item::Union(item) => &item.generics,
        _ => return HashSet::new(),
    };
    Names::of(|names| names.visit_generics(generics))
}

/// The names of variables and type parameters.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn of(visit: impl FnOnce(&mut Self)) -> HashSet<String> {
        let mut names = Self::default();
        visit(&mut names);
        names.0
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = attributes::name(&pattern.ident);
        if !is_type_like(&name) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_type_param(&mut self, parameter: &'ast TypeParam) {
        self.0.insert(attributes::name(&parameter.ident));
        visit::visit_type_param(self, parameter);
    }
}

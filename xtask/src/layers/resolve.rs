//! From a path, as code has it, to the file that defines what it names.

use super::scope::{Binding, BindingKind, ImportPath, Scope};
use super::tree::{FileId, ModuleId, Tree};

/// Resolves the paths of one module, in the order that the compiler looks: blocks, the module, its globs.
pub(super) struct Resolver<'a> {
    pub(super) tree: &'a Tree,
    pub(super) module: ModuleId,
}

/// What a path, or a part of it, names.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) target: Target,
    /// The module in which the last segment was looked up.
    pub(super) holder: Option<ModuleId>,
    /// Files whose imports lead from one to the other, other than the asking module's own.
    pub(super) through: Vec<FileId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Module(ModuleId),
    /// Something else, in the file that defines it.
    Item(FileId),
    OtherCrate,
}

impl Found {
    fn at(target: Target) -> Self {
        Self { target, holder: None, through: Vec::new() }
    }
}

/// A scope, and where it stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    module: ModuleId,
    scope: &'a Scope,
    /// The blocks that its own imports see.
    blocks: &'a [Scope],
    depth: usize,
}

/// The imports that were followed on the way: one that leads to itself ends there.
type Trail = Vec<Step>;

/// An import, or a glob, in which a name was looked for.
#[derive(Clone, PartialEq, Eq)]
struct Step {
    module: ModuleId,
    /// How deep its block is; 0 for the module's own.
    depth: usize,
    name: String,
    index: usize,
    is_glob: bool,
}

impl Resolver<'_> {
    /// Everything that the path may name; nothing where its first name is not of this crate.
    pub(super) fn resolve(&self, path: &ImportPath, blocks: &[Scope]) -> Vec<Found> {
        let found = self.path(self.module, path, blocks, &mut Trail::new());
        found.into_iter().filter(|found| found.target != Target::OtherCrate).collect()
    }

    fn path(&self, at: ModuleId, path: &ImportPath, blocks: &[Scope], trail: &mut Trail) -> Vec<Found> {
        let other_crate = vec![Found::at(Target::OtherCrate)];
        let Some((first, rest)) = path.segments.split_first() else { return other_crate };
        if path.absolute {
            return other_crate;
        }
        let mut found = match first.as_str() {
            "crate" => vec![Found::at(Target::Module(Tree::ROOT))],
            "self" => vec![Found::at(Target::Module(at))],
            "super" => self.parent(at),
            "Self" => return Vec::new(),
            name => self.first(at, name, blocks, trail),
        };
        for name in rest {
            // A module before anything else of that name: only a module or a type has a `::` behind it.
            let container = found.iter().find(|found| matches!(found.target, Target::Module(_)));
            let Some(Found { target: Target::Module(container), through, .. }) = container.cloned() else {
                return found;
            };
            found = match name.as_str() {
                "super" => self.parent(container),
                "self" => vec![Found::at(Target::Module(container))],
                name => self.member(at, container, name, trail),
            };
            for found in &mut found {
                found.holder = Some(container);
                found.through.splice(0..0, through.iter().copied());
            }
        }
        found
    }

    fn parent(&self, module: ModuleId) -> Vec<Found> {
        self.tree.module(module).parent.map(|parent| Found::at(Target::Module(parent))).into_iter().collect()
    }

    /// A path's first name.
    fn first(&self, at: ModuleId, name: &str, blocks: &[Scope], trail: &mut Trail) -> Vec<Found> {
        for (index, block) in blocks.iter().enumerate().rev() {
            let place = Place { module: at, scope: block, blocks, depth: index + 1 };
            let found = self.names(at, place, name, trail);
            if !found.is_empty() {
                return found;
            }
        }
        let found = self.lookup(at, at, name, trail);
        if found.is_empty() { vec![Found::at(Target::OtherCrate)] } else { found }
    }

    /// A name behind a module's: what is not found there was made by a macro there.
    fn member(&self, at: ModuleId, container: ModuleId, name: &str, trail: &mut Trail) -> Vec<Found> {
        let found = self.lookup(at, container, name, trail);
        if found.is_empty() {
            return vec![Found::at(Target::Item(self.tree.module(container).file))];
        }
        found
    }

    /// A name in a module, where `at` may see it.
    fn lookup(&self, at: ModuleId, module: ModuleId, name: &str, trail: &mut Trail) -> Vec<Found> {
        let place = Place { module, scope: &self.tree.module(module).scope, blocks: &[], depth: 0 };
        self.names(at, place, name, trail)
    }

    /// What a scope itself calls so; only where there is nothing, what its globs do.
    fn names(&self, at: ModuleId, place: Place<'_>, name: &str, trail: &mut Trail) -> Vec<Found> {
        let Place { module, scope, blocks, depth } = place;
        let inside = self.tree.is_within(at, module);
        let step = |index, is_glob| Step { module, depth, name: name.to_owned(), index, is_glob };
        let mut found = Vec::new();
        for (index, binding) in scope.bindings(name).iter().enumerate() {
            if inside || binding.public {
                found.extend(self.binding(at, place, binding, step(index, false), trail));
            }
        }
        if !found.is_empty() {
            return found;
        }
        for (index, glob) in scope.globs().iter().enumerate() {
            let step = step(index, true);
            if !(inside || glob.public) || trail.contains(&step) {
                continue;
            }
            trail.push(step);
            for from in self.path(module, &glob.path, blocks, trail) {
                let Target::Module(source) = from.target else { continue };
                for mut more in self.lookup(module, source, name, trail) {
                    more.through.splice(0..0, from.through.iter().copied());
                    if module != at {
                        more.through.insert(0, self.tree.module(module).file);
                    }
                    more.holder = Some(module);
                    found.push(more);
                }
            }
            trail.pop();
        }
        found
    }

    fn binding(
        &self,
        at: ModuleId,
        Place { module, blocks, .. }: Place<'_>,
        binding: &Binding,
        step: Step,
        trail: &mut Trail,
    ) -> Vec<Found> {
        let target = match &binding.kind {
            BindingKind::Item => Target::Item(self.tree.module(module).file),
            BindingKind::Module(child) => Target::Module(*child),
            BindingKind::OtherCrate => Target::OtherCrate,
            BindingKind::Import(path) => {
                if trail.contains(&step) {
                    return Vec::new();
                }
                trail.push(step);
                let mut found = self.path(module, path, blocks, trail);
                trail.pop();
                for found in &mut found {
                    found.holder = Some(module);
                    if module != at {
                        found.through.insert(0, self.tree.module(module).file);
                    }
                }
                return found;
            }
        };
        vec![Found { target, holder: Some(module), through: Vec::new() }]
    }
}

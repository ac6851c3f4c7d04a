//! Loads the modules of a crate from its files, with the names that each declares.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use syn::{Item, ItemMod};

use super::attributes;
use super::scope::Scope;

/// The modules of one crate, except those that are only compiled in tests.
#[derive(Default)]
pub(super) struct Tree {
    modules: Vec<Module>,
    files: Vec<SourceFile>,
    /// The files that define a macro of that name. Child modules can use a `macro_rules!` macro without an import.
    pub(super) macros: BTreeMap<String, Vec<FileId>>,
}

/// A module, in its own file or inline.
pub(super) struct Module {
    pub(super) parent: Option<ModuleId>,
    pub(super) file: FileId,
    pub(super) scope: Scope,
    pub(super) items: Vec<Item>,
}

/// A file that contains a module.
pub(super) struct SourceFile {
    /// The path from the project's root, with `/`, for messages.
    pub(super) name: String,
    /// The top-level module that it belongs to; `None` for the crate's root.
    pub(super) room: Option<String>,
    /// The file and line of its `mod` declaration; `None` for the crate's root.
    pub(super) declared: Option<(FileId, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ModuleId(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId(usize);

impl Tree {
    /// Reads the crate whose `lib.rs` or `main.rs` is in the directory `source`, relative to `project`.
    pub(super) fn load(project: &Path, source: &str) -> Result<Self> {
        let directory = project.join(source);
        let names = ["lib.rs", "main.rs"];
        let Some(name) = names.into_iter().find(|name| directory.join(name).is_file()) else {
            bail!("{source}: there is neither lib.rs nor main.rs");
        };
        let mut loader = Loader { tree: Self::default(), project };
        let file = loader.file(&directory.join(name), None, None);
        loader.module_file(&directory.join(name), file, None, &directory, &[])?;
        Ok(loader.tree)
    }

    pub(super) const ROOT: ModuleId = ModuleId(0);

    #[expect(clippy::indexing_slicing, reason = "an id always belongs to an existing module")]
    pub(super) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    #[expect(clippy::indexing_slicing, reason = "an id always belongs to an existing file")]
    pub(super) fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0]
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = (ModuleId, &Module)> {
        self.modules.iter().enumerate().map(|(index, module)| (ModuleId(index), module))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(index, file)| (FileId(index), file))
    }

    /// Whether `inner` is `outer` or one of its descendants.
    pub(super) fn is_within(&self, inner: ModuleId, outer: ModuleId) -> bool {
        let mut above = Some(inner);
        while let Some(module) = above {
            if module == outer {
                return true;
            }
            above = self.module(module).parent;
        }
        false
    }
}

struct Loader<'a> {
    tree: Tree,
    project: &'a Path,
}

impl Loader<'_> {
    fn file(&mut self, path: &Path, room: Option<String>, declared: Option<(FileId, usize)>) -> FileId {
        let relative = path.strip_prefix(self.project).unwrap_or(path);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        self.tree.files.push(SourceFile { name: parts.join("/"), room, declared });
        FileId(self.tree.files.len() - 1)
    }

    /// Reads a file and its child modules, whose files are in the directory `children`.
    fn module_file(
        &mut self,
        path: &Path,
        file: FileId,
        parent: Option<ModuleId>,
        children: &Path,
        names: &[String],
    ) -> Result<Option<ModuleId>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let parsed = syn::parse_file(&text).map_err(|error| {
            let line = error.span().start().line;
            anyhow::anyhow!("{}:{line}: {error}", self.tree.file(file).name)
        })?;
        if attributes::only_in_tests(&parsed.attrs) {
            return Ok(None);
        }
        self.module(parsed.items, file, parent, children, names).map(Some)
    }

    fn module(
        &mut self,
        items: Vec<Item>,
        file: FileId,
        parent: Option<ModuleId>,
        children: &Path,
        names: &[String],
    ) -> Result<ModuleId> {
        let id = ModuleId(self.tree.modules.len());
        let items: Vec<Item> =
            items.into_iter().filter(|item| !attributes::only_in_tests(attributes::of_item(item))).collect();
        let scope = Scope::of(&items);
        for name in scope.macros() {
            self.tree.macros.entry(name.to_owned()).or_default().push(file);
        }
        let (declarations, items) = items.into_iter().partition(|item| matches!(item, Item::Mod(_)));
        self.tree.modules.push(Module { parent, file, scope, items });
        for declaration in declarations {
            let Item::Mod(declaration) = declaration else { continue };
            let name = attributes::name(&declaration.ident);
            let public = attributes::is_visible_outside(&declaration.vis);
            if let Some(child) = self.child(declaration, file, id, children, names)? {
                self.add_child(id, name, child, public);
            }
        }
        Ok(id)
    }

    #[expect(clippy::indexing_slicing, reason = "the module was added just before")]
    fn add_child(&mut self, parent: ModuleId, name: String, child: ModuleId, public: bool) {
        self.tree.modules[parent.0].scope.add_module(name, child, public);
    }

    fn child(
        &mut self,
        declaration: ItemMod,
        file: FileId,
        parent: ModuleId,
        directory: &Path,
        names: &[String],
    ) -> Result<Option<ModuleId>> {
        let name = attributes::name(&declaration.ident);
        let line = declaration.ident.span().start().line;
        let mut names = names.to_vec();
        names.push(name.clone());
        let children = directory.join(&name);
        if let Some((_, items)) = declaration.content {
            return self.module(items, file, Some(parent), &children, &names).map(Some);
        }
        let written = attributes::path(&declaration.attrs);
        let (path, children) = match &written {
            Some(written) => {
                let own = self.project.join(&self.tree.file(file).name);
                let path = own.parent().unwrap_or(directory).join(written);
                let children = path.parent().map(Path::to_owned).unwrap_or_default();
                (path, children)
            }
            None => (module_path(directory, &name), children),
        };
        if !path.is_file() {
            bail!("{}:{line}: the file of `mod {name};` is missing", self.tree.file(file).name);
        }
        let id = self.file(&path, names.first().cloned(), Some((file, line)));
        self.module_file(&path, id, Some(parent), &children, &names)
    }
}

/// `NAME.rs` if it exists, else `NAME/mod.rs`.
fn module_path(directory: &Path, name: &str) -> PathBuf {
    let file = directory.join(format!("{name}.rs"));
    if file.is_file() { file } else { directory.join(name).join("mod.rs") }
}

//! What Rust code declares, and the strings that it writes.

use anyhow::{Context, Result};
use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{
    Field, ImplItemFn, ItemConst, ItemEnum, ItemFn, ItemMod, ItemStatic, ItemStruct, ItemTrait, ItemType,
    LitStr, PatIdent, TraitItemFn, TraitItemType, Variant,
};

use super::{Declared, NAMES, STRINGS};

/// Old names that the code declares, and old strings that it writes.
pub(super) fn problems(file: &str, text: &str) -> Result<Vec<String>> {
    let parsed = syn::parse_file(text).with_context(|| format!("cannot parse {file}"))?;
    let mut found = Found { file, problems: Vec::new() };
    found.visit_file(&parsed);
    Ok(found.problems)
}

struct Found<'a> {
    file: &'a str,
    problems: Vec<String>,
}

impl Found<'_> {
    fn name(&mut self, name: &Ident, as_what: Declared) {
        let is_banned = |banned: Declared| match banned {
            Declared::Anywhere => true,
            Declared::AsItem => as_what != Declared::Anywhere,
            Declared::AsModule => as_what == Declared::AsModule,
        };
        for (old, _, new) in NAMES.iter().filter(|(old, banned, _)| name == old && is_banned(*banned)) {
            let (file, line) = (self.file, name.span().start().line);
            self.problems.push(format!("{file}:{line}: `{old}`: say `{new}`"));
        }
    }
}

/// A method that notes the name of a declared item and looks into it.
macro_rules! items {
    ($($method:ident: $item:ty, $($name:ident).+;)*) => {
        $(fn $method(&mut self, item: &$item) {
            self.name(&item.$($name).+, Declared::AsItem);
            visit::$method(self, item);
        })*
    };
}

impl Visit<'_> for Found<'_> {
    items! {
        visit_item_struct: ItemStruct, ident;
        visit_item_enum: ItemEnum, ident;
        visit_item_trait: ItemTrait, ident;
        visit_item_type: ItemType, ident;
        visit_item_const: ItemConst, ident;
        visit_item_static: ItemStatic, ident;
        visit_item_fn: ItemFn, sig.ident;
        visit_impl_item_fn: ImplItemFn, sig.ident;
        visit_trait_item_fn: TraitItemFn, sig.ident;
        visit_trait_item_type: TraitItemType, ident;
        visit_variant: Variant, ident;
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        self.name(&item.ident, Declared::AsModule);
        visit::visit_item_mod(self, item);
    }

    fn visit_field(&mut self, field: &Field) {
        if let Some(name) = &field.ident {
            self.name(name, Declared::AsItem);
        }
        visit::visit_field(self, field);
    }

    fn visit_pat_ident(&mut self, pattern: &PatIdent) {
        self.name(&pattern.ident, Declared::Anywhere);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_lit_str(&mut self, literal: &LitStr) {
        let value = literal.value();
        for (old, new) in STRINGS.iter().filter(|(old, _)| value == *old) {
            let (file, line) = (self.file, literal.span().start().line);
            self.problems.push(format!("{file}:{line}: \"{old}\": say \"{new}\""));
        }
    }
}

//! The mutants of constants. The compiler evaluates a constant, so it is changed where it is used.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr as _;

use anyhow::{Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::Place;

/// A constant with mutants.
pub(super) struct Constant {
    pub(super) type_text: String,
    /// How often its name is in the file, without its definition.
    pub(super) uses: usize,
    /// By their numbers, what the constant is instead.
    pub(super) mutants: Vec<(u32, String)>,
}

/// The constants of a file that nothing outside the file sees, with their mutants, which are taken out of `open`.
pub(super) fn find(
    source: &str,
    file: &syn::File,
    open: &mut BTreeMap<(Place, &str), Vec<(u32, String)>>,
    below: &str,
) -> Result<BTreeMap<String, Constant>> {
    let tokens = TokenStream::from_str(source).map_err(|error| anyhow!("{error}"))?;
    let mut constants = BTreeMap::new();
    for item in &file.items {
        let syn::Item::Const(item) = item else { continue };
        let name = item.ident.to_string();
        let is_private = matches!(item.vis, syn::Visibility::Inherited);
        if !is_private || below.contains(&name) {
            continue;
        }
        let mut operators = Operators::default();
        operators.visit_expr(&item.expr);
        let whole = item.expr.span().byte_range();
        let mut mutants = Vec::new();
        for (place, operator) in operators.0 {
            for (number, other) in open.remove(&(place, "BinaryOperator")).unwrap_or_default() {
                let before = source.get(whole.start..operator.start).unwrap_or_default();
                let after = source.get(operator.end..whole.end).unwrap_or_default();
                mutants.push((number, format!("{before}{other}{after}")));
            }
        }
        if !mutants.is_empty() {
            let type_text = source.get(item.ty.span().byte_range()).unwrap_or_default().to_owned();
            let uses = count(tokens.clone(), &name) - 1;
            constants.insert(name, Constant { type_text, uses, mutants });
        }
    }
    Ok(constants)
}

/// How often a name is anywhere in the code.
fn count(tokens: TokenStream, name: &str) -> usize {
    let of = |token| match token {
        TokenTree::Group(group) => count(group.stream(), name),
        TokenTree::Ident(ident) => usize::from(ident == name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => 0,
    };
    tokens.into_iter().map(of).sum()
}

/// The operators of an expression.
#[derive(Default)]
struct Operators(Vec<(Place, Range<usize>)>);

impl<'ast> Visit<'ast> for Operators {
    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let start = binary.op.span().start();
        let place = Place { line: start.line, column: start.column + 1 };
        self.0.push((place, binary.op.span().byte_range()));
        visit::visit_expr_binary(self, binary);
    }
}

//! Finds paths in the tokens of a macro invocation. The tokens have no known grammar, so everything that looks like a path
//! counts.

use proc_macro2::{Spacing, TokenStream, TokenTree};

use super::attributes;
use super::scope::ImportPath;

/// Calls `found` with each path (`a`, `a::b`, `a::b::c`) and its line. Skips fields, methods and parts of longer paths.
pub(super) fn paths(tokens: &TokenStream, found: &mut dyn FnMut(&ImportPath, usize)) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut rest = tokens.as_slice();
    let mut before = Before::Nothing;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match token {
            TokenTree::Group(group) => {
                paths(&group.stream(), found);
                before = Before::Nothing;
            }
            TokenTree::Punct(punct) => {
                before = match (punct.as_char(), before) {
                    // The second dot of `..x` does not precede a field.
                    ('.', Before::Nothing | Before::Dollar | Before::Colon) => Before::Dot,
                    (':', Before::Colon) => Before::Path,
                    (':', _) if punct.spacing() == Spacing::Joint => Before::Colon,
                    ('$', _) => Before::Dollar,
                    _ => Before::Nothing,
                };
            }
            TokenTree::Literal(_) => before = Before::Nothing,
            TokenTree::Ident(first) => {
                let mut segments = vec![attributes::name(first)];
                let mut line = first.span().start().line;
                while let [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(next), after @ ..] =
                    rest
                {
                    if one.as_char() != ':' || one.spacing() != Spacing::Joint || two.as_char() != ':' {
                        break;
                    }
                    segments.push(attributes::name(next));
                    line = next.span().start().line;
                    rest = after;
                }
                let begins_here = match before {
                    Before::Nothing | Before::Colon => true,
                    // `$crate::a` is a path; `$name` is not.
                    Before::Dollar => first == "crate",
                    Before::Dot | Before::Path => false,
                };
                if begins_here {
                    found(&ImportPath { absolute: false, segments }, line);
                }
                before = Before::Nothing;
            }
        }
    }
}

/// The kind of the previous token.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Dot,
    Colon,
    /// `::` at the start of another crate's path, or after a type in angle brackets.
    Path,
    Dollar,
}

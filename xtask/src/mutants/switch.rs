//! Writes all mutants of a file into it at once, each behind its number: the program makes the one whose number it is told.
//! So the code is compiled once for all of them.

mod constants;
mod writer;

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result};
use serde::Deserialize;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use self::constants::Constant;
use self::writer::Writer;
use super::outcomes::Mutant;

/// What a crate with such files has in its root: whether a mutant is to be made, and which of them a test comes to.
pub(super) const MODULE: &str = r#"
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic, clippy::unwrap_used)]
pub mod mutant_switch {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex};

    static ACTIVE: LazyLock<u32> = LazyLock::new(|| {
        std::env::var("VESTIBULE_MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(0)
    });
    static REACHED: LazyLock<Option<Mutex<(std::fs::File, BTreeSet<u32>)>>> = LazyLock::new(|| {
        let path = std::env::var_os("VESTIBULE_MUTANTS_REACHED")?;
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path).ok()?;
        Some(Mutex::new((file, BTreeSet::new())))
    });

    pub fn is(number: u32) -> bool {
        if let Some(reached) = &*REACHED {
            let mut reached = reached.lock().unwrap();
            if reached.1.insert(number) {
                writeln!(reached.0, "{number}").unwrap();
            }
        }
        *ACTIVE == number
    }

    pub fn none(numbers: &[u32]) -> bool {
        !numbers.iter().fold(false, |any, number| is(*number) || any)
    }
}
"#;

/// A mutant as cargo-mutants lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) file: String,
    genre: String,
    replacement: String,
    span: Extent,
    function: Option<Function>,
}

impl Change {
    pub(super) fn mutant(&self) -> Mutant {
        Mutant { name: self.name.clone(), file: self.file.clone() }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Extent {
    start: Place,
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

#[derive(Clone, Debug, Deserialize)]
struct Function {
    return_type: String,
}

/// The output of `cargo mutants --list --json`.
pub(super) fn list(text: &str) -> Result<Vec<Change>> {
    serde_json::from_str(text).context("cannot read cargo-mutants' list")
}

/// A file with its mutants.
pub(super) struct Switched {
    pub(super) text: String,
    /// The numbers of the mutants that are in it. What a program cannot choose is not.
    pub(super) numbers: Vec<u32>,
    /// Those that do not compile, whatever is around them.
    pub(super) unviable: Vec<u32>,
}

/// Writes these mutants, by their numbers, into a file. `below` is the text of the modules below it, which also see its
/// constants.
pub(super) fn switched(source: &str, changes: &[(u32, &Change)], below: &str) -> Result<Switched> {
    let file = syn::parse_file(source)?;
    let mut open: BTreeMap<(Place, &str), Vec<(u32, String)>> = BTreeMap::new();
    for (number, change) in changes {
        // Both ends of such a function would need the same type, which has no name.
        let returns = change.function.as_ref().map_or("", |function| function.return_type.as_str());
        if returns.contains("impl ") && !returns.contains("impl Iterator<") && change.genre == "FnValue" {
            continue;
        }
        let key = (change.span.start, change.genre.as_str());
        open.entry(key).or_default().push((*number, change.replacement.clone()));
    }
    let constants = constants::find(source, &file, &mut open, below)?;
    let mut finder = Finder { open, constants, sites: Vec::new(), unviable: Vec::new() };
    finder.visit_file(&file);
    let Finder { constants, mut sites, unviable, .. } = finder;
    // Where the compiler uses a constant, a program cannot choose it.
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for site in &sites {
        if let Form::Constant(name) = &site.form {
            *uses.entry(name.clone()).or_default() += 1;
        }
    }
    sites.retain(|site| match &site.form {
        Form::Constant(name) => constants.get(name).map(|constant| &constant.uses) == uses.get(name),
        _ => true,
    });
    // What contains another one comes first; of two in the same place, the one that was found first.
    sites.sort_by_key(|site| (site.range.start, std::cmp::Reverse(site.range.end)));
    let mut numbers: Vec<u32> =
        sites.iter().flat_map(|site| site.mutants.iter().map(|(number, _)| *number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let text = Writer { source, sites: &sites, constants: &constants }.text(0..source.len(), 0);
    Ok(Switched { text, numbers, unviable })
}

/// The number of the innermost mutant that a byte of such a file belongs to, and whether the byte is of what it changes
/// only.
pub(super) fn number_at(text: &str, byte: usize) -> Option<(u32, bool)> {
    let mut open: Vec<(u32, bool)> = Vec::new();
    let mut rest = text.get(..byte)?;
    while let Some(start) = rest.find("/*mutant ") {
        rest = rest.get(start + "/*mutant ".len()..)?;
        let Some(end) = rest.find("*/") else { break };
        let word = rest.get(..end)?;
        match word.split_once(' ') {
            Some((number, kind)) => open.push((number.parse().ok()?, kind == "change")),
            None => drop(open.pop()),
        }
        rest = rest.get(end..)?;
    }
    open.pop()
}

/// How a mutant is chosen.
enum Form {
    /// The function returns at once.
    Return,
    /// A comparison or its opposite.
    Opposite,
    /// `&&` or `||`, whose right side is evaluated for the other value of the left one.
    Logic { operator: Range<usize>, and: bool },
    /// The whole expression once more for each operator.
    Operators(Range<usize>),
    /// With or without its `!` or `-`, which ends here.
    Without(usize),
    /// A guard, which may be true or false.
    Guard,
    /// An arm without a guard, which is left out.
    Arm,
    /// The block of a function that returns an iterator without a name: nothing of it, and what is changed behind it.
    Iterator,
    /// This constant where it is used.
    Constant(String),
}

struct Site {
    range: Range<usize>,
    form: Form,
    mutants: Vec<(u32, String)>,
}

struct Finder<'a> {
    open: BTreeMap<(Place, &'a str), Vec<(u32, String)>>,
    constants: BTreeMap<String, Constant>,
    sites: Vec<Site>,
    unviable: Vec<u32>,
}

impl Finder<'_> {
    fn find(&mut self, span: proc_macro2::Span, genre: &'static str) -> Option<Vec<(u32, String)>> {
        let start = span.start();
        self.open.remove(&(Place { line: start.line, column: start.column + 1 }, genre))
    }

    fn add(&mut self, range: Range<usize>, form: Form, mutants: Option<Vec<(u32, String)>>) {
        self.sites.extend(mutants.map(|mutants| Site { range, form, mutants }));
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if let Some(first) = block.stmts.first() {
            let start = block.brace_token.span.open().byte_range().end;
            let end = block.brace_token.span.close().byte_range().start;
            let mutants = self.find(first.span(), "FnValue");
            let has_no_name = matches!(&signature.output, syn::ReturnType::Type(_, output) if matches!(**output, syn::Type::ImplTrait(_)));
            if has_no_name {
                self.add(start..end, Form::Iterator, mutants);
            } else {
                self.add(start..start, Form::Return, mutants);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    // What is evaluated by the compiler cannot ask for a number.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if item.sig.constness.is_none() {
            self.body(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.sig.constness.is_none() {
            self.body(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let range = binary.left.span().byte_range().start..binary.right.span().byte_range().end;
        let operator = binary.op.span().byte_range();
        let form = match binary.op {
            syn::BinOp::And(_) => Some(Form::Logic { operator, and: true }),
            syn::BinOp::Or(_) => Some(Form::Logic { operator, and: false }),
            syn::BinOp::Eq(_) | syn::BinOp::Ne(_) | syn::BinOp::Le(_) | syn::BinOp::Ge(_) => {
                Some(Form::Opposite)
            }
            _ => Some(Form::Operators(operator)),
        };
        let mutants = self.find(binary.op.span(), "BinaryOperator");
        if has_let(&binary.left) || has_let(&binary.right) {
            // A `let` stands in a chain of `&&` only.
            self.unviable.extend(mutants.into_iter().flatten().map(|(number, _)| number));
        } else if let Some(form) = form {
            self.add(range, form, mutants);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let range = unary.op.span().byte_range().start..unary.expr.span().byte_range().end;
        let mutants = self.find(unary.op.span(), "UnaryOperator");
        self.add(range, Form::Without(unary.op.span().byte_range().end), mutants);
        visit::visit_expr_unary(self, unary);
    }

    // The length is a constant.
    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_expr(&mut self, expression: &'ast syn::Expr) {
        if let syn::Expr::Path(path) = expression
            && let Some(name) = path.path.get_ident().map(ToString::to_string)
            && let Some(constant) = self.constants.get(&name)
        {
            let mutants = constant.mutants.clone();
            self.add(expression.span().byte_range(), Form::Constant(name), Some(mutants));
        }
        visit::visit_expr(self, expression);
    }

    // A pattern's constants are the compiler's.
    fn visit_pat(&mut self, pattern: &'ast syn::Pat) {
        if !matches!(pattern, syn::Pat::Range(_) | syn::Pat::Lit(_) | syn::Pat::Path(_) | syn::Pat::Const(_))
        {
            visit::visit_pat(self, pattern);
        }
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        // Without such an arm, one with a guard is not enough for the compiler.
        if !expression.arms.iter().any(|arm| matches!(arm.pat, syn::Pat::Wild(_))) {
            for arm in &expression.arms {
                self.find(arm.span(), "MatchArm");
            }
        }
        visit::visit_expr_match(self, expression);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let syn::Pat::Guard(guard) = &arm.pat {
            if !has_let(&guard.guard) {
                let mutants = self.find(guard.guard.span(), "MatchArmGuard");
                self.add(guard.guard.span().byte_range(), Form::Guard, mutants);
            }
        } else {
            let end = arm.pat.span().byte_range().end;
            let mutants = self.find(arm.span(), "MatchArm");
            self.add(end..end, Form::Arm, mutants);
        }
        visit::visit_arm(self, arm);
    }
}

/// Whether this is a condition with a `let` of its own.
fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_at(line: usize, column: usize, genre: &str, replacement: &str) -> Change {
        Change {
            name: String::new(),
            file: String::new(),
            genre: genre.to_owned(),
            replacement: replacement.to_owned(),
            span: Extent { start: Place { line, column } },
            function: None,
        }
    }

    fn text_of(source: &str, changes: &[Change]) -> String {
        let numbered: Vec<(u32, &Change)> = (1..).zip(changes).collect();
        let switched = switched(source, &numbered, "").unwrap();
        let plain = switched.text.replace("crate::mutant_switch::", "");
        syn::parse_file(&switched.text).unwrap();
        let mut text = String::new();
        for (index, piece) in plain.split("/*mutant ").enumerate() {
            text.push_str(if index == 0 { piece } else { piece.split_once("*/").unwrap().1 });
        }
        text
    }

    #[test]
    fn a_mutant_is_behind_its_number() {
        let body = change_at(1, 23, "FnValue", "true");
        assert_eq!(
            text_of("fn f(x: u8) -> bool { x > 3 }", &[body]),
            "fn f(x: u8) -> bool { if is(1) { return true; }  x > 3 }"
        );
        let opposite = change_at(1, 25, "BinaryOperator", "!=");
        assert_eq!(
            text_of("fn f(x: u8) -> bool { x == 3 }", &[opposite]),
            "fn f(x: u8) -> bool { ((x == 3) != is(1)) }"
        );
    }

    #[test]
    fn a_mutant_in_another_one_is_made_in_each_of_its_forms() {
        let logic = change_at(1, 12, "BinaryOperator", "||");
        let not = change_at(1, 15, "UnaryOperator", "");
        assert_eq!(
            text_of("fn f() { a && !b; }", &[logic, not]),
            "fn f() { ({ let __left: bool = a ; if __left != is(1) {  (if none(&[2]) { (!b) } else { (b) }) } else { __left } }); }"
        );
        let less = change_at(1, 12, "BinaryOperator", "<=");
        let sum = change_at(1, 16, "BinaryOperator", "-");
        assert_eq!(
            text_of("fn f() { a < b + c; }", &[less, sum]),
            "fn f() { (if none(&[1]) { (a  <  (if none(&[2]) { (b  +  c) } else { (b  -  c) })) } else { (a  <=  (if none(&[2]) { (b  +  c) } else { (b  -  c) })) }); }"
        );
    }

    #[test]
    fn an_arm_is_left_out_by_a_guard() {
        let source = "fn f() { match a {\n b => c,\n d if e == f => g,\n _ => h,\n} }";
        let changes = [
            change_at(2, 2, "MatchArm", ""),
            change_at(3, 7, "MatchArmGuard", "true"),
            change_at(3, 7, "MatchArmGuard", "false"),
            change_at(3, 9, "BinaryOperator", "!="),
        ];
        assert_eq!(
            text_of(source, &changes),
            "fn f() { match a {\n b if !is(1) => c,\n d if (!is(3) && (is(2) || (((e == f) != is(4))))) => g,\n _ => h,\n} }"
        );
    }

    #[test]
    fn a_constant_is_changed_where_it_is_used() {
        let constant = || change_at(1, 17, "BinaryOperator", "+");
        assert_eq!(
            text_of("const A: u8 = 2 * 3; fn f() { g(A) }", &[constant()]),
            "const A: u8 = 2 * 3; fn f() { g((if none(&[1]) { A } else if is(1) { const CHANGED: u8 = 2 + 3; CHANGED } else { A })) }"
        );
        for source in [
            "const A: u8 = 2 * 3; fn f(x: [u8; A]) { g(A) }",
            "const A: u8 = 2 * 3; const B: u8 = A;",
            "const A: u8 = 2 * 3; fn f() { match g() { A => h(A), _ => {} } }",
            "const A: u8 = 2 * 3; fn f() { g!(A) }",
        ] {
            assert_eq!(text_of(source, &[constant()]), source);
        }
        let shown = "pub const A: u8 = 2 * 3; fn f() { g(A) }";
        assert_eq!(text_of(shown, &[change_at(1, 21, "BinaryOperator", "+")]), shown);
        let source = "const A: u8 = 2 * 3; fn f() { g(A) }";
        let seen = switched(source, &[(1, &constant())], "fn h() { super::A }").unwrap();
        assert_eq!((seen.text.as_str(), seen.numbers.len()), (source, 0));
    }

    #[test]
    fn an_iterator_without_a_name_gives_nothing_or_something_else() {
        let mut mutants =
            ["::std::iter::empty()", "::std::iter::once(0)"].map(|value| change_at(1, 40, "FnValue", value));
        for mutant in &mut mutants {
            mutant.function = Some(Function { return_type: "-> impl Iterator<Item = u8>".to_owned() });
        }
        assert_eq!(
            text_of("fn f() -> impl Iterator<Item = u8> {   g() }", &mutants),
            "fn f() -> impl Iterator<Item = u8> {({   g() }).filter(|_| none(&[1, 2])).chain(is(1).then(|| ::std::iter::empty()).into_iter().flatten()).chain(is(2).then(|| ::std::iter::once(0)).into_iter().flatten())}"
        );
    }

    #[test]
    fn a_chain_with_a_let_has_no_other_operator() {
        let condition = change_at(1, 15, "BinaryOperator", "||");
        let source = "fn f() { if a && let Some(b) = c { d } }";
        let switched = switched(source, &[(1, &condition)], "").unwrap();
        assert_eq!((switched.text.as_str(), switched.unviable), (source, vec![1]));
    }

    #[test]
    fn a_mistake_belongs_to_the_innermost_mutant() {
        let text = "a /*mutant 3 form*/ b /*mutant 7 change*/ c /*mutant end*/ d /*mutant end*/ e";
        let at = |letter: &str| number_at(text, text.rfind(&format!(" {letter} ")).unwrap() + 1);
        assert_eq!([at("b"), at("c"), at("d")], [Some((3, false)), Some((7, true)), Some((3, false))]);
        assert_eq!((number_at(text, 0), number_at(text, text.len())), (None, None));
    }
}

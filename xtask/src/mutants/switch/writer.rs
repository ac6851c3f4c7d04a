//! Writes each mutant where the program chooses it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::constants::Constant;
use super::{Form, Site};

/// What a file with mutants is written from.
pub(super) struct Writer<'a> {
    pub(super) source: &'a str,
    pub(super) sites: &'a [Site],
    pub(super) constants: &'a BTreeMap<String, Constant>,
}

impl Writer<'_> {
    /// A part of the file with the sites in it, of those from `first` on.
    pub(super) fn text(&self, range: Range<usize>, first: usize) -> String {
        let (mut text, mut at) = (String::new(), range.start);
        for (index, site) in self.sites.iter().enumerate().skip(first) {
            if site.range.start >= range.end {
                break;
            }
            if site.range.start < at || site.range.end > range.end {
                continue;
            }
            text.push_str(self.source.get(at..site.range.start).unwrap_or_default());
            text.push_str(&self.site(site, index));
            at = site.range.end;
        }
        text.push_str(self.source.get(at..range.end).unwrap_or_default());
        text
    }

    fn site(&self, site: &Site, index: usize) -> String {
        let Range { start, end } = site.range;
        let part = |range| self.text(range, index + 1);
        let is = |number: u32| format!("crate::mutant_switch::is({number})");
        let numbers: Vec<u32> = site.mutants.iter().map(|(number, _)| *number).collect();
        let none = format!("crate::mutant_switch::none(&{numbers:?})");
        let first = numbers.first().copied().unwrap_or_default();
        match &site.form {
            Form::Return => site.mutants.iter().fold(String::new(), |mut text, (number, value)| {
                let _ = write!(text, " if {} {{ return {}; }} ", is(*number), change(*number, value));
                text
            }),
            Form::Opposite => form(first, &format!("(({}) != {})", part(start..end), is(first))),
            Form::Logic { operator, and } => {
                let (left, right) = (part(start..operator.start), part(operator.end..end));
                let comparison = if *and { "!=" } else { "==" };
                form(
                    first,
                    &format!(
                        "({{ let __left: bool = {left}; if __left {comparison} {} {{ {right} }} else {{ __left }} }})",
                        is(first)
                    ),
                )
            }
            Form::Operators(operator) => {
                let (left, right) = (part(start..operator.start), part(operator.end..end));
                let written = self.source.get(operator.clone()).unwrap_or_default();
                let mut text = format!("(if {none} {{ ({left} {written} {right}) }}");
                for (position, (number, other)) in site.mutants.iter().enumerate() {
                    let condition = if position + 1 == site.mutants.len() {
                        String::new()
                    } else {
                        format!("if {} ", is(*number))
                    };
                    let changed = change(*number, &format!("({left} {other} {right})"));
                    let _ = write!(text, " else {condition}{{ {changed} }}");
                }
                form(first, &(text + ")"))
            }
            Form::Without(operand) => {
                let operator = self.source.get(start..*operand).unwrap_or_default();
                let operand = part(*operand..end);
                let changed = change(first, &format!("({operand})"));
                form(first, &format!("(if {none} {{ ({operator}{operand}) }} else {{ {changed} }})"))
            }
            Form::Guard => {
                let mut text = format!("({})", part(start..end));
                for (number, value) in &site.mutants {
                    text = match value.as_str() {
                        "true" => format!("({} || {text})", is(*number)),
                        _ => format!("(!{} && {text})", is(*number)),
                    };
                }
                text
            }
            Form::Arm => format!(" if !{}", is(first)),
            Form::Iterator => {
                let mut text = format!("({{{}}}).filter(|_| {none})", part(start..end));
                for (number, value) in &site.mutants {
                    let value = change(*number, value);
                    let _ = write!(text, ".chain({}.then(|| {value}).into_iter().flatten())", is(*number));
                }
                form(first, &text)
            }
            Form::Constant(name) => {
                let type_text = self.constants.get(name).map_or("", |constant| &constant.type_text);
                let mut text = format!("(if {none} {{ {name} }}");
                for (number, value) in &site.mutants {
                    let value = change(*number, &format!("const CHANGED: {type_text} = {value}; CHANGED"));
                    let _ = write!(text, " else if {} {{ {value} }}", is(*number));
                }
                form(first, &(text + &format!(" else {{ {name} }})")))
            }
        }
    }
}

/// Marks what the compiler sees of one mutant only.
fn change(number: u32, text: &str) -> String {
    format!("/*mutant {number} change*/{text}/*mutant end*/")
}

/// Marks what a mutant is written as together with the code.
fn form(number: u32, text: &str) -> String {
    format!("/*mutant {number} form*/{text}/*mutant end*/")
}

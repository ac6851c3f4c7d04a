//! The path of an icon (SVG 2 section 9.3, "Path data"), with its numbers rounded.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::CharIndices;

use anyhow::{Context, Result, bail, ensure};

/// How many decimals a number keeps. A page shows 24 units on 20 pixels, so the error is a twenty-fifth of a pixel at most:
/// on a screen with three pixels for each, no difference was seen.
const DECIMALS: usize = 1;
/// Ten to the power of that.
const SCALE: f64 = 10.0;

/// The path with rounded numbers. The error of a point does not carry over to the next one.
pub(super) fn rounded(path: &str) -> Result<String> {
    let (mut text, mut last) = (String::new(), ' ');
    let (mut exact, mut start) = (Point::default(), Point::default());
    for Segment { command, numbers } in segments(path)? {
        let is_relative = command.is_ascii_lowercase();
        let from = if is_relative { exact } else { Point::default() };
        let origin = if is_relative { exact.rounded() } else { Point::default() };
        // From where the numbers count, to where the rounded path is.
        let moved = |axis: Axis, number: f64| number + from.on(axis) - origin.on(axis);
        let mut written = Vec::new();
        for (at, number) in numbers.iter().enumerate() {
            written.push(match axis(command, at) {
                Some(axis) => moved(axis, *number),
                None => *number,
            });
        }
        for (at, number) in numbers.iter().enumerate().rev().take(2) {
            match axis(command, at) {
                Some(Axis::X) => exact.x = from.x + number,
                Some(Axis::Y) => exact.y = from.y + number,
                None => {}
            }
        }
        match command.to_ascii_uppercase() {
            'M' => start = exact,
            'Z' => exact = start,
            _ => {}
        }
        // After M, further points are lines; any other command is repeated without its letter.
        let implied = match last {
            'M' => 'L',
            'm' => 'l',
            other => other,
        };
        let is_repeated = command == implied && command != 'z';
        if !is_repeated {
            text.push(command);
        }
        last = command;
        for (at, number) in written.into_iter().enumerate() {
            // What follows a flag cannot run into it: a flag is one digit.
            let follows_flag = command.eq_ignore_ascii_case(&'a') && matches!(at, 4 | 5);
            append(&mut text, number, !follows_flag && (at > 0 || is_repeated));
        }
    }
    Ok(text)
}

#[derive(Clone, Copy, Default)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Copy)]
enum Axis {
    X,
    Y,
}

impl Point {
    fn on(self, axis: Axis) -> f64 {
        match axis {
            Axis::X => self.x,
            Axis::Y => self.y,
        }
    }

    fn rounded(self) -> Self {
        let round = |number: f64| (number * SCALE).round() / SCALE;
        Self { x: round(self.x), y: round(self.y) }
    }
}

struct Segment {
    command: char,
    numbers: Vec<f64>,
}

/// How many numbers a command takes.
fn arity(command: char) -> Result<usize> {
    Ok(match command.to_ascii_uppercase() {
        'Z' => 0,
        'H' | 'V' => 1,
        'M' | 'L' | 'T' => 2,
        'S' | 'Q' => 4,
        'C' => 6,
        'A' => 7,
        _ => bail!("{command:?} is no command of a path"),
    })
}

/// The axis of a command's number; `None` for the radii, the rotation and the flags of an arc.
fn axis(command: char, at: usize) -> Option<Axis> {
    match (command.to_ascii_uppercase(), at) {
        ('V', _) | ('A', 6) => Some(Axis::Y),
        ('H', _) | ('A', 5) => Some(Axis::X),
        ('A', _) => None,
        (_, at) => Some(if at % 2 == 0 { Axis::X } else { Axis::Y }),
    }
}

fn segments(path: &str) -> Result<Vec<Segment>> {
    let mut rest = path.char_indices().peekable();
    let (mut segments, mut command) = (Vec::new(), None);
    loop {
        skip_separators(&mut rest);
        let Some((_, next)) = rest.peek().copied() else { break };
        let current = if next.is_ascii_alphabetic() {
            rest.next();
            next
        } else {
            match command.context("a path begins with a command")? {
                'M' => 'L',
                'm' => 'l',
                'Z' | 'z' => bail!("a number after the end of a path"),
                repeated => repeated,
            }
        };
        let mut numbers = Vec::new();
        for at in 0..arity(current)? {
            let is_flag = current.eq_ignore_ascii_case(&'a') && matches!(at, 3 | 4);
            skip_separators(&mut rest);
            numbers.push(number(path, &mut rest, is_flag)?);
        }
        segments.push(Segment { command: current, numbers });
        command = Some(current);
    }
    Ok(segments)
}

fn skip_separators(rest: &mut Peekable<CharIndices<'_>>) {
    while rest.next_if(|(_, c)| matches!(c, ' ' | ',')).is_some() {}
}

/// A number. A flag is one digit, which the next number may follow at once.
fn number(path: &str, rest: &mut Peekable<CharIndices<'_>>, is_flag: bool) -> Result<f64> {
    let from = rest.peek().context("a number is missing")?.0;
    let mut has_point = false;
    let mut until = from;
    while let Some((at, c)) = rest.next_if(|(at, c)| match c {
        '0'..='9' => true,
        '-' => *at == from,
        '.' => !has_point,
        _ => false,
    }) {
        has_point |= c == '.';
        until = at + 1;
        if is_flag {
            break;
        }
    }
    let text = path.get(from..until).unwrap_or_default();
    ensure!(!is_flag || matches!(text, "0" | "1"), "{text:?} is no flag");
    text.parse().with_context(|| format!("{text:?} is no number"))
}

/// Appends a number in its shortest form, with a space where it would run into the one before it.
fn append(text: &mut String, number: f64, may_run_into: bool) {
    let mut written = format!("{number:.DECIMALS$}");
    let trimmed = written.trim_end_matches('0').trim_end_matches('.').len();
    written.truncate(trimmed);
    let shortest = match written.as_str() {
        "" | "-" | "-0" => "0".to_owned(),
        other => other
            .replacen("-0.", "-.", 1)
            .strip_prefix("0.")
            .map_or_else(|| other.replacen("-0.", "-.", 1), |d| format!(".{d}")),
    };
    let has_point =
        text.rsplit(|c: char| c != '.' && !c.is_ascii_digit()).next().is_some_and(|last| last.contains('.'));
    let needs_space = may_run_into && !shortest.starts_with('-') && !(shortest.starts_with('.') && has_point);
    let _ = write!(text, "{}{shortest}", if needs_space { " " } else { "" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_written_shortly() {
        for (path, expected) in [
            ("M1.24 5.68L0.5,-0.21Z", "M1.2 5.7.5-.2Z"),
            ("m1 1 2.04-3.06h.5v10", "m1 1 2-3.1h.5v10"),
            ("M0 0a1.19 1 0 01.5.5 2 2 0 10-1 1z", "M0 0a1.2 1 0 01.5.5 2 2 0 10-1 1z"),
            ("M.06.04C1 2 3 4 5 6 7 8 9 10 11 12", "M.1 0C1 2 3 4 5 6 7 8 9 10 11 12"),
        ] {
            assert_eq!(rounded(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn errors_do_not_add_up() {
        let steps = "l.04.04".repeat(100);
        let text = rounded(&format!("M0 0{steps}")).unwrap();
        let (mut x, mut y) = (0.0, 0.0);
        for Segment { numbers, .. } in segments(&text).unwrap().into_iter().skip(1) {
            x += numbers[0];
            y += numbers[1];
        }
        assert!((x - 4.0_f64).abs() < 0.06 && (y - 4.0_f64).abs() < 0.06, "{x} {y}");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["1 2", "M1", "M1 2b3", "M1 2z3", "M1 2a1 1 0 2 0 1 1", "M1 x", "M--1 2"] {
            assert!(rounded(path).is_err(), "{path}");
        }
        assert_eq!(rounded("").unwrap(), "");
    }
}

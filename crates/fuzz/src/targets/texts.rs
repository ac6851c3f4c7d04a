//! Dates, paths into JSON, and templates.

use serde_json::{Map, Value};
use vestibule_core::data::{DataPath, Template};
use vestibule_core::http::percent;
use vestibule_core::time::Timestamp;

use crate::input::{error_shape, first_line, shape, text};
use crate::{Shape, Target, obvious};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "dates",
        about: "dates of APIs and cookies, against days that are counted one by one",
        reads: &["time::parse::Timestamp::parse_rfc3339", "time::parse::Timestamp::parse_cookie_date"],
        run: dates,
        slice: 1500,
    },
    Target {
        name: "data_path",
        about: "paths into JSON, templates and percent-encoding: what is put at a path is found there",
        reads: &["data::DataPath::parse", "data::template::Template::parse", "http::percent::decode"],
        run: path,
        slice: 1500,
    },
];

const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// Year, month from 0, and day of a time in seconds.
fn civil(seconds: u64) -> (u64, usize, u64) {
    let (mut days, mut year) = (seconds / 86_400, 1970);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    let length = |month: usize| MONTHS[month].1 + u64::from(month == 1 && is_leap(year));
    while days >= length(month) {
        days -= length(month);
        month += 1;
    }
    (year, month, days + 1)
}

/// The two ways to write a time.
fn written(seconds: u64) -> [String; 2] {
    let (year, month, day) = civil(seconds);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    [
        format!("{year:04}-{:02}-{day:02}T{time}Z", month + 1),
        format!("Thu, {day:02} {} {year:04} {time} GMT", MONTHS[month].0),
    ]
}

/// The first line is a time in seconds, the second one a text.
fn dates(input: &[u8]) -> Shape {
    let text = text(input);
    let (seconds, rest) = first_line(&text);
    let (date, _) = first_line(rest);
    let seconds = seconds.trim().parse::<u64>().unwrap_or_default() % 253_402_300_800;
    let [rfc3339, cookie] = written(seconds);
    assert_eq!(Timestamp::parse_rfc3339(&rfc3339), Some(Timestamp::from_seconds(seconds)), "{rfc3339}");
    assert_eq!(Timestamp::parse_cookie_date(&cookie), Some(Timestamp::from_seconds(seconds)), "{cookie}");
    let read = Timestamp::parse_rfc3339(date);
    if let Some(read) = read {
        // Another spelling of the same time: by the offset alone it differs from what is written.
        let local: u64 = match date
            .get(19..)
            .map(|rest| rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit()))
        {
            Some("Z" | "z") => read.seconds(),
            Some(offset) => {
                let minutes: u64 = offset[1..3].parse::<u64>().expect("hours") * 60
                    + offset[4..6].parse::<u64>().expect("minutes");
                if offset.starts_with('+') {
                    read.seconds() + minutes * 60
                } else {
                    read.seconds() - minutes * 60
                }
            }
            None => panic!("{date:?} has no offset"),
        };
        let is_leap_second = date.get(17..19) == Some("60");
        let again = &written(local - u64::from(is_leap_second))[0];
        for part in [0..10, 11..if is_leap_second { 16 } else { 19 }] {
            assert_eq!(again.get(part.clone()), date.get(part), "{date:?}");
        }
    }
    let of_cookie = Timestamp::parse_cookie_date(date);
    if let Some(read) = of_cookie {
        assert!(read.seconds() < 253_402_300_800, "{date:?}");
        assert_eq!(Timestamp::parse_cookie_date(&written(read.seconds())[1]), Some(read), "{date:?}");
    }
    shape((read.is_some(), of_cookie.is_some(), date.len().min(40)))
}

/// The first line is a path, the second one a template, the third one percent-encoded, the rest JSON.
fn path(input: &[u8]) -> Shape {
    let text = text(input);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, template, encoded, data) = (line(), line(), line(), line());
    assert_eq!(percent::decode(encoded), obvious::percent_decoded(encoded), "{encoded:?}");
    let data: Map<String, Value> = serde_json::from_str(data).unwrap_or_default();
    let (template, unknown) = Template::parse(template, &|path| path.root() == "profile");
    assert!(
        template.paths().all(|path| path.root() == "profile")
            && unknown.iter().all(|path| path.root() != "profile")
    );
    let filled = template.text(&|path| path.lookup(&data).cloned());
    assert!(template.paths().count() > 0 || line_of(&text, 1) == filled, "{filled:?}");
    let parsed = match DataPath::parse(path) {
        Ok(path) => path,
        Err(error) => return error_shape(error),
    };
    let names: Vec<&str> = std::iter::once(parsed.root()).chain(parsed.rest()).collect();
    assert!(
        names.len() <= 16 && names.iter().all(|name| !name.is_empty() || path.contains("\"\"")),
        "{path:?}"
    );
    // In quotes a name may have anything; the same names are the same path.
    assert_eq!(DataPath::new(names[0], names[1..].iter().copied()), parsed);
    let mut placed = Map::new();
    parsed.place(&mut placed, Value::from("here"));
    assert_eq!(parsed.lookup(&placed), Some(&Value::from("here")), "{path:?}");
    parsed.remove(&mut placed);
    assert_eq!(parsed.lookup(&placed), None, "{path:?}");
    let found = parsed.lookup(&data);
    let mut expected = data.get(names[0]);
    for name in &names[1..] {
        expected = expected.and_then(|value| match value {
            Value::Object(members) => members.get(*name),
            Value::Array(items) => {
                let digits = name.trim_start_matches('0');
                let is_index = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
                let at = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
                at.filter(|_| is_index).and_then(|at: usize| items.get(at))
            }
            _ => None,
        });
    }
    assert_eq!(found, expected, "{path:?}");
    shape((names.len(), found.is_some(), unknown.len().min(3), filled.len().min(20)))
}

fn line_of(text: &str, number: usize) -> &str {
    text.split('\n').nth(number).unwrap_or_default()
}

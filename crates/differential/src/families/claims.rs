//! Texts of claims: JSON objects, and what is nearly one.

use serde_json::{Map, Value};

use crate::NOW;
use crate::random::Random;

/// Around the borders of every tolerance, in seconds from now.
const OFFSETS: &[i64] =
    &[-2_592_000, -3600, -61, -60, -59, -16, -15, -14, -1, 0, 1, 14, 15, 16, 59, 60, 61, 3600, 2_592_000];

const TIMES: &[&str] = &[
    "null",
    "true",
    "\"1795290000\"",
    "\"\"",
    "[]",
    "{}",
    "-1",
    "-0",
    "0",
    "-0.0",
    "1e400",
    "-1e400",
    "1e-400",
    "1e15",
    "253402300799",
    "253402300799.5",
    "253402300800",
    "1795290000000",
    "18446744073709551615",
    "9007199254740993",
    "1.79529e9",
    "17952900e2",
    "1795290060.0000001",
    "1.7976931348623157e308",
];

/// A time as a member's value.
pub(super) fn time(random: &Random) -> String {
    if random.one_in(5) {
        return random.one_of(TIMES).to_owned();
    }
    let seconds = i64::try_from(NOW.seconds()).unwrap() + random.one_of(OFFSETS);
    format!("{seconds}{}", random.one_of(&["", "", "", "", ".5", ".25", ".9", ".0", "e0"]))
}

const MEMBERS: &[&str] = &[
    r#""sub":"user-1""#,
    r#""name":"Jürgen Žižka 山田 🦀""#,
    r#""email":"ada@example.com""#,
    r#""picture":null"#,
    r#""n":1.5"#,
    r#""n":0.1"#,
    r#""n":-7"#,
    r#""n":9007199254740991"#,
    r#""n":12345678901234567890"#,
    r#""n":0.30000000000000004"#,
    r#""n":2.2250738585072011e-308"#,
    r#""n":1E+2"#,
    r#""list":[1,[2,[3,{}]],null,true]"#,
    r#""o":{"a":{"b":"c"},"":1}"#,
    r#""__proto__":{"a":1}"#,
    r#""constructor":"x""#,
    r#""":"empty""#,
    r#""é\u0000\n":"\ud83e\udd80\u2028""#,
    r#""half":"\ud800""#,
    r#""half":"\udc00\ud800""#,
    r#""sid":"s-1""#,
    r#""jti":"j-1""#,
    r#""roles":["admin","user"]"#,
    r#""x":"\/\b\f\t""#,
];

/// A JSON text of claims. `exp` is in the future in most cases.
pub(super) fn text(random: &Random) -> Vec<u8> {
    let mut members: Vec<String> = Vec::new();
    match random.below(10) {
        0 => {}
        1..=3 => members.push(format!("\"exp\":{}", time(random))),
        _ => members.push(format!("\"exp\":{}", NOW.seconds() + 3600)),
    }
    for name in ["nbf", "iat"] {
        if random.one_in(4) {
            members.push(format!("\"{name}\":{}", time(random)));
        }
    }
    for _ in 0..random.below(4) {
        members.push(random.one_of(MEMBERS).to_owned());
    }
    if random.one_in(3) {
        members.push(number(random));
    }
    assembled(random, members)
}

/// The members in any order, with the mistakes of JSON.
pub(super) fn assembled(random: &Random, mut members: Vec<String>) -> Vec<u8> {
    if random.one_in(20) && !members.is_empty() {
        // Of two members of one name the last one counts.
        let name = members[random.below(members.len())].split(':').next().unwrap_or_default().to_owned();
        members.push(format!("{name}:{}", time(random)));
    }
    for at in (1..members.len()).rev() {
        members.swap(at, random.below(at + 1));
    }
    let space = random.one_of(&["", "", "", " ", "\r\n\t"]);
    let object = format!("{{{space}{}{space}}}", members.join(&format!("{space},")));
    match random.below(60) {
        0 => format!("[{object}]").into_bytes(),
        1 => random.one_of(&["null", "", "1", "\"x\"", "{", "{}{}", "{\"a\":1,}"]).as_bytes().to_vec(),
        2 => [&b"\xef\xbb\xbf"[..], object.as_bytes()].concat(),
        3 => object.replace("user", "\u{0}us\\x").into_bytes(),
        4 => {
            let mut bytes = object.into_bytes();
            bytes.extend(random.one_of(&[&b" "[..], b"\0", b"x", b"\n", b"\xa0"]));
            bytes
        }
        5 => object.bytes().map(|byte| if byte == b'u' { 0xff } else { byte }).collect(),
        6 => {
            let depth = random.one_of(&[100, 126, 127, 128, 200]);
            format!("{{\"exp\":{},\"d\":{}{}}}", NOW.seconds() + 60, "[".repeat(depth), "]".repeat(depth))
                .into_bytes()
        }
        _ => object.into_bytes(),
    }
}

/// A member with a number of up to seventeen digits, which not every parser reads to the nearest double.
fn number(random: &Random) -> String {
    let digits: String =
        (0..=random.below(17)).map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap())).collect();
    let exponent = match random.below(3) {
        0 => String::new(),
        _ => format!("e{}", i64::try_from(random.below(60)).unwrap() - 30),
    };
    format!("\"number\":1.{digits}{exponent}")
}

/// Claims as a value, for an implementation that writes them itself.
pub(super) fn object(random: &Random) -> Map<String, Value> {
    loop {
        let mut members: Vec<String> =
            (0..random.below(4)).map(|_| random.one_of(MEMBERS).to_owned()).collect();
        if random.one_in(3) {
            members.push(format!("\"large\":\"{}\"", "é🦀x".repeat(random.below(300))));
        }
        if random.one_in(3) {
            members.push(number(random));
        }
        if let Ok(object) = serde_json::from_str(&format!("{{{}}}", members.join(","))) {
            return object;
        }
    }
}

//! Makes a case with a difference smaller.

use serde_json::Value;

/// At most so many smaller cases are tried.
const MAX_TRIES: usize = 3000;

/// The smallest case found that is still different: in these members of it elements and members are left out, and texts
/// cut, while `differs` says so.
pub fn smallest(case: &Value, members: &[&str], mut differs: impl FnMut(&Value) -> bool) -> Value {
    let mut best = case.clone();
    let mut tries = 0;
    loop {
        let mut found = None;
        let one_step = |member: &&str| {
            let best = &best;
            let member = (*member).to_owned();
            variants(&best[&member]).into_iter().map(move |smaller| {
                let mut case = best.clone();
                case[&member] = smaller;
                case
            })
        };
        for smaller in members.iter().flat_map(one_step).collect::<Vec<_>>() {
            tries += 1;
            if tries > MAX_TRIES {
                return best;
            }
            if differs(&smaller) {
                found = Some(smaller);
                break;
            }
        }
        match found {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// The values that are one step smaller, the boldest steps first.
fn variants(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => cuts(text).into_iter().map(Value::from).collect(),
        Value::Array(all) => {
            let halves = [&all[..all.len() / 2], &all[all.len() / 2..]];
            let halves = halves.into_iter().filter(|half| half.len() < all.len() && all.len() > 2);
            let mut found: Vec<Value> = halves.map(|half| half.to_vec().into()).collect();
            for at in 0..all.len() {
                let mut fewer = all.clone();
                fewer.remove(at);
                found.push(fewer.into());
            }
            for (at, element) in all.iter().enumerate() {
                found.extend(variants(element).into_iter().map(|smaller| {
                    let mut changed = all.clone();
                    changed[at] = smaller;
                    changed.into()
                }));
            }
            found
        }
        Value::Object(all) => {
            let mut found = Vec::new();
            for name in all.keys() {
                let mut fewer = all.clone();
                fewer.remove(name);
                found.push(fewer.into());
            }
            for (name, member) in all {
                found.extend(variants(member).into_iter().map(|smaller| {
                    let mut changed = all.clone();
                    changed.insert(name.clone(), smaller);
                    changed.into()
                }));
            }
            found
        }
        _ => Vec::new(),
    }
}

/// The text without a piece of it: half, a quarter, …, one character.
fn cuts(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut length = chars.len().div_ceil(2);
    while length > 0 {
        for start in (0..chars.len()).step_by(length) {
            let end = (start + length).min(chars.len());
            found.push(chars[..start].iter().chain(&chars[end..]).collect());
        }
        // Long texts are cut in large pieces only.
        length = if length == 1 || (length <= 4 && chars.len() > 400) { 0 } else { length / 2 };
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_case_becomes_as_small_as_the_difference_allows() {
        let case = json!({ "texts": ["abcdef", "x", "yz!"], "other": { "a": [1, 2, 3] }, "more": "..." });
        let has_c_and_a_mark = |case: &Value| {
            let text = case.to_string();
            text.contains('c') && text.contains('!')
        };
        let expected = json!({ "texts": ["c", "!"], "other": { "a": [1, 2, 3] }, "more": "..." });
        assert_eq!(smallest(&case, &["texts"], has_c_and_a_mark), expected);
        let expected = json!({ "texts": ["c", "!"], "other": {}, "more": "" });
        assert_eq!(smallest(&case, &["more", "texts", "other"], has_c_and_a_mark), expected);
    }
}

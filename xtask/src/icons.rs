//! `cargo xtask icons`: renews `crates/oidc/src/presets/icons.txt` from the package simple-icons of npm.
//!
//! The package is pinned in package.json. Each preset gets the icon whose slug or title is its id or name, or the one in
//! [`OTHER_SLUGS`]. A brand that the package does not have has no icon; its owner may have asked for that.

mod path;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::project::Project;

const PACKAGE: &str = "node_modules/simple-icons";
const PRESETS: &str = "crates/oidc/src/presets/presets.json";
const TABLE: &str = "crates/oidc/src/presets/icons.txt";

/// Presets whose brand has another name there.
const OTHER_SLUGS: [(&str, &str); 3] =
    [("42-school", "42"), ("twitter", "x"), ("wikimedia", "wikimediafoundation")];

/// Writes the table.
pub(crate) fn renew(project: &Project) -> Result<()> {
    let read = |name: &str| {
        let path = project.path(name);
        fs::read_to_string(&path)
            .with_context(|| format!("cannot read {name}; `npm ci` installs the packages"))
    };
    let json = |name: &str| -> Result<Value> {
        serde_json::from_str(&read(name)?).with_context(|| format!("{name} is not JSON"))
    };
    let version = json(&format!("{PACKAGE}/package.json"))?;
    let version = text(&version, "version").context("the package has no version")?.to_owned();
    let slugs = slugs(&json(&format!("{PACKAGE}/data/simple-icons.json"))?)?;
    let presets = json(PRESETS)?;
    let mut table = format!(
        "# Icons of the presets, from simple-icons {version} (https://simpleicons.org, CC0 1.0): paths on 24 by 24, rounded.\n\
         # The trademarks are their owners'. Written by `cargo xtask icons`.\n"
    );
    for (id, preset) in presets.as_object().context("the presets are no table")? {
        let Some(slug) = slug(id, text(preset, "name").unwrap_or_default(), &slugs) else { continue };
        let svg = read(&format!("{PACKAGE}/icons/{slug}.svg"))?;
        let path = path(&svg).and_then(path::rounded).with_context(|| format!("{slug}.svg"))?;
        let _ = writeln!(table, "{id} {path}");
    }
    fs::write(project.path(TABLE), &table).with_context(|| format!("cannot write {TABLE}"))?;
    println!("{TABLE}: {} icons, {} bytes", table.lines().count() - 2, table.len());
    Ok(())
}

/// The slugs, by slug and by title, both reduced to letters and digits.
fn slugs(data: &Value) -> Result<BTreeMap<String, String>> {
    let icons = data.as_array().or_else(|| data.get("icons")?.as_array()).context("the data has no icons")?;
    let mut slugs = BTreeMap::new();
    for icon in icons {
        let title = text(icon, "title").context("an icon has no title")?;
        let slug = text(icon, "slug").map_or_else(|| slug_of_title(title), str::to_owned);
        slugs.insert(reduced(title), slug.clone());
        slugs.insert(slug.clone(), slug);
    }
    Ok(slugs)
}

fn slug<'a>(id: &str, name: &str, slugs: &'a BTreeMap<String, String>) -> Option<&'a String> {
    let other = OTHER_SLUGS.iter().find(|(preset, _)| *preset == id).map(|(_, slug)| *slug);
    match other {
        Some(slug) => slugs.get(slug),
        None => slugs.get(&reduced(name)).or_else(|| slugs.get(&reduced(id))),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// As the package makes slugs of ASCII titles.
fn slug_of_title(title: &str) -> String {
    title
        .to_lowercase()
        .replace('+', "plus")
        .replace('.', "dot")
        .replace('&', "and")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

fn reduced(text: &str) -> String {
    text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
}

/// The only path of an icon.
fn path(svg: &str) -> Result<&str> {
    let (_, rest) = svg.split_once(" d=\"").context("no path")?;
    let (path, rest) = rest.split_once('"').context("the path has no end")?;
    ensure!(!rest.contains("<path"), "more than one path");
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b" .,-".contains(&b);
    ensure!(path.bytes().all(is_plain), "the path has other characters than a path");
    Ok(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_preset_finds_its_icon_by_name_or_id() {
        let data = json!([{ "title": "Battle.net" }, { "title": "Okta" }, { "title": "X" }, { "title": "osu!", "slug": "osu" }]);
        let slugs = slugs(&data).unwrap();
        let found = |id, name| slug(id, name, &slugs).map(String::as_str);
        assert_eq!(found("battlenet", "Battle.net"), Some("battledotnet"));
        assert_eq!(found("osu", "osu!"), Some("osu"));
        assert_eq!(found("twitter", "Twitter"), Some("x"));
        assert_eq!(found("okta", "Our Okta"), Some("okta"));
        assert_eq!(found("acme", "Acme"), None);
    }

    #[test]
    fn an_icon_is_one_plain_path() {
        assert_eq!(path("<svg><path d=\"M1 2-3.5z\"/></svg>").unwrap(), "M1 2-3.5z");
        for other in ["<svg/>", "<path d=\"M1", "<path d=\"M1\"/><path d=\"M2\"/>", "<path d=\"M1<b>\"/>"] {
            assert!(path(other).is_err(), "{other}");
        }
    }
}

//! docs/server.md: its quick start as it is written, and its table of options.

use std::fs;
use std::process::Command;

use crate::browser::Browser;
use crate::site::{Site, program, received};

const DOCUMENT: &str = include_str!("../../../../docs/server.md");

/// The first block of this language that has this text.
fn block(language: &str, text: &str) -> &'static str {
    let blocks = DOCUMENT.split("```").skip(1).step_by(2);
    let mut of_language = blocks.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    of_language.find(|block| block.contains(text)).unwrap()
}

#[test]
fn the_quick_start_guards_the_app() {
    let site = Site::new(3600);
    let configuration = block("toml", "base_path").replace("http://localhost:9400", &site.provider.issuer());
    fs::write(site.file("vestibule.toml"), configuration).unwrap();
    let commands = block("sh", "export AUTH_SECRET");
    let flags: Vec<&str> =
        commands.lines().last().unwrap().split(' ').filter(|word| word.starts_with("--")).collect();
    assert_eq!(flags, ["--config", "--origin", "--revocations"]);
    let file = site.file("revocations").to_str().unwrap().to_owned();
    let site = site.with(&["--revocations", &file]);
    let server = site.start();
    let mut browser = Browser::default();
    assert_eq!(browser.get(server.address, "/about").status(), 200);
    assert_eq!(browser.get(server.address, "/page").status(), 302);
    browser.sign_in(server.address, &site.provider);
    let page = browser.get(server.address, "/page");
    assert_eq!(received(&page, "x-user-email"), ["alice@example.com"]);
    assert_eq!(received(&page, "authorization").len(), 1);
}

#[test]
fn the_table_has_every_option_and_its_variable() {
    let help = Command::new(program()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words = || help.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    let options: Vec<&str> =
        words().filter(|word| word.starts_with("--") || word.starts_with("VESTIBULE_")).collect();
    assert!(options.len() > 30, "{options:?}");
    for option in options.into_iter().filter(|option| !matches!(*option, "--help" | "--version" | "--")) {
        let is_in_table = DOCUMENT.lines().any(|line| line.starts_with('|') && line.contains(option));
        assert!(is_in_table, "{option}");
    }
}

#[test]
fn the_manifest_and_the_unit_set_options_that_exist_and_their_configuration_is_valid() {
    let (manifest, unit) = (
        include_str!("../../deployment/kubernetes.yaml"),
        include_str!("../../deployment/vestibule-server.service"),
    );
    let help = Command::new(program()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words = |text: &'static str| text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let set: Vec<&str> =
        words(manifest).chain(words(unit)).filter(|word| word.starts_with("VESTIBULE_")).collect();
    assert!(set.len() >= 8, "{set:?}");
    for variable in set {
        assert!(help.contains(&format!("[env: {variable}=")), "{variable}");
    }
    let (_, rest) = manifest.split_once("  vestibule.toml: |\n").unwrap();
    let (configuration, _) = rest.split_once("---").unwrap();
    let lines: Vec<&str> = configuration.lines().map(str::trim).collect();
    let site = Site::new(3600).with(&["--check"]);
    fs::write(site.file("vestibule.toml"), lines.join("\n")).unwrap();
    let (status, said) = site.fails();
    assert!(status.success(), "{said}");
}

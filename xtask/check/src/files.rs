//! Reads the files of a configuration.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use vestibule_check::ConfigFiles;
use vestibule_check::document::File;
use xtask_arguments::check::Files;

/// In bytes. No configuration is larger; a file that is was named by mistake.
const MAX_FILE: u64 = 1024 * 1024;

/// The names of a wrangler file, in the order in which wrangler looks for them.
const WRANGLER: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// The configuration in its own file.
const OWN: &str = "vestibule.toml";

/// What it is compiled into.
const COMPILED: &str = "vestibule.config.js";

/// Reads the file that was named and those beside it. For a directory, the files in it.
pub(crate) fn read(named: &str, files: &Files) -> Result<ConfigFiles> {
    let named = Path::new(named);
    let directory = if named.is_dir() { Some(named) } else { named.parent() };
    let directory = directory.map(Path::to_owned).unwrap_or_default();
    let mut wrangler = WRANGLER.iter().find_map(|name| existing(&directory, name));
    let mut own = existing(&directory, OWN);
    let mut unknown = None;
    if !named.is_dir() {
        let named = Some(named.to_owned());
        match named.as_deref().and_then(Path::file_name).and_then(OsStr::to_str) {
            Some(OWN) => own = named,
            Some(name) if WRANGLER.contains(&name) => wrangler = named,
            // Both may be beside it.
            _ => unknown = named,
        }
    }
    if unknown.is_none() && wrangler.is_none() && own.is_none() {
        bail!("{} has neither a wrangler.toml nor a {OWN}", directory.display());
    }
    let compiled = own.as_deref().and_then(Path::parent).and_then(|beside| existing(beside, COMPILED));
    Ok(ConfigFiles {
        named: unknown.as_deref().map(file).transpose()?,
        wrangler: wrangler.as_deref().map(file).transpose()?,
        vestibule: own.as_deref().map(file).transpose()?,
        // What cannot be read is nothing that was compiled.
        compiled: compiled.and_then(|path| file(&path).ok()),
        dev_vars: dev_vars(&directory, files)?,
        secrets: files.secrets.as_deref().map(secrets).transpose()?,
        environment: files.env.clone(),
        ..ConfigFiles::default()
    })
}

/// The file that was named; for a directory, the configuration in it.
pub(crate) fn own(named: &str) -> Result<File> {
    let named = Path::new(named);
    if named.is_dir() { file(&named.join(OWN)) } else { file(named) }
}

fn existing(directory: &Path, name: &str) -> Option<PathBuf> {
    Some(directory.join(name)).filter(|path| path.is_file())
}

fn file(path: &Path) -> Result<File> {
    let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let opened = fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut bytes = Vec::new();
    opened.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{name} is larger than 1 MiB, so it is no configuration");
    }
    let Ok(text) = String::from_utf8(bytes) else { bail!("{name} is not UTF-8, so it is no configuration") };
    // Windows editors write a byte order mark.
    Ok(File::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text)))
}

/// `.dev.vars.ENV` or `.dev.vars`, as wrangler chooses.
fn dev_vars(directory: &Path, files: &Files) -> Result<Option<File>> {
    if let Some(path) = &files.dev_vars {
        return file(Path::new(path)).map(Some);
    }
    let of_environment =
        files.env.as_ref().and_then(|name| existing(directory, &format!(".dev.vars.{name}")));
    let found = of_environment.or_else(|| existing(directory, ".dev.vars"));
    found.as_deref().map(file).transpose()
}

/// The names in the output of `wrangler secret list`, which is JSON.
fn secrets(path: &str) -> Result<Vec<String>> {
    let text = file(Path::new(path))?.text;
    let list: Value = serde_json::from_str(&text)
        .with_context(|| format!("{path} is not the JSON that `wrangler secret list` prints"))?;
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(items.iter().filter_map(|item| item.get("name")?.as_str()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_check::check;

    #[test]
    fn a_directory_is_read_with_all_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        let path = directory.path().to_str().unwrap();
        let error = read(path, &Files::default()).unwrap_err().to_string();
        assert!(error.contains("has neither a wrangler.toml nor a vestibule.toml"), "{error}");
        write("vestibule.toml", "\u{feff}base_path = \"/auth\"");
        write("wrangler.toml", "name = \"a\"");
        write("vestibule.config.js", "export default {};");
        write(".dev.vars", "AUTH_SECRET=a");
        write(".dev.vars.staging", "AUTH_SECRET=b");
        write("list.json", "[{\"name\": \"AUTH_SECRET\", \"type\": \"secret_text\"}]");
        let list = directory.path().join("list.json").display().to_string();
        let files = Files { env: Some("staging".to_owned()), secrets: Some(list), ..Files::default() };
        let text = |file: Option<File>| file.unwrap().text;
        for named in ["", "/vestibule.toml", "/wrangler.toml"] {
            let input = read(&format!("{path}{named}"), &files).unwrap();
            assert_eq!(text(input.wrangler), "name = \"a\"");
            assert_eq!(text(input.vestibule), "base_path = \"/auth\"");
            assert_eq!(text(input.compiled), "export default {};");
            assert_eq!(text(input.dev_vars), "AUTH_SECRET=b");
            assert_eq!(input.secrets.unwrap(), ["AUTH_SECRET"]);
        }
    }

    #[test]
    fn a_file_of_another_name_is_what_its_keys_say() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        let said = |name: &str| {
            let path = directory.path().join(name);
            check(&read(path.to_str().unwrap(), &Files::default()).unwrap()).to_text()
        };
        let own = "base_path = \"/auth\"\n[[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n";
        write("site.toml", own);
        write("vestibule.toml", own);
        assert_eq!(said("site.toml"), said("vestibule.toml").replace("vestibule.toml:", "site.toml:"));
        // What is compiled is the file of that name, and a wrangler file beside it counts.
        write("vestibule.config.js", "export default {};");
        write("wrangler.toml", "[vars.AUTH]\nbase_path = 1\n");
        assert!(said("vestibule.toml").contains("vestibule.config.js:1:1"));
        let named = said("site.toml");
        assert!(!named.contains("vestibule.config.js:1:1"), "{named}");
        assert!(named.contains("wrangler.toml:2:1: error: AUTH.base_path"), "{named}");
        write("staging.toml", "name = \"a\"\n[vars.AUTH]\nbase_path = 2\n");
        let staging = said("staging.toml");
        assert!(staging.contains("staging.toml:3:1: error: AUTH.base_path"), "{staging}");
        write("odd.toml", "name = \"a\"\nbase_path = \"/auth\"\n");
        let odd = said("odd.toml");
        assert!(odd.contains("odd.toml:1:1: advice: this file has `name` of a wrangler file"), "{odd}");
    }

    #[test]
    fn a_file_that_is_no_text_or_too_large_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wrangler.toml");
        let read = || super::read(path.to_str().unwrap(), &Files::default()).unwrap_err().to_string();
        assert!(read().contains("cannot read"));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read().contains("is not UTF-8"));
        fs::write(&path, vec![b' '; 1024 * 1024 + 1]).unwrap();
        assert!(read().contains("is larger than 1 MiB"));
    }
}

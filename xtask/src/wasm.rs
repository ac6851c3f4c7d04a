//! WebAssembly modules, as far as their size is concerned: which functions are in one, and what it exports
//! (WebAssembly Core Specification 2.0, section 5.5).

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};

const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const EXPORT: u8 = 7;
const CODE: u8 = 10;
const DATA: u8 = 11;

/// The part of the custom section "name" (appendix 7.4.1) that is about functions.
const NAMES_OF_FUNCTIONS: u8 = 1;

/// What every module begins with: its magic number and the version of the format.
const PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";

/// A module, cut into its sections.
pub(crate) struct Module<'a> {
    sections: Vec<(u8, &'a [u8])>,
}

/// A function and what it weighs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its path; empty where the module has no names.
    pub(crate) name: String,
    pub(crate) bytes: usize,
}

impl<'a> Module<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Module<'a>> {
        let mut rest = Reader(bytes.strip_prefix(PREAMBLE).context("this is no WebAssembly module")?);
        let mut sections = Vec::new();
        while !rest.0.is_empty() {
            sections.push((rest.byte()?, rest.bytes()?));
        }
        Ok(Module { sections })
    }

    /// Every function that the module defines.
    pub(crate) fn functions(&self) -> Result<Vec<Function>> {
        let imported = self.imported_functions()?;
        let mut names = self.names()?;
        let bodies = self.bodies()?.into_iter().enumerate();
        Ok(bodies
            .map(|(at, body)| Function {
                name: names.remove(&(imported + at)).unwrap_or_default(),
                bytes: body.len(),
            })
            .collect())
    }

    /// The code of every function that the module defines.
    pub(crate) fn bodies(&self) -> Result<Vec<&'a [u8]>> {
        let Some(code) = self.section(CODE) else { return Ok(Vec::new()) };
        let mut code = Reader(code);
        let count = code.number()?;
        (0..count).map(|_| code.bytes()).collect()
    }

    /// How much data the module brings along: texts and tables.
    pub(crate) fn data(&self) -> usize {
        self.section(DATA).map_or(0, <[u8]>::len)
    }

    /// The same module, exporting only what `keep` says.
    pub(crate) fn with_exports(&self, keep: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
        let mut exports = self.exports()?;
        exports.retain(|export| text(export.name).is_ok_and(&keep));
        let mut module = PREAMBLE.to_vec();
        for (id, body) in &self.sections {
            if *id == EXPORT {
                write_section(&mut module, EXPORT, &across(&exports, str::to_owned)?);
            } else {
                write_section(&mut module, *id, body);
            }
        }
        Ok(module)
    }

    /// The same module without the names of its functions.
    pub(crate) fn without_names(&self) -> Vec<u8> {
        let mut module = PREAMBLE.to_vec();
        for (id, body) in self.sections.iter().filter(|(id, body)| !is_name_section(*id, body)) {
            write_section(&mut module, *id, body);
        }
        module
    }

    /// The same module with other names: those that `name` gives to the functions that it defines, by their place among
    /// these and their present name.
    pub(crate) fn with_names(&self, name: impl Fn(usize, &str) -> String) -> Result<Vec<u8>> {
        let imported = self.imported_functions()?;
        let functions = self.functions()?;
        let mut names = Vec::new();
        write_number(&mut names, number(functions.len()));
        for (at, function) in functions.iter().enumerate() {
            write_number(&mut names, number(imported + at));
            write_bytes(&mut names, name(at, &function.name).as_bytes());
        }
        let mut body = Vec::new();
        write_bytes(&mut body, b"name");
        write_section(&mut body, NAMES_OF_FUNCTIONS, &names);
        let mut module = self.without_names();
        write_section(&mut module, CUSTOM, &body);
        Ok(module)
    }

    fn section(&self, wanted: u8) -> Option<&'a [u8]> {
        self.sections.iter().find(|(id, _)| *id == wanted).map(|(_, body)| *body)
    }

    /// How many functions it imports. Their numbers are before those of its own.
    pub(crate) fn imported_functions(&self) -> Result<usize> {
        Ok(self.imports()?.iter().filter(|import| import.kind.first() == Some(&0)).count())
    }

    /// The names of its imports and of its exports.
    pub(crate) fn names_across(&self) -> Result<Vec<&'a str>> {
        let names = self.imports()?.into_iter().map(|import| import.name);
        names.chain(self.exports()?.into_iter().map(|export| export.name)).map(text).collect()
    }

    /// The same module with what it imports and exports under other names.
    pub(crate) fn with_names_across(&self, rename: impl Fn(&str) -> String) -> Result<Vec<u8>> {
        let mut module = PREAMBLE.to_vec();
        for (id, body) in &self.sections {
            let entries = match *id {
                IMPORT => self.imports()?,
                EXPORT => self.exports()?,
                _ => {
                    write_section(&mut module, *id, body);
                    continue;
                }
            };
            write_section(&mut module, *id, &across(&entries, &rename)?);
        }
        Ok(module)
    }

    fn imports(&self) -> Result<Vec<Across<'a>>> {
        let Some(imports) = self.section(IMPORT) else { return Ok(Vec::new()) };
        let mut imports = Reader(imports);
        let count = imports.number()?;
        let import = |_| {
            let (module, name) = (Some(imports.bytes()?), imports.bytes()?);
            Ok(Across { module, name, kind: imports.skipped(Reader::kind_of_import)? })
        };
        (0..count).map(import).collect()
    }

    fn exports(&self) -> Result<Vec<Across<'a>>> {
        let Some(exports) = self.section(EXPORT) else { return Ok(Vec::new()) };
        let mut exports = Reader(exports);
        let count = exports.number()?;
        let export = |_| {
            let name = exports.bytes()?;
            let kind = exports.skipped(|kind| kind.byte().and_then(|_| kind.number()).map(drop))?;
            Ok(Across { module: None, name, kind })
        };
        (0..count).map(export).collect()
    }

    fn names(&self) -> Result<HashMap<usize, String>> {
        let mut names = HashMap::new();
        let Some((_, section)) = self.sections.iter().find(|(id, body)| is_name_section(*id, body)) else {
            return Ok(names);
        };
        let mut section = Reader(section);
        section.bytes()?;
        while !section.0.is_empty() {
            let (kind, body) = (section.byte()?, section.bytes()?);
            if kind == NAMES_OF_FUNCTIONS {
                let mut body = Reader(body);
                for _ in 0..body.number()? {
                    let (index, name) = (body.number()? as usize, body.bytes()?);
                    names.insert(index, String::from_utf8_lossy(name).into_owned());
                }
            }
        }
        Ok(names)
    }
}

fn is_name_section(id: u8, body: &[u8]) -> bool {
    id == CUSTOM && Reader(body).bytes().is_ok_and(|name| name == b"name")
}

/// An import or an export.
struct Across<'a> {
    /// Where an import is from.
    module: Option<&'a [u8]>,
    name: &'a [u8],
    /// Whether it is a function, and which, or of what type.
    kind: &'a [u8],
}

/// The section of these imports or exports.
fn across(entries: &[Across<'_>], rename: impl Fn(&str) -> String) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    write_number(&mut body, number(entries.len()));
    for entry in entries {
        if let Some(module) = entry.module {
            write_bytes(&mut body, module);
        }
        write_bytes(&mut body, rename(text(entry.name)?).as_bytes());
        body.extend(entry.kind);
    }
    Ok(body)
}

fn text(name: &[u8]) -> Result<&str> {
    std::str::from_utf8(name).context("the WebAssembly has a name that is no text")
}

fn write_section(module: &mut Vec<u8>, id: u8, body: &[u8]) {
    module.push(id);
    write_bytes(module, body);
}

fn write_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    write_number(to, number(bytes.len()));
    to.extend(bytes);
}

/// Modules count in 32 bits.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// LEB128, as all numbers here.
fn write_number(to: &mut Vec<u8>, mut number: u32) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        to.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().context("the WebAssembly ends early")?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            ensure!(shift < 32, "the WebAssembly has a number that is too large");
            number |= u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }

    /// So many bytes as a number before them says.
    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).context("the WebAssembly ends early")?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The bytes that are read over.
    fn skipped(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Result<()>) -> Result<&'a [u8]> {
        let before = self.0;
        read(self)?;
        Ok(before.strip_suffix(self.0).unwrap_or_default())
    }

    fn kind_of_import(&mut self) -> Result<()> {
        match self.byte()? {
            0 => self.number().map(drop),
            1 => self.byte().and_then(|_| self.limits()),
            2 => self.limits(),
            3 => self.byte().and_then(|_| self.byte()).map(drop),
            _ => self.byte().and_then(|_| self.number()).map(drop),
        }
    }

    fn limits(&mut self) -> Result<()> {
        let has_most = self.byte()? & 1 == 1;
        self.number()?;
        if has_most {
            self.number()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Imports one function, defines two, exports both, names all.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\
        \x01\x04\x01\x60\0\0\
        \x02\x07\x01\x01m\x01i\0\0\
        \x03\x03\x02\0\0\
        \x07\x09\x02\x01a\0\x01\x01b\0\x02\
        \x0a\x08\x02\x02\0\x0b\x03\0\x01\x0b\
        \0\x19\x04name\x01\x12\x03\0\x01i\x01\x03a::\x02\x07<b::c>d";

    fn function(name: &str, bytes: usize) -> Function {
        Function { name: name.to_owned(), bytes }
    }

    #[test]
    fn functions_have_their_names_and_sizes() {
        let module = Module::parse(MODULE).unwrap();
        assert_eq!(module.functions().unwrap(), [function("a::", 2), function("<b::c>d", 3)]);
        assert_eq!(module.data(), 0);
    }

    #[test]
    fn exports_and_names_can_go() {
        let less = Module::parse(MODULE).unwrap().with_exports(|name| name == "b").unwrap();
        assert!(less.windows(7).any(|at| at == b"\x07\x05\x01\x01b\0\x02"));
        assert!(less.len() == MODULE.len() - 4);
        let nameless = Module::parse(&less).unwrap().without_names();
        assert_eq!(
            Module::parse(&nameless).unwrap().functions().unwrap(),
            [function("", 2), function("", 3)]
        );
    }

    #[test]
    fn functions_get_other_names() {
        let module = Module::parse(MODULE).unwrap();
        let other = module.with_names(|at, name| format!("{at} {name}")).unwrap();
        let other = Module::parse(&other).unwrap();
        assert_eq!(other.functions().unwrap(), [function("0 a::", 2), function("1 <b::c>d", 3)]);
        assert_eq!(other.bodies().unwrap(), module.bodies().unwrap());
        assert_eq!(other.without_names(), module.without_names());

        let named = Module::parse(PREAMBLE).unwrap().with_names(|_, name| name.to_owned()).unwrap();
        assert_eq!(Module::parse(&named).unwrap().functions().unwrap(), []);
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [&b""[..], b"\0asm", b"not WebAssembly", &MODULE[..20]] {
            let functions = Module::parse(bytes).and_then(|module| module.functions());
            assert!(functions.is_err(), "{bytes:?}");
        }
    }
}

//! Reads the sizes of functions and data in a WebAssembly module, removes the names of its functions, and changes the module in a
//! component.

use std::collections::HashMap;

use anyhow::{Context, Result};
use wasm_encoder::{ComponentSectionId, Module, RawSection, Section};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

/// How many bytes a component begins with before its sections: what it is, and of which version.
const PREAMBLE: usize = 8;

/// The functions and data of a module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) functions: Vec<Function>,
    /// The size of the data section in bytes: texts and tables.
    pub(super) data: usize,
}

/// A function and its size.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its path; empty if the module contains no names.
    pub(super) name: String,
    pub(super) bytes: usize,
}

/// Every function that the module defines, and the size of its data.
pub(super) fn contents(bytes: &[u8]) -> Result<Contents> {
    let mut contents = Contents::default();
    let (mut imported, mut names) = (0, HashMap::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.context("this is not a WebAssembly module")? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => {
                contents.functions.push(Function { name: String::new(), bytes: body.range().len() });
            }
            Payload::DataSection(section) => contents.data = section.range().len(),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(sections) = section.as_known() {
                    for section in sections {
                        if let Name::Function(functions) = section? {
                            for function in functions {
                                let function = function?;
                                names.insert(function.index as usize, function.name.to_owned());
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    // The index space begins with the imported functions.
    for (at, function) in contents.functions.iter_mut().enumerate() {
        function.name = names.remove(&(imported + at)).unwrap_or_default();
    }
    Ok(contents)
}

/// The same module without the names of its functions.
pub(super) fn without_names(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.context("this is not a WebAssembly module")?;
        let is_names = matches!(&payload, Payload::CustomSection(section) if section.name() == "name");
        if let (false, Some((id, range))) = (is_names, payload.as_section()) {
            let data = bytes.get(range).context("the WebAssembly module is truncated")?;
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}

/// The same component with its largest module changed: that of the program. The others are of a few lines, and connect it.
pub(super) fn with_core(component: &[u8], change: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    const NO_COMPONENT: &str = "this is not a WebAssembly component";
    let mut sections: Vec<RawSection<'_>> = Vec::new();
    let mut end = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.context(NO_COMPONENT)?;
        // The parser also goes through what a section has of its own sections.
        if let Some((id, range)) = payload.as_section().filter(|(_, range)| range.start >= end) {
            end = range.end;
            sections.push(RawSection { id, data: component.get(range).context(NO_COMPONENT)? });
        }
    }
    let modules = sections.iter_mut().filter(|section| section.id == ComponentSectionId::CoreModule as u8);
    let core = modules.max_by_key(|module| module.data.len()).context(NO_COMPONENT)?;
    let changed = change(core.data)?;
    core.data = &changed;
    let mut made = component.get(..PREAMBLE).context(NO_COMPONENT)?.to_owned();
    for section in &sections {
        Section::append_to(section, &mut made);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that imports one function, defines two, exports both, and names all three.
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
        let expected = Contents { functions: vec![function("a::", 2), function("<b::c>d", 3)], data: 0 };
        assert_eq!(contents(MODULE).unwrap(), expected);
    }

    #[test]
    fn only_the_names_are_removed() {
        let nameless = without_names(MODULE).unwrap();
        assert_eq!(nameless, MODULE[..MODULE.len() - 27]);
        assert_eq!(contents(&nameless).unwrap().functions, [function("", 2), function("", 3)]);
    }

    #[test]
    fn only_the_largest_module_of_a_component_is_changed() {
        let section = |data: &[u8]| [&[1, u8::try_from(data.len()).unwrap()], data].concat();
        let small = section(&MODULE[..8]);
        let of = |large: &[u8]| [b"\0asm\x0d\0\x01\0", &*small, &section(large), &small].concat();
        assert_eq!(with_core(&of(MODULE), without_names).unwrap(), of(&without_names(MODULE).unwrap()));
        for bytes in [&b""[..], MODULE, &of(MODULE)[..20]] {
            assert!(with_core(bytes, without_names).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_a_module_are_rejected() {
        for bytes in [&b""[..], b"\0asm", b"not WebAssembly", &MODULE[..20]] {
            assert!(contents(bytes).is_err() && without_names(bytes).is_err(), "{bytes:?}");
        }
    }
}

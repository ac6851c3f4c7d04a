//! Every function that reads what others write is fuzzed, or has its reason here.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::{ImplItem, Item, Type, Visibility};
use vestibule_fuzz::targets;

/// The functions that no target calls by themselves, and why.
const OTHERS: &[(&str, &str)] = &[
    ("KeyValueStore::read", "a bucket's values, each after a number: its tests have what is none"),
    ("RedisStore::read", "the store's values as they are: `stored_values`"),
    ("network::Network::read", "origins of the operator, by `Url`: `host_names`"),
    ("parse", "the crate `redis` reads the address, which is the operator's"),
    ("body::read", "the body as it is; what is in it, other functions read"),
    ("config::check::pages::open", "`configuration`: what the configuration opens"),
    ("config::check::verify::verify", "`configuration` checks it with all the rest"),
    ("config::schema::read::read", "the schema, which is our own"),
    ("credentials::answers::Answers::read_profile", "a response that was read already: `api_answer`"),
    ("credentials::form::FormValues::read", "fields of a form that was read already: `form`"),
    ("crypto::verify", "a signature that is tried against published vectors in its tests"),
    ("deployment::Files::read", "`configuration`, through `check`"),
    ("document::File::parse", "`configuration`, through `check`"),
    ("document::jsonc::parse", "`configuration`, through `check`"),
    ("document::toml::parse", "`configuration`, through `check`"),
    ("egress::Egress::parse", "an origin of the operator, by `target::Server::parse`: `request_head`"),
    ("flow::form_context::FormContext::verify_csrf", "`csrf` and `form`"),
    ("flow::provider::encrypted::RequestContext::decrypt_id_token_of", "`encrypted_token`"),
    ("flow::provider::newer_keys::RequestContext::verify_given", "`jws`, with the keys of a provider"),
    (
        "flow::provider::sent_tokens::RequestContext::verify_logout_signature",
        "`jws`, with the keys of a provider",
    ),
    (
        "flow::provider::sent_tokens::RequestContext::verify_transmitter_signature",
        "`jws`, with the keys of a transmitter",
    ),
    (
        "flow::provider::signature::RequestContext::verify_answer_signature",
        "`jws`, with the keys of a provider",
    ),
    ("flow::provider::newer_keys::RequestContext::verify_by_keys", "`jws`, with the keys of a provider"),
    ("flow::provider::signature::RequestContext::verify_client_token", "`jws`, with the keys of a provider"),
    (
        "flow::provider::signature::RequestContext::verify_response_signature",
        "`jws`, with the keys of a provider",
    ),
    ("flow::provider::signature::RequestContext::verify_signature", "`jws`, with the keys of a provider"),
    ("flow::provider::signature::RequestContext::verify_token_of_keys", "`jws`, with the keys of a provider"),
    ("flow::provider::signature::read_signed", "`jws` and `signed_response`"),
    ("flow::session::update::Update::parse", "an object of JSON, by the parser of `form`"),
    ("guard::regexp::parse::parse", "`regular_expression` and `path_pattern`"),
    ("http::url::Host::parse", "`host_names`, through `Url`"),
    ("jose::base64url::decode", "`jws` and `jwe`, in every token"),
    ("jose::jwe::SealedJwe::parse_up_to", "`jwe`, with another limit"),
    ("ContentKey::decrypt", "`jwe` and `encrypted_token`"),
    ("jose::jws::decode_unverified", "`dpop_proof` and `token_exchange`"),
    ("jose::software::verify", "`jws` and `dpop_proof`"),
    ("oauth::discovery::parse_jwks_uri", "`other_metadata`"),
    ("oauth::email::EmailStatements::read", "a value that was read already: `user_lists` has the same rule"),
    ("options::Options::read", "the operator's own command line"),
    ("origin::Origin::parse", "a variable of the operator, whose test compares it with `discovery`'s parser"),
    ("presets::brand::Rgb::parse", "a colour of the configuration: `configuration`"),
    ("secrets::Secrets::read", "files of the operator as they are; `configuration` reads their text"),
    ("session::seal::open_ended", "`sealed_claims`, without the end"),
    ("session::tokens::entry::open", "`stored_values`"),
    ("session::tokens::exchanged::TokenForUpstream::open", "`stored_values`"),
    ("settings::Settings::read", "`overrides` and `configuration`"),
    ("store::Store::read", "the store's values as they are: `stored_values`"),
    ("store::journal::Journal::open", "`revocations_file`"),
    ("store::memory::Memory::read", "the store's values as they are: `stored_values`"),
    ("store::redis::ThreadLink::parse", "the crate `redis` reads the address, which is the operator's"),
    ("upstream::path_prefix::PathPrefix::parse", "a path of the configuration: `configuration`"),
];

/// How the names of such functions begin.
const BEGINNINGS: [&str; 12] = [
    "parse",
    "read",
    "open",
    "verify",
    "precheck",
    "decode",
    "from_urlencoded",
    "from_json",
    "from_pem",
    "from_der",
    "from_cookies",
    "decrypt",
];

#[test]
fn each_function_that_reads_has_a_target_or_a_reason() {
    let found = found();
    let read: BTreeSet<&str> = targets().flat_map(|target| target.reads.iter().copied()).collect();
    let others: BTreeMap<&str, &str> = OTHERS.iter().copied().collect();
    let all: BTreeSet<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    let unknown: Vec<_> = read.iter().chain(others.keys()).filter(|path| !all.contains(**path)).collect();
    let is_reader = |path: &str| {
        let name = path.rsplit("::").next().unwrap_or_default();
        BEGINNINGS
            .iter()
            .any(|begin| name == *begin || name.strip_prefix(begin).is_some_and(|rest| rest.starts_with('_')))
    };
    let open: Vec<&str> = found
        .iter()
        .filter(|(path, is_visible)| *is_visible && is_reader(path))
        .map(|(path, _)| path.as_str())
        .filter(|path| !read.contains(path) && !others.contains_key(path))
        .collect();
    assert!(unknown.is_empty(), "there is no such function: {unknown:#?}; {}", open.join("\n"));
    assert!(open.is_empty(), "write a target, or the reason why not, for:\n{}", open.join("\n"));
    assert!(targets().all(|target| !target.reads.is_empty()));
    let both: Vec<_> = others.keys().filter(|path| read.contains(*path)).collect();
    assert!(both.is_empty(), "these have a target: {both:?}");
}

/// The functions of the crates, by their paths without the crate, and whether other modules see them.
fn found() -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for name in ["aead", "oidc", "core", "check", "server", "redis", "keyvalue", "wasi-settings"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        of_folder(&source, &[], &mut found);
    }
    assert!(found.len() > 1000, "{} functions", found.len());
    found
}

fn of_folder(folder: &Path, module: &[String], found: &mut Vec<(String, bool)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut inside = module.to_vec();
        if path.is_dir() {
            inside.push(stem);
            of_folder(&path, &inside, found);
        } else if path.extension().is_some_and(|end| end == "rs") && stem != "tests" && stem != "testing" {
            if !["mod", "lib", "main"].contains(&stem.as_str()) {
                inside.push(stem);
            }
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).expect("Rust");
            of_items(&file.items, &inside, found);
        }
    }
}

fn of_items(items: &[Item], module: &[String], found: &mut Vec<(String, bool)>) {
    let is_visible = |visibility: &Visibility| !matches!(visibility, Visibility::Inherited);
    let mut add = |names: &[&str], visibility: bool| {
        let path =
            module.iter().map(String::as_str).chain(names.iter().copied()).collect::<Vec<_>>().join("::");
        found.push((path, visibility));
    };
    for item in items {
        match item {
            Item::Fn(function) => add(&[&function.sig.ident.to_string()], is_visible(&function.vis)),
            Item::Impl(block) => {
                let Type::Path(of) = &*block.self_ty else { continue };
                let of = of.path.segments.last().map(|it| it.ident.to_string()).unwrap_or_default();
                for item in &block.items {
                    if let ImplItem::Fn(function) = item {
                        add(&[&of, &function.sig.ident.to_string()], is_visible(&function.vis));
                    }
                }
            }
            _ => {}
        }
    }
}

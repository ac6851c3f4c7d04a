//! What loading a configuration costs, as its lists grow.

use serde_json::{Map, Value, json};

use super::Config;
use super::place::tests::RUNTIME;
use super::table::READS;

type Write = fn(&mut Value, usize);

/// Each writes a number of items into a valid configuration.
const LISTS: [(&str, Write); 12] = [
    ("rules for paths of their own", |auth, count| {
        auth["rules"] = list(
            count,
            |i| json!({ "match": format!("/section-{i}/:path*"), "require": { "roles": ["a"] } }),
        );
    }),
    ("rules for methods", |auth, count| {
        let rule = |method| json!({ "match": "/", "methods": [method], "access": "public" });
        // Methods have no digits.
        let name =
            |i: usize| i.to_string().bytes().map(|digit| char::from(digit - b'0' + b'A')).collect::<String>();
        auth["rules"] = list(count, |i| rule(name(i)));
    }),
    ("rules with conditions", |auth, count| {
        let has = |i| json!([{ "type": "header", "key": format!("x-{i}") }]);
        auth["rules"] = list(count, |i| json!({ "match": "/", "has": has(i), "access": "public" }));
    }),
    ("rules for hosts, and upstreams", |auth, count| {
        auth["rules"] =
            list(count, |i| json!({ "host": host(i), "match": "/:path*", "require": { "roles": ["a"] } }));
        auth["upstreams"] = list(count, |i| json!({ "host": host(i), "to": "origin" }));
    }),
    ("rules for hosts with ambiguous slashes", |auth, count| {
        let rule = |i| json!({ "host": host(i), "match": "/:path*", "ambiguous_slashes": "allow", "access": "public" });
        auth["rules"] = list(count, rule);
    }),
    ("patterns of one rule", |auth, count| {
        let patterns: Vec<String> = (0..count).map(|i| format!("/page-{i}")).collect();
        auth["rules"] = json!([{ "match": patterns, "access": "public" }]);
    }),
    ("tokens for rules", |auth, count| {
        let exchange = |i| json!({ "exchange": { "audience": format!("a{i}") } });
        let rule =
            |i| json!({ "match": format!("/a-{i}"), "access": "signed-in", "authorization": exchange(i) });
        auth["rules"] = list(count, rule);
    }),
    ("providers", |auth, count| auth["providers"] = list(count, provider)),
    ("providers whose tokens clients send", |auth, count| {
        auth["providers"] = list(count, |i| {
            let mut provider = provider(i);
            provider["accept_bearer"] = json!({ "audience": format!("a{i}") });
            provider
        });
    }),
    ("resources", |auth, count| {
        auth["resources"] = list(count, |i| json!({ "resource": format!("https://app.example.com/r{i}") }));
        auth["rules"] =
            list(count, |i| json!({ "match": format!("/r{i}/:path*"), "require": { "scope": ["a"] } }));
    }),
    ("claims, and what pages see of them", |auth, count| {
        auth["claims"] = table(count, |i| (format!("c{i}"), json!("profile.roles")));
        auth["session"] =
            json!({ "expose": table(count, |i| (format!("user.c{i}"), json!(format!("c{i}")))) });
    }),
    ("header fields and cookies", |auth, count| {
        auth["upstreams"] = json!([{
            "to": "origin",
            "headers": table(count, |i| (format!("X-C{i}"), json!("email"))),
            "cookies": table(count, |i| (format!("c{i}"), json!("email"))),
        }]);
    }),
];

fn list(count: usize, item: impl Fn(usize) -> Value) -> Value {
    (0..count).map(item).collect()
}

fn table(count: usize, member: impl Fn(usize) -> (String, Value)) -> Value {
    Value::Object((0..count).map(member).collect::<Map<_, _>>())
}

fn host(number: usize) -> String {
    format!("host-{number}.example.com")
}

fn provider(number: usize) -> Value {
    json!({ "id": format!("idp{number}"), "type": "oidc", "issuer": format!("https://idp-{number}.example") })
}

/// How many values are read to load a configuration with this number of items.
fn reads(write: Write, count: usize) -> usize {
    let mut auth = json!({
        "claims": { "roles": "profile.roles" },
        "providers": [provider(0)],
        "trusted_hosts": ["*.example.com"],
    });
    write(&mut auth, count);
    let env = |name: &str| {
        let is_set = name == "AUTH_SECRET" || name.ends_with("_ID") && !name.ends_with("_KEY_ID");
        (is_set
            || name.starts_with("AUTH_IDP") && name.matches('_').count() == 2 && name.ends_with("_SECRET"))
        .then(|| "a value of a variable that is long enough".to_owned())
    };
    let before = READS.get();
    let config = Config::load(auth, &env, &RUNTIME).unwrap_or_else(|errors| panic!("{errors}"));
    config.advice(&RUNTIME);
    READS.get() - before
}

#[test]
fn no_item_of_a_configuration_is_compared_with_all_others() {
    for (list, write) in LISTS {
        let [few, more, most] = [10, 110, 210].map(|count| reads(write, count));
        assert_eq!(most - more, more - few, "{list}: {few}, {more}, {most} values are read");
    }
}

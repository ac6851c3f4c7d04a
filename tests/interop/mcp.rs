//! An MCP client and an MCP server of the official SDK. Between them is the Worker with the configuration of docs/mcp.md, word by
//! word; npm's oidc-provider gives the tokens.

use std::process::Command;

use miniflare_test_harness::{Harness, SCHEME_HEADER};
use serde_json::{Value, json};

use crate::env::{CLIENT_ID, CLIENT_SECRET};
use crate::program::Run::Checks;
use crate::program::{Program, Walk, npm_version, start_node};
use crate::repository::{node, root};

pub const PROGRAM: Program = Program {
    name: "mcp",
    version: || npm_version("@modelcontextprotocol/sdk"),
    walks: &[
        Walk {
            name: "a client that knows a URL gets a token and calls tools",
            run: Checks(|| walk("tools")),
        },
        Walk { name: "messages arrive when they are sent, on both streams", run: Checks(|| walk("streams")) },
        Walk { name: "a call may be silent for twenty seconds", run: Checks(|| walk("long")) },
        Walk { name: "a client asks for the scope that it lacks", run: Checks(|| walk("scopes")) },
        Walk { name: "a token for one resource is refused at another", run: Checks(|| walk("audiences")) },
        Walk {
            name: "a page of another origin is refused, and reads the metadata",
            run: Checks(|| walk("pages")),
        },
    ],
};

/// The page whose configuration is walked.
const PAGE: &str = "docs/mcp.md";

/// The provider of that configuration.
const ISSUER: &str = "https://idp.example.com";

const SECRET: &str = "a-secret-for-sessions-that-no-log-may-hold";

fn walk(name: &str) {
    let built = root().join("build/index.js");
    assert!(built.exists(), "{} does not exist: run `cargo xtask build` first", built.display());
    let server = start_node("mcp-server.mjs", &json!({}));
    let client = json!({
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": ["https://app.example.com/auth/callback/idp"],
    });
    let resources = json!({
        "https://app.example.com/mcp": "tools:read tools:write",
        "https://app.example.com/reports": "reports:read",
    });
    let options = json!({ "issuer": ISSUER, "client": client, "resources": resources });
    let provider = start_node("mcp-provider.mjs", &options);
    let harness = Harness::from_wrangler(root().join("wrangler.toml"))
        .var("AUTH", configuration())
        .secret("AUTH_SECRET", SECRET)
        .secret("AUTH_IDP_ID", CLIENT_ID)
        .secret("AUTH_IDP_SECRET", CLIENT_SECRET)
        .host_at("idp.example.com", provider.address)
        .service_at("MCP", server.address)
        .service_at("REPORTS", server.address)
        .start()
        .expect("the Worker starts");
    let ports = json!({
        "app.example.com": harness.address().port(),
        "idp.example.com": provider.address.port(),
    });
    let options = json!({ "walk": name, "ports": ports, "scheme_header": SCHEME_HEADER });
    let output = Command::new(node())
        .args(["tests/interop/apps/mcp-client.mjs", &options.to_string()])
        .current_dir(root())
        .output()
        .expect("Node.js");
    let log = harness.logs().text();
    assert!(
        output.status.success(),
        "{}{}\nthe Worker's log:\n{log}\nthe provider's output:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        provider.later_output(),
    );
    for word in [SECRET, CLIENT_SECRET, "eyJ"] {
        assert!(!log.contains(word), "the log contains {word:?}:\n{log}");
    }
    let requests: Value = harness.client().get(&server.direct("/control/requests")).send().json();
    for request in requests.as_array().expect("a list") {
        assert_eq!(request["x-user-id"], "ada", "no request without a token got through: {request}");
    }
}

/// The value of `AUTH` in the first block of TOML of the page.
fn configuration() -> Value {
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page");
    let (_, rest) = page.split_once("```toml\n").expect("a block of TOML");
    let (block, _) = rest.split_once("\n```").expect("its end");
    let configuration: Value = toml::from_str(block).expect("TOML");
    configuration["vars"]["AUTH"].clone()
}

//! The flows, from a request to its answer, without a network: one file per flow.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod accidents;
mod answers;
mod api_refresh;
mod api_refusals;
mod apis_document;
mod assertion;
mod audit;
mod authorization_details;
mod backchannel_logout;
mod bearer;
mod bearer_identity;
mod bound_tokens;
mod callback;
mod claims;
mod client_keys;
mod clients;
mod cookie_names;
mod cors;
mod credentials;
mod cross_origin;
mod dialect;
mod dpop;
mod encrypted_responses;
mod expired_token;
mod fapi2;
mod forward_auth;
mod forwarding_loop;
mod frontchannel_logout;
mod global_revocation;
mod groups;
mod health;
mod hooks;
mod https;
mod identity;
mod initiated_login;
mod kept_form;
mod languages;
mod lifetime;
mod log;
mod login_host;
mod login_limit;
mod long_links;
mod metrics;
mod opaque_tokens;
mod pages;
mod protect;
mod provider_logout;
mod provider_outage;
mod pushed_requests;
mod refresh;
mod refresh_locations;
mod refresh_trouble;
mod renewal_at_end;
mod request_objects;
mod resources;
mod revalidation;
mod revocation;
mod revoke;
mod security_events;
mod session;
mod several_sessions;
mod shadowing_cookies;
mod sign_in;
mod sign_out;
mod signed_responses;
mod silent_sign_in;
mod sources;
mod step_up;
mod stored_documents;
mod straight;
mod switch_account;
mod theme;
mod token_exchange;
mod token_revocation;
mod token_storage;
mod trace;
mod upstream_cookies;
mod upstreams;

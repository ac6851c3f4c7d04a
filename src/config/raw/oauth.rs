//! What `type = "oidc"` and `type = "oauth2"` have beside the other types of providers.

use serde_json::Value;

use super::table::{expected, read_table, table};
use super::value::{Strings, any, flag, scalar, strings, text};
use crate::config::error::{Place, Problems};

table! {
    /// Keys of `[[vars.AUTH.providers]]`.
    RawOAuth<'a> {
        issuer: Option<&'a str> = key("issuer", text),
        tenant: Option<&'a str> = key("tenant", text),
        domain: Option<&'a str> = key("domain", text),
        team_id: Option<&'a str> = key("team_id", text),
        key_id: Option<&'a str> = key("key_id", text),
        issuer_suffix: Option<&'a str> = key("issuer_suffix", text),
        token_issuer: Option<&'a str> = key("token_issuer", text),
        well_known: Option<&'a str> = key("well_known", text),
        jwks: Option<&'a str> = key("jwks", text),
        client_id: Option<&'a str> = key("client_id", text),
        client_secret: Option<&'a Value> = key("client_secret", any),
        client_id_param: Option<&'a str> = key("client_id_param", text),
        client_secret_param: Option<&'a str> = key("client_secret_param", text),
        token_endpoint_auth_method: Option<&'a str> = key("token_endpoint_auth_method", text),
        token_endpoint_auth_signing_alg: Option<&'a str> = key("token_endpoint_auth_signing_alg", text),
        signed_secret: Option<RawSignedSecret<'a>> = table("signed_secret", RawSignedSecret::of),
        scope: Option<Strings<'a>> = key("scope", strings),
        authorization: Option<RawAuthorization<'a>> = key("authorization", authorization),
        authorization_params: Option<Vec<(&'a str, &'a Value)>> = names("authorization_params", parameter),
        response_mode: Option<&'a str> = key("response_mode", text),
        response_type: Option<&'a str> = key("response_type", text),
        pkce: Option<bool> = key("pkce", flag),
        nonce: Option<bool> = key("nonce", flag),
        callback_profile: Option<&'a str> = key("callback_profile", text),
        token: Option<RawToken<'a>> = key("token", token),
        id_token_signed_response_alg: Option<&'a str> = key("id_token_signed_response_alg", text),
        enforce: Option<Vec<(&'a str, Strings<'a>)>> = names("enforce", strings),
        userinfo: Option<RawUserinfo<'a>> = key("userinfo", userinfo),
        emails: Option<RawEmails<'a>> = table("emails", RawEmails::of),
        email_verified: Option<Strings<'a>> = key("email_verified", strings),
        complete: Option<&'a str> = key("complete", text),
        logout: Option<&'a Value> = key("logout", logout),
        logout_redirect_param: Option<&'a str> = key("logout_redirect_param", text),
    }
}

table! {
    /// `authorization`
    RawAuthorization<'a> {
        url: Option<&'a str> = key("url", text),
        fragment: Option<&'a str> = key("fragment", text),
    }
}

table! {
    /// `token`
    RawToken<'a> {
        url: Option<&'a str> = key("url", text),
        refresh_url: Option<&'a str> = key("refresh_url", text),
        method: Option<&'a str> = key("method", text),
        grant_type: Option<&'a str> = key("grant_type", text),
        params: Option<Vec<(&'a str, &'a str)>> = names("params", text),
        refresh_params: Option<Vec<(&'a str, &'a str)>> = names("refresh_params", text),
        headers: Option<Vec<(&'a str, &'a str)>> = names("headers", text),
        root: Option<&'a str> = key("root", text),
        gone: Option<Strings<'a>> = key("gone", strings),
    }
}

table! {
    /// `userinfo`
    RawUserinfo<'a> {
        url: Option<&'a str> = key("url", text),
        method: Option<&'a str> = key("method", text),
        params: Option<Vec<(&'a str, &'a str)>> = names("params", text),
        headers: Option<Vec<(&'a str, &'a str)>> = names("headers", text),
        body: Option<&'a Value> = key("body", any),
        content_type: Option<&'a str> = key("content_type", text),
        bearer: Option<bool> = key("bearer", flag),
        root: Option<&'a str> = key("root", text),
        when: Option<&'a str> = key("when", text),
        signed: Option<bool> = key("signed", flag),
    }
}

table! {
    /// `emails`
    RawEmails<'a> {
        url: Option<&'a str> = key("url", text),
        list: Option<&'a str> = key("list", text),
        conditions: Option<Vec<(&'a str, &'a Value)>> = names("where", scalar),
        address: Option<&'a str> = key("address", text),
    }
}

table! {
    /// `signed_secret`
    RawSignedSecret<'a> {
        audience: Option<&'a str> = key("audience", text),
    }
}

fn authorization<'a>(
    value: &'a Value,
    place: &Place,
    problems: &mut Problems,
) -> Option<RawAuthorization<'a>> {
    match value {
        Value::String(url) => Some(RawAuthorization { url: Some(url), ..RawAuthorization::default() }),
        value => is_table(value, place, problems)
            .then(|| read_table(value, place, problems, RawAuthorization::of))
            .flatten(),
    }
}

fn token<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<RawToken<'a>> {
    match value {
        Value::String(url) => Some(RawToken { url: Some(url), ..RawToken::default() }),
        value => is_table(value, place, problems)
            .then(|| read_table(value, place, problems, RawToken::of))
            .flatten(),
    }
}

fn userinfo<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<RawUserinfo<'a>> {
    match value {
        Value::String(url) => Some(RawUserinfo { url: Some(url), ..RawUserinfo::default() }),
        value => is_table(value, place, problems)
            .then(|| read_table(value, place, problems, RawUserinfo::of))
            .flatten(),
    }
}

fn logout<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<&'a Value> {
    if !value.is_boolean() && !value.is_string() {
        expected("true, false or a URL", value, place, problems);
        return None;
    }
    Some(value)
}

fn is_table(value: &Value, place: &Place, problems: &mut Problems) -> bool {
    if !value.is_object() {
        expected("a URL or a table", value, place, problems);
    }
    value.is_object()
}

/// What a parameter can be: a table is sent as JSON.
fn parameter<'a>(value: &'a Value, place: &Place, problems: &mut Problems) -> Option<&'a Value> {
    if value.is_object() { Some(value) } else { scalar(value, place, problems) }
}

//! The configuration as it is written: every key that it can have, each with its type and nothing more.
//!
//! Keys of features to come are known here too, so that a misspelled one gets its hint; `check` refuses what
//! this version cannot do.

mod credentials;
mod oauth;
mod table;
mod value;

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{Place, Problems};
pub(super) use credentials::{RawAnswer, RawApiRefresh, RawField, RawLogin, RawRequest, RawUser};
pub(super) use oauth::{RawEmails, RawOAuth, RawToken, RawUserinfo};
use table::{Table, table};
pub(super) use value::{Asked, Strings};
use value::{any, asked, flag, span, strings, text};

table! {
    /// `[vars.AUTH]`. Items of arrays keep their index: those that could not be read are left out.
    RawAuth<'a> {
        base_path: Option<&'a str> = key("base_path", text),
        dialect: Option<&'a str> = key("dialect", text),
        default_access: Option<&'a str> = key("default_access", text),
        login_url: Option<&'a str> = key("login_url", text),
        trusted_hosts: Option<Strings<'a>> = key("trusted_hosts", strings),
        cookies: RawCookies<'a> = section("cookies", RawCookies::of),
        session: RawSession<'a> = section("session", RawSession::of),
        claims: Option<Vec<(&'a str, &'a str)>> = names("claims", text),
        providers: Vec<(usize, RawProvider<'a>)> = numbered("providers", RawProvider::of),
        refresh: RawRefresh<'a> = section("refresh", RawRefresh::of),
        rules: Vec<(usize, RawRule<'a>)> = numbered("rules", RawRule::of),
        upstreams: Vec<(usize, RawUpstream<'a>)> = numbered("upstreams", RawUpstream::of),
        pages: RawPages<'a> = section("pages", RawPages::of),
        verify: RawVerify<'a> = section("verify", RawVerify::of),
        secret: Option<&'a Value> = key("secret", any),
    }
}

table! {
    /// `[vars.AUTH.cookies]`
    RawCookies<'a> {
        domain: Option<&'a str> = key("domain", text),
    }
}

table! {
    /// `[vars.AUTH.session]`
    RawSession<'a> {
        max_age: Option<Duration> = key("max_age", span),
        update_age: Option<Duration> = key("update_age", span),
        absolute_max_age: Option<Duration> = key("absolute_max_age", span),
        expose: Option<Vec<(&'a str, &'a str)>> = names("expose", text),
        updatable: Option<Strings<'a>> = key("updatable", strings),
    }
}

table! {
    /// `[[vars.AUTH.providers]]`
    RawProvider<'a> {
        id: Option<&'a str> = key("id", text),
        kind: Option<&'a str> = key("type", text),
        preset: Option<&'a str> = key("preset", text),
        name: Option<&'a str> = key("name", text),
        style: Option<RawStyle<'a>> = table("style", RawStyle::of),
        oauth: RawOAuth<'a> = part(RawOAuth::of),
        allow: Option<Vec<(&'a str, Asked<'a>)>> = names("allow", asked),
        user: Option<RawUser<'a>> = table("user", RawUser::of),
        strict_rotation: Option<bool> = key("strict_rotation", flag),
        accept_bearer: Option<RawBearer<'a>> = table("accept_bearer", RawBearer::of),
        fields: Option<Vec<RawField<'a>>> = tables("fields", RawField::of),
        login: Option<RawLogin<'a>> = table("login", RawLogin::of),
        profile: Option<RawRequest<'a>> = table("profile", RawRequest::of),
        refresh: Option<RawApiRefresh<'a>> = table("refresh", RawApiRefresh::of),
    }
}

table! {
    /// A provider's `style`
    RawStyle<'a> {
        background: Option<&'a str> = key("background", text),
        text: Option<&'a str> = key("text", text),
    }
}

table! {
    /// A provider's `accept_bearer`
    RawBearer<'a> {
        audience: Option<Strings<'a>> = key("audience", strings),
    }
}

table! {
    /// `[vars.AUTH.refresh]`
    RawRefresh<'a> {
        lease: Option<&'a str> = key("lease", text),
        leeway: Option<Duration> = key("leeway", span),
    }
}

table! {
    /// `[[vars.AUTH.rules]]`
    RawRule<'a> {
        patterns: Option<Strings<'a>> = key("match", strings),
        host: Option<&'a str> = key("host", text),
        methods: Option<Strings<'a>> = key("methods", strings),
        access: Option<&'a str> = key("access", text),
        require: Option<Vec<(&'a str, Asked<'a>)>> = names("require", asked),
        email_domain: Option<Strings<'a>> = key("email_domain", strings),
        deny: Option<&'a str> = key("deny", text),
        has: Option<Vec<RawCondition<'a>>> = tables("has", RawCondition::of),
        missing: Option<Vec<RawCondition<'a>>> = tables("missing", RawCondition::of),
        to: Option<&'a str> = key("to", text),
        authorization: Option<&'a str> = key("authorization", text),
        headers: Option<Vec<(&'a str, &'a str)>> = names("headers", text),
        assertion: Option<&'a Value> = key("assertion", any),
    }
}

table! {
    /// An item of a rule's `has` or `missing`.
    RawCondition<'a> {
        kind: Option<&'a str> = key("type", text),
        key: Option<&'a str> = key("key", text),
        value: Option<&'a str> = key("value", text),
    }
}

table! {
    /// `[[vars.AUTH.upstreams]]`
    RawUpstream<'a> {
        host: Option<&'a str> = key("host", text),
        to: Option<&'a str> = key("to", text),
        authorization: Option<&'a str> = key("authorization", text),
        headers: Option<Vec<(&'a str, &'a str)>> = names("headers", text),
        forward_session: Option<bool> = key("forward_session", flag),
        assertion: Option<&'a Value> = key("assertion", any),
    }
}

table! {
    /// `[vars.AUTH.pages]`
    RawPages<'a> {
        sign_in: Option<&'a str> = key("sign_in", text),
        sign_out: Option<&'a str> = key("sign_out", text),
        error: Option<&'a str> = key("error", text),
    }
}

table! {
    /// `[vars.AUTH.verify]`
    RawVerify<'a> {
        headers: Option<&'a str> = key("headers", text),
        secret: Option<&'a Value> = key("secret", any),
    }
}

impl<'a> RawAuth<'a> {
    /// Reads every section by itself, so that what is wrong in one does not hide what is wrong in another.
    pub(super) fn read(auth: &'a Map<String, Value>, problems: &mut Problems) -> Self {
        let mut table = Table::new(auth, Place::root(), problems);
        let raw = Self::of(&mut table);
        // Known only to be refused with a better word.
        table.refuse_unknown(&["secret"]);
        raw
    }
}

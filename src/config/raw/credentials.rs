//! What `type = "credentials"` has beside the other types of providers.

use serde_json::Value;

use super::table::table;
use super::value::{Strings, any, flag, strings, text};

table! {
    /// One of `fields`.
    RawField<'a> {
        name: Option<&'a str> = key("name", text),
        label: Option<&'a str> = key("label", text),
        kind: Option<&'a str> = key("type", text),
        placeholder: Option<&'a str> = key("placeholder", text),
        autocomplete: Option<&'a str> = key("autocomplete", text),
        required: Option<bool> = key("required", flag),
    }
}

table! {
    /// A request to the API: `profile`, and a part of `login` and of `refresh`.
    RawRequest<'a> {
        url: Option<&'a str> = key("url", text),
        method: Option<&'a str> = key("method", text),
        content_type: Option<&'a str> = key("content_type", text),
        headers: Option<Vec<(&'a str, &'a str)>> = names("headers", text),
        body: Option<&'a Value> = key("body", any),
    }
}

table! {
    /// Where an answer has what.
    RawAnswer<'a> {
        access_token: Option<&'a str> = key("access_token", text),
        refresh_token: Option<&'a str> = key("refresh_token", text),
        expires_in: Option<&'a str> = key("expires_in", text),
        expires_at: Option<&'a str> = key("expires_at", text),
        refresh_expires_in: Option<&'a str> = key("refresh_expires_in", text),
        refresh_expires_at: Option<&'a str> = key("refresh_expires_at", text),
        error: Option<&'a str> = key("error", text),
    }
}

table! {
    /// `login`
    RawLogin<'a> {
        request: RawRequest<'a> = part(RawRequest::of),
        answer: RawAnswer<'a> = part(RawAnswer::of),
    }
}

table! {
    /// `user`
    RawUser<'a> {
        id: Option<Strings<'a>> = key("id", strings),
        name: Option<Strings<'a>> = key("name", strings),
        email: Option<Strings<'a>> = key("email", strings),
        image: Option<Strings<'a>> = key("image", strings),
    }
}

table! {
    /// `refresh`
    RawApiRefresh<'a> {
        request: RawRequest<'a> = part(RawRequest::of),
        cookies: Option<Vec<(&'a str, &'a str)>> = names("cookies", text),
        answer: RawAnswer<'a> = part(RawAnswer::of),
    }
}

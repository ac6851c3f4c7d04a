//! Keys of `type = "credentials"`: an API of the site's own that takes a password and issues tokens.

use super::super::Kind::{Any, Bool, Map, ScalarOrList, Table, TableList, Text, TextOrMap};
use super::super::{Group, Keys, keys};

/// The `type` of an HTML input.
pub(in crate::config) const FIELD_TYPES: [(&str, &str); 6] = [
    ("text", "text"),
    ("email", "email"),
    ("password", "password"),
    ("tel", "tel"),
    ("number", "number"),
    ("url", "url"),
];

/// How a body is encoded; the flag is true for JSON.
pub(in crate::config) const CONTENT_TYPES: [(&str, bool); 2] = [("json", true), ("form", false)];

pub(in crate::config) const CREDENTIALS: Group = keys! {
    /// The fields of the sign-in form, 1 to 20.
    fields: TableList(FIELD), example = [{ "name": "email", "type": "email" }, { "name": "password", "type": "password" }],
        needs = "required; `login` must send each field";
    /// The request that signs a user in, and where its response has the tokens. Its templates know the names of the fields.
    login: Table(&[LOGIN_REQUEST, RESPONSE]), needs = "required";
    /// The request for new tokens, and where its response has them. Its templates know `{access_token}`, `{refresh_token}` and
    /// `{cookie.NAME}`. Paths that are not written are those of `login`.
    refresh: Table(&[REFRESH_REQUEST, RESPONSE]), unset = "tokens are not refreshed",
        needs = "`{refresh_token}` or `{cookie.NAME}` in `body`, `cookies` or `headers`";
};

const FIELD: Keys = &[keys! {
    /// The field's name in the form and in templates: at most 64 letters, digits, `-` and `_`, with a letter or `_` first.
    name: Text, example = "email", needs = "required; not `csrfToken`, `callbackUrl`, `json`, `redirect` or `persistent`";
    /// The label on the sign-in page, 1 to 100 characters; or a table with one for each language.
    label: TextOrMap, unset = "a text of the pages for an address, a user name, a password or a one-time code; otherwise the field's name",
        example = { "en": "Staff number", "de": "Personalnummer" };
    /// The type of the HTML input.
    type: Text, values = FIELD_TYPES, default = "text", example = "password";
    /// The placeholder of the HTML input; or a table with one for each language.
    placeholder: TextOrMap, example = "you@example.com";
    /// The `autocomplete` of the HTML input, for password managers.
    autocomplete: Text, unset = "`current-password` for a password, `username` for the first other field", example = "one-time-code";
    /// Whether the login request is sent only when the field is filled in.
    required: Bool, default = true, example = false;
}];

const LOGIN_REQUEST: Group = keys! {
    /// Where the request goes.
    url: Text, example = "https://api.example.com/sign-in", needs = "required; `https`, except on this machine";
    /// The method. GET is not possible: URLs with passwords in them end up in logs.
    method: Text, values = ["POST", "PUT"], default = "POST", example = "PUT";
    /// How the body is written.
    content_type: Text, values = CONTENT_TYPES, default = "json", example = "form";
    /// Header fields of the request. The values are templates.
    headers: Map(&Text), default = {}, example = { "X-Client": "web" };
    /// The body. Strings in it are templates; a string that is one template alone keeps the type of its value.
    body: Any, unset = "each field under its own name", example = { "email": "{email}", "password": "{password}" },
        needs = "a flat table with `content_type = \"form\"`";
};

pub(super) const PROFILE_REQUEST: Group = keys! {
    /// Where the request goes. It carries the access token as `Authorization: Bearer`, and the API's cookies where the API uses
    /// them.
    url: Text, example = "https://api.example.com/me", needs = "required; `https`, except on this machine";
    /// The method.
    method: Text, values = ["GET", "POST"], default = "GET", example = "POST";
    /// How the body is written.
    content_type: Text, values = CONTENT_TYPES, default = "json", example = "form";
    /// Header fields of the request. The values are templates.
    headers: Map(&Text), default = {}, example = { "X-Tenant": "{login.tenant}" };
    /// The body, as in `login`.
    body: Any, unset = "no body", example = { "query": "{ me { id name } }" }, needs = "`method = \"POST\"`";
};

const REFRESH_REQUEST: Group = keys! {
    /// Where the request goes.
    url: Text, example = "https://api.example.com/refresh", needs = "required; `https`, except on this machine";
    /// The method.
    method: Text, values = ["POST", "PUT"], default = "POST", example = "PUT";
    /// How the body is written.
    content_type: Text, values = CONTENT_TYPES, default = "json", example = "form";
    /// Header fields of the request. The values are templates.
    headers: Map(&Text), default = {}, example = { "X-Refresh-Token": "{refresh_token}" };
    /// The body, as in `login`.
    body: Any, unset = "no body", example = { "refreshToken": "{refresh_token}" };
    /// The cookies of the request. The values are templates; a cookie that the session lacks is left out.
    cookies: Map(&Text), default = {}, example = { "refresh_token": "{refresh_token}" };
};

/// The paths into a response.
const RESPONSE: Group = keys! {
    /// Where the response has the access token: a path that begins with `body`, `cookie` or `header`.
    access_token: Text, example = "body.accessToken", needs = "required in `login`";
    /// Where the response has the refresh token.
    refresh_token: Text, unset = "`login`: there is none; `refresh`: as in `login`", example = "cookie.refresh_token";
    /// Where the response says in how many seconds the access token ends.
    expires_in: Text, unset = "`expires_at`, otherwise the cookie's end or the token's own `exp`", example = "body.expiresIn",
        needs = "not together with `expires_at`";
    /// Where the response says at what time the access token ends: in seconds or milliseconds since 1970, or as RFC 3339 writes it.
    expires_at: Text, example = "body.expiresAt", needs = "not together with `expires_in`";
    /// Where the response says in how many seconds the refresh token ends.
    refresh_expires_in: Text, example = "body.refreshExpiresIn", needs = "not together with `refresh_expires_at`";
    /// Where the response says at what time the refresh token ends, as for `expires_at`.
    refresh_expires_at: Text, example = "body.refreshExpiresAt", needs = "not together with `refresh_expires_in`";
    /// Where a response below 500 has an error: anything there but null, false, 0 and empty values.
    error: Text, example = "body.error", needs = "a path that begins with `body` or `header`";
    /// The errors that are a refusal: what is at `error`, or a member of it. Any other error is a failure of the API, which may pass:
    /// no one is told that the password is wrong, and no session ends.
    refused_errors: ScalarOrList, unset = "`login`: every error, or for an `error` in GraphQL's `errors` the codes `UNAUTHENTICATED`, `UNAUTHORIZED`, `FORBIDDEN` and `INVALID_CREDENTIALS`; `refresh`: as in `login`",
        example = ["INVALID_CREDENTIALS", "Refresh token is expired"], needs = "`error`";
    /// The statuses that are a refusal whatever is at `error`.
    refused_statuses: ScalarOrList, unset = "`login`: 400, 401, 403 and 422, or with a list of errors 401 and 403; `refresh`: the same without 422",
        example = [401, 403], needs = "statuses from 400 to 499, without 408, 425 and 429";
    /// The values at `error` that are no error.
    success: ScalarOrList, unset = "`login`: null, false, 0 and empty values; `refresh`: as in `login`", example = ["ok", 200], needs = "`error`";
};

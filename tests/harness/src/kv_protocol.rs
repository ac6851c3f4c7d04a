//! The protocol between the runtime's KV binding and the KV service: plain HTTP, with the percent-encoded key as the path.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::{
    handler::{Request, Response},
    kv::{At, KvFault},
};

/// The limits of the production service: seconds, seconds, bytes, bytes, keys.
const MIN_TTL: u64 = 60;
const MIN_CACHE_TTL: u64 = 30;
const MAX_KEY: usize = 512;
const MAX_VALUE: usize = 25 << 20;
const LIST_LIMIT: usize = 1000;

pub(crate) fn answer(kv: Option<&At<'_>>, request: &Request) -> Response {
    let Some(kv) = kv else { return error_response(502, "the test has no such KV namespace") };
    let encoded = request.path().strip_prefix('/').unwrap_or_default();
    let key = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
    let done = match request.method.as_str() {
        "GET" if key.is_empty() => list(kv, request),
        "GET" => get(kv, &key, request),
        "POST" if key == "bulk/get" => bulk_get(kv, request),
        "PUT" => put(kv, &key, request),
        "DELETE" => kv.write(&key, None).map(|()| Response::status(200)),
        _ => Ok(error_response(405, "not an operation of KV")),
    };
    done.unwrap_or_else(|fault| match fault {
        KvFault::Status(status) => error_response(status, "injected by the test"),
        KvFault::Hang => Response::hang(),
        KvFault::Close => Response::close(),
    })
}

fn get(kv: &At<'_>, key: &str, request: &Request) -> Result<Response, KvFault> {
    if request.query("cache_ttl").is_some_and(|text| !is_cache_ttl(&text)) {
        return Ok(error_response(400, CACHE_TTL_TOO_SHORT));
    }
    let Some(entry) = kv.read(key)? else { return Ok(error_response(404, "Not Found")) };
    let response = Response::bytes(entry.value);
    Ok(match entry.metadata {
        Some(metadata) => response.header("CF-KV-Metadata", metadata.to_string()),
        None => response,
    })
}

fn put(kv: &At<'_>, key: &str, request: &Request) -> Result<Response, KvFault> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Ok(error_response(414, "a key has 1 to 512 bytes"));
    }
    if request.body.len() > MAX_VALUE {
        return Ok(error_response(413, "a value has at most 25 MiB"));
    }
    let number = |name| request.query(name).and_then(|text| text.parse::<u64>().ok());
    let ttl =
        number("expiration_ttl").or_else(|| number("expiration").map(|at| at.saturating_sub(unix_now())));
    if ttl.is_some_and(|ttl| ttl < MIN_TTL) {
        return Ok(error_response(400, "an expiration must be at least 60 seconds in the future"));
    }
    let metadata = request.header("cf-kv-metadata").and_then(|text| serde_json::from_str(text).ok());
    kv.write(key, Some((request.body.clone(), ttl.map(Duration::from_secs), metadata)))?;
    Ok(Response::status(200))
}

fn bulk_get(kv: &At<'_>, request: &Request) -> Result<Response, KvFault> {
    let Ok(Value::Object(asked)) = serde_json::from_slice(&request.body) else {
        return Ok(error_response(400, "the body is not an object"));
    };
    // The runtime sends it as text.
    let cache_ttl =
        asked.get("cacheTtl").map(|ttl| ttl.as_str().map_or_else(|| ttl.to_string(), str::to_owned));
    if cache_ttl.is_some_and(|text| !is_cache_ttl(&text)) {
        return Ok(error_response(400, CACHE_TTL_TOO_SHORT));
    }
    let parse = asked.get("type").and_then(Value::as_str) == Some("json");
    let with_metadata = asked.get("withMetadata").and_then(Value::as_bool) == Some(true);
    let mut found = Map::new();
    for key in asked.get("keys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let value = kv.read(key)?.map_or(Value::Null, |entry| {
            let text = String::from_utf8_lossy(&entry.value).into_owned();
            let value =
                if parse { serde_json::from_str(&text).unwrap_or(Value::Null) } else { Value::String(text) };
            if with_metadata { json!({ "value": value, "metadata": entry.metadata }) } else { value }
        });
        found.insert(key.to_owned(), value);
    }
    Ok(Response::json(&Value::Object(found)))
}

fn list(kv: &At<'_>, request: &Request) -> Result<Response, KvFault> {
    let limit = request.query("key_count_limit").and_then(|text| text.parse().ok()).unwrap_or(LIST_LIMIT);
    let prefix = request.query("prefix").unwrap_or_default();
    let after = request.query("cursor").unwrap_or_default();
    let (listed, complete) = kv.list(&prefix, &after, limit.min(LIST_LIMIT))?;
    let cursor = listed.last().map(|(name, _, _)| name.clone()).filter(|_| !complete);
    let keys: Vec<Value> = listed
        .into_iter()
        .map(|(name, left, metadata)| {
            let mut key = Map::from_iter([("name".to_owned(), Value::String(name))]);
            if let Some(left) = left {
                key.insert("expiration".to_owned(), (unix_now() + left.as_secs()).into());
            }
            if let Some(metadata) = metadata {
                key.insert("metadata".to_owned(), metadata);
            }
            Value::Object(key)
        })
        .collect();
    let mut answer = json!({ "keys": keys, "list_complete": complete, "cacheStatus": null });
    if let (Some(cursor), Some(answer)) = (cursor, answer.as_object_mut()) {
        answer.insert("cursor".to_owned(), Value::String(cursor));
    }
    Ok(Response::json(&answer))
}

const CACHE_TTL_TOO_SHORT: &str = "cacheTtl is at least 30 seconds";

fn is_cache_ttl(text: &str) -> bool {
    text.parse().is_ok_and(|seconds: u64| seconds >= MIN_CACHE_TTL)
}

fn error_response(status: u16, why: &str) -> Response {
    Response::text(why).with_status(status)
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

//! The servers that requests are forwarded to.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::{self, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::timeout;

use crate::body::Body;
use crate::client::{Client, SendError};
use crate::connection::Open;
use crate::fields::{self, FieldError};
use crate::jobs::Jobs;
use crate::target::Server;
use vestibule_core::platform::ForwardError;
use vestibule_core::upstream::Target;

/// How long a connection that has left HTTP may be open in one direction only. Who ends a WebSocket has said so before, and waits for
/// the other end to close it, too (RFC 6455 section 7.1.1).
const MAX_HALF: Duration = Duration::from_secs(5);

/// The servers by the names that the configuration has for them.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    origin: Option<Server>,
    services: BTreeMap<String, Server>,
    /// How long one may take until the head of its answer is there.
    deadline: Duration,
}

/// A request on its way to a server.
pub(crate) struct Sent {
    pub(crate) request: Request<Body>,
    /// The client's connection, if both ends are to go on without HTTP.
    pub(crate) upgrade: Option<(OnUpgrade, Rc<Open>)>,
}

/// The name and the URL of an entry of `--services`.
pub(crate) fn named_service(service: &str) -> Option<(&str, &str)> {
    service.split_once('=').filter(|(name, _)| !name.is_empty())
}

impl Upstreams {
    /// Reads the options. The error says which one is wrong.
    pub(crate) fn new(origin: Option<&str>, services: &[String], deadline: Duration) -> Result<Self, String> {
        let server = |option: &str, url: &str| {
            Server::parse(url)
                .ok_or_else(|| format!("{option}: {url:?} is not an origin such as http://127.0.0.1:3000"))
        };
        let origin = origin.map(|url| server("--origin", url)).transpose()?;
        let service = |service: &String| {
            let (name, url) = named_service(service).ok_or_else(|| {
                format!("--services: {service:?} is not NAME=URL, such as API=http://api:4000")
            })?;
            Ok((name.to_owned(), server("--services", url)?))
        };
        let mut all = BTreeMap::new();
        for (name, server) in services.iter().map(service).collect::<Result<Vec<_>, String>>()? {
            if all.insert(name.clone(), server).is_some() {
                return Err(format!("--services: {name} is there twice; remove one of the two"));
            }
        }
        Ok(Self { origin, services: all, deadline })
    }

    /// The server of a target.
    pub(crate) fn server(&self, target: &Target) -> Result<Server, ForwardError> {
        match target {
            Target::Origin => self
                .origin
                .clone()
                .ok_or_else(|| ForwardError::no_origin("start the server with --origin URL")),
            Target::Service(name) => self.services.get(name).cloned().ok_or_else(|| {
                ForwardError::no_service(name, &format!("start the server with --services {name}=URL"))
            }),
            Target::Url(url) => Server::parse(url.origin())
                .ok_or_else(|| ForwardError::Unreachable("it is no origin".to_owned())),
        }
    }

    /// Sends a request, and gives the response as the client gets it. `relocate` changes the `Location` of a redirect.
    pub(crate) async fn forward(
        &self,
        client: &Client,
        jobs: &Jobs,
        sent: Sent,
        relocate: impl Fn(&str) -> Option<String>,
    ) -> Result<Response<Body>, SendError> {
        let Sent { request, upgrade } = sent;
        let upload = request.body().upload();
        let mut response = client.send(request, self.deadline).await?;
        let unreachable = |error: &dyn Display| ForwardError::Unreachable(error.to_string());
        let is_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let upstream = is_switched.then(|| hyper::upgrade::on(&mut response));
        let (mut parts, body) = response.into_parts();
        // The version is of the upstream's own connection (RFC 9110 section 2.5).
        parts.version = Version::HTTP_11;
        fields::check_length(&mut parts.headers).map_err(|error| unreachable(&error))?;
        fields::remove_hop_by_hop(&mut parts.headers);
        if let Some(location) =
            parts.headers.get(header::LOCATION).map(fields::text).and_then(|at| relocate(&at))
        {
            let location = HeaderValue::from_bytes(location.as_bytes());
            parts.headers.insert(header::LOCATION, location.map_err(|error| unreachable(&error))?);
        }
        match (upstream, upgrade) {
            (None, _) => {
                let body = match upload.answer(self.deadline) {
                    Some(answer) => Body::Early(body, answer),
                    None => Body::Upstream(body),
                };
                Ok(Response::from_parts(parts, body))
            }
            (Some(upstream), Some((client, open))) => {
                drop(jobs.spawn(connect(client, open, upstream)));
                parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
                parts.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                Ok(Response::from_parts(parts, Body::empty()))
            }
            (Some(_), None) => {
                let message = "it switched to a protocol that was not asked for";
                Err(ForwardError::Unreachable(message.to_owned()).into())
            }
        }
    }
}

/// Sets the `Host` that the server of a target gets: the request's own, unless the target is another origin.
pub(crate) fn set_host(headers: &mut HeaderMap, target: &Target, authority: &str) -> Result<(), FieldError> {
    match target {
        Target::Origin | Target::Service(_) => {
            headers.insert(header::HOST, HeaderValue::from_bytes(authority.as_bytes())?);
        }
        // The client writes the host of the address.
        Target::Url(_) => drop(headers.remove(header::HOST)),
    }
    Ok(())
}

/// Passes bytes between two connections that have left HTTP, until one of them ends, and for a moment more.
async fn connect(client: OnUpgrade, open: Rc<Open>, upstream: OnUpgrade) {
    let (Ok(client), Ok(upstream)) = (client.await, upstream.await) else { return };
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_upstream, to_upstream) = split(TokioIo::new(upstream));
    let (mut up, mut down) = (pin!(pass(from_client, to_upstream)), pin!(pass(from_upstream, to_client)));
    // How the other end closes is for it to say; one that never does would keep both connections.
    tokio::select! {
        ended = up.as_mut() => if ended.is_ok() { drop(timeout(MAX_HALF, down).await) },
        ended = down.as_mut() => if ended.is_ok() { drop(timeout(MAX_HALF, up).await) },
    }
    drop(open);
}

/// Passes bytes in one direction to their end, and the end.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    copy(&mut from, &mut to).await?;
    to.shutdown().await
}

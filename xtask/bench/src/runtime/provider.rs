//! The OpenID provider at which Apache signs people in: its metadata, and tokens for every code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vestibule_core::jose::jws::sign_hs256;
use vestibule_core::secret::Secret;

use crate::sessions;

/// How long Apache may take to send its request.
const LIMIT: Duration = Duration::from_secs(10);

/// A provider that runs, as long as the process does: its thread waits for connections, and costs nothing.
pub(crate) struct Provider {
    address: SocketAddr,
    /// The length of both tokens together.
    size: Arc<AtomicUsize>,
}

impl Provider {
    pub(crate) const CLIENT: &str = "bench";
    pub(crate) const SECRET: &str = "a-client-secret-for-measuring-that-guards-nothing";

    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
        let address = listener.local_addr()?;
        let size = Arc::new(AtomicUsize::new(1500));
        let provider = Self { address, size: Arc::clone(&size) };
        let issuer = provider.issuer();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Apache says so where it gets no answer.
                let _ = answer(&stream, &issuer, size.load(Ordering::Relaxed));
            }
        });
        Ok(provider)
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the length of both tokens together.
    pub(crate) fn change_size(&self, change: impl FnOnce(usize) -> usize) {
        self.size.store(change(self.size.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

/// Answers one request: for the metadata, or for tokens.
fn answer(mut stream: &TcpStream, issuer: &str, size: usize) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut form = String::new();
    reader.take(length).read_to_string(&mut form)?;
    let body = if first.starts_with("GET ") { metadata(issuer) } else { tokens(issuer, &form, size)? };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "id_token_signing_alg_values_supported": ["HS256"],
    })
}

fn tokens(issuer: &str, form: &str, size: usize) -> Result<Value> {
    let code = form.split('&').find_map(|pair| pair.strip_prefix("code=")).context("the form has no code")?;
    let now = sessions::now().seconds();
    let claims = json!({
        "iss": issuer,
        "sub": "00u1a2b3c4d5e6f7g8",
        "aud": Provider::CLIENT,
        "exp": now + 36_000,
        "iat": now,
        "nonce": code,
        "email": "alice@example.com",
    });
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": 36_000,
        "access_token": sessions::token(size * 2 / 3, 0),
        "refresh_token": sessions::token(size / 3, 1),
        "id_token": sign_hs256(&claims, &Secret::new(Provider::SECRET)),
    }))
}

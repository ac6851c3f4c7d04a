//! The app behind the proxies: it says which request it got, and echoes over a WebSocket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use miniflare_test_harness::tungstenite::handshake::derive_accept_key;
use miniflare_test_harness::tungstenite::protocol::Role;
use miniflare_test_harness::tungstenite::{Message, WebSocket};

/// A running app. It accepts no connection after this is dropped.
pub struct App {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requests: AtomicUsize,
    targets: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl App {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || serve(&shared, stream).ok());
                }
            }
        });
        Self { address, state }
    }

    /// How many requests it got.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// The targets of these requests.
    pub fn targets(&self) -> Vec<String> {
        self.state.targets.lock().expect("no panic").clone()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
    }
}

/// Answers one request of a connection: `uri=…`, then each header field in a line, then the body.
fn serve(state: &State, stream: TcpStream) -> std::io::Result<()> {
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let first = lines.remove(0);
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    state.targets.lock().expect("no panic").push(target);
    state.requests.fetch_add(1, Ordering::SeqCst);
    let field = |name: &str| {
        let fields = lines.iter().filter_map(|line| line.split_once(':'));
        fields.clone().find(|(this, _)| this.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    if let (Some(key), Some(_)) = (field("sec-websocket-key"), field("upgrade")) {
        let accept = derive_accept_key(key.as_bytes());
        let email = field("x-user-email").unwrap_or_default().to_owned();
        write!(
            to,
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        )?;
        let mut socket = WebSocket::from_raw_socket(to, Role::Server, None);
        socket.send(Message::text(email)).ok();
        while let Ok(message) = socket.read() {
            if message.is_text() {
                socket.send(message).ok();
            }
        }
        return Ok(());
    }
    let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let fields: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}: {}\n", name.to_ascii_lowercase(), value.trim()))
        .collect();
    let text = format!("request={first}\n{}body={}\n", fields.concat(), String::from_utf8_lossy(&body));
    let length = text.len();
    let text = if first.starts_with("HEAD ") { "" } else { text.as_str() };
    write!(
        to,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\
         cache-control: public, max-age=60\r\nset-cookie: of-app=1\r\nconnection: close\r\n\r\n{text}"
    )
}

//! A connection between a proxy and what it asks, which a test can cut, and whose requests it can read.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes on what comes to its address.
pub struct Tap {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    to: SocketAddr,
    is_cut: AtomicBool,
    is_closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    heads: Mutex<Vec<String>>,
}

impl Tap {
    /// To this address.
    pub fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (is_cut, is_closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let state = State { to, is_cut, is_closed, open: Mutex::default(), heads: Mutex::default() };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_closed.load(Ordering::SeqCst) {
                    return;
                }
                if !shared.is_cut.load(Ordering::SeqCst) {
                    shared.connect(client);
                }
            }
        });
        Self { address, state }
    }

    /// Closes all connections, and each new one until [`Tap::restore`].
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().expect("no panic").drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// Passes on again.
    pub fn restore(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
    }

    /// The heads of the requests since this was last asked. None of them may have a body.
    pub fn heads(&self) -> Vec<String> {
        std::mem::take(&mut self.state.heads.lock().expect("no panic"))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
        self.cut();
        TcpStream::connect(self.address).ok();
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.to) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok();
        }
        let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
        let kept = [&client, &server].into_iter().flat_map(TcpStream::try_clone);
        self.open.lock().expect("no panic").extend(kept);
        let state = Arc::clone(self);
        thread::spawn(move || {
            let mut begun = Vec::new();
            pass(from_client, server, |part| state.read(&mut begun, part));
        });
        thread::spawn(move || pass(from_server, client, |_| {}));
    }

    fn read(&self, begun: &mut Vec<u8>, part: &[u8]) {
        begun.extend_from_slice(part);
        while let Some(end) = begun.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = begun.split_off(end + 4);
            let head = String::from_utf8_lossy(&begun[..end]).into_owned();
            *begun = rest;
            self.heads.lock().expect("no panic").push(head);
        }
    }
}

/// Passes on until either end closes, which closes the other.
fn pass(mut from: TcpStream, mut to: TcpStream, mut read: impl FnMut(&[u8])) {
    let mut part = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut part) {
        read(&part[..length]);
        if length == 0 || to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

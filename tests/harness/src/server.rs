//! The HTTP/1.1 server that answers everything that the Worker can reach. It uses one thread per connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    SCHEME_HEADER,
    capnp::CF_HEADER,
    handler::{BodyWriter, Connection, Payload, Request, Response},
    kv_protocol,
    net::{Destination, Net, Route, Upstream},
    wire::{self, Body, Framing, RequestHead},
};

/// The header in which the runtime names the binding of a request: `service:NAME` or `kv:NAME@LOCATION`; absent for global
/// `fetch`.
pub(crate) const ROUTE_HEADER: &str = "x-harness-route";

/// The running server. It stops accepting connections when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(net: Arc<Net>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let net = Arc::clone(&net);
                    // The runtime reports a broken connection to the Worker as a failed fetch.
                    thread::spawn(move || serve(&net, stream).ok());
                }
            }
        });
        Ok(Self { address, stop })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
    }
}

fn serve(net: &Net, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    while let Some(head) = wire::read_request_head(&mut from)? {
        if wire::field(&head.fields, "expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
            to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let route = wire::field(&head.fields, ROUTE_HEADER).unwrap_or_default().to_owned();
        let framing = Framing::of_request(&head.fields);
        let mut request = request(head);
        if !net.reads_body_itself(&route, &request) {
            Body::new(&mut from, framing).read_to_end(&mut request.body)?;
        }
        let response = match route.split_once(':') {
            Some(("kv", name)) => {
                let (name, location) = name.split_once('@').unwrap_or((name, ""));
                kv_protocol::answer(net.kv.get(name).map(|kv| kv.at(location)).as_ref(), &request)
            }
            Some(("service", name)) => match answer(net, Route::Service(name.to_owned()), &request) {
                Answer::Response(response) => response,
                Answer::Forward(address) => return forward(address, &request, from, to),
            },
            _ => match answer(net, Route::Internet, &request) {
                Answer::Response(response) => response,
                Answer::Forward(address) => return forward(address, &request, from, to),
            },
        };
        thread::sleep(response.delay);
        match response.payload {
            Payload::Takeover(run) => {
                let mut connection = Connection { from, to, framing };
                run(&mut connection);
                return connection.to.shutdown(Shutdown::Both);
            }
            Payload::Whole(body) => {
                let no_body = response.status == 204 || response.status == 304;
                let mut fields = response.headers;
                if !no_body && wire::field(&fields, "content-length").is_none() {
                    fields.push(("content-length".to_owned(), body.len().to_string()));
                }
                let mut whole = Vec::with_capacity(body.len() + 512);
                wire::write_head(&mut whole, &status_line(response.status), &fields)?;
                if request.method != "HEAD" && !no_body {
                    whole.extend_from_slice(&body);
                }
                to.write_all(&whole)?;
            }
            Payload::Stream(write) => {
                let mut fields = response.headers;
                fields.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
                wire::write_head(&mut to, &status_line(response.status), &fields)?;
                if request.method != "HEAD" {
                    write(&mut BodyWriter { to: &mut to })?;
                    to.write_all(b"0\r\n\r\n")?;
                }
            }
        }
    }
    Ok(())
}

enum Answer {
    Response(Response),
    Forward(SocketAddr),
}

fn answer(net: &Net, route: Route, request: &Request) -> Answer {
    let destination = net.destination(&route, request);
    net.record(route, request.clone());
    match destination {
        Destination::Loopback(address) | Destination::Upstream(Upstream::Address(address)) => {
            Answer::Forward(address)
        }
        Destination::Upstream(Upstream::Handler(handler) | Upstream::Unread(handler)) => {
            let outcome = catch_unwind(AssertUnwindSafe(|| handler(request)));
            Answer::Response(outcome.unwrap_or_else(|panic| {
                let what = panic_text(panic.as_ref());
                net.record_panic(format!("{} {}: {what}", request.method, request.url()));
                Response::text(format!("the test's handler panicked: {what}")).with_status(500)
            }))
        }
        Destination::Unknown(why) => {
            net.record_unknown(request.clone());
            let text = format!("test harness: {why} ({} {})", request.method, request.url());
            Answer::Response(Response::text(text).with_status(502))
        }
    }
}

/// Forwards a request to a real server, and its response back byte for byte, except that the connection ends after it.
/// Forwards in both directions for an upgrade.
fn forward(
    address: SocketAddr,
    request: &Request,
    mut from: BufReader<TcpStream>,
    mut to: TcpStream,
) -> io::Result<()> {
    let Ok(mut upstream) = TcpStream::connect(address) else {
        let body = format!("test harness: no server listens on {address}");
        let fields = [("content-length".to_owned(), body.len().to_string())];
        wire::write_head(&mut to, &status_line(502), &fields)?;
        return to.write_all(body.as_bytes());
    };
    upstream.set_nodelay(true)?;
    let upgrade = request.header("upgrade").is_some();
    let mut fields = request.headers.clone();
    fields.retain(|(name, _)| {
        !name.eq_ignore_ascii_case("transfer-encoding") && !name.eq_ignore_ascii_case("content-length")
    });
    if !upgrade {
        fields.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
        fields.push(("connection".to_owned(), "close".to_owned()));
    }
    if !request.body.is_empty() || request.header("content-length").is_some() {
        fields.push(("content-length".to_owned(), request.body.len().to_string()));
    }
    wire::write_head(&mut upstream, &format!("{} {} HTTP/1.1", request.method, request.target), &fields)?;
    upstream.write_all(&request.body)?;
    if upgrade {
        let mut outward = upstream.try_clone()?;
        thread::spawn(move || {
            io::copy(&mut from, &mut outward).ok();
            outward.shutdown(Shutdown::Both).ok();
        });
    }
    let mut answer = BufReader::new(upstream);
    if !upgrade {
        copy_head(&mut answer, &mut to)?;
    }
    io::copy(&mut answer, &mut to).ok();
    to.shutdown(Shutdown::Both)
}

/// Copies the head of a response, which says that the connection ends: some servers say that it stays, whatever was asked.
fn copy_head(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    let (mut line, mut is_interim) = (Vec::new(), false);
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = line.to_ascii_lowercase();
        if text.starts_with(b"http/1.1 ") {
            is_interim = text.starts_with(b"http/1.1 1");
        }
        let is_end = text == b"\r\n";
        if is_end && !is_interim {
            to.write_all(b"connection: close\r\n")?;
        }
        if !text.starts_with(b"connection:") && !text.starts_with(b"keep-alive:") {
            to.write_all(&line)?;
        }
        if is_end && !is_interim {
            return Ok(());
        }
    }
}

/// The request without its body, which has not been read yet.
fn request(head: RequestHead) -> Request {
    let mut headers = head.fields;
    let scheme = wire::field(&headers, SCHEME_HEADER).unwrap_or("http").to_owned();
    let host = wire::field(&headers, "host").unwrap_or_default().to_owned();
    let cf = wire::field(&headers, CF_HEADER).and_then(|cf| serde_json::from_str(cf).ok());
    let own = [ROUTE_HEADER, SCHEME_HEADER, CF_HEADER];
    headers.retain(|(name, _)| !own.iter().any(|own| name.eq_ignore_ascii_case(own)));
    Request {
        method: head.method,
        scheme,
        host,
        target: head.target,
        headers,
        odd_headers: head.odd_fields,
        body: Vec::new(),
        cf,
    }
}

fn status_line(status: u16) -> String {
    let reason = match status {
        200 => "OK",
        302 => "Found",
        404 => "Not Found",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        _ => "Status",
    };
    format!("HTTP/1.1 {status} {reason}")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no text)")
}

//! The HTTP/1.1 server that answers everything that the Worker can reach. It uses one thread per connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    SCHEME_HEADER,
    capnp::CF_HEADER,
    handler::{BodyWriter, Connection, Payload, Request, Response},
    kv_protocol,
    net::{Destination, Net, Route, Upstream, loopback},
    watched::lock,
    wire::{self, Body, Fields, Framing, RequestHead},
};

/// The header in which the runtime names the binding of a request: `service:NAME` or `kv:NAME@LOCATION`; absent for global
/// `fetch`.
pub(crate) const ROUTE_HEADER: &str = "x-harness-route";

/// The running server. It stops accepting connections when dropped.
pub(crate) struct Server {
    net: Arc<Net>,
    /// The address for workerd, whose requests have the harness's own fields.
    pub(crate) address: SocketAddr,
    /// All addresses.
    addresses: Mutex<Vec<SocketAddr>>,
    stop: Arc<AtomicBool>,
}

/// What a request is for that comes to an address of the server.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    /// What it is for. Without it the request says so itself.
    route: Option<Route>,
    /// The field that names the origin that it is for.
    origin_field: Option<String>,
}

impl Entry {
    /// All of this route.
    pub(crate) fn of_route(route: Route) -> Self {
        Self { route: Some(route), origin_field: None }
    }

    /// To the origins that this field names.
    pub(crate) fn of_gateway(field: &str) -> Self {
        Self { route: Some(Route::Internet), origin_field: Some(field.to_owned()) }
    }
}

impl Server {
    pub(crate) fn start(net: Arc<Net>) -> io::Result<Self> {
        let unbound = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { net, address: unbound, addresses: Mutex::default(), stop: Arc::default() };
        server.address = server.listen(Entry::default())?;
        Ok(server)
    }

    /// A further address, whose requests are for this.
    pub(crate) fn listen(&self, entry: Entry) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (net, stopped) = (Arc::clone(&self.net), Arc::clone(&self.stop));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let (net, entry) = (Arc::clone(&net), entry.clone());
                    // The runtime reports a broken connection to the Worker as a failed fetch.
                    thread::spawn(move || serve(&net, &entry, stream).ok());
                }
            }
        });
        lock(&self.addresses).push(address);
        Ok(address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in lock(&self.addresses).iter() {
            TcpStream::connect(address).ok();
        }
    }
}

fn serve(net: &Net, entry: &Entry, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    while let Some(head) = wire::read_request_head(&mut from)? {
        if wire::field(&head.fields, "expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
            to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let named = wire::field(&head.fields, ROUTE_HEADER).filter(|_| entry.route.is_none());
        let named = named.unwrap_or_default().to_owned();
        let service = named.strip_prefix("service:").map(|name| Route::Service(name.to_owned()));
        let route = entry.route.clone().or(service).unwrap_or(Route::Internet);
        let framing = Framing::of_request(&head.fields);
        let mut request = request(head, entry);
        if !net.reads_body_itself(&route, &request) {
            Body::new(&mut from, framing).read_to_end(&mut request.body)?;
        }
        let response = if let Some(name) = named.strip_prefix("kv:") {
            let (name, location) = name.split_once('@').unwrap_or((name, ""));
            kv_protocol::answer(net.kv.get(name).map(|kv| kv.at(location)).as_ref(), &request)
        } else {
            match answer(net, route, &request) {
                Answer::Response(response) => response,
                Answer::Forward(address) => return forward(address, &request, from, to),
            }
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
fn request(head: RequestHead, entry: &Entry) -> Request {
    let mut headers = head.fields;
    if let Some(field) = &entry.origin_field {
        go_to_origin(&mut headers, field);
    } else if entry.route.is_some() {
        go_to_own_host(&mut headers);
    }
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

/// Puts the origin that a gateway's field names in place of the gateway's own.
fn go_to_origin(headers: &mut Fields, field: &str) {
    let origin = wire::field(headers, field).unwrap_or_default().to_owned();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case(field));
    let (scheme, authority) = origin.split_once("://").unwrap_or(("http", ""));
    set(headers, SCHEME_HEADER, scheme);
    set(headers, "host", authority);
}

/// The host and scheme of a request that came to the address of a service or of an origin. A runtime that cannot write another
/// `Host` than that address says the site's host in `X-Forwarded-Host`.
fn go_to_own_host(headers: &mut Fields) {
    let forwarded = |name: &str| wire::field(headers, name).map(str::to_owned);
    let (scheme, host) = (forwarded("x-forwarded-proto"), forwarded("x-forwarded-host"));
    let is_address = wire::field(headers, "host").is_some_and(|host| loopback("http", host).is_some());
    if let Some(host) = host.filter(|_| is_address) {
        set(headers, "host", &host);
    }
    if let Some(scheme) = scheme.filter(|_| wire::field(headers, SCHEME_HEADER).is_none()) {
        set(headers, SCHEME_HEADER, &scheme);
    }
}

/// Sets the first field of this name, or adds it.
fn set(headers: &mut Fields, name: &str, value: &str) {
    match headers.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        Some((_, old)) => value.clone_into(old),
        None => headers.push((name.to_owned(), value.to_owned())),
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

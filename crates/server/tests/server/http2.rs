//! HTTP/2 by raw frames: what HTTP/1.1 upstreams could read differently, floods, slow clients, and connections that end.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::certificates::Authority;
use crate::http::{self, Message};
use crate::memory::resident;
use crate::site::{self, Server, Site, recorded};
use crate::tunnel::Tunnel;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

type Fields<'a> = &'a [(&'a str, &'a str)];

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/public/x")];

/// A connection that begins with prior knowledge (RFC 9113 section 3.3), as a proxy in front makes it.
struct Connection(TcpStream);

/// What became of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// An answer that is complete.
    Answer(u16, Vec<u8>),
    /// The stream was reset: by this error, after these bytes of an answer.
    Reset(u32, Vec<u8>),
    /// The connection ended: with this error, if the server said one.
    Ended(Option<u32>),
}

impl Outcome {
    /// Whether nothing was let through.
    fn is_refused(&self) -> bool {
        match self {
            Self::Answer(status, _) => matches!(status, 400..=599),
            Self::Reset(..) | Self::Ended(_) => true,
        }
    }
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let mut connection = Self(http::connect(address));
        connection.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        connection.send(SETTINGS, 0, 0, &[]).unwrap();
        connection
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()[..]].concat();
        self.0.write_all(&[&head, payload].concat())
    }

    fn request(&mut self, stream: u32, flags: u8, fields: Fields) -> std::io::Result<()> {
        self.send(HEADERS, flags | END_HEADERS, stream, &encode(fields))
    }

    fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).ok()?;
        let frame = Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload,
        };
        if frame.kind == SETTINGS && frame.flags & 1 == 0 {
            self.send(SETTINGS, 1, 0, &[]).ok();
        }
        Some(frame)
    }

    /// Reads until it is known what became of a stream.
    fn outcome(&mut self, stream: u32) -> Outcome {
        let (mut status, mut body) = (0, Vec::new());
        let mut error = None;
        while let Some(frame) = self.read() {
            if frame.kind == GOAWAY {
                error = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS if status == 0 => status = decode_status(&frame.payload),
                DATA => body.extend(frame.payload),
                RST_STREAM => {
                    // NO_ERROR after an answer says that the rest of the request is not needed (section 8.1).
                    let code = u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
                    return Outcome::Reset(code, body);
                }
                _ => {}
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                return Outcome::Answer(status, body);
            }
        }
        Outcome::Ended(error)
    }

    /// Reads until the connection ends: the error of the last GOAWAY.
    fn end(&mut self) -> Option<u32> {
        match self.outcome(u32::MAX) {
            Outcome::Ended(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

/// Each field as a literal that is not indexed (RFC 7541 section 6.2.2), without Huffman's code.
fn encode(fields: Fields) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = Vec::new();
        match text.len() {
            length @ 0..127 => bytes.push(u8::try_from(length).unwrap()),
            mut length => {
                bytes.push(127);
                length -= 127;
                while length >= 128 {
                    bytes.push(u8::try_from(length % 128).unwrap() | 128);
                    length /= 128;
                }
                bytes.push(u8::try_from(length).unwrap());
            }
        }
        [bytes, text.as_bytes().to_vec()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The status, which is the first field (RFC 9113 section 8.3): its number in the table of RFC 7541, or three digits.
fn decode_status(block: &[u8]) -> u16 {
    // Updates of the size of the dynamic table.
    let block = &block[block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap()..];
    if let [byte @ 0x88..=0x8e, ..] = block {
        return [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)];
    }
    assert_eq!(block[0] & 0x0f, 8, "not a status: {block:02x?}");
    let (length, value) = (usize::from(block[1] & 0x7f), &block[2..]);
    if block[1] & 0x80 == 0 {
        return std::str::from_utf8(&value[..length]).unwrap().parse().unwrap();
    }
    // Huffman's code: 0 to 2 are five bits long, 3 to 9 are six.
    let bits: Vec<String> = value[..length].iter().map(|byte| format!("{byte:08b}")).collect();
    let bits = bits.concat();
    let (mut status, mut at) = (0, 0);
    for _ in 0..3 {
        let five = u16::from_str_radix(&bits[at..at + 5], 2).unwrap();
        let digit =
            if five < 3 { five } else { u16::from_str_radix(&bits[at..at + 6], 2).unwrap() - 0b01_0110 };
        at += if five < 3 { 5 } else { 6 };
        status = status * 10 + digit;
    }
    status
}

fn still_serves(address: SocketAddr) {
    let mut connection = Connection::open(address);
    connection.request(1, END_STREAM, &changed(":path", "/public/still")).unwrap();
    assert!(matches!(connection.outcome(1), Outcome::Answer(200, _)));
}

/// The two ways to a server: HTTP/2 with prior knowledge, and inside TLS.
#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    Tls,
}

const WAYS: [Way; 2] = [Way::Plain, Way::Tls];

/// A server, and where a connection to it begins.
struct Served {
    address: SocketAddr,
    _server: Server,
    _tunnel: Option<Tunnel>,
}

impl Way {
    fn start(self, site: Site) -> Served {
        let Self::Tls = self else {
            let server = site.start();
            return Served { address: server.address, _server: server, _tunnel: None };
        };
        let authority = Authority::new();
        let [certificate, key] = authority.issue("app.example.com").write(site.folder.path(), "site");
        let server = site.with(&["--tls-certificate", &certificate, "--tls-key", &key]).start();
        let tunnel = Tunnel::to(server.address, &authority);
        Served { address: tunnel.address, _server: server, _tunnel: Some(tunnel) }
    }
}

/// The fields of [`GET`] with one of them replaced, or one more.
fn changed<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = GET.to_vec();
    match fields.iter_mut().find(|(known, _)| *known == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    fields
}

fn added<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    [GET.as_slice(), &[(name, value)]].concat()
}

#[test]
fn request_smuggling_over_http2_no_ambiguous_request_reaches_the_app() {
    for way in WAYS {
        let (site, targets) = recorded();
        let server = way.start(site);
        let without = |name: &str| GET.iter().copied().filter(|field| field.0 != name).collect::<Vec<_>>();
        let last_pseudo = [("x", "1"), GET[0], GET[1], GET[2], GET[3]].to_vec();
        let requests = [
            added("host", "b"),
            added(":authority", "b"),
            added(":path", "/public/y"),
            added(":method", "POST"),
            added(":unknown", "1"),
            added(":status", "200"),
            last_pseudo,
            without(":path"),
            without(":method"),
            without(":scheme"),
            without(":authority"),
            changed(":path", ""),
            changed(":path", "*"),
            changed(":path", "public/x"),
            changed(":path", "http://b/public/x"),
            changed(":path", "//b/public/x\r\nX: 1"),
            changed(":path", "/public/x HTTP/1.1\r\nHost: b\r\n\r\nGET /page"),
            changed(":path", "/public/x y"),
            changed(":path", "/public/\0"),
            changed(":authority", ""),
            changed(":authority", "u@a"),
            changed(":authority", "a/b"),
            changed(":authority", "a b"),
            changed(":authority", "a\r\nx: 1"),
            changed(":method", "CONNECT"),
            changed(":method", "GET /public/y HTTP/1.1\r\nX: 1"),
            changed(":method", "GE T"),
            added("X-Upper", "1"),
            added("connection", "close"),
            added("connection", "x"),
            added("keep-alive", "1"),
            added("proxy-connection", "close"),
            added("transfer-encoding", "chunked"),
            added("upgrade", "websocket"),
            added("te", "gzip"),
            added("x", "1\r\nsmuggled: 1"),
            added("x", "1\nsmuggled: 1"),
            added("x", "1\0"),
            added("x y", "1"),
            added("x:y", "1"),
            added("x\r\ny", "1"),
            added("", "1"),
            added("content-length", "3"),
            added("content-length", "+0"),
            added("content-length", "x"),
        ];
        for fields in requests {
            let mut connection = Connection::open(server.address);
            connection.request(1, END_STREAM, &fields).unwrap();
            let outcome = connection.outcome(1);
            assert!(outcome.is_refused(), "{way:?} {fields:?}: {outcome:?}");
        }
        assert_eq!(*targets.lock().unwrap(), Vec::<String>::new());
        still_serves(server.address);
    }
}

#[test]
fn path_confusion_over_http2_a_fragment_is_no_part_of_what_is_decided_or_forwarded() {
    for way in WAYS {
        let (site, targets) = recorded();
        let server = way.start(site);
        for path in ["/public/x#/../../page", "/public/x?a#b"] {
            let mut connection = Connection::open(server.address);
            connection.request(1, END_STREAM, &changed(":path", path)).unwrap();
            connection.outcome(1);
        }
        let seen = targets.lock().unwrap().clone();
        assert!(
            seen.iter().all(|target| !target.contains('#') && target.starts_with("/public/x")),
            "{seen:?}"
        );
    }
}

#[test]
fn a_length_that_lies_gives_the_app_no_whole_request() {
    for way in WAYS {
        let whole = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&whole);
        let app = http::serve(move |request| {
            seen.lock().unwrap().push(request.text());
            site::echo(request)
        });
        let site = Site::with_app(3600, app);
        let server = way.start(site);
        for (length, bodies) in
            [("5", &["abc"][..]), ("2", &["abc"]), ("3", &["ab", "cd"]), ("9", &["abc", "def"])]
        {
            let mut connection = Connection::open(server.address);
            let fields = [changed(":method", "POST"), vec![("content-length", length)]].concat();
            connection.request(1, 0, &fields).unwrap();
            for (n, body) in bodies.iter().enumerate() {
                let flags = if n + 1 == bodies.len() { END_STREAM } else { 0 };
                connection.send(DATA, flags, 1, body.as_bytes()).ok();
            }
            let outcome = connection.outcome(1);
            assert!(outcome.is_refused(), "{length}: {outcome:?}");
        }
        assert_eq!(*whole.lock().unwrap(), Vec::<String>::new());
        still_serves(server.address);
    }
}

#[test]
fn many_requests_of_one_connection_are_answered_at_the_same_time() {
    let site = Site::new(3600);
    let server = site.start();
    let mut connection = Connection::open(server.address);
    let streams: Vec<u32> = (0..100).map(|n| 2 * n + 1).collect();
    for stream in &streams {
        connection.request(*stream, END_STREAM, &GET).unwrap();
    }
    let mut answered = 0;
    while answered < streams.len() {
        let frame = connection.read().expect("all answers");
        assert!(!matches!(frame.kind, RST_STREAM | GOAWAY));
        if frame.kind == HEADERS {
            assert_eq!(decode_status(&frame.payload), 200);
        }
        answered += usize::from(matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0);
    }
}

#[test]
fn rapid_reset_ends_the_connection_and_no_one_elses() {
    for way in WAYS {
        let (site, targets) = recorded();
        let server = way.start(site);
        let mut connection = Connection::open(server.address);
        let mut reader = Connection(connection.0.try_clone().unwrap());
        let ended = thread::spawn(move || reader.end());
        let begun = (0..20_000_u32).take_while(|n| {
            let stream = 2 * n + 1;
            let sent = connection.request(stream, END_STREAM, &GET);
            sent.and_then(|()| connection.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes())).is_ok()
        });
        let begun = begun.count();
        // ENHANCE_YOUR_CALM, unless the connection was closed before that was read.
        assert!(matches!(ended.join().unwrap(), Some(11) | None));
        let reached = targets.lock().unwrap().len();
        assert!(reached < begun.min(2000), "{reached} of {begun}");
        still_serves(server.address);
    }
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    for way in WAYS {
        let (site, targets) = recorded();
        let server = way.start(site);
        let mut connection = Connection::open(server.address);
        connection.send(HEADERS, END_STREAM, 1, &encode(&GET)).unwrap();
        let part = encode(&[("x", &"x".repeat(8000))]);
        let sent = (0..10_000).take_while(|_| connection.send(CONTINUATION, 0, 1, &part).is_ok()).count();
        assert!(sent < 10_000);
        connection.end();
        // Without bytes they cost nothing but frames, which are bounded, too.
        let mut connection = Connection::open(server.address);
        connection.send(HEADERS, END_STREAM, 1, &encode(&GET)).unwrap();
        let sent = (0..100_000).take_while(|_| connection.send(CONTINUATION, 0, 1, &[]).is_ok()).count();
        assert!(sent < 100_000);
        assert!(targets.lock().unwrap().is_empty());
        still_serves(server.address);
    }
}

#[test]
fn header_floods_over_http2_are_refused() {
    for way in WAYS {
        let (site, targets) = recorded();
        let server = way.start(site);
        let long = "x".repeat(15_000);
        let floods: [Vec<(&str, &str)>; 2] = [vec![("x", "1"); 200], vec![("x", &long); 5]];
        for flood in floods {
            let mut connection = Connection::open(server.address);
            let block = encode(&[GET.as_slice(), &flood].concat());
            let mut parts = block.chunks(16_000).enumerate().peekable();
            while let Some((n, part)) = parts.next() {
                let end = if parts.peek().is_none() { END_HEADERS } else { 0 };
                let (kind, flags) = if n == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
                connection.send(kind, flags | end, 1, part).ok();
            }
            let outcome = connection.outcome(1);
            assert!(outcome.is_refused(), "{outcome:?}");
        }
        assert!(targets.lock().unwrap().is_empty());
        // Cookies may come in parts, and are one field.
        let mut connection = Connection::open(server.address);
        let cookies = vec![("cookie", "a=1"); 150];
        connection.request(1, END_STREAM, &[GET.as_slice(), &cookies].concat()).unwrap();
        assert!(matches!(connection.outcome(1), Outcome::Answer(200, _)));
    }
}

#[test]
fn slow_clients_over_http2_lose_their_connection_or_their_request() {
    for way in WAYS {
        let (site, targets) = recorded();
        let site = site.with(&["--header-timeout", "1", "--body-timeout", "1"]);
        let server = way.start(site);
        // No request, and one whose head does not end.
        let mut idle = Connection::open(server.address);
        let mut begun = Connection::open(server.address);
        begun.send(HEADERS, END_STREAM, 1, &encode(&GET)).unwrap();
        let mut slow = Connection::open(server.address);
        slow.request(1, 0, &changed(":method", "POST")).unwrap();
        slow.send(DATA, 0, 1, b"abc").unwrap();
        assert!(slow.outcome(1).is_refused());
        assert_eq!(idle.end(), Some(0));
        begun.end();
        assert!(targets.lock().unwrap().iter().all(|target| target == "/public/still"));
        still_serves(server.address);
    }
}

#[test]
fn an_answer_that_its_client_does_not_read_is_ended_and_the_others_of_its_connection_are_not() {
    const LONG: usize = 2_000_000;
    let app = http::serve(|_| Message::response(200).with_body(vec![b'x'; LONG]));
    let site = Site::with_app(3600, app).with(&["--body-timeout", "1"]);
    let server = site.start();
    let mut connection = Connection::open(server.address);
    // The window of new streams is closed (RFC 9113 section 6.5.2), and only that of the first is opened, without end.
    connection.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).unwrap();
    for stream in [1, 3] {
        connection.request(stream, END_STREAM, &GET).unwrap();
    }
    for stream in [0, 1] {
        connection.send(WINDOW_UPDATE, 0, stream, &10_000_000_u32.to_be_bytes()).unwrap();
    }
    assert!(matches!(connection.outcome(1), Outcome::Answer(200, body) if body.len() == LONG));
    // CANCEL
    assert_eq!(connection.outcome(3), Outcome::Reset(8, Vec::new()));
    connection.request(5, END_STREAM, &GET).unwrap();
    connection.send(WINDOW_UPDATE, 0, 5, &10_000_000_u32.to_be_bytes()).unwrap();
    assert!(matches!(connection.outcome(5), Outcome::Answer(200, body) if body.len() == LONG));
}

#[test]
#[cfg(target_os = "linux")]
fn unbounded_memory_answers_that_no_client_reads_are_kept_in_small_parts() {
    const STREAMS: u32 = 240;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let app = http::serve_raw(move |mut stream| {
        Message::read(&mut BufReader::new(stream.try_clone().unwrap()));
        stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 1000000000\r\n\r\n").ok();
        let part = vec![0; 64 * 1024];
        while stream.write_all(&part).is_ok() {
            count.fetch_add(part.len(), Ordering::Relaxed);
        }
    });
    let server = Site::with_app(3600, app).start();
    let before = resident(&server);
    let largest_window = u32::MAX >> 1;
    let connections: Vec<Connection> = (0..2)
        .map(|_| {
            let mut connection = Connection::open(server.address);
            let window = [&4_u16.to_be_bytes()[..], &largest_window.to_be_bytes()].concat();
            connection.send(SETTINGS, 0, 0, &window).unwrap();
            connection.send(WINDOW_UPDATE, 0, 0, &(largest_window - 65_535).to_be_bytes()).unwrap();
            for n in 0..STREAMS / 2 {
                connection.request(2 * n + 1, END_STREAM, &GET).unwrap();
            }
            connection
        })
        .collect();
    // Until no one takes any more.
    let mut seen = 0;
    while seen == 0 || sent.load(Ordering::Relaxed) > seen {
        seen = sent.load(Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
    }
    let grown = resident(&server).saturating_sub(before);
    // In kilobytes: what is kept of one answer, what is read of it at once, and as much again.
    assert!(grown < 240 * 4 * 128, "{grown} kB for {STREAMS} answers");
    drop(connections);
}

#[test]
fn a_long_answer_over_http2_is_not_ended_as_an_idle_connection() {
    let app = http::serve(|request| {
        thread::sleep(Duration::from_millis(1500));
        site::echo(request)
    });
    let site = Site::with_app(3600, app).with(&["--header-timeout", "1"]);
    let server = site.start();
    let mut connection = Connection::open(server.address);
    connection.request(1, END_STREAM, &GET).unwrap();
    assert!(matches!(connection.outcome(1), Outcome::Answer(200, _)));
}

#[test]
fn an_app_that_breaks_off_in_the_middle_of_a_body_gives_no_whole_answer_over_http2() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let app = http::serve_raw(move |mut stream| {
            Message::read(&mut BufReader::new(stream.try_clone().unwrap()));
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nabcde\r\n").unwrap();
        });
        let site = Site::with_app(3600, app);
        let server = site.start();
        let mut connection = Connection::open(server.address);
        connection.request(1, END_STREAM, &GET).unwrap();
        let outcome = connection.outcome(1);
        assert!(matches!(&outcome, Outcome::Reset(code, _) if *code != 0), "{head}: {outcome:?}");
    }
}

#[test]
fn a_process_that_ends_says_so_and_answers_the_streams_that_have_begun() {
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let app = http::serve(move |request| {
        arrived.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        site::echo(request)
    });
    let site = Site::with_app(3600, app);
    let mut server = site.start();
    let mut connection = Connection::open(server.address);
    connection.request(1, END_STREAM, &GET).unwrap();
    arrivals.recv().unwrap();
    server.signal("TERM");
    server.wait_for("ending");
    let frame = std::iter::from_fn(|| connection.read()).find(|frame| frame.kind == GOAWAY).unwrap();
    assert_eq!(frame.payload[4..8], [0; 4]);
    go.send(()).unwrap();
    assert!(matches!(connection.outcome(1), Outcome::Answer(200, _)));
    assert!(server.ended().success());
}

#[test]
fn a_client_that_closes_its_half_of_an_http2_connection_disturbs_no_one() {
    let site = Site::new(3600);
    let server = site.start();
    for _ in 0..8 {
        let mut connection = Connection::open(server.address);
        connection.request(1, 0, &changed(":method", "POST")).unwrap();
        connection.0.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(connection.outcome(1).is_refused());
    }
    still_serves(server.address);
}

#[test]
fn the_client_of_these_tests_reads_a_status_in_each_of_its_forms() {
    assert_eq!(decode_status(&[0x88]), 200);
    assert_eq!(decode_status(&[0x20, 0x8d]), 404);
    assert_eq!(decode_status(&[0x48, 3, b'4', b'3', b'1']), 431);
    // The example of RFC 7541 section C.6.1.
    assert_eq!(decode_status(&[0x48, 0x82, 0x64, 0x02]), 302);
}

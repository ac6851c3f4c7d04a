//! TLS at the server: versions, protocols, and certificates that change or are wrong.

use std::fs;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned, SupportedProtocolVersion};

use crate::certificates::Authority;
use crate::http::{self, Message};
use crate::site::{Server, Site};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection with TLS to this address. The error is that of the first read or write.
fn connect(
    address: SocketAddr,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> Result<Stream, std::io::Error> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("app.example.com").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, http::connect(address));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn both(address: SocketAddr, authority: &Authority) -> Result<Stream, std::io::Error> {
    connect(address, authority, &[&TLS12, &TLS13], &["http/1.1"])
}

fn get(stream: &mut Stream) -> Message {
    stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: app.example.com\r\n\r\n").unwrap();
    Message::read(&mut BufReader::new(stream)).expect("an answer")
}

/// A site with a certificate of this authority in its folder.
fn site(authority: &Authority) -> Site {
    let site = Site::new(3600);
    let [certificate, key] = install(authority, site.folder.path());
    site.with(&["--tls-certificate", &certificate, "--tls-key", &key])
}

fn install(authority: &Authority, folder: &Path) -> [String; 2] {
    authority.issue("app.example.com").write(folder, "site")
}

#[test]
fn tls_has_two_versions_and_the_client_chooses_among_two_protocols() {
    let authority = Authority::new();
    let site = site(&authority);
    let server = site.start();
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = connect(server.address, &authority, &[version], &[]).unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(name));
        let page = get(&mut stream);
        assert_eq!(page.status(), 200);
        assert!(page.text().contains(r#"["x-forwarded-proto","https"]"#), "{}", page.text());
    }
    for (offered, chosen) in
        [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1"), (&["http/1.1", "h2"], "h2")]
    {
        let stream = connect(server.address, &authority, &[&TLS13], offered).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(chosen.as_bytes()), "{offered:?}");
    }
    assert!(connect(server.address, &authority, &[&TLS13], &["spdy/3"]).is_err());
    assert!(both(server.address, &Authority::new()).is_err());
    // Anyone who speaks no TLS gets no answer, and holds up no one.
    assert!(!http::exchange(server.address, b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").contains("200"));
    assert_eq!(get(&mut both(server.address, &authority).unwrap()).status(), 200);
}

#[test]
fn a_reload_changes_the_certificate_for_new_connections_and_keeps_the_old_ones() {
    let (first, second) = (Authority::new(), Authority::new());
    let site = site(&first);
    let mut server = site.start();
    let mut kept = both(server.address, &first).unwrap();
    assert_eq!(get(&mut kept).status(), 200);
    install(&second, site.folder.path());
    server.signal("HUP");
    server.wait_for("reloaded: new requests");
    assert_eq!(get(&mut kept).status(), 200);
    for _ in 0..8 {
        assert!(both(server.address, &first).is_err());
        assert_eq!(get(&mut both(server.address, &second).unwrap()).status(), 200);
    }
    // A key of another certificate, a file that is none, and none at all change nothing.
    let key = site.file("site.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, &first.issue("app.example.com").key).unwrap();
    not_reloaded(&mut server, "is not the one of the certificate");
    fs::write(&key, "no key").unwrap();
    not_reloaded(&mut server, "site.key");
    fs::remove_file(&key).unwrap();
    not_reloaded(&mut server, "site.key");
    assert_eq!(get(&mut kept).status(), 200);
    assert_eq!(get(&mut both(server.address, &second).unwrap()).status(), 200);
    fs::write(&key, right).unwrap();
    server.signal("HUP");
    server.wait_for("reloaded: new requests");
    assert_eq!(get(&mut kept).status(), 200);
}

#[test]
fn a_certificate_that_is_not_valid_now_starts_and_is_reloaded_with_a_warning_that_says_since_when_and_what_to_do()
 {
    let authority = Authority::new();
    let site = site(&authority);
    let install = |text: &str| fs::write(site.file("site.crt"), text).unwrap();
    let key = site.file("site.key");
    let issue = |years| {
        let certificate = authority.issue_between("app.example.com", years);
        fs::write(&key, &certificate.key).unwrap();
        certificate.chain
    };
    install(&issue([2001, 2002]));
    let file = site.file("site.crt").display().to_string();
    let expired =
        format!("--tls-certificate: the certificate in {file} has expired, at 2002-01-01T00:00:00.000Z");
    let mut server = site.start();
    server.says(&expired);
    let warning = server.said(&expired);
    assert!(warning.contains(r#""event":"configuration_advice","level":"warn""#), "{warning}");
    assert!(warning.contains("write a new one there with its key, and send SIGHUP"), "{warning}");
    // Clients decide whether they take it.
    assert!(both(server.address, &authority).is_err());
    install(&issue([4000, 4001]));
    server.signal("HUP");
    let warning = server.wait_for("is not valid before 4000-01-01T00:00:00.000Z");
    assert!(warning.contains("set the clock of this machine"), "{warning}");
    // So is one that has signed it.
    let valid = issue([1990, 4001]);
    install(&(valid.clone() + &authority.issue_between("an authority", [2001, 2002]).chain));
    server.signal("HUP");
    server.wait_for(&format!("the certificate 2 of the chain in {file} has expired"));
    // One that is valid is not spoken of.
    install(&valid);
    drop(server);
    let mut server = site.start();
    assert_eq!(get(&mut both(server.address, &authority).unwrap()).status(), 200);
    server.never_said("--tls-certificate");
}

fn not_reloaded(server: &mut Server, why: &str) {
    server.signal("HUP");
    let said = server.wait_for("not reloaded");
    assert!(said.contains(why) && !said.contains("BEGIN"), "{said}");
}

/// The beginning of a key with a password; what follows is nobody's.
const LOCKED_KEY: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";

#[test]
fn a_wrong_certificate_or_key_does_not_start_and_the_message_names_the_file() {
    let authority = Authority::new();
    let other = authority.issue("app.example.com");
    for (file, text, said) in [
        ("site.key", Some(other.key.as_str()), "is not the one of the certificate"),
        ("site.key", Some(other.chain.as_str()), "site.key has no private key in PEM"),
        ("site.key", Some(LOCKED_KEY), "site.key has a password: take it off"),
        ("site.key", Some(""), "site.key"),
        ("site.key", None, "site.key"),
        (
            "site.crt",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "cannot be used",
        ),
        ("site.crt", Some(""), "site.crt has no certificate in PEM"),
        ("site.crt", None, "site.crt cannot be read: No such file"),
    ] {
        let site = site(&authority);
        match text {
            Some(text) => fs::write(site.file(file), text).unwrap(),
            None => fs::remove_file(site.file(file)).unwrap(),
        }
        let (status, message) = site.fails();
        assert!(!status.success() && message.contains(said), "{file} {text:?}: {message}");
        assert!(!message.contains("BEGIN"), "{message}");
    }
    let only_one = Site::new(3600).with(&["--tls-key", "site.key"]);
    assert!(only_one.fails().1.contains("--tls-certificate"));
    let site = Site::new(3600);
    let file = site.file("ca.pem");
    fs::write(&file, "no certificate\n").unwrap();
    let (status, message) = site.with(&["--ca", file.to_str().unwrap()]).fails();
    assert!(!status.success() && message.contains("ca.pem"), "{message}");
}

#[test]
fn an_answer_arrives_by_tls_also_while_the_client_still_sends() {
    let authority = Authority::new();
    let site = site(&authority);
    let server = site.start();
    let mut stream = both(server.address, &authority).unwrap();
    stream.write_all(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let part = vec![b'1'; 64 * 1024];
    for n in 0..64 {
        assert!(stream.write_all(&part).is_ok(), "{n}");
    }
    let answer = Message::read(&mut BufReader::new(&mut stream)).expect("an answer");
    assert_eq!(answer.status(), 401);
}

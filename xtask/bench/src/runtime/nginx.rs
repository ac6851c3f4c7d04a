//! nginx: the server behind all contestants, and contestants.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use vestibule_ports::free_address;

use crate::runtime::program::{Folder, Program, system};
use crate::runtime::servers::VERIFY_SECRET;

/// The server behind: says whether it was given an access token.
pub(crate) fn origin() -> Result<Program> {
    start(|address| {
        format!(
            "map \"$http_authorization$http_oidc_access_token\" $answer {{\n\
             \"\" \"without a token\";\n\
             default \"with a token\";\n}}\n\
             server {{\n\
             listen {address};\n\
             underscores_in_headers on;\n\
             location / {{ return 200 $answer; }}\n}}\n"
        )
    })
}

/// A proxy that forwards without a check.
pub(crate) fn forwarding(origin: SocketAddr) -> Result<Program> {
    start(|address| {
        format!(
            "{}server {{\nlisten {address};\nlocation / {{\n{}}}\n}}\n",
            upstream("app", origin),
            pass("app")
        )
    })
}

/// A proxy that asks Apache about each request, and forwards with the token of its answer.
pub(crate) fn asking_apache(apache: SocketAddr, origin: SocketAddr) -> Result<Program> {
    asking(apache, origin, "/verify", "proxy_set_header Host app.example.com;\n")
}

/// A proxy that asks vestibule-server about each request, as docs/proxies.md says, and forwards with the token of its answer.
pub(crate) fn asking_vestibule(server: SocketAddr, origin: SocketAddr) -> Result<Program> {
    let fields = format!(
        "proxy_set_header Host app.example.com;\n\
         proxy_set_header X-Vestibule-Verify \"{VERIFY_SECRET}\";\n\
         proxy_set_header X-Original-Method $request_method;\n\
         proxy_set_header X-Original-URL \"https://app.example.com$request_uri\";\n\
         proxy_set_header X-Original-URI \"\";\n"
    );
    asking(server, origin, "/auth/verify", &fields)
}

fn asking(asked: SocketAddr, origin: SocketAddr, path: &str, fields: &str) -> Result<Program> {
    start(|address| {
        format!(
            "{}{}server {{\n\
             listen {address};\n\
             location / {{\n\
             auth_request /_asked;\n\
             auth_request_set $token $upstream_http_authorization;\n\
             auth_request_set $email $upstream_http_x_user_email;\n\
             proxy_set_header Authorization $token;\n\
             proxy_set_header X-User-Email $email;\n\
             {}}}\n\
             location = /_asked {{\n\
             internal;\n\
             {fields}\
             proxy_pass_request_body off;\n\
             proxy_set_header Content-Length \"\";\n\
             proxy_buffer_size 64k;\n\
             proxy_buffers 4 64k;\n\
             proxy_busy_buffers_size 64k;\n\
             proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\";\n\
             proxy_pass http://asked{path};\n}}\n}}\n",
            upstream("app", origin),
            upstream("asked", asked),
            pass("app")
        )
    })
}

/// A server behind, with connections that stay.
fn upstream(name: &str, server: SocketAddr) -> String {
    format!("upstream {name} {{\nserver {server};\nkeepalive 16;\nkeepalive_requests 1000000000;\n}}\n")
}

fn pass(name: &str) -> String {
    format!(
        "proxy_set_header Host $host;\n\
         proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\n\
         proxy_pass http://{name};\n"
    )
}

/// Starts nginx with the servers that `servers` makes of the address to listen at: one process, and no log of requests.
fn start(servers: impl FnOnce(SocketAddr) -> String) -> Result<Program> {
    let folder = Folder::new()?;
    let address = free_address()?;
    let path = folder.path().display().to_string();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
        .concat();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\n\
         events {{}}\n\
         http {{\n\
         access_log off;\n\
         keepalive_requests 1000000000;\n\
         large_client_header_buffers 4 32k;\n\
         {temporary}{}}}\n",
        servers(address)
    );
    folder.write("nginx.conf", &configuration)?;
    let mut command = Command::new(program());
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
    Program::start(command, address, folder)
}

/// Its path.
pub(crate) fn program() -> std::ffi::OsString {
    system("NGINX", "nginx")
}

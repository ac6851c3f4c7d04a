//! What the Dockerfile makes, without an engine: a root directory with the files of its last stage, in which the program runs
//! as the first process, as the image's user, and can write nothing but its volume. There is no /etc, /tmp, /proc or /dev.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::browser::Browser;
use crate::certificates::Authority;
use crate::http::{self, MAX_WAIT, Message};
use crate::provider::CLIENT;
use crate::site::{SECRET, Server, Site, program, received};

const DOCKERFILE: &str = include_str!("../../Dockerfile");

/// Starts `unshare`, and kills its child, which is the first process, when the other end of the pipe is closed. `--kill-child`
/// does not: a process that has changed its user gets no signal when its parent ends (`PR_SET_PDEATHSIG`).
const WATCHED: &str =
    "\"$@\" & pid=$!; read _; kill -KILL $(cat /proc/$pid/task/$pid/children) 2>/dev/null; wait $pid";

/// Makes the root directory read-only but for the volume, and starts a program there as a user.
const CONFINED: &str = "root=$1 data=$2 user=$3; shift 3
mount --bind \"$root\" \"$root\" && mount --bind \"$data\" \"$root/data\" &&
mount -o remount,bind,ro \"$root\" && exec chroot --userspec=\"$user\" \"$root\" \"$@\"";

/// How a command gets the rights of root: they are there, or sudo gives them without a password. `None` if neither.
fn as_root() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status();
    sudo.is_ok_and(|status| status.success()).then_some(&["sudo", "-n"])
}

/// The instructions after the last `FROM`.
fn last_stage() -> Vec<(String, String)> {
    let lines: Vec<&str> = DOCKERFILE.lines().filter(|line| !line.starts_with('#')).collect();
    let text = lines.join("\n").replace("\\\n", " ");
    let read =
        |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()));
    let all: Vec<_> = text.lines().filter_map(read).collect();
    let from = all.iter().rposition(|(name, _)| name == "FROM").unwrap();
    assert_eq!(all[from].1, "scratch");
    all[from + 1..].to_vec()
}

/// The JSON array of a command.
fn command_of(text: &str) -> Vec<String> {
    serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap()
}

/// The built image, and what it is started with.
struct Image {
    _folder: TempDir,
    root: PathBuf,
    data: PathBuf,
    prefix: &'static [&'static str],
    user: String,
    variables: BTreeMap<String, String>,
    entry_point: Vec<String>,
    health_check: Vec<String>,
}

impl Image {
    fn build(prefix: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, data) = (folder.path().join("root"), folder.path().join("data"));
        let mut image = Self {
            _folder: folder,
            prefix,
            user: String::new(),
            variables: BTreeMap::new(),
            entry_point: Vec::new(),
            health_check: Vec::new(),
            root,
            data,
        };
        fs::create_dir(&image.root).unwrap();
        fs::create_dir(&image.data).unwrap();
        for (name, rest) in last_stage() {
            match name.as_str() {
                "COPY" => image.copy(&rest),
                "USER" => image.user = rest,
                "ENV" => image.variables.extend(
                    rest.split_whitespace()
                        .map(|pair| pair.split_once('=').unwrap())
                        .map(|(name, value)| (name.to_owned(), value.to_owned())),
                ),
                "ENTRYPOINT" => image.entry_point = command_of(&rest),
                "HEALTHCHECK" => image.health_check = command_of(&rest),
                "STOPSIGNAL" => assert_eq!(rest, "SIGTERM"),
                "EXPOSE" => {}
                other => panic!("this test does not know {other}"),
            }
        }
        image
    }

    /// `--from=build [--chown=OWNER] FROM TO`.
    fn copy(&self, rest: &str) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (flags, paths) = words.split_at(words.len() - 2);
        let owner = flags.iter().find_map(|flag| flag.strip_prefix("--chown="));
        match paths {
            ["/out/vestibule-server", to] => {
                assert_eq!(owner, None, "root's, so that the server cannot change itself");
                self.put(&program(), to);
                self.put_libraries();
            }
            ["/out/data", "/data"] => {
                fs::create_dir(self.root.join("data")).unwrap();
                let path = self.data.to_str().unwrap();
                assert!(self.root_command(&["chown", owner.unwrap(), path]).status().unwrap().success());
            }
            other => panic!("{other:?}"),
        }
    }

    /// Copies a file to a path of the image.
    fn put(&self, from: &Path, to: &str) {
        let to = self.root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap();
    }

    /// What a program that is not linked statically needs: the image's is, the one of an ordinary build is not.
    fn put_libraries(&self) {
        let listed = Command::new("ldd").arg(program()).output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let paths =
            listed.split_whitespace().filter(|word| word.starts_with('/') && Path::new(word).is_file());
        paths.for_each(|path| self.put(Path::new(path), path));
        // Also where the system's /lib is a link.
        if !self.root.join("lib64").exists() && self.root.join("usr/lib64").exists() {
            symlink("usr/lib64", self.root.join("lib64")).unwrap();
        }
    }

    /// A command with root's rights and the image's variables.
    fn root_command(&self, words: &[&str]) -> Command {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let line = self.prefix.iter().map(|word| (*word).to_owned());
        let line = line.chain(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"].map(str::to_owned));
        let mut line = line.chain(variables).chain(words.iter().map(|word| (*word).to_owned()));
        let mut command = Command::new(line.next().unwrap());
        command.args(line);
        command
    }

    /// A command in the image, which is killed when its input ends if it is watched.
    fn run(&self, words: &[String], is_watched: bool) -> Command {
        let mut line = if is_watched { vec!["sh", "-c", WATCHED, "sh"] } else { vec![] };
        line.extend(["unshare", "--mount", "--pid", "--fork", "sh", "-c", CONFINED, "sh"]);
        line.extend([self.root.to_str().unwrap(), self.data.to_str().unwrap(), &self.user]);
        line.extend(words.iter().map(String::as_str));
        let mut command = self.root_command(&line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Container<'_> {
        Container {
            image: self,
            server: Some(Server::of(self.run(&self.entry_point, true).spawn().unwrap())),
        }
    }

    /// Whether the image's health check succeeds.
    fn is_healthy(&self) -> bool {
        let output = self.run(&self.health_check, false).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || said.contains("does not answer") || said.contains("answers with"),
            "{said}"
        );
        output.status.success()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // The image's user owns what is in it.
        self.root_command(&["rm", "-rf", self.data.to_str().unwrap()]).status().ok();
    }
}

/// A running image.
struct Container<'a> {
    image: &'a Image,
    server: Option<Server>,
}

impl Container<'_> {
    fn address(&self) -> SocketAddr {
        let port = self.server.as_ref().unwrap().address.port();
        ([127, 0, 0, 1], port).into()
    }

    /// Sends the signal of a stop to the first process, and waits until it has ended.
    fn stop(mut self) -> ExitStatus {
        let server = self.server.take().unwrap();
        let process = first_process(&server);
        assert!(
            self.image.root_command(&["kill", "-TERM", &process.to_string()]).status().unwrap().success()
        );
        // The shell would kill it when its input ends.
        has_ended(process);
        server.ended()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let process = first_process(&server);
            // Closes its input, which ends it.
            server.ended();
            has_ended(process);
        }
    }
}

/// The container's first process. The shell, sudo and unshare are above it.
fn first_process(server: &Server) -> u32 {
    let mut process = server.id();
    while let Some(child) = child_of(process) {
        process = child;
    }
    process
}

/// Waits until there is no such process.
fn has_ended(process: u32) {
    for _ in 0..MAX_WAIT.as_millis() / 10 {
        // One that nobody has waited for yet has no command line.
        let line = fs::read(format!("/proc/{process}/cmdline"));
        if line.is_ok_and(|line| !line.is_empty()) {
            thread::sleep(Duration::from_millis(10));
        } else {
            return;
        }
    }
}

fn child_of(process: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

#[test]
fn the_image_serves_from_a_root_directory_that_has_nothing_else() {
    let Some(prefix) = as_root() else {
        println!("not run: it needs root, or sudo without a password");
        return;
    };
    let site = Site::new(3600);
    let mut image = Image::build(prefix);
    assert!(image.user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{}", image.user);
    assert!(image.variables["VESTIBULE_LISTEN"].starts_with("0.0.0.0:"));
    image.put(&site.file("vestibule.toml"), &image.variables["VESTIBULE_CONFIG"]);
    // As an engine mounts it. The app is known by its name.
    let hosts = site.file("hosts");
    fs::write(&hosts, "127.0.0.1 app\n").unwrap();
    image.put(&hosts, "/etc/hosts");
    let port = vestibule_ports::free_address().unwrap().port();
    for (name, value) in [
        ("VESTIBULE_LISTEN", format!("0.0.0.0:{port}").as_str()),
        ("VESTIBULE_ORIGIN", &format!("http://app:{}", site.app.port())),
        ("AUTH_SECRET", SECRET),
        ("AUTH_DEMO_ID", CLIENT.0),
        ("AUTH_DEMO_SECRET", CLIENT.1),
    ] {
        image.variables.insert(name.to_owned(), value.to_owned());
    }
    let mode = fs::metadata(image.root.join("vestibule-server")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "everyone may start it");

    assert!(!image.is_healthy(), "nothing answers yet");
    let container = image.start();
    assert!(image.is_healthy());
    let address = container.address();
    let mut browser = Browser::signed_in(address, &site.provider);
    let page = browser.get(address, "/page");
    assert_eq!(received(&page, "x-user-email"), ["alice@example.com"], "{page:?}");
    let (mut copy, mut other) = (browser.clone(), browser.clone());
    browser.sign_out(address);
    // Other threads see it within a second.
    let is_revoked = |_| {
        let is_revoked = copy.get(address, "/page").status() == 302;
        is_revoked || {
            thread::sleep(Duration::from_millis(20));
            false
        }
    };
    assert!((0..MAX_WAIT.as_millis() / 20).any(is_revoked), "the copy is still valid");
    assert!(container.stop().success());
    assert!(!image.is_healthy());

    let container = image.start();
    assert_eq!(other.get(container.address(), "/page").status(), 302, "the volume keeps what was revoked");
    let health =
        http::send(container.address(), &Message::request("GET", "/auth/health").with("host", "probe"));
    assert_eq!((health.status(), health.text().as_str()), (200, r#"{"status":"ok"}"#));
    drop(container);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it has ended");
}

/// Whether `--health` says that the server at this address serves, and what it says.
fn health(site: &Site, address: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program())
        .args(["--config", site.file("vestibule.toml").to_str().unwrap()])
        .args(["--health", "--listen", &address.to_string()])
        .args(arguments)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_health_check_trusts_the_server_s_own_certificate_and_no_other() {
    let authority = Authority::new();
    let site = Site::new(3600);
    let [certificate, key] = authority.issue("app.example.com").write(site.folder.path(), "site");
    let [other, its_key] = authority.issue("app.example.com").write(site.folder.path(), "other");
    let site = site.with(&["--tls-certificate", &certificate, "--tls-key", &key]);
    let server = site.start();
    let asked = |certificate: &str, key: &str| {
        health(&site, server.address, &["--tls-certificate", certificate, "--tls-key", key])
    };
    // Neither the name nor the authority is known to it.
    assert_eq!(asked(&certificate, &key), (true, String::new()));
    let changed = asked(&other, &its_key);
    assert!(!changed.0 && changed.1.contains("does not answer"), "{}", changed.1);
    let plain = health(&site, server.address, &[]);
    assert!(!plain.0 && plain.1.contains("does not answer"), "{}", plain.1);
    let app = health(&site, site.app, &["--tls-certificate", &certificate, "--tls-key", &key]);
    assert!(!app.0 && app.1.contains("does not answer"), "{}", app.1);
}

#[test]
fn the_health_check_tells_a_server_that_serves_from_one_that_does_not() {
    let site = Site::new(3600);
    let server = site.start();
    assert_eq!(health(&site, server.address, &[]), (true, String::new()));
    // What is wrong in the file does not count until the server uses it.
    site.configure("bse_path = \"/x\"", "");
    assert!(health(&site, server.address, &[]).0);
    let app = health(&site, http::serve(|_| Message::response(500)), &[]);
    assert!(!app.0 && app.1.contains("/auth/health answers with 500"), "{}", app.1);
    let address = server.address;
    drop(server);
    let nothing = health(&site, address, &[]);
    assert!(!nothing.0 && nothing.1.contains("does not answer"), "{}", nothing.1);
}

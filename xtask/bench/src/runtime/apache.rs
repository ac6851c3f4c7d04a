//! Apache with mod_auth_openidc, whose session is in an encrypted cookie, as ours is.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vestibule_ports::free_address;

use crate::load::{Connection, Response};
use crate::runtime::program::{Folder, Program, system};
use crate::runtime::provider::Provider;
use crate::runtime::requests::{self, HOST};
use crate::sessions::TYPICAL_SIZE;

/// Where Debian has Apache's modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A path that leads to the sign-in.
const SIGN_IN: &str = "/login";

/// How old the sessions are. Apache encrypts a session anew with each request that comes later than a tenth of the time after which
/// an unused one ends; a browser then has the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// Not yet so old.
    New,
    /// So old.
    Old,
}

impl Age {
    /// After which time an unused session ends, in seconds.
    fn inactivity(self) -> u32 {
        match self {
            Self::New => 86_400,
            Self::Old => 10,
        }
    }

    /// How long after the sign-in the session is used.
    fn wait(self) -> Duration {
        match self {
            Self::New => Duration::ZERO,
            Self::Old => Duration::from_millis(2100),
        }
    }
}

/// An Apache that runs, and who signs in there.
pub(crate) struct Apache {
    pub(crate) program: Program,
    pub(crate) sign_in: SignIn,
}

/// Guards, and forwards with the token in `OIDC_access_token`.
pub(crate) fn guarding(origin: SocketAddr, age: Age) -> Result<Apache> {
    let forwarding = format!(
        "OIDCPassClaimsAs headers\n\
         <Location />\n\
         AuthType openid-connect\n\
         Require valid-user\n\
         ProxyPass http://{origin}/\n\
         </Location>\n"
    );
    start(&["proxy", "proxy_http"], &forwarding, age)
}

/// Answers `/verify` with the token in `Authorization`, or with 401.
pub(crate) fn answering() -> Result<Apache> {
    let answering = format!(
        "OIDCPassClaimsAs environment\n\
         <Location />\n\
         AuthType openid-connect\n\
         Require valid-user\n\
         OIDCUnAuthAction 401\n\
         Header set Authorization \"Bearer %{{OIDC_access_token}}e\"\n\
         </Location>\n\
         <Location {SIGN_IN}>\n\
         OIDCUnAuthAction auth\n\
         </Location>\n"
    );
    start(&["headers"], &answering, Age::New)
}

fn start(modules: &[&str], locations: &str, age: Age) -> Result<Apache> {
    let folder = Folder::new()?;
    let address = free_address()?;
    let provider = Provider::start()?;
    let path = folder.path().display();
    // One process, whose threads stay.
    let mut configuration = format!(
        "ServerRoot {path}\nServerName {HOST}\nDefaultRuntimeDir {path}\nPidFile {path}/pid\nListen {address}\n\
         ErrorLog {path}/error\nLogLevel warn\n\
         User www-data\nGroup www-data\n"
    );
    let always = ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc"];
    for module in always.iter().chain(modules) {
        writeln!(configuration, "LoadModule {module}_module {MODULES}/mod_{module}.so")?;
    }
    write!(
        configuration,
        "StartServers 1\nServerLimit 1\nThreadsPerChild 16\nThreadLimit 16\nMaxRequestWorkers 16\n\
         MinSpareThreads 1\nMaxSpareThreads 16\nMaxConnectionsPerChild 0\n\
         KeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\nLimitRequestFieldSize 16384\n\
         DocumentRoot {path}/documents\n\
         OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration\n\
         OIDCClientID {client}\nOIDCClientSecret {secret}\nOIDCScope \"openid email\"\n\
         OIDCRedirectURI http://{HOST}/callback\n\
         OIDCIDTokenSignedResponseAlg HS256\n\
         OIDCCryptoPassphrase a-secret-for-measuring-that-guards-nothing\n\
         OIDCSessionType client-cookie\nOIDCSessionInactivityTimeout {inactivity}\n\
         {locations}",
        issuer = provider.issuer(),
        client = Provider::CLIENT,
        secret = Provider::SECRET,
        inactivity = age.inactivity(),
    )?;
    folder.write("apache.conf", &configuration)?;
    std::fs::create_dir(folder.path().join("documents"))?;
    folder.write("documents/verify", "")?;
    let mut command = Command::new(program());
    command.arg("-f").arg(folder.path().join("apache.conf")).args(["-D", "FOREGROUND"]);
    let program = Program::start(command, address, folder)?;
    let sign_in = SignIn { address, provider, age };
    sign_in.adjust_size()?;
    Ok(Apache { program, sign_in })
}

/// Its path.
pub(crate) fn program() -> std::ffi::OsString {
    system("APACHE", "apache2")
}

/// Signs in at an Apache.
pub(crate) struct SignIn {
    address: SocketAddr,
    provider: Provider,
    age: Age,
}

impl SignIn {
    /// The `Cookie` field of a session for one turn.
    pub(crate) fn cookie(&self) -> Result<String> {
        let cookie = self.new_cookie()?;
        thread::sleep(self.age.wait());
        Ok(cookie)
    }

    fn new_cookie(&self) -> Result<String> {
        let began = self.get(SIGN_IN, "")?;
        let location = began.all("location").next().with_context(|| format!("no sign-in: {began:?}"))?;
        let parameter = |name: &str| {
            let mut pairs = location.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            pairs.find(|(this, _)| *this == name).map(|(_, value)| value).context("it lacks a parameter")
        };
        let (state, nonce) = (parameter("state")?, parameter("nonce")?);
        // The provider puts the code into the ID token as the nonce, and so remembers nothing.
        let callback = format!("/callback?code={nonce}&state={state}");
        let ended = self.get(&callback, &cookies(&began))?;
        let cookie = cookies(&ended);
        ensure!(cookie.contains("mod_auth_openidc_session="), "no session: {ended:?}");
        Ok(cookie)
    }

    /// Makes the tokens so long that the cookie has the size of the others'.
    fn adjust_size(&self) -> Result<()> {
        // Base64 makes four characters of three. A second time, because the session is compressed.
        for _ in 0..4 {
            let size = self.new_cookie()?.len();
            self.provider.change_size(|tokens| (tokens + TYPICAL_SIZE * 3 / 4).saturating_sub(size * 3 / 4));
        }
        let size = self.new_cookie()?.len();
        ensure!(size.abs_diff(TYPICAL_SIZE) < 200, "Apache's cookie has {size} characters");
        Ok(())
    }

    fn get(&self, path: &str, cookie: &str) -> Result<Response> {
        Connection::open(self.address)?.send(&requests::get(path, cookie))
    }
}

/// The cookies that a response sets, as a request has them.
fn cookies(response: &Response) -> String {
    let pairs = response.all("set-cookie").filter_map(|cookie| cookie.split(';').next());
    pairs.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("; ")
}

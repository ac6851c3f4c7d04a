//! The connection of an instance to a Redis server, over `wasi:sockets`.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use vestibule_redis::redis::{Client, Cmd, ConnectionAddr, ConnectionInfo, Parser, RedisError, Value, cmd};
use vestibule_redis::{Link, RedisStore, TIMEOUT, failed};
use wasip2::io::streams::{InputStream, OutputStream};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, Network,
};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use vestibule_core::platform::StoreError;

use crate::body;
use crate::executor::ready;
use crate::platform::{sleep, within};

/// How many bytes are read at once.
const CHUNK: u64 = 64 * 1024;

/// How many bytes an answer may have. A hundred values, the most that are read at once, have less.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The connections of an instance. A command takes one out while it uses it, so commands of one moment do not wait for each
/// other, and one whose request ends takes its half-read answer with it.
#[derive(Clone)]
pub(crate) struct InstanceLink {
    client: Client,
    /// The connection that no command uses.
    idle: Rc<RefCell<Option<Connection>>>,
}

/// A connection to the server.
struct Connection {
    // In this order: the streams are dropped before their socket.
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

/// Why a command got no answer.
enum Failure {
    /// There is no connection; the host's reason.
    Unconnected(ErrorCode),
    /// It took longer than [`TIMEOUT`].
    TimedOut,
    /// The connection ended before anything of the answer.
    Closed,
    /// The connection ended in the middle of the answer.
    Incomplete,
    /// The answer is larger than [`MAX_ANSWER`].
    TooLarge,
    /// The answer is an error, or none that Redis gives.
    Denied(RedisError),
}

impl From<ErrorCode> for Failure {
    fn from(error: ErrorCode) -> Self {
        Self::Unconnected(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let message = match failure {
            Failure::Unconnected(ErrorCode::AccessDenied) => {
                "the host does not let the component connect: start wasmtime with -Sinherit-network, and with \
                 -Sallow-ip-name-lookup where the address has a name"
            }
            Failure::Unconnected(ErrorCode::NameUnresolvable) => "its name was not found",
            Failure::Unconnected(ErrorCode::ConnectionRefused) => "it refused the connection",
            Failure::Unconnected(error) => {
                return Self::Failed(format!("Redis: no connection: {}", error.name()));
            }
            Failure::TimedOut => "it did not answer within two seconds",
            Failure::Closed | Failure::Incomplete => "the connection ended before the answer",
            Failure::TooLarge => "the answer is larger than 16 MiB",
            Failure::Denied(error) => return failed(&error),
        };
        Self::Failed(format!("Redis: {message}"))
    }
}

/// The shared store of the instances.
pub(crate) type SharedStore = RedisStore<InstanceLink>;

/// The store in the server at this address.
pub(crate) fn shared_store(client: Client) -> SharedStore {
    RedisStore::new(InstanceLink::new(client))
}

impl InstanceLink {
    /// To the server at this address. The first command connects.
    fn new(client: Client) -> Self {
        Self { client, idle: Rc::default() }
    }

    async fn answer(&self, command: &Cmd) -> Result<Value, Failure> {
        let command = command.get_packed_command();
        let idle = self.idle.borrow_mut().take();
        if let Some(connection) = idle {
            match self.exchange(connection, &[], &command).await {
                // Redis ends a connection that was not used for long. Every command may be repeated.
                Err(Failure::Closed) => {}
                answered => return answered,
            }
        }
        let info = self.client.get_connection_info();
        let connecting = within(TIMEOUT, Connection::open(info.addr()));
        let connection = connecting.await.unwrap_or(Err(Failure::TimedOut))?;
        self.exchange(connection, &greeting(info), &command).await
    }

    /// Sends a command, on a new connection after what it begins with. The connection is kept for the next command.
    async fn exchange(
        &self,
        connection: Connection,
        greeting: &[Cmd],
        command: &[u8],
    ) -> Result<Value, Failure> {
        let mut bytes: Vec<u8> = greeting.iter().flat_map(Cmd::get_packed_command).collect();
        bytes.extend(command);
        let exchange = async {
            body::write(&connection.output, &bytes).await.map_err(|_| Failure::Closed)?;
            body::flush(&connection.output).map_err(|_| Failure::Closed)?;
            connection.answers(greeting.len() + 1).await
        };
        let answers = within(TIMEOUT, exchange).await.unwrap_or(Err(Failure::TimedOut))?;
        let mut last = Value::Nil;
        for answer in answers {
            // After a greeting that was refused everything is, so the first error says why.
            last = answer.extract_error().map_err(Failure::Denied)?;
        }
        self.idle.replace(Some(connection));
        Ok(last)
    }
}

impl Link for InstanceLink {
    async fn query(&self, command: &Cmd) -> Result<Value, StoreError> {
        Ok(self.answer(command).await?)
    }

    async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }
}

/// What a new connection begins with: the password, and the number of the database.
fn greeting(info: &ConnectionInfo) -> Vec<Cmd> {
    let settings = info.redis_settings();
    let mut commands = Vec::new();
    if let Some(password) = settings.password() {
        let mut auth = cmd("AUTH");
        if let Some(user) = settings.username() {
            auth.arg(user);
        }
        auth.arg(password);
        commands.push(auth);
    }
    if settings.db() != 0 {
        let mut select = cmd("SELECT");
        select.arg(settings.db());
        commands.push(select);
    }
    commands
}

impl Connection {
    async fn open(address: &ConnectionAddr) -> Result<Self, Failure> {
        let ConnectionAddr::Tcp(host, port) = address else { return Err(ErrorCode::NotSupported.into()) };
        let network = instance_network();
        let mut last = ErrorCode::NameUnresolvable;
        for address in addresses(&network, host).await? {
            match Self::to(&network, address, *port).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    async fn to(network: &Network, address: IpAddress, port: u16) -> Result<Self, ErrorCode> {
        let (family, address) = match address {
            IpAddress::Ipv4(address) => {
                (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }))
            }
            IpAddress::Ipv6(address) => {
                let address = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
                (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
            }
        };
        let socket = create_tcp_socket(family)?;
        socket.start_connect(network, address)?;
        loop {
            match socket.finish_connect() {
                Ok((input, output)) => return Ok(Self { input, output, _socket: socket }),
                Err(ErrorCode::WouldBlock) => ready(socket.subscribe()).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads so many answers.
    async fn answers(&self, count: usize) -> Result<Vec<Value>, Failure> {
        let mut bytes = Vec::new();
        loop {
            match self.input.read(CHUNK) {
                Ok(more) if more.is_empty() => {
                    ready(self.input.subscribe()).await;
                    continue;
                }
                Ok(more) => bytes.extend(more),
                Err(_) if bytes.is_empty() => return Err(Failure::Closed),
                Err(_) => return Err(Failure::Incomplete),
            }
            if bytes.len() > MAX_ANSWER {
                return Err(Failure::TooLarge);
            }
            if let Some(answers) = parsed(&bytes, count)? {
                return Ok(answers);
            }
        }
    }
}

/// So many answers, if all of them are there.
fn parsed(bytes: &[u8], count: usize) -> Result<Option<Vec<Value>>, Failure> {
    let (mut parser, mut rest) = (Parser::new(), bytes);
    let mut answers = Vec::new();
    while answers.len() < count {
        match parser.parse_value(&mut rest) {
            Ok(answer) => answers.push(answer),
            // They end too early.
            Err(error) if error.is_io_error() => return Ok(None),
            Err(error) => return Err(Failure::Denied(error)),
        }
    }
    Ok(Some(answers))
}

/// The addresses of a host.
async fn addresses(network: &Network, host: &str) -> Result<Vec<IpAddress>, ErrorCode> {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => {
            return Ok(vec![IpAddress::Ipv4(address.octets().into())]);
        }
        Ok(IpAddr::V6(address)) => {
            return Ok(vec![IpAddress::Ipv6(address.segments().into())]);
        }
        Err(_) => {}
    }
    let names = resolve_addresses(network, host)?;
    let mut addresses = Vec::new();
    loop {
        match names.resolve_next_address() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => ready(names.subscribe()).await,
            Err(error) => return Err(error),
        }
    }
}

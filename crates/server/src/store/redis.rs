//! The connection of a thread to a Redis server.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use vestibule_redis::{Link, TIMEOUT, failed};

use vestibule_core::platform::StoreError;

/// The connection, which every request of the thread uses at once.
#[derive(Clone)]
pub(crate) struct ThreadLink {
    client: Client,
    /// The connection, until a command on it fails.
    connection: Rc<RefCell<Option<MultiplexedConnection>>>,
}

impl ThreadLink {
    /// To the server at this address. The first command connects.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, connection: Rc::default() }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let connected = self.connection.borrow().clone();
        if let Some(connection) = connected {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.connection.replace(Some(connection.clone()));
        Ok(connection)
    }
}

impl Link for ThreadLink {
    async fn query(&self, command: &Cmd) -> Result<Value, StoreError> {
        let mut connection = self.connection().await.map_err(|error| failed(&error))?;
        let answered = command.query_async(&mut connection).await;
        answered.map_err(|error: RedisError| {
            if error.is_unrecoverable_error() || error.is_timeout() || error.is_io_error() {
                self.connection.take();
            }
            failed(&error)
        })
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

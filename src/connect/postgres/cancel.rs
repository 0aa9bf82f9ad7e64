//! [`Canceller`]: ends the running statement of a session from anywhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_postgres::CancelToken;

use super::connect_error::ConnectError;
use super::connector::{Connector, ConnectorFor};
use super::query_error::describe;
use super::target::Host;
use crate::connect::tunnel::Dial;

/// A request to cancel must not hang when the network does.
const BOUND: Duration = Duration::from_secs(10);

/// Ends the running statement of the session it came from, over a second connection with the same encryption.
///
/// The server does not confirm. The statement that was ended fails with
/// [`QueryErrorKind::Cancelled`](super::QueryErrorKind::Cancelled); one that had just finished does not notice.
#[derive(Clone)]
pub struct Canceller {
    pub(super) token: CancelToken,
    pub(super) connector: Connector,
    /// The socket, if the session uses one.
    pub(super) socket: Option<PathBuf>,
    /// What leads to the host, if this machine does not reach it.
    pub(super) via: Option<(Arc<dyn Dial>, Host)>,
    pub(super) endpoint: String,
    /// Set when asked to cancel, so that the session can tell it from a timeout on the server.
    pub(super) asked: Arc<AtomicBool>,
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canceller").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Canceller {
    /// Asks the server to end the running statement.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        self.asked.store(true, Ordering::SeqCst);
        let endpoint = self.endpoint.clone();
        match timeout(BOUND, self.send()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => {
                Err(ConnectError::Broken { endpoint, problem: format!("cannot cancel: {problem}") })
            }
            Err(_) => Err(ConnectError::Timeout { endpoint, after: BOUND }),
        }
    }

    async fn send(&self) -> Result<(), String> {
        let connector = self.connector.deaf();
        if let Some((via, host)) = &self.via {
            let pipe = via.dial(host.port()).await.map_err(|error| error.to_string())?;
            let connector = ConnectorFor::new(connector, host.name());
            return self.token.cancel_query_raw(pipe, connector).await.map_err(|error| describe(&error));
        }
        let Some(path) = &self.socket else {
            return self.token.cancel_query(connector).await.map_err(|error| describe(&error));
        };
        let socket = UnixStream::connect(path).await.map_err(|error| error.to_string())?;
        let connector = ConnectorFor::new(connector, "localhost");
        self.token.cancel_query_raw(socket, connector).await.map_err(|error| describe(&error))
    }
}

//! [`Connector`]: turns a connected socket into the stream the driver speaks over, encrypted or not.
//!
//! The driver is told to begin TLS at once (`sslnegotiation=direct`), which makes it hand the bare socket over; so all
//! of libpq's modes are decided here, and the plain text can be listened to whatever the encryption.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::SslNegotiation;
use super::wire::{Listener, Wire};

/// How one attempt is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    /// Not at all.
    Plain,
    /// By TLS.
    Tls {
        /// The configured TLS.
        rustls: MakeRustlsConnect,
        /// Whether to ask first.
        negotiation: SslNegotiation,
        /// What to do when the server has no TLS.
        refusal: Refusal,
    },
}

/// What to do when the server answers that it has no TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Go on without, on the same socket.
    Accept,
    /// Fail.
    Fail,
}

/// Why there is no stream.
#[derive(Debug, Error)]
pub(super) enum ConnectorError {
    /// The server has no TLS.
    #[error("the server does not offer TLS")]
    NotOffered,
    /// The server answered something else.
    #[error("the server does not understand the request for TLS")]
    NotUnderstood,
    /// The handshake failed.
    #[error(transparent)]
    Handshake(io::Error),
    /// The connection failed while asking.
    #[error(transparent)]
    Asking(io::Error),
}

/// Makes streams for one attempt; clones are used for cancelling.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) encryption: Encryption,
    pub(super) wire: Wire,
}

/// The code of the message that asks for TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

impl Connector {
    /// A connector whose stream is not listened to, for a second connection of the same kind.
    pub(super) fn deaf(&self) -> Self {
        Self { encryption: self.encryption.clone(), wire: Wire::default() }
    }

    async fn begin<S>(self, mut socket: S, host: String) -> Result<Stream<S>, ConnectorError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = Listener::new(self.wire);
        let Encryption::Tls { mut rustls, negotiation, refusal } = self.encryption else {
            return Ok(Stream { transport: Transport::Plain(socket), listener });
        };
        if negotiation == SslNegotiation::Postgres {
            match ask(&mut socket).await.map_err(ConnectorError::Asking)? {
                b'S' => {}
                b'N' if refusal == Refusal::Accept => {
                    return Ok(Stream { transport: Transport::Plain(socket), listener });
                }
                b'N' => return Err(ConnectorError::NotOffered),
                _ => return Err(ConnectorError::NotUnderstood),
            }
        }
        let Ok(tls) = MakeTlsConnect::<S>::make_tls_connect(&mut rustls, &host);
        let encrypted = tls.connect(socket).await.map_err(ConnectorError::Handshake)?;
        Ok(Stream { transport: Transport::Tls(Box::new(encrypted)), listener })
    }
}

/// Asks for TLS and reads the one byte of answer, not a byte more: what follows belongs to TLS.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S) -> io::Result<u8> {
    socket.write_all(&SSL_REQUEST).await?;
    socket.flush().await?;
    socket.read_u8().await
}

/// [`Connector`] with the host's name, ready for one socket.
pub(super) struct ConnectorFor {
    connector: Connector,
    host: String,
}

impl ConnectorFor {
    pub(super) fn new(connector: Connector, host: &str) -> Self {
        Self { connector, host: host.to_owned() }
    }
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = ConnectorFor;
    type Error = ConnectorError;

    fn make_tls_connect(&mut self, host: &str) -> Result<ConnectorFor, ConnectorError> {
        Ok(ConnectorFor::new(self.clone(), host))
    }
}

impl<S> TlsConnect<S> for ConnectorFor
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = ConnectorError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream<S>, ConnectorError>> + Send>>;

    fn connect(self, socket: S) -> Self::Future {
        Box::pin(self.connector.begin(socket, self.host))
    }
}

type Encrypted<S> = <MakeRustlsConnect as MakeTlsConnect<S>>::Stream;

enum Transport<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Plain(S),
    Tls(Box<Encrypted<S>>),
}

/// The stream the driver speaks over, listened to.
pub(super) struct Stream<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    transport: Transport<S>,
    listener: Listener,
}

impl<S> AsyncRead for Stream<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(match &mut this.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
        })?;
        Poll::Ready(this.listener.hear(&buffer.filled()[before..]))
    }
}

impl<S> AsyncWrite for Stream<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

impl<S> TlsStream for Stream<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn channel_binding(&self) -> ChannelBinding {
        match &self.transport {
            Transport::Plain(_) => ChannelBinding::none(),
            Transport::Tls(tls) => tls.channel_binding(),
        }
    }
}

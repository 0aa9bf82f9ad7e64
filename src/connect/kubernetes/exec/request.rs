//! The request that becomes a WebSocket, and what it means when it does not.

use std::error::Error;
use std::fmt::Write as _;

use kube::client::{Connection, UpgradeConnectionError};

use super::{ExecError, ExecRequest, Stdin, in_blocks, with_length, with_private};

/// What the request led to.
pub(super) enum Attempt {
    /// The command starts.
    Connected(Box<Connection>),
    /// The request was sent, and no proper answer came: the command may run.
    Lost(String),
}

/// Asks the server to start the command that the address names.
pub(super) async fn attempt(client: &kube::Client, address: String) -> Result<Attempt, ExecError> {
    let request = http::Request::get(address).body(Vec::new());
    let request = request.map_err(|error| ExecError::Refused(kube::Error::HttpError(error)))?;
    match client.connect(request).await {
        Ok(connection) => Ok(Attempt::Connected(Box::new(connection))),
        Err(error) if may_have_started(&error) => {
            Ok(Attempt::Lost(format!("no proper answer came to the request: {}", chain(&error))))
        }
        Err(error) => Err(ExecError::Refused(error)),
    }
}

impl ExecRequest<'_> {
    /// Path and query. Names are encoded as well, so that none of them can become another path or parameter.
    pub(super) fn address(&self, stdin: &Stdin<'_>) -> String {
        let mut address =
            format!("/api/v1/namespaces/{}/pods/{}/exec?", encoded(self.namespace), encoded(self.pod));
        address.push_str("stdout=true&stderr=true&container=");
        address.push_str(&encoded(self.container));
        if self.private.is_some() || !matches!(stdin, Stdin::None) {
            address.push_str("&stdin=true");
        }
        for word in self.wrapped(stdin) {
            address.push_str("&command=");
            address.push_str(&encoded(&word));
        }
        address
    }

    /// The command as the container starts it.
    fn wrapped(&self, stdin: &Stdin<'_>) -> Vec<String> {
        let command = match stdin {
            Stdin::Length(_, bytes) => with_length(self.command, *bytes),
            Stdin::Blocks(_) => in_blocks(self.command),
            // What is private goes over standard input, which must then end without being told to.
            Stdin::None if self.private.is_some() => with_length(self.command, 0),
            Stdin::None | Stdin::Stream(_) => self.command.to_vec(),
        };
        match self.private {
            Some(environment) => with_private(&command, environment),
            None => command,
        }
    }
}

/// Everything but letters, digits and `-_.~` as `%XX`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            write!(encoded, "%{byte:02X}").ok();
        }
    }
    encoded
}

/// Whether the request may have reached the server without an answer that says no.
fn may_have_started(error: &kube::Error) -> bool {
    match error {
        kube::Error::HyperError(_) => true,
        kube::Error::Service(error) => !is_about_connecting(error.as_ref()),
        // An answer other than "switching protocols" is a no; a switch that went wrong is none.
        kube::Error::UpgradeConnection(error) => !matches!(error, UpgradeConnectionError::ProtocolSwitch(_)),
        _ => false,
    }
}

/// Whether the connection was not made. The error's type belongs to a crate below kube, so its text must do; should
/// that change, the outcome is the careful one, and a test fails.
fn is_about_connecting(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| error.to_string() == "client error (Connect)")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// An error and its causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in causes(error) {
        let text = error.to_string();
        // Some errors repeat their cause.
        if !texts.iter().any(|before| before.ends_with(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_carries_every_word_as_it_is() {
        let command = ["sh", "-c", "a b&c=d+e?#%/ü\n'\""].map(str::to_owned);
        let request = ExecRequest {
            namespace: "n",
            pod: "p/../x?y",
            container: "c&d",
            command: &command,
            private: None,
        };
        assert_eq!(
            request.address(&Stdin::Stream(&mut tokio::io::empty())),
            "/api/v1/namespaces/n/pods/p%2F..%2Fx%3Fy/exec?stdout=true&stderr=true&container=c%26d&stdin=true\
             &command=sh&command=-c&command=a%20b%26c%3Dd%2Be%3F%23%25%2F%C3%BC%0A%27%22"
        );
        assert!(!request.address(&Stdin::None).contains("stdin"));
    }
}

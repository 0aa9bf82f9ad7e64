//! [`Account`]: the client with its credentials, which are fetched again once the server refuses them.
//!
//! kube starts a plugin anew only when the time it gave has passed; a token that was withdrawn, or whose end the plugin
//! did not tell, would be refused for ever.

use std::io::IsTerminal as _;
use std::time::Duration;

use kube::client::AuthError;
use kube::config::{ExecConfig, ExecInteractiveMode};
use kube::{Client, Config, Error};
use tokio::sync::Mutex;

use super::client::connected;
use super::error::ApiError;
use crate::model::Failure;

/// How long a plugin that asks nobody may take.
const PLUGIN: Duration = Duration::from_mins(1);

/// A client, and how to make another one.
pub(super) struct Account {
    config: Config,
    current: Mutex<Current>,
}

/// A client, and how many there were before it.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) client: Client,
    number: u64,
}

impl Account {
    /// Makes a client; a plugin is started for its credentials, and may ask a person who sits at the terminal.
    pub(super) async fn open(mut config: Config) -> Result<Self, Failure> {
        let plugin = config.auth_info.exec.as_mut();
        if let Some(plugin) = plugin.filter(|_| !std::io::stdin().is_terminal()) {
            ask_nobody(plugin)?;
        }
        let client = client(config.clone()).await?;
        // In the middle of a run the terminal is the run's own.
        if let Some(plugin) = &mut config.auth_info.exec {
            plugin.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        Ok(Self { config, current: Mutex::new(Current { client, number: 0 }) })
    }

    /// The client of now.
    pub(super) async fn current(&self) -> Current {
        self.current.lock().await.clone()
    }

    /// A client with new credentials in place of one that was refused; nothing where there are no others to be had.
    pub(super) async fn renewed(&self, refused: &Current) -> Result<Option<Client>, ApiError> {
        let auth = &self.config.auth_info;
        if auth.exec.is_none() && auth.token_file.is_none() {
            return Ok(None);
        }
        let mut current = self.current.lock().await;
        // Several requests may have been refused at once: the first of them renews.
        if current.number == refused.number {
            let client = client(self.config.clone()).await;
            current.client = client.map_err(|failure| ApiError::local(failure.message))?;
            current.number += 1;
        }
        Ok(Some(current.client.clone()))
    }
}

/// Lets a plugin ask nobody, which some cannot.
fn ask_nobody(plugin: &mut ExecConfig) -> Result<(), Failure> {
    if plugin.interactive_mode == Some(ExecInteractiveMode::Always) {
        let message =
            format!("the credential plugin `{}` asks a person, and there is no terminal", name(plugin));
        return Err(
            Failure::new(message).help("Run it at a terminal, or use a context that logs in by itself.")
        );
    }
    plugin.interactive_mode = Some(ExecInteractiveMode::Never);
    Ok(())
}

async fn client(config: Config) -> Result<Client, Failure> {
    let plugin = config.auth_info.exec.clone();
    let unattended =
        plugin.as_ref().is_some_and(|plugin| plugin.interactive_mode == Some(ExecInteractiveMode::Never));
    // kube waits for a plugin where it stands; it also starts the client's own task, so it needs the runtime.
    let runtime = tokio::runtime::Handle::current();
    let made = tokio::task::spawn_blocking(move || {
        let _inside = runtime.enter();
        connected(config)
    });
    let made = if unattended {
        let silent = |_| no_answer(plugin.as_ref());
        tokio::time::timeout(PLUGIN, made).await.map_err(silent)?
    } else {
        made.await
    };
    let made = made.map_err(|error| Failure::new(error.to_string()))?;
    made.map_err(|error| unusable(&error, plugin.as_ref()))
}

/// Why there are no credentials. What a plugin printed is not shown: it may hold the token.
fn unusable(error: &Error, plugin: Option<&ExecConfig>) -> Failure {
    let (Error::Auth(error), Some(plugin)) = (error, plugin) else {
        return ApiError::of(error).failure("use the cluster's credentials");
    };
    let name = name(plugin);
    match error {
        AuthError::AuthExecStart(error) => {
            let help = plugin.install_hint.clone().filter(|hint| !hint.trim().is_empty());
            let help = help.unwrap_or_else(|| "Install it, or give its path in the kubeconfig.".to_owned());
            Failure::new(format!("the credential plugin `{name}` cannot be started: {error}")).help(help)
        }
        AuthError::AuthExecRun { out, .. } => Failure {
            details: String::from_utf8_lossy(&out.stderr).lines().map(str::to_owned).collect(),
            ..Failure::new(format!("the credential plugin `{name}` failed: {}", out.status))
        }
        .help("Log in as the plugin wants it, then try again."),
        AuthError::AuthExecParse(_)
        | AuthError::ExecPluginFailed
        | AuthError::MalformedTokenExpirationDate(_) => {
            let version = plugin.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
            Failure::new(format!(
                "what the credential plugin `{name}` printed is no `ExecCredential` of {version}"
            ))
            .help("Run it by hand and look at what it prints.")
        }
        _ => Failure::new(format!("the credential plugin `{name}` cannot be used: {error}")),
    }
}

fn no_answer(plugin: Option<&ExecConfig>) -> Failure {
    let name = plugin.map(name).unwrap_or_default();
    Failure::new(format!("the credential plugin `{name}` did not end within {} s", PLUGIN.as_secs()))
        .help("Run it by hand: it may wait for somebody to log in.")
}

fn name(plugin: &ExecConfig) -> String {
    plugin.command.clone().unwrap_or_default()
}

//! [`Libpq`]: what the programs of libpq need to find a postgres connection, on this machine or in a pod.

use std::collections::BTreeMap;

use super::connections::{ConnectionConfig, Connections};
use super::kubernetes::Container;
use super::postgres::{Host, SslMode, Target};
use crate::model::{Failure, Secret};

/// What the programs of libpq need to find a postgres connection.
#[derive(Debug)]
pub struct Libpq {
    /// Environment variables, none of which is secret.
    pub variables: BTreeMap<String, String>,
    /// The text of a password file.
    pub password_file: Option<Secret>,
}

impl Libpq {
    fn of(target: &Target) -> Self {
        let (variables, password_file) = target.libpq_environment();
        Self { variables, password_file }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }
}

impl Connections {
    /// For a program on this machine.
    pub fn libpq_here(&self, name: &str) -> Result<Libpq, Failure> {
        if let Some(ConnectionConfig::Postgres { via: Some(_), .. }) = self.config(name) {
            let message = format!("a program on this machine cannot reach `{name}`, which is behind a pod");
            return Err(Failure::new(message)
                .help("Let the program run in the pod: a host of the environment can be one."));
        }
        Ok(Libpq::of(&self.target(name)?))
    }

    /// For a program in a container. A server that is reached through this very pod is its neighbour there: it listens
    /// on the loopback that the way through the pod ends at.
    pub async fn libpq_in(&self, name: &str, container: &Container) -> Result<Libpq, Failure> {
        let target = self.target(name)?;
        let mut libpq = Libpq::of(&target);
        let Some(host) = target.hosts.first() else { return Ok(libpq) };
        let Some(tunnel) = self.tunnel(name).await? else {
            return if is_of_this_machine(host) {
                Err(unreachable(name, host, container))
            } else {
                Ok(libpq)
            };
        };
        let place = tunnel.place(host.port()).await;
        let (pod, port) = place.map_err(|error| error.failure(&format!("find the pod of `{name}`")))?;
        if (pod.as_str(), tunnel.namespace()) != (container.pod(), container.namespace()) {
            return Err(another_pod(name, &pod, container));
        }
        libpq.set("PGHOST", "localhost");
        libpq.set("PGPORT", &port.to_string());
        // Nobody stands between the two, and the certificates of this machine are not there to check against.
        libpq.set("PGSSLMODE", target.tls.mode.min(SslMode::Require).as_str());
        Ok(libpq)
    }
}

/// Whether a name or a path means something else in a pod than here.
fn is_of_this_machine(host: &Host) -> bool {
    match host {
        Host::Socket { .. } => true,
        Host::Tcp { name, address, .. } => {
            name == "localhost"
                || address.is_some_and(|address| address.is_loopback())
                || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}

fn unreachable(name: &str, host: &Host, container: &Container) -> Failure {
    let message = format!(
        "`{name}` is {host} of this machine, which a program in pod `{}` does not see",
        container.pod()
    );
    Failure::new(message)
        .help("Reach the database through the pod too, by `via`, or let the program run here.")
}

fn another_pod(name: &str, pod: &str, container: &Container) -> Failure {
    let message =
        format!("`{name}` is behind pod `{pod}`, and the program would run in pod `{}`", container.pod());
    Failure::new(message).help("Let the environment's host be the pod that the database is reached through.")
}

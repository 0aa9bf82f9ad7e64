//! [`Lease`]: a key as a Lease of a cluster, renewed beside the run and given back at its end.
//!
//! One whose holder has died is taken over only after it was watched, by this machine's own clock, for as long as it
//! is valid: clocks of different machines are never compared to decide that. Every write carries the version it
//! builds on, so of two who take over at the same time one is refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Claim, Holder, Taken, hexadecimal};
use crate::connect::Connections;
use crate::connect::kubernetes::{Access, ApiError, Cluster, Resource};
use crate::model::{Failure, RunId};

/// How long a Lease is valid after its last renewal.
const VALID: Duration = Duration::from_secs(15);

/// How often it is renewed, and how long that may take.
const RENEW: Duration = Duration::from_secs(5);

/// How long it waits before it is given back once more to a server that did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest part of a key that is readable in the name of its Lease.
const READABLE: usize = 40;

/// A key as a Lease.
#[derive(Debug)]
pub(super) struct Lease {
    connection: String,
    namespace: Option<String>,
    claim: Claim,
    /// The Lease as it was last written here.
    kept: Option<Arc<Kept>>,
    renewing: JoinSet<()>,
    /// The version of another's Lease, and since when it is the same.
    watched: Option<(String, Instant)>,
    now: fn() -> Timestamp,
}

/// What the renewal and the run both look at.
#[derive(Debug)]
struct Kept {
    place: Spot,
    state: Mutex<State>,
    now: fn() -> Timestamp,
}

#[derive(Debug)]
struct State {
    object: Value,
    renewed: Instant,
    /// Whether somebody else wrote it.
    lost: bool,
}

/// Where a Lease lies.
#[derive(Debug, Clone)]
struct Spot {
    cluster: Cluster,
    namespace: String,
    name: String,
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_valid(&self) -> bool {
        let state = self.state();
        !state.lost && state.renewed.elapsed() < VALID
    }

    /// Renews until it is dropped, or somebody else has the Lease. A server that does not answer is asked again: the
    /// Lease runs out by itself meanwhile.
    async fn renew(&self) {
        loop {
            sleep(RENEW).await;
            let began = Instant::now();
            let mut object = self.state().object.clone();
            object["spec"]["renewTime"] = written((self.now)()).into();
            match timeout(RENEW, self.place.replace(&object)).await {
                Ok(Ok(object)) => {
                    let mut state = self.state();
                    (state.object, state.renewed) = (object, began);
                }
                Ok(Err(error)) if error.code == Some(409) && !self.is_still_ours().await => {
                    self.state().lost = true;
                    return;
                }
                _ => {}
            }
        }
    }

    /// Names nobody as the holder. The Lease stays, and with it the count of its holders.
    async fn give_back(&self) {
        loop {
            let mut object = self.state().object.clone();
            object["spec"]["holderIdentity"] = "".into();
            match self.place.replace(&object).await {
                // A renewal that was cut short counted.
                Err(error) if error.code == Some(409) && self.is_still_ours().await => {}
                Err(error) if error.transient => sleep(PAUSE).await,
                _ => return,
            }
        }
    }

    /// Whether the Lease names this run although its version is another one: a write of ours was not answered, or
    /// somebody added a label.
    async fn is_still_ours(&self) -> bool {
        let ours = self.state().object["spec"]["holderIdentity"].clone();
        match timeout(RENEW, self.place.find()).await {
            Ok(Ok(Some(object))) if object["spec"]["holderIdentity"] == ours => {
                self.state().object = object;
                true
            }
            Ok(Ok(_)) => false,
            _ => true,
        }
    }
}

impl Spot {
    async fn find(&self) -> Result<Option<Value>, ApiError> {
        self.cluster.find(&Resource::leases(), &self.namespace, &self.name).await
    }

    async fn replace(&self, object: &Value) -> Result<Value, ApiError> {
        self.cluster.replace(&Resource::leases(), &self.namespace, &self.name, object).await
    }

    fn refused(&self, error: &ApiError) -> Failure {
        let failure = error.failure(&format!("hold the Lease {} in {}", self.name, self.namespace));
        let Some(403) = error.code else { return failure };
        failure.help(format!(
            "Let this account get, create and update leases.coordination.k8s.io in {}, or name another connection in \
             the runbook's `concurrency:`.",
            self.namespace
        ))
    }
}

impl Lease {
    pub(super) fn new(
        connection: String,
        namespace: Option<String>,
        claim: Claim,
        now: fn() -> Timestamp,
    ) -> Self {
        let renewing = JoinSet::new();
        Self { connection, namespace, claim, kept: None, renewing, watched: None, now }
    }

    pub(super) fn is_held(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_valid())
    }

    pub(super) async fn take(&mut self, connections: &Connections) -> Result<Taken, Failure> {
        if self.is_held() {
            return Ok(Taken::Held);
        }
        self.renewing.abort_all();
        let place = self.place(connections, Access::Write).await?;
        // A version that is no longer the last one is read again.
        for _ in 0..3 {
            let began = Instant::now();
            let found = place.find().await.map_err(|error| place.refused(&error))?;
            if let Some(holder) = found.as_ref().and_then(|found| self.rival(found)) {
                return Ok(Taken::Busy(holder));
            }
            let answer = if let Some(found) = &found {
                place.replace(&self.signed(found)).await
            } else {
                let object = self.signed(&blank(&place.name, &self.claim.key));
                place.cluster.create(&Resource::leases(), &place.namespace, &object).await
            };
            match answer {
                Ok(object) => {
                    self.keep(place, object, began);
                    return Ok(Taken::Held);
                }
                Err(error) if error.code == Some(409) => {}
                Err(error) => return Err(place.refused(&error)),
            }
        }
        Ok(Taken::Busy(Holder::default()))
    }

    pub(super) async fn look(&self, connections: &Connections) -> Result<Option<Holder>, Failure> {
        let place = self.place(connections, Access::Read).await?;
        let found = place.find().await.map_err(|error| place.refused(&error))?;
        Ok(found
            .as_ref()
            .and_then(|found| holder(found, (self.now)()))
            .filter(|holder| holder.silent.is_none()))
    }

    pub(super) async fn release(mut self) {
        self.renewing.shutdown().await;
        let Some(kept) = self.kept.filter(|kept| kept.is_valid()) else { return };
        // A server that does not answer lets it expire.
        timeout(RENEW, kept.give_back()).await.ok();
    }

    async fn place(&self, connections: &Connections, access: Access) -> Result<Spot, Failure> {
        let cluster = connections.cluster(&self.connection, access).await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned());
        Ok(Spot { cluster, namespace, name: name(&self.claim.key) })
    }

    /// Who stands in the way: the holder while it lives, or whoever had the Lease since it was lost here.
    fn rival(&mut self, found: &Value) -> Option<Holder> {
        let mine = found["spec"]["holderIdentity"] == self.identity().as_str();
        let before = self.kept.as_ref().map(|kept| transitions(&kept.state().object));
        if before.is_some_and(|before| before != transitions(found)) {
            let gone = "which has given it back since".to_owned();
            return Some(holder(found, (self.now)()).unwrap_or(Holder { about: gone, ..Holder::default() }));
        }
        let holder = holder(found, (self.now)()).filter(|_| !mine)?;
        let version = found["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        match &self.watched {
            Some((seen, since)) if seen == version => (since.elapsed() < valid(found)).then_some(holder),
            _ => {
                self.watched = Some((version.to_owned(), Instant::now()));
                Some(holder)
            }
        }
    }

    fn keep(&mut self, place: Spot, object: Value, renewed: Instant) {
        let state = Mutex::new(State { object, renewed, lost: false });
        let kept = Arc::new(Kept { place, state, now: self.now });
        self.kept = Some(Arc::clone(&kept));
        self.renewing = JoinSet::new();
        self.renewing.spawn(async move { kept.renew().await });
    }

    fn identity(&self) -> String {
        format!("{} {}", self.claim.run, self.claim.operator)
    }

    /// The Lease with this run as its holder. A change of holders is counted, so that one who lost it can tell.
    fn signed(&self, found: &Value) -> Value {
        let identity = self.identity();
        let mut object = found.clone();
        if object["spec"]["holderIdentity"] != identity.as_str() {
            object["spec"]["leaseTransitions"] = (transitions(found) + 1).into();
            object["spec"]["acquireTime"] = written((self.now)()).into();
        }
        object["spec"]["holderIdentity"] = identity.into();
        object["spec"]["leaseDurationSeconds"] = VALID.as_secs().into();
        object["spec"]["renewTime"] = written((self.now)()).into();
        object
    }
}

fn blank(name: &str, key: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": name, "annotations": { "runbook/key": key } },
        "spec": {},
    })
}

/// `runbook-KEY-HASH`: what can be read of the key, and what tells it from others.
fn name(key: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let readable: String = key.chars().map(plain).take(READABLE).collect();
    format!("runbook-{}-{}", readable.trim_matches('-'), hexadecimal(key, 4))
}

fn transitions(lease: &Value) -> i64 {
    lease["spec"]["leaseTransitions"].as_i64().unwrap_or(0)
}

fn valid(lease: &Value) -> Duration {
    lease["spec"]["leaseDurationSeconds"].as_u64().map_or(VALID, Duration::from_secs)
}

fn time(lease: &Value, field: &str) -> Option<Timestamp> {
    lease["spec"][field].as_str()?.parse().ok()
}

/// Who holds a Lease; nobody when it was given back.
fn holder(lease: &Value, now: Timestamp) -> Option<Holder> {
    let identity = lease["spec"]["holderIdentity"].as_str().filter(|identity| !identity.is_empty())?;
    let (run, about) = match identity.split_once(' ') {
        Some((run, operator)) if RunId::parse(run).is_some() => (RunId::parse(run), format!("by {operator}")),
        _ => (None, identity.to_owned()),
    };
    // Clocks differ, so this is no more than a reason to watch it.
    let silent = time(lease, "renewTime")
        .is_none_or(|renewed| now.duration_since(renewed).unsigned_abs() > valid(lease));
    Some(Holder { run, about, since: time(lease, "acquireTime"), silent: silent.then(|| valid(lease)) })
}

/// A time as Leases have it, with six digits of a second.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_a_name_the_server_takes() {
        let long = "x".repeat(300);
        for key in ["restart", "Weekly Vacuum in wms_db", "----", "", &long] {
            let name = name(key);
            let allowed =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            assert!(name.len() <= 63 && name.chars().all(allowed), "{name}");
        }
        assert_ne!(name("a b"), name("a-b"));
    }

    #[test]
    fn a_lease_given_back_has_no_holder() {
        let now: Timestamp = "2026-11-22T18:48:55Z".parse().unwrap();
        let lease = |identity: &str| {
            json!({ "spec": {
                "holderIdentity": identity, "leaseDurationSeconds": 15, "renewTime": written(now), "acquireTime": written(now),
            } })
        };
        assert_eq!(holder(&lease(""), now), None);
        let found = holder(&lease("20261122-184855-abcd dba@host"), now).unwrap();
        assert_eq!(found.run.as_ref().map(RunId::as_str), Some("20261122-184855-abcd"));
        assert_eq!((found.about.as_str(), found.silent), ("by dba@host", None));
        let mut old = lease("somebody");
        old["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z".into();
        assert_eq!(holder(&old, now).unwrap().silent, Some(VALID));
    }
}

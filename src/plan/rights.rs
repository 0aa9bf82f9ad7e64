//! The rights of the steps in their clusters, asked for all at once before the first step.
//!
//! What cannot be asked stands in nobody's way: the server itself judges each request.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::planner::{PlanRequest, walk};
use crate::connect::Connections;
use crate::connect::kubernetes::{Access, Lacking};
use crate::model::{Failure, StepId};
use crate::step::RightNeeded;

/// How many reviews are asked at a time.
const AT_ONCE: usize = 8;

/// A right that a step needs.
pub(super) type Asked = (StepId, RightNeeded);

/// Rights on one resource that the account has not.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    /// The steps that need them.
    pub(super) steps: Vec<StepId>,
    verbs: Vec<&'static str>,
    lacking: Lacking,
}

/// The rights that the steps of a run need and the account has not, as far as the steps are known before the first one.
pub async fn missing_rights(request: &PlanRequest<'_>, connections: &Connections) -> Vec<Failure> {
    let (_, asked) = walk(request).await;
    missing(asked, connections).await.iter().map(Missing::failure).collect()
}

/// What is missing of these rights, each asked for once.
pub(super) async fn missing(asked: Vec<Asked>, connections: &Connections) -> Vec<Missing> {
    let mut steps_by_right: BTreeMap<RightNeeded, Vec<StepId>> = BTreeMap::new();
    for (step, needed) in asked {
        let steps = steps_by_right.entry(needed).or_default();
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let reviews = steps_by_right.into_iter().map(|(needed, steps)| async move {
        let lacking = review(&needed, connections).await?;
        Some(Missing { steps, verbs: vec![lacking.verb], lacking })
    });
    let found: Vec<Option<Missing>> = stream::iter(reviews).buffered(AT_ONCE).collect().await;
    found.into_iter().flatten().fold(Vec::new(), gathered)
}

async fn review(needed: &RightNeeded, connections: &Connections) -> Option<Lacking> {
    // Boxed: a cluster is opened once, and every review would carry the size of it otherwise.
    let cluster = Box::pin(connections.cluster(&needed.connection, Access::Read)).await.ok()?;
    let namespace = needed.namespace.as_deref().unwrap_or(cluster.namespace());
    cluster.lacks(&needed.right, namespace).await.ok()?
}

/// Rights on the same resource become one rule.
fn gathered(mut found: Vec<Missing>, next: Missing) -> Vec<Missing> {
    let same = |known: &&mut Missing| known.lacking.is_beside(&next.lacking) && known.steps == next.steps;
    match found.iter_mut().find(same) {
        Some(known) if !known.verbs.contains(&next.lacking.verb) => known.verbs.push(next.lacking.verb),
        Some(_) => {}
        None => found.push(next),
    }
    found
}

impl Missing {
    /// For the step it stands in the way of.
    pub(super) fn blocker(&self) -> String {
        self.lacking.describe(&self.verbs)
    }

    fn failure(&self) -> Failure {
        let steps: Vec<String> = self.steps.iter().map(|step| format!("`{step}`")).collect();
        Failure::new(format!("{}: {}", steps.join(", "), self.lacking.describe(&self.verbs)))
    }
}
